"""One scan through the pipeline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from PIL import Image

import usimg
from usimg.extract import Labelling, extract_scan
from usimg.extract.frames import sharpest
from usimg.extract.labels import recognised, side_of
from usimg.scan import Header
from usimg.study.manifest import Label, read_manifest
from usimg.study.protocol_file import parse
from usimg.study.schema import write_part
from usimg.vision import cv2

MUSCLE = Label(structure="biceps_brachii", side="left", subject="P1", visit="1")


def only(outcome):
    (row,) = outcome.rows
    return row


def test_a_labelled_scan_gives_a_row_with_numbers_scale_and_origin(installed, make_dicom, archive):
    row = only(extract_scan(make_dicom(archive / "a.dcm"), [MUSCLE], segmenter="square"))
    assert row["status"] == "measured"
    assert row["thickness_mm"] == pytest.approx(48 * 0.1)
    assert row["csa_px2"] == pytest.approx(48 * 48)
    assert (row["row_mm"], row["calibration_source"]) == (0.1, "region")
    assert (row["device"], row["method"], row["side"]) == ("Acme", "square 1", "left")


def test_without_a_scale_the_row_has_pixels_and_the_reason(installed, make_dicom, archive):
    row = only(extract_scan(make_dicom(archive / "a.dcm", spacing_cm=None), [MUSCLE], segmenter="square"))
    assert row["thickness_mm"] is None
    assert row["thickness_px"] == pytest.approx(48)
    assert "mm" in row["reason"]


def test_a_scale_in_the_manifest_is_used_and_said(installed, make_dicom, archive, tmp_path):
    path = make_dicom(archive / "a.dcm", spacing_cm=None)
    table = tmp_path / "labels.csv"
    table.write_text("file;structure;row_mm;col_mm\na.dcm;biceps;0,2;0,3\n")
    labels = Labelling(manifest=read_manifest(table)).of_file("a.dcm", None)
    row = only(extract_scan(path, labels, segmenter="square"))
    assert row["thickness_mm"] == pytest.approx(48 * 0.2)
    assert row["csa_mm2"] is None or row["csa_mm2"] == pytest.approx(48 * 48 * 0.06)
    assert row["calibration_source"] == "given"


def test_a_view_yields_each_of_its_structures_at_their_sites(installed, make_dicom, archive):
    from usimg import anatomy

    rows = extract_scan(make_dicom(archive / "a.dcm"), [Label(view="upper_arm")], segmenter="square").rows
    view = anatomy.view("upper_arm")
    assert [row["structure"] for row in rows] == list(view.structures)
    assert {row["structure"]: row["site"] for row in rows}["subcutaneous_fat"] == "upper_arm"
    assert {row["view"] for row in rows} == {"upper_arm"}


def test_of_a_clip_the_middle_frame_is_measured_unless_a_person_says_another(installed, make_dicom, archive):
    path = make_dicom(archive / "clip.dcm", frames=7)
    assert only(extract_scan(path, [MUSCLE], segmenter="square"))["frame"] == 3
    chosen = Label(structure="biceps_brachii", frame=6)
    assert only(extract_scan(path, [chosen], segmenter="square"))["frame"] == 6


def test_a_protocol_decides_frame_thickness_and_echo_region_unless_a_person_says_a_frame(
    installed, make_dicom, archive
):
    path = make_dicom(archive / "clip.dcm", frames=7)
    own = (
        'name = "own"\nsegmenter = "square"\nframe = 1\n[echo_roi]\nmargin_mm = 0.5\ncentral_width = 0.5\n'
        '[thickness.biceps_brachii]\nrule = "max_vertical"\n'
    )
    recipe = parse(own, "own.toml").recipe
    row = only(extract_scan(path, [MUSCLE], recipe=recipe))
    assert (row["frame"], row["method"], row["protocol"]) == (1, "square 1", "own")
    assert (row["thickness_rule"], row["echo_rule"]) == (
        "max_vertical",
        "inside_fascia_0.5mm_width_0.5_depth_0-1",
    )
    assert only(extract_scan(path, [replace(MUSCLE, frame=5)], recipe=recipe))["frame"] == 5
    late = parse(own.replace("frame = 1", "frame = 9"), "own.toml").recipe
    assert "the protocol asks for frame 9" in only(extract_scan(path, [MUSCLE], recipe=late))["reason"]


def test_the_sharpest_frame_of_a_clip_is_the_one_that_was_not_blurred(make_dicom, archive):
    path = make_dicom(archive / "clip.dcm", frames=5)
    ds = pydicom.dcmread(path)
    frames = ds.pixel_array.copy()
    for number in (0, 1, 2, 4):
        frames[number] = cv2.GaussianBlur(frames[number], None, 2.0)
    ds.PixelData = frames.tobytes()
    ds.save_as(path)
    assert sharpest(usimg.read(path)) == 3


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (Label(), "label it in a manifest"),
        (Label(structure="biceps_brachii", frame=7), "asks for frame 7"),
        (Label(structure="biceps_brachii", region=4), "asks for region 4"),
        (Label(structure="humerus"), "outline"),
    ],
)
def test_what_cannot_be_measured_is_a_failed_row_with_a_reason(make_dicom, archive, label, said):
    path = make_dicom(archive / "clip_of_someone.dcm", frames=7)
    row = only(extract_scan(path, [label]))
    assert row["status"] == "failed"
    assert said in row["reason"]
    assert "someone" not in row["reason"]


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_cut_file_is_a_failed_row_without_its_name(make_dicom, archive, keep):
    path = make_dicom(archive / "Jane_Doe.dcm")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    outcome = extract_scan(path, [MUSCLE])
    assert only(outcome)["status"] == "failed"
    assert "Jane" not in only(outcome)["reason"]
    assert "Jane_Doe.dcm" in outcome.problem


def test_stills_go_the_same_way(installed, archive):
    speckle = np.random.default_rng(0).rayleigh(40, (60, 80)).clip(1, 254)
    Image.fromarray(speckle.astype(np.uint8)).save(archive / "a.png")
    row = only(extract_scan(archive / "a.png", [MUSCLE], segmenter="square"))
    assert (row["status"], row["thickness_px"]) == ("measured", pytest.approx(30))


def test_the_same_scan_gives_the_same_rows_and_ids(installed, make_dicom, archive):
    path = make_dicom(archive / "a.dcm")
    labels = [Label(view="upper_arm", subject="P1")]
    first = extract_scan(path, labels, segmenter="square")
    assert extract_scan(path, labels, segmenter="square") == first
    assert len({row["outline"] for row in first.rows}) == len(first.rows)


def test_every_row_fits_the_studys_schema(installed, make_dicom, archive, tmp_path):
    path = make_dicom(archive / "a.dcm")
    rows = [
        *extract_scan(path, [MUSCLE, Label()], segmenter="square").rows,
        *extract_scan(path, [Label(structure="humerus")]).rows,
    ]
    write_part(tmp_path / "part.parquet", rows)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"body_part": "BICEPS"}, {"structure": "biceps_brachii"}),
        ({"series_description": "Rectus femoris rechts 2"}, {"structure": "rectus_femoris"}),
        ({"series_description": "N. medianus left"}, {"structure": "median_nerve"}),
        ({"series_description": "median nerve wrist"}, {"view": "median_nerve_wrist"}),
        ({"protocol_name": "Free Form"}, {}),
        ({"protocol_name": "Nerve"}, {}),
        ({"protocol_name": "MSK Muscle"}, {}),
        ({"series_description": "RF ablation follow up"}, {}),
        ({"series_description": "biceps brachii and triceps brachii"}, {}),
        ({}, {}),
    ],
)
def test_tags_name_a_structure_only_where_it_is_written_out(tags, expected):
    assert recognised(Header(**tags)) == expected


@pytest.mark.parametrize(
    ("tags", "side"),
    [
        ({"laterality": "L"}, "left"),
        ({"series_description": "Biceps rechts"}, "right"),
        ({"laterality": "L", "series_description": "right arm"}, ""),
        ({"series_description": "MURMUR, R/O VSD"}, ""),
    ],
)
def test_a_side_is_taken_when_the_tags_agree(tags, side):
    assert side_of(Header(**tags)) == side


DUAL = {"rows": (8, 88), "left": (8, 44), "right": (52, 88)}


@pytest.fixture
def dual(make_dicom, archive):
    """Two panels, the right one of twice the scale."""
    from pydicom import dcmread
    from pydicom.dataset import Dataset

    path = make_dicom(archive / "dual.dcm")
    ds = dcmread(path)
    panels = []
    for (c0, c1), delta in ((DUAL["left"], 0.01), (DUAL["right"], 0.02)):
        panel = Dataset()
        panel.update(ds.SequenceOfUltrasoundRegions[0])
        panel.RegionLocationMinX0, panel.RegionLocationMaxX1 = c0, c1 - 1
        panel.RegionLocationMinY0, panel.RegionLocationMaxY1 = 8, 87
        panel.PhysicalDeltaX = panel.PhysicalDeltaY = delta
        panels.append(panel)
    ds.SequenceOfUltrasoundRegions = panels
    ds.save_as(path)
    return path


def test_two_panels_of_a_dual_image_are_measured_each_with_its_own_scale(installed, dual):
    labels = [Label(structure="soleus", region=r, side=s) for r, s in ((0, "left"), (1, "right"))]
    rows = extract_scan(dual, labels, segmenter="panels").rows
    assert [(row["side"], row["row_mm"]) for row in rows] == [("left", 0.1), ("right", 0.2)]


def test_of_an_unlabelled_dual_image_all_structures_come_from_one_panel(installed, dual):
    rows = extract_scan(dual, [Label(view="upper_arm")], segmenter="panels").rows
    assert {row["row_mm"] for row in rows} == {0.2}
    assert all("region 1 was taken" in " ".join(row["flags"]) for row in rows)
