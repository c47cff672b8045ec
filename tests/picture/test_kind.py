"""Kind of picture, with its evidence: from tags, from pixels alone, and by a person's word."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

import usimg
from usimg.picture import KINDS
from usimg.picture.kind import find_kind
from usimg.scan import Region
from usimg.simulate import kinds

BOX = (0, 0, 200, 300)
FIELD = np.ones((200, 300), bool)
NOTHING = np.zeros((200, 300), bool)
GREY = np.full((200, 300), 90, np.uint8)
GREY_RGB = np.full((200, 300, 3), 90, np.uint8)


def region(kind: str, content: str) -> Region:
    return Region(index=0, kind=kind, content=content, box=BOX, declared=BOX)


def kind_of(*regions: Region, area=FIELD, coloured=NOTHING, image_type=()):
    return find_kind(GREY, GREY_RGB, area, coloured, regions=regions, image_type=image_type)


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagged")
    kinds.write(folder)
    return folder


@pytest.fixture(scope="module")
def bare(tagged, tmp_path_factory):
    """The same screens as a screen shot keeps them: no region table, no Image Type."""
    folder = tmp_path_factory.mktemp("bare")
    for path in tagged.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.ImageType = ["DERIVED", "SECONDARY"]
        dataset.pop("SequenceOfUltrasoundRegions", None)
        dataset.save_as(folder / path.name)
    return folder


SHOWN = dict(zip(kinds.KINDS, kinds.KINDS, strict=True)) | {
    "longitudinal": "b_mode",
    "nerve": "b_mode",
    "sepia": "b_mode",
    "power_doppler": "colour_doppler",
}


@pytest.mark.parametrize(
    ("kind", "content", "name"),
    [
        ("m_mode", "tissue", "m_mode"),
        ("spectral", "pw_doppler", "spectral_doppler"),
        ("2d", "colour_flow", "colour_doppler"),
        ("2d", "tissue", "b_mode"),
    ],
)
def test_the_regions_of_the_file_say_the_kind(kind, content, name):
    found = kind_of(region(kind, content))
    assert found.name == name
    assert found.automatic == KINDS[name]
    assert any(kind in line for line in found.evidence)


@pytest.mark.parametrize(
    ("bits", "name"),
    [
        ("0001", "b_mode"),
        ("0011", "b_mode"),
        ("0002", "m_mode"),
        ("0008", "spectral_doppler"),
        ("", "b_mode"),
    ],
)
def test_image_type_adds_caution_and_colour_needs_colour(bits, name):
    assert kind_of(image_type=("ORIGINAL", "PRIMARY", "MUSCULOSKELETAL", bits)).name == name


def test_a_picture_without_a_field_is_something_else():
    assert kind_of(area=NOTHING).name == "other"


def test_a_body_of_colour_is_flow_and_strokes_of_colour_are_not():
    strokes = NOTHING.copy()
    strokes[50:53, :] = strokes[:, 100:103] = True
    assert kind_of(coloured=strokes).name == "b_mode"
    body = NOTHING.copy()
    body[50:80, 100:140] = True
    assert kind_of(coloured=body).name == "colour_doppler"


@pytest.mark.parametrize("name", kinds.KINDS)
def test_simulated_screens_are_told_by_their_tags(tagged, name):
    found = usimg.read(tagged / f"{name}.dcm").frames[0].kind
    assert found.name == SHOWN[name]
    assert found.automatic == KINDS[found.name]


@pytest.mark.parametrize("name", kinds.KINDS)
def test_simulated_screens_are_told_without_tags(bare, name):
    found = usimg.read(bare / f"{name}.dcm").frames[0].kind
    assert found.name == SHOWN[name]
    # panes that no tag states are told and left to a person
    assert found.automatic == (KINDS[found.name] and name != "split")


def test_a_tint_over_the_whole_picture_is_flagged_and_measured(bare):
    frame = usimg.read(bare / "sepia.dcm").frames[0]
    assert frame.kind.automatic
    assert any("colour map" in flag for flag in frame.kind.flags)
    assert (frame.overlays & frame.scan_area).mean() < 0.001


def test_elastography_masks_its_box_and_not_the_grey_tissue_beside_it(tagged):
    frame = usimg.read(tagged / "elastography.dcm").frames[0]
    r0, c0, r1, c1 = frame.regions[1].box
    masked = frame.overlays & frame.scan_area
    assert masked[r0:r1, c0:c1].mean() > 0.97
    beside = frame.scan_area.copy()
    beside[r0 - 3 : r1 + 3, c0 - 3 : c1 + 3] = False
    assert masked[beside].mean() < 0.005


def test_a_person_may_say_the_kind(tagged):
    frame = usimg.read(tagged / "colour_doppler.dcm", kind="b_mode").frames[0]
    assert frame.kind.automatic
    assert any("person" in line for line in frame.kind.evidence)
    assert any("colour" in flag for flag in frame.kind.flags)


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do(tagged):
    with pytest.raises(usimg.UsimgError, match="b_mode"):
        usimg.read(tagged / "b_mode.dcm", kind="bmode")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("us_dicom/acuson_echo_fragmented_8f.dcm", "colour_doppler"),
        ("us_dicom/ge_node_j2k.dcm", "colour_doppler"),
        ("us_dicom/color_planar_quad.dcm", "colour_doppler"),
        ("us_dicom/hp_echo_anisotropic_34f.dcm", "b_mode"),
        ("us_dicom/mindray_follicle_rle.dcm", "b_mode"),
        ("us_dicom/philips_pancreas_nocal_jls.dcm", "b_mode"),
        ("us_dicom/aloka_dual_palette16.dcm", "split"),
        ("nerve_dicom/esaote_elbow_long.dcm", "b_mode"),
        ("nerve_vessel/images/nv_0040.png", "b_mode"),
        ("vlcsa_panoramic/images/SUB01_img1.webp", "panoramic"),
        ("acsauto_panoramic/images/QF_img_21.webp", "panoramic"),
    ],
)
def test_real_scans_are_what_they_are(shared_data, name, kind):
    assert usimg.read(shared_data / name).frames[0].kind.name == kind


@pytest.mark.parametrize("name", ["dltrack_apo", "nerve_vessel", "timtrack_observers"])
def test_no_real_b_mode_picture_is_taken_for_something_else(shared_data, name):
    pictures = sorted((shared_data / name / "images").iterdir())[::12]
    assert {usimg.read(path).frames[0].kind.name for path in pictures} == {"b_mode"}


def test_in_an_m_mode_only_lines_down_the_rows_are_measured(tagged):
    truth = kinds.m_mode(1).truth
    frame = usimg.read(tagged / "m_mode.dcm").frames[0]
    strip = frame.regions[1]
    assert strip.timeline.col_s == pytest.approx(truth["col_s"])
    # from the resting wall to its deepest point, half a second later, as a diaphragm's excursion is taken
    top = strip.box[0] + truth["rest_mm"] / truth["row_mm"]
    line = np.array([[top, 300.0], [top + truth["excursion_mm"] / truth["row_mm"], 300.0]])
    table = usimg.measure(frame, [usimg.Roi(structure="diaphragm", line=line)])
    assert table.thickness_mm[0] == pytest.approx(truth["excursion_mm"], rel=1e-6)
    slanted = line + np.array([[0.0, 0.0], [0.0, 40.0]])
    with pytest.raises(usimg.UsimgError, match="time"):
        frame.calibration_at(slanted)
    with pytest.raises(usimg.UsimgError, match="time"):
        frame.calibration_at(np.array([[300.0, 100.0], [300.0, 200.0], [320.0, 150.0]]))
