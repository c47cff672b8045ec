"""A sitting, step by step: what is written, what is undone, where it goes next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from usimg import Roi
from usimg.errors import StudyRefused
from usimg_napari.review import Review, Status


def verbs(desk) -> list[str]:
    return [verb for _, _, verb, _ in desk.lines]


def test_it_opens_at_the_first_page_with_something_to_do(desk):
    page = desk.pages()[0]
    frames, held = desk.content[page]
    desk.content[page] = frames, tuple(replace(one, status=Status.ACCEPTED) for one in held)
    assert Review(desk).at == 1


def test_a_study_without_outlines_says_which_command_makes_them(desk):
    desk.content.clear()
    with pytest.raises(StudyRefused, match="usimg extract"):
        Review(desk)


def test_accept_writes_one_line_an_outline_with_its_author(review, desk):
    review.accept()
    assert [line[1:] for line in desk.lines] == [
        ("A. Smith", "accept", "nerve"),
        ("A. Smith", "accept", "muscle"),
    ]
    assert {held.status for held in review.held} == {Status.ACCEPTED}


def test_accepting_twice_writes_once(review, desk):
    review.accept()
    review.accept()
    assert len(desk.lines) == 2


def test_nobody_decides_without_a_name(review, desk):
    review.author = "  "
    with pytest.raises(StudyRefused, match="name"):
        review.accept()
    assert not desk.lines
    assert not review.can_undo


def test_what_has_no_outline_is_not_accepted(review, desk):
    review.edit(0, Roi(structure="median_nerve"))
    with pytest.raises(StudyRefused, match="no outline"):
        review.accept()
    assert "accept" not in verbs(desk)


def test_a_rejection_needs_a_reason_and_concerns_the_selected_outline_alone(review, desk):
    review.select(1)
    with pytest.raises(StudyRefused, match="reason"):
        review.reject(" ")
    review.reject("wrong plane")
    assert [held.status for held in review.held] == [Status.TO_DO, Status.REJECTED]
    review.accept()
    assert [held.status for held in review.held] == [Status.ACCEPTED, Status.REJECTED]


def test_every_step_is_undone_and_redone_in_order_and_nothing_written_is_rewritten(review, desk):
    first = review.held[0].roi
    moved = first.with_polygons(first.polygons[0] + 1)
    review.edit(0, moved, "move a vertex")
    review.accept()
    before = list(desk.lines)
    assert review.undo() == "Undone: accept left median nerve, left biceps brachii"
    assert [held.status for held in review.held] == [Status.CORRECTED, Status.TO_DO]
    assert review.undo() == "Undone: move a vertex of left median nerve"
    assert review.held[0].roi is first
    assert review.redo() == "Done again: move a vertex of left median nerve"
    assert review.held[0].roi is moved
    review.redo()
    assert {held.status for held in review.held} == {Status.ACCEPTED}
    assert desk.lines[: len(before)] == before
    assert verbs(desk) == ["outline", "accept", "accept", *["undo"] * 6]


def test_a_redo_takes_the_undo_back_and_not_something_else(review, desk):
    review.accept()
    review.undo()
    review.redo()
    undone = [what for _, _, verb, what in desk.lines if verb == "undo"]
    assert undone == ["line 1", "line 0", "line 3", "line 2"]


def test_undo_goes_back_to_the_page_it_happened_on(review):
    review.accept()
    review.go(2)
    review.undo()
    assert review.at == 0


def test_a_new_step_forgets_what_was_undone(review):
    review.accept()
    review.undo()
    review.reject("wrong plane")
    with pytest.raises(StudyRefused, match="redo"):
        review.redo()


def test_what_a_full_disk_did_not_take_does_not_hold(review, desk):
    desk.full = True
    with pytest.raises(StudyRefused, match="NOT saved"):
        review.accept()
    assert {held.status for held in review.held} == {Status.TO_DO}
    assert not review.can_undo


def test_next_flagged_goes_round_and_says_when_there_is_none(review):
    review.go(2)
    review.next_flagged()
    assert review.at == 1
    review.reject("border not visible")
    with pytest.raises(StudyRefused, match="nothing is left"):
        review.next_flagged()


def test_next_and_previous_stop_at_the_ends(review):
    review.previous()
    assert review.at == 0
    for _ in range(9):
        review.next()
    assert review.at == 2


def test_what_is_left_is_counted(review):
    assert review.counts() == {"to do": 2, "look": 1}
    review.accept()
    assert review.counts() == {"accepted": 1, "to do": 1, "look": 1}


def test_several_pages_are_accepted_as_one_step_and_taken_back_as_one(review, desk):
    review.accept_pages((0, 2))
    assert [line[3] for line in desk.lines] == ["nerve", "muscle", "clip"]
    assert review.counts() == {"accepted": 2, "look": 1}
    review.undo()
    assert review.counts() == {"to do": 2, "look": 1}


def test_a_grade_is_said_of_the_selected_outline_and_undone(review, desk):
    review.select(1)
    review.grade(2)
    review.fasciculate()
    assert (review.briefs_on(0)[1].grade, review.briefs_on(0)[1].fasciculations) == (2, True)
    assert {line[3] for line in desk.lines} == {"muscle"}
    review.undo()
    review.undo()
    assert (review.briefs_on(0)[1].grade, review.briefs_on(0)[1].fasciculations) == (None, None)


def test_back_goes_where_one_was(review):
    review.go(2)
    review.go(1)
    review.back()
    assert review.at == 2
    review.back()
    assert review.at == 0
    with pytest.raises(StudyRefused, match="began"):
        review.back()


def test_what_is_not_validated_is_said_once_for_each_structure(review):
    assert "median nerve, biceps brachii" in review.notice()
    assert review.notice() == ""
    review.go(1)
    assert review.notice() == ""
