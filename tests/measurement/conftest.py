"""A frame made of an array: no file, the whole of it tissue unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from usimg.scan import Calibration, Frame, Kind, Picture, Pixels, choose_calibration


@dataclass
class ArraySource:
    array: np.ndarray

    def pixels(self, index):
        return Pixels(self.array, None, "stored grey", "array")

    def sha256(self):
        return "0" * 64


@pytest.fixture(scope="session")
def frame_of():
    """``frame_of(gray, spacing=(row_mm, col_mm) or None, regions=, overlays=, scan_area=)``."""

    def build(gray, spacing=(0.1, 0.1), *, regions=(), overlays=None, scan_area=None, name="scan.dcm"):
        gray = np.asarray(gray, dtype=np.uint8)
        picture = Picture(
            Kind("b_mode"),
            np.ones(gray.shape, dtype=bool) if scan_area is None else scan_area,
            np.zeros(gray.shape, dtype=bool) if overlays is None else overlays,
        )
        calibration, reason = choose_calibration(tuple(regions))
        if not regions and spacing is not None:
            calibration, reason = Calibration(*spacing, source="given"), ""
        return Frame(
            name=name,
            index=0,
            shape=gray.shape,
            source=ArraySource(gray),
            describe=lambda _frame: picture,
            regions=tuple(regions),
            calibration=calibration,
            calibration_reason=reason,
        )

    return build


@pytest.fixture(scope="session")
def speckle():
    """(300, 400) grey levels 0 to 255, the same every time."""
    return np.random.default_rng(0).integers(0, 256, (300, 400), dtype=np.uint8)
