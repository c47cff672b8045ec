"""A clip: the outline goes along, breaths are marked, and what is marked counts in the study."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import usimg
from usimg.errors import OutlineRefused, StudyRefused
from usimg.roi import Roi
from usimg.simulate import upper_arm
from usimg.simulate.dicom import ENCODINGS, PixelRegion, Tags, write_dicom
from usimg.study import Study
from usimg.study.exports import tables_of
from usimg.study.private import Source
from usimg.study.schema import write_part
from usimg_napari.canvas import Canvas
from usimg_napari.cine import DEEPEST, EXPIRATION, Cine
from usimg_napari.desk import StudyDesk
from usimg_napari.review import Review

from .conftest import automatic_row

# Stretch of each frame: three breaths, in and out.
BREATHS = [1.0, 1.05, 1.1, 1.05] * 3 + [1.0]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A muscle that thickens by a tenth at each breath, standing in for the diaphragm."""
    phantom = upper_arm(3)
    image = phantom.image[::2, ::2].astype(float)
    frames = [
        np.clip(ndimage.affine_transform(image, [1 / stretch, 1.0], order=1), 0, 255).astype(np.uint8)
        for stretch in BREATHS
    ]
    path = tmp_path_factory.mktemp("clip") / "clip.dcm"
    spacing = (2 * phantom.spacing[0], 2 * phantom.spacing[1])
    rows, cols = image.shape
    pixels = np.repeat(np.array(frames)[..., None], 3, axis=3)
    region = PixelRegion((0, 0, rows, cols), spacing)
    write_dicom(path, pixels, ENCODINGS["grey_native"], Tags("P1", "DIA", "S"), [region])
    layer = phantom.layer("biceps_brachii")
    upper, lower = ((edge[::4] / 2) for edge in (layer.upper, layer.lower))
    roi = Roi(
        polygon=np.concatenate([upper, lower[::-1]]),
        upper=upper,
        lower=lower,
        structure="diaphragm",
        site="zone_of_apposition",
        side="right",
        plane="longitudinal",
        trace_rule="inner_edges",
        method="classical 1",
        confidence=0.8,
    )
    return path, roi


@pytest.fixture
def study(tmp_path, clip) -> Study:
    path, roi = clip
    study = Study.create(tmp_path / "study")
    scan = usimg.read(path)
    row = automatic_row(
        roi, scan.id, "P1", muscle_state="end_expiration", view="diaphragm_zone_of_apposition"
    )
    row["usimg_version"] = usimg.__version__
    row["thickness_mm"] = float(usimg.measure(scan.frames[0], [roi])["thickness_mm"].iloc[0])
    write_part(study.automatic / "run1-0001.parquet", [row])
    status = path.stat()
    study.sources.append("run1", [Source(scan.id, str(path), status.st_size, status.st_mtime_ns, "")])
    return study


@pytest.fixture
def cine(study, model, said):
    review = Review(StudyDesk.open(study.root), "A. Smith")
    yield Cine(Canvas(model, review, said.append))
    review.desk.close()


def test_a_clip_opens_on_its_frame_and_scrubs_without_decoding_the_rest(cine):
    assert cine.count == len(BREATHS)
    cine.step(2)
    assert cine.at == 2
    cine.step(-10)
    assert cine.at == 0


def test_the_outline_goes_along_and_its_thickness_follows_the_breaths(cine):
    assert sorted(cine.carry()) == list(range(len(BREATHS)))
    sizes = np.array([cine.samples[k].size for k in range(len(BREATHS))])
    assert cine.samples[0].unit == "mm"
    assert sizes / sizes[0] == pytest.approx(np.array(BREATHS), rel=0.03)
    cine.step(2)
    (shown,) = cine.canvas.screen.guides.layer.data
    assert shown[:, 0].max() == pytest.approx(cine.rois[2].points[:, 0].max(), abs=1.0)
    assert not cine.canvas.screen.outlines_shown


def test_without_carrying_a_frame_has_nothing_to_mark(cine):
    cine.step(3)
    with pytest.raises(OutlineRefused, match=r"carry the outline along the clip first \(J\)"):
        cine.mark(DEEPEST)


def test_three_marked_breaths_give_the_thickening_fraction_and_undo_takes_one_back(cine, study):
    list(cine.carry())
    for breath in range(3):
        for frame, state in ((4 * breath, EXPIRATION), (4 * breath + 2, DEEPEST)):
            cine.step(frame - cine.at)
            if frame == 0:
                continue  # the page's own row is the first expiration: it is accepted below
            said = cine.mark(state)
            assert f"Breath {breath + 1}" in said
    cine.review.accept()
    assert set(cine.marks.values()) == {EXPIRATION, DEEPEST}
    assert len(cine.marks) == 6
    derived = tables_of(study).derived.set_index("name")
    assert derived.loc["thickening_fraction", "value"] == pytest.approx(0.1, abs=0.02)
    cine.review.undo()  # the acceptance
    cine.review.undo()  # the last mark
    assert len(cine.marks) == 5
    assert len(study.fold().rows) == 5
    cine.review.redo()
    assert len(study.fold().rows) == 6
    assert set(study.fold().rows["state"]) <= {"corrected", "automatic"}


def test_breaths_are_marked_in_their_order(cine):
    list(cine.carry())
    cine.step(6)
    cine.mark(DEEPEST)
    cine.step(-4)
    with pytest.raises(StudyRefused, match="in their order"):
        cine.mark(DEEPEST)


def test_the_frame_that_is_measured_can_be_another_one_and_undo_brings_the_first_back(cine, study):
    list(cine.carry())
    cine.step(2)
    cine.use_frame()
    rows = study.fold().rows.set_index("frame")
    assert rows.loc[2, "state"] == "corrected"
    assert rows.loc[0, "state"] == "rejected"
    assert "another frame" in rows.loc[0, "reason"]
    cine.review.undo()
    rows = study.fold().rows.set_index("frame")
    assert rows["state"].to_dict() == {0: "automatic"}


def test_a_still_says_that_there_is_nothing_to_carry(canvas):
    with pytest.raises(OutlineRefused, match="still"):
        list(Cine(canvas).carry())
