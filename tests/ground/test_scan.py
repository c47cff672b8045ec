"""Which scale an outline gets: the region that holds it decides, and doubt refuses."""

from __future__ import annotations

import numpy as np
import pytest

from usimg.errors import CalibrationRefused
from usimg.scan import Calibration, Frame, Kind, Picture, Pixels, Region, choose_calibration

ROWS, COLS = 100, 200


class FlatSource:
    """A grey frame without a file."""

    def pixels(self, index: int) -> Pixels:
        return Pixels(np.full((ROWS, COLS), 40, np.uint8), None, "as given", "none")

    def sha256(self) -> str:
        return "0" * 64


def describe(frame: Frame) -> Picture:
    whole = np.ones(frame.shape, bool)
    return Picture(Kind("b_mode"), whole, ~whole)


def region(index: int, box: tuple[int, int, int, int], mm: float | None, *, kind: str = "2d") -> Region:
    scale = None if mm is None else Calibration(mm, mm, "region", region=index)
    return Region(index, kind, "tissue", box, box, scale, "" if scale else "no unit of length")


def frame_of(*regions: Region) -> Frame:
    chosen, reason = choose_calibration(regions)
    return Frame("x.dcm", 0, (ROWS, COLS), FlatSource(), describe, regions, chosen, reason)


def square(row: float, col: float, side: float = 10.0) -> np.ndarray:
    return np.array([[row, col], [row, col + side], [row + side, col + side], [row + side, col]])


LEFT, RIGHT = (0, 0, ROWS, 100), (0, 100, ROWS, COLS)


def test_each_pane_of_a_dual_image_uses_its_own_scale():
    frame = frame_of(region(0, LEFT, 0.1), region(1, RIGHT, 0.2))
    assert frame.calibration is None
    assert "two scales" in frame.calibration_reason
    assert frame.calibration_at(square(10, 10)).row_mm == 0.1
    assert frame.calibration_at(square(10, 150)).row_mm == 0.2


def test_an_outline_across_two_panes_is_refused_even_when_their_scales_agree():
    frame = frame_of(region(0, LEFT, 0.1), region(1, RIGHT, 0.1))
    assert frame.calibration is not None
    with pytest.raises(CalibrationRefused, match=r"x\.dcm.*crosses two pictures"):
        frame.calibration_at(square(10, 95))


def test_an_outline_outside_every_region_has_no_scale():
    frame = frame_of(region(0, (0, 0, 50, 100), 0.1))
    with pytest.raises(CalibrationRefused, match="outside the calibrated region"):
        frame.calibration_at(square(60, 10))


def test_an_outline_may_overhang_its_region_by_a_pixel_and_no_more():
    frame = frame_of(region(0, (0, 0, 50, 100), 0.1))
    assert frame.calibration_at(np.array([[0, 0], [50.5, 0], [50.5, 50]])).row_mm == 0.1
    with pytest.raises(CalibrationRefused):
        frame.calibration_at(np.array([[0, 0], [52.0, 0], [52.0, 50]]))


def test_a_colour_box_of_the_same_scale_inside_the_picture_changes_nothing():
    inner = Region(
        1, "2d", "colour_flow", (20, 20, 60, 60), (20, 20, 60, 60), Calibration(0.1, 0.1, "region", 1)
    )
    frame = frame_of(region(0, (0, 0, ROWS, COLS), 0.1), inner)
    assert frame.calibration_at(square(30, 30)).row_mm == 0.1
    assert [r.index for r in frame.tissue_regions] == [0]


def test_overlapping_regions_that_disagree_are_refused_with_both_scales_named():
    frame = frame_of(region(0, (0, 0, ROWS, COLS), 0.1), region(1, (0, 0, 50, 100), 0.2))
    with pytest.raises(CalibrationRefused, match=r"two scales there.*0\.10000.*0\.20000"):
        frame.calibration_at(square(10, 10))
    assert frame.calibration_at(square(70, 150)).row_mm == 0.1


def test_a_region_without_a_length_never_lends_another_regions_scale():
    frame = frame_of(region(0, LEFT, 0.1), region(1, RIGHT, None))
    with pytest.raises(CalibrationRefused, match="no unit of length"):
        frame.calibration_at(square(10, 150))


def test_an_ecg_strip_is_no_picture_and_gives_no_scale():
    frame = frame_of(region(0, (0, 0, ROWS, COLS), 0.1, kind="waveform"))
    assert frame.calibration is None
    with pytest.raises(CalibrationRefused, match="tissue"):
        frame.calibration_at(square(10, 10))


def test_a_person_may_vouch_for_the_whole_frame_or_for_one_pane():
    frame = frame_of(region(0, LEFT, 0.1), region(1, RIGHT, None))
    whole = frame.with_calibration(Calibration(0.3, 0.4, "person"))
    assert whole.calibration_at(square(10, 150)).spacing == (0.3, 0.4)
    pane = frame.with_calibration(Calibration(0.5, 0.5, "person", region=1))
    assert pane.calibration_at(square(10, 150)).row_mm == 0.5
    assert pane.calibration_at(square(10, 10)).row_mm == 0.1
    assert frame.calibration is None


@pytest.mark.parametrize("size", [0.0, -0.1, float("nan"), float("inf")])
def test_a_spacing_that_is_no_size_is_refused(size):
    with pytest.raises(CalibrationRefused, match="not a size"):
        Calibration(0.1, size, "given")
