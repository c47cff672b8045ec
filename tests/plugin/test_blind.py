"""Blind sittings: which pictures, in which order, what is written, and that none of it counts by itself."""

from __future__ import annotations

from collections import Counter

import pytest

from usimg.errors import StudyRefused
from usimg_napari.blind import Adjudication, AdjudicationDesk, BlindDesk, plan
from usimg_napari.pages import Page, Status
from usimg_napari.review import Review

PAGES = [Page(f"{n:064x}", 0, f"page {n}") for n in range(100)]


def test_the_sample_is_the_same_for_every_reader_and_another_with_another_seed():
    assert plan(PAGES, 60, 1) == plan(list(reversed(PAGES)), 60, 1)
    assert plan(PAGES, 60, 1) != plan(PAGES, 60, 2)


def test_every_picture_is_read_in_both_arms_and_a_tenth_twice_in_each():
    arms = Counter(reading.arm for reading in plan(PAGES, 60, 1))
    assert arms == {"scratch-1": 60, "scratch-2": 6, "automatic-1": 60, "automatic-2": 6}


def test_no_automatic_outline_was_seen_before_the_last_reading_from_scratch():
    ways = [reading.from_scratch for reading in plan(PAGES, 60, 3)]
    assert ways == sorted(ways, reverse=True)


def test_a_duplicate_comes_after_its_first_reading():
    readings = plan(PAGES, 60, 5)
    for arm in ("scratch", "automatic"):
        first = {reading.page: at for at, reading in enumerate(readings) if reading.arm == f"{arm}-1"}
        again = {reading.page: at for at, reading in enumerate(readings) if reading.arm == f"{arm}-2"}
        assert all(first[page] < at for page, at in again.items())


@pytest.fixture
def sit(study):
    """Opens sittings, and closes them when the test ends."""
    desks = []

    def open_one(reader: str) -> Review:
        desks.append(BlindDesk(study, reader, sample=2, seed=1))
        return Review(desks[-1], reader)

    yield open_one
    for desk in desks:
        desk.close()


@pytest.fixture
def blind(sit) -> Review:
    return sit("smith")


def draw_everything(review: Review, study, px: float) -> None:
    """Outlines as a reader draws them: the automatic ones, moved."""
    rows = study.fold().rows
    shapes = {row["structure"]: row["polygons"][0] for row in rows.to_dict("records") if row["arm"] == ""}
    for index in range(len(review.pages)):
        review.go(index)
        for at, held in enumerate(review.held):
            polygon = [[r + px, c] for r, c in shapes[held.roi.structure]]
            review.edit(at, held.roi.with_polygons(polygon))
        review.accept()


def test_a_blind_reader_sees_no_person_no_number_and_from_scratch_no_outline(blind):
    assert not any("P1" in page.title or page.subject for page in blind.pages)
    first = blind.briefs_on(0)
    assert not any(one.drawn for one in first)
    assert all(one.values.size is None for one in first)
    assert not len(blind.held_on(0)[0].roi.points)
    last = len(blind.pages) - 1
    assert all(len(held.roi.points) for held in blind.held_on(last))


def test_what_is_read_blind_carries_reader_and_arm_and_counts_for_nothing(blind, study):
    before = study.current()["counts"].sum()
    draw_everything(blind, study, 1.0)
    rows = study.current()
    own = rows[rows["reader"] == "smith"]
    assert set(own["arm"]) == {"scratch-1", "scratch-2", "automatic-1", "automatic-2"}
    assert not own["counts"].any()
    assert rows["counts"].sum() == before
    saw = {(one.arm, one.saw_automatic) for one in study.fold().readings}
    assert saw == {("scratch-1", False), ("scratch-2", False), ("automatic-1", True), ("automatic-2", True)}


def test_a_sitting_goes_on_where_it_ended(blind, sit):
    blind.go(0)
    for at, held in enumerate(blind.held):
        blind.edit(at, held.roi.with_polygons([[10, 10], [10, 60], [50, 60]]))
    blind.accept()
    again = sit("smith")
    assert again.at == 1
    assert {one.status for one in again.briefs_on(0)} == {Status.ACCEPTED}
    other = sit("jones")
    assert other.at == 0
    assert [page.title for page in other.pages] == [page.title for page in again.pages]


def test_a_step_of_a_blind_sitting_is_undone(blind):
    blind.go(0)
    blind.edit(0, blind.held[0].roi.with_polygons([[10, 10], [10, 60], [50, 60]]))
    blind.undo()
    assert not blind.briefs_on(0)[0].drawn
    blind.redo()
    assert blind.briefs_on(0)[0].status is Status.CORRECTED


def test_a_third_person_settles_what_two_left_different_and_that_counts(blind, sit, study):
    draw_everything(blind, study, 1.0)
    other = sit("jones")
    draw_everything(other, study, 4.0)
    desk = AdjudicationDesk(study)
    settling = Adjudication(desk, "weber")
    assert not any(name in page.title for page in settling.pages for name in ("smith", "jones"))
    chosen = settling.briefs_on(0)[1]
    settling.select(1)
    settling.accept()
    assert [one.status for one in settling.briefs_on(0)].count(Status.ACCEPTED) == 1
    rows = study.current()
    settled = rows[(rows["arm"] == "adjudicated")]
    assert settled["counts"].all()
    assert list(settled["outline"]) == [chosen.outline]
    pages = len(settling.pages)
    assert len(AdjudicationDesk(study).pages()) == pages - 1
    settling.undo()
    desk.close()
    assert len(AdjudicationDesk(study).pages()) == pages


def test_readers_who_agree_leave_nothing_to_settle(study):
    with pytest.raises(StudyRefused):
        Adjudication(AdjudicationDesk(study), "weber")
