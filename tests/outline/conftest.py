"""Frames for outlining: phantoms with truth, and frames of plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from usimg import simulate
from usimg.scan import Frame, Kind, Picture, Pixels, Region


@dataclass
class ArraySource:
    """Pixels of one array."""

    gray: np.ndarray

    def pixels(self, index: int) -> Pixels:
        return Pixels(self.gray, None, "as given", "none")

    def sha256(self) -> str:
        return ""


def frame_of(gray, *, area=None, overlays=None, regions=()) -> Frame:
    """A frame of an array whose whole field is picture, unless told otherwise."""
    gray = np.ascontiguousarray(gray, dtype=np.uint8)
    shown = Picture(
        Kind("b_mode"),
        np.ones(gray.shape, bool) if area is None else area,
        np.zeros(gray.shape, bool) if overlays is None else overlays,
    )
    return Frame("array", 0, gray.shape, ArraySource(gray), lambda _frame: shown, regions=tuple(regions))


def phantom_frame(phantom: simulate.Phantom) -> Frame:
    """A phantom as a frame."""
    return frame_of(phantom.image, area=phantom.scan_area)


def pane(index: int, box: tuple[int, int, int, int]) -> Region:
    """A tissue region without a scale."""
    return Region(index, "2d", "tissue", box, box, None, "no scale")


def thickness(upper: np.ndarray, lower: np.ndarray) -> float:
    """Mean vertical distance of two chains of (row, col), px."""
    cols = np.arange(np.ceil(max(upper[0, 1], lower[0, 1])), np.floor(min(upper[-1, 1], lower[-1, 1])) + 1)
    rows = [np.interp(cols, chain[:, 1], chain[:, 0]) for chain in (upper, lower)]
    return float((rows[1] - rows[0]).mean())


@pytest.fixture(scope="session")
def pictures() -> SimpleNamespace:
    """Builders of frames and what is measured on outlines."""
    return SimpleNamespace(frame_of=frame_of, phantom_frame=phantom_frame, pane=pane, thickness=thickness)


SETUP = simulate.Setup(shape=(420, 560))


@pytest.fixture(scope="session")
def upper_arm() -> simulate.Phantom:
    return simulate.upper_arm(seed=3, setup=SETUP)


@pytest.fixture(scope="session")
def calf() -> simulate.Phantom:
    return simulate.posterior_lower_leg(seed=2, setup=SETUP)


@pytest.fixture(scope="session")
def wrist() -> simulate.Phantom:
    return simulate.median_nerve_wrist(seed=4, setup=SETUP)
