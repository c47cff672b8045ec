"""Whose scale an outline gets: region tables made for the purpose."""

from __future__ import annotations

import numpy as np
import pytest

import usimg
from usimg.errors import CalibrationRefused

ROWS, COLS = 300, 400
PICTURE = np.random.default_rng(0).integers(0, 255, (ROWS, COLS)).astype(np.uint8)
WHOLE = (0, 0, ROWS - 1, COLS - 1)


@pytest.fixture
def frame(tmp_path, dicom):
    """``frame(item, ..., tag=value)`` reads back a file with these regions."""

    def read(*items, **tags):
        return usimg.read(dicom(tmp_path / "scan.dcm", PICTURE, regions=items, **tags)).frames[0]

    return read


def square(r0: float, c0: float, size: float = 20) -> np.ndarray:
    return np.array([[r0, c0], [r0, c0 + size], [r0 + size, c0 + size], [r0 + size, c0]])


def test_centimetres_in_the_file_are_millimetres_in_the_scale(frame, region):
    assert frame(region(WHOLE, (0.01, 0.01))).calibration.spacing == pytest.approx((0.1, 0.1))


def test_rows_and_columns_keep_their_own_scale(frame, region):
    assert frame(region(WHOLE, (0.02, 0.025))).calibration.spacing == pytest.approx((0.2, 0.25))


def test_a_negative_delta_is_a_direction(frame, region):
    assert frame(region(WHOLE, (-0.01, -0.02))).calibration.spacing == pytest.approx((0.1, 0.2))


@pytest.mark.parametrize("units", [(4, 4), (3, 4), (0, 0), (7, 3)])
def test_other_units_than_cm_are_refused(frame, region, units):
    found = frame(region(WHOLE, units=units))
    assert found.calibration is None
    assert "not in cm" in found.calibration_reason


@pytest.mark.parametrize("delta", [(0.0, 0.0), (0.01, 0.0), (float("nan"), 0.01), (float("inf"), 0.01)])
def test_a_delta_that_is_no_size_is_refused(frame, region, delta):
    found = frame(region(WHOLE, delta))
    assert found.calibration is None
    assert "no size of a pixel" in found.calibration_reason


@pytest.mark.parametrize("delta", [(0.2, 0.2), (0.0005, 0.0005), (0.01, 0.04)])
def test_a_size_that_cannot_be_is_refused(frame, region, delta):
    found = frame(region(WHOLE, delta))
    assert found.calibration is None
    assert "which cannot be" in found.calibration_reason


@pytest.mark.parametrize(("kind", "content"), [(0, 0), (2, 1), (3, 3), (4, 0xA), (1, 0xD), (5, 0)])
def test_only_tissue_gives_a_scale(frame, region, kind, content):
    found = frame(region(WHOLE, kind=kind, content=content))
    assert found.calibration is None
    assert found.regions[0].reason


def test_the_first_region_is_not_preferred(frame, region):
    found = frame(region(WHOLE, (1.0, 1.0), kind=0, content=0), region((10, 10, 250, 300), (0.02, 0.02)))
    assert found.calibration.spacing == pytest.approx((0.2, 0.2))
    assert found.calibration.region == 1


def test_one_pixel_over_the_edge_is_clipped(frame, region):
    found = frame(region((10, 10, ROWS, COLS), (0.01, 0.01)))
    assert found.calibration is not None
    assert found.regions[0].box == (10, 10, ROWS, COLS)


@pytest.mark.parametrize("box", [(10, 10, ROWS + 1, COLS - 1), (10, 10, 200, COLS + 40), (400, 10, 500, 100)])
def test_a_region_that_reaches_outside_is_refused_and_says_who_can_vouch(frame, region, box):
    found = frame(region(box, (0.01, 0.01)))
    assert found.calibration is None
    assert "outside the picture" in found.calibration_reason
    assert "ruler" in found.calibration_reason


def test_a_person_can_vouch_for_a_refused_region(frame, region):
    found = frame(region((10, 10, 200, COLS + 40), (0.01, 0.01)))
    vouched = found.with_calibration(usimg.Calibration(0.1, 0.1, "person", region=0))
    assert vouched.calibration_at(square(50, 50)).source == "person"


def test_two_pictures_of_one_scale_have_it(frame, region):
    left, right = (0, 0, 299, 199), (0, 200, 299, 399)
    found = frame(region(left, (0.01, 0.01)), region(right, (0.010005, 0.01)))
    assert found.calibration.spacing == pytest.approx((0.1, 0.1))


def test_two_scales_give_none_and_the_outline_decides(frame, region):
    left, right = (0, 0, 299, 199), (0, 200, 299, 399)
    found = frame(region(left, (0.01, 0.01)), region(right, (0.02, 0.02)))
    assert found.calibration is None
    assert "two scales" in found.calibration_reason
    assert found.calibration_at(square(50, 50)).spacing == pytest.approx((0.1, 0.1))
    assert found.calibration_at(square(50, 250)).spacing == pytest.approx((0.2, 0.2))
    with pytest.raises(CalibrationRefused, match="crosses two pictures"):
        found.calibration_at(square(50, 190))


def test_a_waveform_below_the_picture_does_not_count(frame, region):
    ecg = region((260, 0, 299, 399), (0.0, 0.005), kind=4, content=0xA, units=(0, 4))
    found = frame(region((0, 0, 250, 399), (0.01, 0.01)), ecg)
    assert found.calibration.spacing == pytest.approx((0.1, 0.1))
    with pytest.raises(CalibrationRefused):
        found.calibration_at(square(270, 50))


def test_colour_flow_over_tissue_of_the_same_scale_is_one_picture(frame, region):
    found = frame(region(WHOLE, (0.01, 0.01)), region((50, 50, 150, 150), (0.01, 0.01), content=2))
    assert found.calibration.spacing == pytest.approx((0.1, 0.1))
    assert len(found.tissue_regions) == 1


def test_pixel_spacing_that_agrees_changes_nothing(frame, region):
    found = frame(region(WHOLE, (0.0237872, 0.0237872)), PixelSpacing=[0.237872, 0.237872])
    assert found.calibration.source == "region"


@pytest.mark.parametrize("spacing", [[0.102, 0.1], [0.1, 0.25], [0.01, 0.01]])
def test_pixel_spacing_that_disagrees_is_refused(frame, region, spacing):
    found = frame(region(WHOLE, (0.01, 0.01)), PixelSpacing=spacing)
    assert found.calibration is None
    assert "Pixel Spacing" in found.calibration_reason


def test_pixel_spacing_is_row_then_column(frame, region):
    assert frame(region(WHOLE, (0.02, 0.025)), PixelSpacing=[0.2, 0.25]).calibration is not None
    assert frame(region(WHOLE, (0.02, 0.025)), PixelSpacing=[0.25, 0.2]).calibration is None


def test_pixel_spacing_alone_is_used_with_a_flag(frame):
    found = frame(PixelSpacing=[0.1, 0.12])
    assert found.calibration.spacing == (0.1, 0.12)
    assert found.calibration.source == "pixel_spacing"
    assert found.calibration.flags


@pytest.mark.parametrize("spacing", [[1, 1], [0, 0], [-0.1, 0.1], [5, 5], [0.1]])
def test_a_placeholder_spacing_is_no_scale(frame, spacing):
    found = frame(PixelSpacing=spacing)
    assert found.calibration is None
    assert found.calibration_reason


def test_pixel_spacing_does_not_stand_in_for_a_refused_region(frame, region):
    found = frame(region((0, 0, ROWS + 50, 100), (0.01, 0.01)), PixelSpacing=[0.1, 0.1])
    assert found.calibration is None


@pytest.mark.parametrize("keyword", ["ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_spacings_of_capture_devices_are_never_used(frame, keyword):
    found = frame(**{keyword: [0.1, 0.1]})
    assert found.calibration is None
    assert found.calibration_reason == "the file states no scale"


def test_a_region_without_a_rectangle_is_left_out_and_noted(tmp_path, dicom, region):
    broken = region(WHOLE)
    del broken.RegionLocationMaxX1
    scan = usimg.read(dicom(tmp_path / "scan.dcm", PICTURE, regions=(broken, region((0, 0, 250, 250)))))
    assert [r.index for r in scan.frames[0].regions] == [1]
    assert any("region 0" in note for note in scan.notes)


def test_a_spacing_given_by_the_caller_stands_above_the_file_and_is_noted(tmp_path, dicom, region):
    path = dicom(tmp_path / "scan.dcm", PICTURE, regions=(region(WHOLE, (0.01, 0.01)),))
    scan = usimg.read(path, spacing_mm=(0.3, 0.2))
    assert scan.frames[0].calibration.spacing == (0.3, 0.2)
    assert scan.frames[0].calibration.source == "given"
    assert any("replaces" in note for note in scan.notes)
