"""What the screen says of an outline."""

from __future__ import annotations

import numpy as np

from usimg import Calibration, Roi
from usimg_napari.live import Meter


def square(row: float, col: float, size: float = 40.0) -> np.ndarray:
    return np.array([[row, col], [row, col + size], [row + size, col + size], [row + size, col]])


def test_a_square_of_known_size_reads_as_such(desk):
    frame, _ = desk.open_page(desk.pages()[0])
    (numbers,) = Meter(frame, desk.definitions).numbers(
        [Roi(polygon=square(50, 60), structure="biceps_brachii")]
    )
    # 40 px at 0.1 mm down, 40 px at 0.08 mm across
    assert (numbers.thickness, numbers.area) == ("4.0 mm", "12.8 mm²")
    assert numbers.echo.startswith("EI ")
    assert numbers.short == f"4.0 mm   12.8 mm²   {numbers.echo}"


def test_a_scale_that_a_person_found_turns_pixels_into_millimetres(desk):
    frame, _ = desk.open_page(desk.pages()[2])
    meter, roi = Meter(frame, desk.definitions), Roi(polygon=square(20, 20), structure="biceps_brachii")
    before = meter.numbers([roi])[0]
    assert (before.thickness, before.area) == ("40 px", "1600 px²")
    assert "no length in mm" in before.reason
    meter.calibrate(Calibration(0.2, 0.1, "person"))
    assert (meter.numbers([roi])[0].thickness, meter.numbers([roi])[0].area) == ("8.0 mm", "32.0 mm²")


def test_an_outline_that_is_not_there_says_so_and_has_no_number(desk):
    frame, _ = desk.open_page(desk.pages()[0])
    (numbers,) = Meter(frame, desk.definitions).numbers(
        [Roi(structure="biceps_brachii", flags=("nothing found",))]
    )
    assert numbers.short == ""
    assert "nothing was drawn" in numbers.reason
