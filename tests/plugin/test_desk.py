"""A study through the review: what it shows, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest

import usimg
from usimg.errors import StudyRefused
from usimg.study import Study
from usimg.study.manifest import Label
from usimg.study.pixels import keep_frames
from usimg.study.schema import write_part
from usimg_napari.cards import Source, thumbnail
from usimg_napari.desk import StudyDesk
from usimg_napari.live import Meter, echo_outline
from usimg_napari.review import Review, Status


@pytest.fixture
def review(study):
    desk = StudyDesk(study)
    yield Review(desk, "A. Smith")
    desk.close()


def biceps(study: Study):
    rows = study.current(geometry=True)
    return rows[rows["structure"] == "biceps_brachii"].iloc[0]


def lower_by(review: Review, px: float) -> None:
    """Move the biceps' lower half down."""
    roi = review.held[0].roi
    polygon = roi.polygons[0].copy()
    polygon[polygon[:, 0] > polygon[:, 0].mean(), 0] += px
    review.edit(0, roi.with_polygons(polygon))


def test_a_page_is_a_frame_with_all_its_structures_named_without_a_persons_name(review):
    assert [page.title for page in review.pages] == [
        "P1 · 1 · left upper arm anterior · no. 1",
        "P2 · 1 · left median nerve · no. 1",
    ]
    assert [held.roi.structure for held in review.held] == ["biceps_brachii", "brachialis"]


def test_two_panels_of_one_picture_are_one_page_with_both_sides(study, simulated):
    rows = [row | {"run": "run2", "generation": 2} for row in simulated[1][0]]
    other = rows[0] | {"side": "right", "region": 1, "outline": "b" * 64}
    write_part(study.automatic / "run2-0001.parquet", [*rows, other])
    review = Review(StudyDesk(study))
    assert review.page.title == "P1 · 1 · left and right upper arm anterior · no. 1"
    assert len(review.held) == 3


def test_an_acceptance_counts_and_keeps_the_automatic_outline(review, study):
    before = study.current()
    review.accept()
    row = biceps(study)
    assert (row["state"], row["reader"], row["thickness_mm"]) == ("accepted", "A. Smith", 20.0)
    assert row["outline"] in set(before["outline"])


def test_a_correction_is_kept_at_once_with_its_numbers_and_counts_once_accepted(review, study):
    lower_by(review, 20)
    assert biceps(study)["state"] == "draft"
    review.accept()
    row = biceps(study)
    assert row["state"] == "corrected"
    frame, _ = review.desk.open_page(review.pages[0])
    roi = review.held_on(0)[0].roi
    assert row["thickness_mm"] == usimg.measure(frame, [roi])["thickness_mm"].iloc[0]


PROTOCOL = """\
name = "own"
[echo_roi]
margin_mm = 2
central_width = 0.3
source = "our manual"
[thickness.biceps_brachii]
rule = "max_vertical"
source = "our manual"
"""


def test_a_correction_is_measured_by_the_studys_protocol_as_the_automatic_outline_is(study):
    (study.root / "own.toml").write_text(PROTOCOL)
    settings = study.root / "study.toml"
    settings.write_text(settings.read_text().replace('protocol = "generic"', 'protocol = "own.toml"'))
    own = Study.open(study.root)
    review = Review(StudyDesk(own), "A. Smith")
    lower_by(review, 20)
    review.accept()
    frame, _ = review.desk.open_page(review.pages[0])
    roi = review.held_on(0)[0].roi
    theirs = usimg.measure(frame, [roi], protocol=own.protocol.recipe.definitions).iloc[0]
    lists = usimg.measure(frame, [roi]).iloc[0]
    row = biceps(own)
    for name in ("thickness_mm", "echo_intensity_protocol"):
        assert row[name] == theirs[name] != lists[name]
    assert row["protocol"] == "own"
    # What the screen said and drew before it was kept is the same.
    meter = Meter(frame, review.desk.definitions)
    assert meter.numbers([roi])[0].thickness == f"{row['thickness_mm']:.1f} mm"
    (ring,) = echo_outline(frame, roi, review.desk.definitions)
    assert np.ptp(ring[:, 1]) < 0.4 * np.ptp(roi.polygons[0][:, 1])
    review.desk.close()


def test_a_rejection_is_kept_with_its_reason(review, study):
    review.reject("wrong plane")
    row = biceps(study)
    assert (row["state"], row["reason"]) == ("rejected", "wrong plane")
    again = {held.roi.structure: held.status for held in Review(StudyDesk(study)).held_on(0)}
    assert again == {"biceps_brachii": Status.REJECTED, "brachialis": Status.TO_DO}


def test_undo_and_redo_reach_the_study_step_by_step_and_lines_are_only_added(review, study):
    def lines() -> list[str]:
        return [line for path in study.people.glob("*.jsonl") for line in path.read_text().splitlines()]

    states = []
    steps = [lambda: lower_by(review, 20), lambda: lower_by(review, 10), review.accept]
    for step in steps:
        states.append((biceps(study)["state"], biceps(study)["thickness_mm"]))
        step()
    end = biceps(study)["state"], biceps(study)["thickness_mm"]
    written = lines()
    for state in reversed(states):
        review.undo()
        assert (biceps(study)["state"], biceps(study)["thickness_mm"]) == state
    for state in [*states[1:], end]:
        review.redo()
        assert (biceps(study)["state"], biceps(study)["thickness_mm"]) == state
    review.undo()
    review.undo()
    assert (biceps(study)["state"], biceps(study)["thickness_mm"]) == states[1]
    assert lines()[: len(written)] == written
    assert not study.fold().conflicts


def test_it_opens_where_the_person_stopped_with_the_outline_that_was_accepted(review, study):
    lower_by(review, 20)
    outline = review.held[0].roi.polygons[0]
    review.accept()
    again = Review(StudyDesk(study))
    assert again.at == 1
    assert again.held_on(0)[0].status == Status.ACCEPTED
    assert again.held_on(0)[0].roi.polygons[0] == pytest.approx(outline)


def test_a_second_person_takes_over_without_a_conflict(review, study):
    lower_by(review, 20)
    review.accept()
    other = Review(StudyDesk(study), "B. Jones")
    other.go(0)
    lower_by(other, -30)
    other.accept()
    other.desk.close()
    rows = study.current()
    assert set(rows[rows["structure"] == "biceps_brachii"]["reader"]) == {"A. Smith", "B. Jones"}
    assert not study.fold().conflicts


def test_a_scale_that_the_run_was_given_holds_in_the_review_too(review):
    frame, _ = review.desk.open_page(review.pages[1])
    assert frame.calibration is not None
    assert frame.calibration.source == "given"


def test_a_file_that_changed_since_is_not_shown_under_old_outlines(review, study):
    path = study.source_path(review.page.scan)
    path.write_bytes(path.read_bytes() + b"\0\0")
    with pytest.raises(StudyRefused, match="changed"):
        review.open()


def test_a_file_that_is_gone_says_what_to_do(review, study):
    study.source_path(review.page.scan).unlink()
    with pytest.raises(StudyRefused, match="bring it back"):
        review.open()


def test_what_was_kept_of_a_file_that_is_gone_is_shown_and_corrected(review, study):
    scan = review.page.scan
    path = study.source_path(scan)
    keep_frames(study.root / "pixels", usimg.read(path), [0])
    path.unlink()
    frame, _ = review.open()
    assert frame.calibration is not None
    assert not isinstance(thumbnail(Source(str(path), 0, scan=scan), study), str)
    lower_by(review, 20)
    review.accept()
    measured = usimg.measure(frame, [review.held_on(0)[0].roi])
    assert biceps(study)["thickness_mm"] == measured["thickness_mm"].iloc[0]


def test_what_was_not_done_stays_with_its_visit_when_an_earlier_one_comes_to_light(study, simulated):
    def dated(run: str, generation: int, day: int, scan: str, outline: str) -> None:
        fields = {"visit": "", "day": day, "scan": scan, "outline": outline}
        row = simulated[1][0][0] | fields | {"run": run, "generation": generation}
        write_part(study.automatic / f"{run}-0001.parquet", [row])

    scan = simulated[1][0][0]["scan"]
    dated("run2", 2, 1000, scan, "a" * 64)
    desk = StudyDesk(study)
    page = next(page for page in desk.pages() if page.subject == "P1")
    what = Label(structure="soleus", side="left")
    desk.not_done("A. Smith", page, what, "cast")
    assert (page.visit, desk.said_not_done("P1", "v1", what)) == ("v1", "cast")
    dated("run3", 3, 900, "e" * 64, "b" * 64)
    desk.refresh()
    assert (desk.said_not_done("P1", "v1", what), desk.said_not_done("P1", "v2", what)) == ("", "cast")
    desk.close()
