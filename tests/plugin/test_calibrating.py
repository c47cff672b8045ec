"""A scale by hand: two points and a distance; in the study at once; offered, never applied silently."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

import usimg
from usimg.errors import CalibrationRefused
from usimg.extract import measure_again
from usimg.roi import Roi
from usimg.simulate import Setup, upper_arm
from usimg.simulate.dicom import ENCODINGS, Tags, write_dicom
from usimg.simulate.field import Field
from usimg.simulate.screen import Style, draw_screen
from usimg.study import Study
from usimg.study.private import Source
from usimg.study.schema import write_part
from usimg_napari.calibrating import candidates, same_ruler, scale_of
from usimg_napari.desk import StudyDesk
from usimg_napari.review import Review

from .conftest import automatic_row

STYLE = Style("plain", ticks="right")
SMALL = Setup(shape=(360, 480), window=(30, 40, 340, 400))


def test_two_points_and_their_distance_give_the_size_of_a_pixel():
    scale = scale_of([[10, 400], [210, 400]], 40.0)
    assert (scale.row_mm, scale.col_mm, scale.source) == (0.2, 0.2, "person")
    assert "40 mm apart" in scale.detail
    assert scale_of([[0, 0], [30, 40]], 10.0).row_mm == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("corners", "distance", "words"),
    [
        ([[10, 400], [40, 400]], 10.0, "apart or more"),
        ([[10, 400], [210, 400]], 0.4, "typed|Type it in mm"),
        ([[10, 400], [210, 400]], 4000.0, "Type it in mm"),
    ],
)
def test_points_too_near_and_distances_of_no_ruler_are_refused(corners, distance, words):
    with pytest.raises(CalibrationRefused, match=words):
        scale_of(corners, distance)


@pytest.fixture(scope="module")
def screens(tmp_path_factory):
    """Two scans of one depth, one deeper, one without a ruler, all without a scale; the first's phantom."""
    folder = tmp_path_factory.mktemp("screens")
    deeper = replace(SMALL, field=Field.linear(45.0, 60.0))
    phantoms = [upper_arm(1, setup=SMALL), upper_arm(2, setup=SMALL), upper_arm(3, setup=deeper)]
    phantoms.append(upper_arm(4, setup=SMALL))
    files = []
    for number, phantom in enumerate(phantoms):
        screen = draw_screen([phantom], STYLE, "NO SCALE", rulers=number != 3)
        path = folder / f"{number}.dcm"
        write_dicom(path, screen[None], ENCODINGS["grey_native"], Tags(f"P{number}", "ARM", "S"), [])
        files.append(path)
    return files, phantoms[0]


def ruler(phantom) -> tuple[np.ndarray, float]:
    """First and last centimetre of the depth ruler, and their distance in mm."""
    display = phantom.display
    centimetres = int(phantom.field.depth_mm // 10)
    rows = [display.top, display.top + 10 * centimetres / display.spacing[0]]
    return np.array([[row, display.box[3] + 8.0] for row in rows]), 10.0 * centimetres


def test_the_same_ruler_is_known_again_and_another_depth_or_none_is_not(screens):
    files, phantom = screens
    corners, _ = ruler(phantom)
    first, same, deeper, without = (usimg.read(path).frames[0] for path in files)
    assert same_ruler(first, same, corners) == ""
    assert "depth or zoom" in same_ruler(first, deeper, corners)
    assert same_ruler(first, without, corners)


@pytest.fixture
def study(tmp_path, screens) -> Study:
    """Those four in a study, the biceps outlined and measured in px."""
    files, phantom = screens
    study = Study.create(tmp_path / "study")
    layer = phantom.layer("biceps_brachii")
    roi = Roi(
        polygon=layer.polygon, upper=layer.upper, lower=layer.lower, structure="biceps_brachii", side="left",
        plane="transverse", trace_rule="inner_edges", method="classical 1", confidence=0.8,
    )  # fmt: skip
    rows, sources = [], []
    for number, original in enumerate(files):
        path = shutil.copy(original, tmp_path)
        scan = usimg.read(path)
        row = automatic_row(roi, scan.id, f"P{number}", calibration_source=None, thickness_mm=None)
        rows.append(row | {"usimg_version": usimg.__version__, "device": "ACME | S1", "thickness_px": 1.0})
        status = original.stat()
        sources.append(Source(scan.id, str(path), status.st_size, status.st_mtime_ns, ""))
    write_part(study.automatic / "run1-0001.parquet", rows)
    study.sources.append("run1", sources)
    return study


@pytest.fixture
def review(study):
    review = Review(StudyDesk.open(study.root), "A. Smith")
    review.go(next(i for i, page in enumerate(review.pages) if page.subject == "P0"))
    yield review
    review.desk.close()


def calibrated(review, screens):
    corners, distance = ruler(screens[1])
    review.calibrate({review.page: scale_of(corners, distance)})


def test_numbers_become_millimetres_in_the_study_at_once_and_undo_takes_them_back(review, study, screens):
    phantom = screens[1]
    calibrated(review, screens)
    row = study.current().set_index("subject").loc["P0"]
    truth = phantom.layer("biceps_brachii")
    assert row["thickness_mm"] == pytest.approx(truth.thickness_mm, rel=0.01)
    assert row["calibration_source"] == "person"
    assert np.isnan(float(study.current().set_index("subject").loc["P1", "thickness_mm"]))
    (line,) = [d for d in study.fold().others if d.kind == "calibrate"]
    assert line.author == "A. Smith"
    assert "two points on the ruler" in line.content["how"]
    measure_again(study)  # as usimg extract --remeasure does
    assert study.current().set_index("subject").loc["P0", "thickness_mm"] == pytest.approx(
        row["thickness_mm"]
    )
    assert "calibrate by hand" in review.undo()
    assert np.isnan(float(study.current().set_index("subject").loc["P0", "thickness_mm"]))
    review.redo()
    assert study.current().set_index("subject").loc["P0", "thickness_mm"] == pytest.approx(
        row["thickness_mm"]
    )


def test_an_outline_that_is_corrected_afterwards_is_measured_with_the_scale(review, study, screens):
    calibrated(review, screens)
    roi = review.held[0].roi
    lower = roi.lower + np.array([5.0, 0.0])
    review.edit(0, roi.with_polygons(np.concatenate([roi.upper, lower[::-1]])))
    review.accept()
    rows = study.current().set_index("subject")
    corners, distance = ruler(screens[1])
    scale = scale_of(corners, distance).row_mm
    assert rows.loc["P0", "state"] == "corrected"
    assert rows.loc["P0", "thickness_mm"] == pytest.approx(
        screens[1].layer("biceps_brachii").thickness_mm + 5.0 * scale, rel=0.01
    )


def test_the_scale_is_offered_to_scans_of_the_same_device_that_show_the_same_ruler(review, study, screens):
    calibrated(review, screens)
    corners, distance = ruler(screens[1])
    frame = usimg.read(screens[0][0]).frames[0]
    offered = {one.page.subject: one.misfit for one in candidates(review.desk, review.page, frame, corners)}
    assert offered["P1"] == ""
    assert "depth" in offered["P2"]
    assert offered["P3"]
    assert "P0" not in offered
    pages = {page.subject: page for page in review.pages}
    review.calibrate({pages["P1"]: scale_of(corners, distance)})
    assert study.current().set_index("subject").loc["P1", "thickness_mm"] > 0
    assert np.isnan(float(study.current().set_index("subject").loc["P2", "thickness_mm"]))


def test_the_screen_shows_millimetres_once_it_is_calibrated(review, model, said, screens):
    from usimg_napari.canvas import Canvas

    canvas = Canvas(model, review, said.append)
    assert "px" in canvas.numbers[0].thickness
    assert [str(unit) for unit in canvas.outlines.units] == ["pixel", "pixel"]
    calibrated(review, screens)
    assert canvas.numbers[0].thickness.endswith(" mm")
    assert [str(unit) for unit in canvas.outlines.units] == ["millimeter", "millimeter"]
    assert canvas.scale_source == "person"
    review.undo()
    assert "px" in canvas.numbers[0].thickness
