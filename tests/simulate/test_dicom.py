"""Files that the simulator writes are DICOM files as scanners write them, and the readers agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

import usimg
from usimg.simulate.dicom import ENCODINGS, PALETTE_GREYS, PixelRegion, Tags, uid, write_dicom
from usimg.simulate.screen import Style, draw_screen, draw_text
from usimg.simulate.stage import Setup

TAGS = Tags(subject="S01", protocol="MSK", model="SIM")
REGION = PixelRegion((10, 20, 90, 140), (0.11, 0.13))


def screens(frames: int = 1) -> np.ndarray:
    """Grey texture and, for files that keep colour, a green mark; even columns."""
    rng = np.random.default_rng(2)
    grey = rng.integers(0, PALETTE_GREYS, (frames, 100, 160), dtype=np.uint8)
    stack = np.repeat(np.kron(grey[:, ::5, ::5], np.ones((5, 5), np.uint8))[..., None], 3, axis=-1)
    return np.ascontiguousarray(stack)


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_every_encoding_comes_back_grey_for_grey(tmp_path: Path, name: str) -> None:
    encoding, stack = ENCODINGS[name], screens()
    write_dicom(tmp_path / "a.dcm", stack, encoding, TAGS, [REGION])
    frame = usimg.read(tmp_path / "a.dcm").frames[0]
    difference = np.abs(frame.gray.astype(int) - stack[0, ..., 0].astype(int))
    if encoding.lossless:
        assert difference.max() == 0
    else:
        assert difference.mean() < 4.0


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_every_encoding_carries_the_scale_of_rows_and_columns(tmp_path: Path, name: str) -> None:
    write_dicom(tmp_path / "a.dcm", screens(), ENCODINGS[name], TAGS, [REGION])
    calibration = usimg.read(tmp_path / "a.dcm").frames[0].calibration
    assert calibration is not None
    assert calibration.spacing == pytest.approx((0.11, 0.13), rel=1e-12)


@pytest.mark.parametrize("name", [n for n, e in ENCODINGS.items() if e.coloured])
def test_marks_keep_their_colour(tmp_path: Path, name: str) -> None:
    stack = screens()
    stack[0, 2:8, 2:10] = (40, 200, 60)
    write_dicom(tmp_path / "a.dcm", stack, ENCODINGS[name], TAGS)
    rgb = usimg.read(tmp_path / "a.dcm").frames[0].pixels.rgb
    assert rgb is not None
    assert np.abs(rgb[4, 5].astype(int) - (40, 200, 60)).max() < 12


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_a_file_is_the_same_wherever_it_is_made(tmp_path: Path, name: str) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_dicom(tmp_path / folder / "x.dcm", screens(), ENCODINGS[name], TAGS, [REGION])
    assert (tmp_path / "a" / "x.dcm").read_bytes() == (tmp_path / "b" / "x.dcm").read_bytes()


@pytest.mark.parametrize("name", ["ybr_jpeg", "grey_native", "palette_rle"])
def test_a_cine_gives_each_frame_its_own_picture(tmp_path: Path, name: str) -> None:
    stack = screens(frames=3)
    write_dicom(tmp_path / "a.dcm", stack, ENCODINGS[name], TAGS, [REGION])
    scan = usimg.read(tmp_path / "a.dcm")
    assert len(scan.frames) == 3
    for frame, expected in zip(scan.frames, stack, strict=True):
        assert np.abs(frame.gray.astype(float) - expected[..., 0]).mean() < 4.0


def test_a_file_without_regions_has_no_scale(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", screens(), ENCODINGS["grey_native"], TAGS)
    assert usimg.read(tmp_path / "a.dcm").frames[0].calibration is None


def test_uids_are_valid_and_depend_on_the_name_alone(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", screens(), ENCODINGS["grey_native"], TAGS)
    header = pydicom.dcmread(tmp_path / "a.dcm")
    for value in (header.SOPInstanceUID, header.StudyInstanceUID, header.SeriesInstanceUID):
        assert pydicom.uid.UID(value).is_valid
        assert value.startswith("2.25.")
    assert uid("a") == uid("a") != uid("b")


def test_screen_furniture_stays_outside_the_field() -> None:
    from usimg import simulate

    phantom = simulate.muscle(1, setup=Setup(shape=(300, 400)))
    screen = draw_screen([phantom], Style("SIM", coloured=True), "MUSCLE R")
    area = phantom.scan_area
    assert np.array_equal(screen[area], np.repeat(phantom.image[area][:, None], 3, axis=1))
    r0, c0, r1, c1 = phantom.display.box
    outside = screen.copy()
    outside[r0:r1, c0:c1] = 0
    assert outside.any()


def test_letters_are_cut_at_the_edge_of_the_picture() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    draw_text(image, "WIDE TEXT", 15, 2, (255, 255, 255))
    assert image.any()
