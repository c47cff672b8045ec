"""The visit before, as a ghost at the same depth, and what was set otherwise then."""

from __future__ import annotations

import numpy as np
import pytest

import usimg
from usimg.roi import Roi
from usimg.simulate.dicom import ENCODINGS, PixelRegion, Tags, write_dicom
from usimg.study import Study
from usimg.study.private import Source
from usimg.study.schema import write_part
from usimg_napari.canvas import Canvas
from usimg_napari.desk import StudyDesk
from usimg_napari.earlier import EarlierVisits, earlier_of
from usimg_napari.guides import EARLIER_COLOUR
from usimg_napari.review import Review

from .conftest import automatic_row, square

ROWS, COLS = 240, 320
# mm per pixel at three visits: the last one is scanned deeper.
SCALES = {"v1": 0.1, "v2": 0.1, "v10": 0.15}


@pytest.fixture
def study(tmp_path) -> Study:
    """One nerve at three visits, its middle always 10 mm deep."""
    study = Study.create(tmp_path / "study")
    rows, sources = [], []
    speckle = np.random.default_rng(0).integers(40, 200, (1, ROWS, COLS, 1), dtype=np.uint8)
    for number, (visit, mm) in enumerate(SCALES.items()):
        path = tmp_path / f"{visit}.dcm"
        pixels = np.roll(np.repeat(speckle, 3, axis=3), number, axis=1)
        region = PixelRegion((0, 0, ROWS, COLS), (mm, mm))
        write_dicom(path, pixels, ENCODINGS["grey_native"], Tags("P1", "CTS", "S"), [region])
        scan = usimg.read(path)
        size = 3.0 / mm
        ring = square(10.0 / mm - size / 2, (COLS - 1) / 2 - size / 2, size)
        roi = Roi(polygon=ring, structure="median_nerve", side="left", method="classical 1", confidence=0.8)
        rows.append(automatic_row(roi, scan.id, "P1", visit=visit, view="median_nerve_wrist"))
        status = path.stat()
        sources.append(Source(scan.id, str(path), status.st_size, status.st_mtime_ns, ""))
    write_part(study.automatic / "run1-0001.parquet", rows)
    study.sources.append("run1", sources)
    return study


@pytest.fixture
def desk(study):
    desk = StudyDesk.open(study.root)
    yield desk
    desk.close()


def page_of(desk, visit):
    return next(page for page in desk.pages() if page.visit == visit)


def test_the_visit_before_is_the_last_one_before_as_people_number_them(desk):
    assert earlier_of(desk, page_of(desk, "v1")) is None
    assert earlier_of(desk, page_of(desk, "v2")).visit == "v1"
    assert earlier_of(desk, page_of(desk, "v10")).visit == "v2"  # and not v1, as by letters


def test_another_depth_is_said_and_the_same_is_not(desk):
    assert earlier_of(desk, page_of(desk, "v2")).differences == ()
    (line,) = earlier_of(desk, page_of(desk, "v10")).differences
    assert line == "depth 36 mm, then 24 mm"
    assert "Not as at visit v2" in EarlierVisits(desk).warning(page_of(desk, "v10"))


def test_the_ghost_lies_at_the_same_depth_in_millimetres(desk):
    page = page_of(desk, "v10")
    before = earlier_of(desk, page)
    (held,) = [desk.roi(page, brief.target) for brief in desk.briefs(page)]
    frame, _ = desk.open_page(page)
    (ghost,) = before.ghost(held, frame)
    assert ghost == pytest.approx(held.polygons[0], abs=1e-6)


def test_the_ghost_is_drawn_and_put_away(desk, model, said):
    review = Review(desk, "A. Smith")
    review.go(review.pages.index(page_of(desk, "v10")))
    canvas = Canvas(model, review, said.append)
    earlier = EarlierVisits(desk)

    def ghost(roi, frame):
        before = earlier.of(review.page)
        return ((), "") if before is None else (before.ghost(roi, frame), before.visit)

    canvas.ghost = ghost
    canvas.show_guides()
    layer = canvas.screen.guides.layer
    assert layer.nshapes == 1
    assert np.asarray(layer.edge_color[0])[:3] == pytest.approx(
        [int(EARLIER_COLOUR[i : i + 2], 16) / 255 for i in (1, 3, 5)], abs=0.01
    )
    assert list(layer.features["text"]) == ["v2"]
    earlier.shown = False
    canvas.show_guides()
    assert layer.nshapes == 0


def test_a_rejected_outline_is_no_ghost(desk):
    review = Review(desk, "A. Smith")
    review.go(review.pages.index(page_of(desk, "v2")))
    review.reject("wrong plane")
    assert earlier_of(desk, page_of(desk, "v10")).rois == {}
