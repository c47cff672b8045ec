"""The work list: what is left, in which order, found by typing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from usimg.errors import StudyRefused
from usimg_napari.pages import Page, Status, Values
from usimg_napari.review import Review
from usimg_napari.worklist import BY_DOUBT, Worklist


@pytest.fixture
def worklist(review) -> Worklist:
    return Worklist(review)


def test_what_is_left_is_counted_in_words(worklist, review):
    assert worklist.left() == "3 of 3 frames left: 1 flagged, 2 to do"
    review.accept()
    assert worklist.left() == "2 of 3 frames left: 1 flagged, 1 to do"


def test_nothing_left_is_said(desk):
    for page, (frames, held) in desk.content.items():
        desk.content[page] = frames, tuple(replace(one, status=Status.ACCEPTED) for one in held)
    assert Worklist(Review(desk)).left() == "all 3 frames are done"


@pytest.mark.parametrize(("typed", "found"), [("biceps", [1]), ("s-1 arm", [0]), ("flagged", [1]), ("x", [])])
def test_typing_finds_patients_structures_and_states(worklist, typed, found):
    worklist.filter = typed
    assert worklist.indices() == found


def test_next_goes_through_what_was_found_and_not_through_the_rest(worklist, review):
    worklist.filter = "s-1"
    review.go(0)
    assert worklist.step(1) == 0
    worklist.filter = ""
    assert worklist.step(1) == 1


def test_the_most_doubtful_comes_first(worklist):
    worklist.order = BY_DOUBT
    assert worklist.indices()[0] == 1


def test_repeats_that_differ_come_before_repeats_that_agree(desk):
    class Numbered(type(desk)):
        def briefs(self, page):
            sizes = {"a" * 64: 10.0, "b" * 64: 10.0, "c" * 64: 14.0}
            size = Values(thickness_mm=sizes[page.scan])
            return tuple(replace(one, values=size, confidence=1.0) for one in super().briefs(page))

    (frames, held), *_ = desk.content.values()
    alone = held[:1]

    def page(letter: str, subject: str, row: str) -> Page:
        return Page(letter * 64, 0, subject, subject, "1", row)

    agreeing, first, second = (
        page("a", "s-1", "biceps"),
        page("b", "s-2", "biceps"),
        page("c", "s-2", "biceps"),
    )
    content = {agreeing: (frames, alone)}
    content[first] = frames, (replace(alone[0], target="first"),)
    content[second] = frames, (replace(alone[0], target="second"),)
    worklist = Worklist(Review(Numbered(content)))
    worklist.order = BY_DOUBT
    assert worklist.doubts() == pytest.approx([0.0, 4 / 12, 4 / 12])
    assert worklist.indices() == [1, 2, 0]


def test_next_flagged_says_when_there_is_none(worklist, review):
    assert worklist.next_flagged() == 1
    review.go(1)
    review.reject("border not visible")
    with pytest.raises(StudyRefused, match="nothing is left"):
        worklist.next_flagged()


def test_a_signed_visit_is_shown_as_signed_once_all_of_it_is_settled(worklist, review):
    worklist.signed = {("", "")}
    assert worklist.status_of(0) == "to do"
    review.accept()
    assert worklist.status_of(0) == "signed"
