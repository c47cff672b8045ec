"""A scale from two points on the ruler and their distance, and the pictures that it fits as well. No Qt.

Nothing is applied here: a person says so for each picture, and it is written with their name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from usimg import Calibration, Frame, UsimgError
from usimg.errors import CalibrationRefused
from usimg.study.pixels import open_scan

# A hand hits a tick to about a pixel: over fewer px the scale could be wrong by more than 4 %.
LEAST_PX = 50.0
# Between a millimetre-deep zoom and a whole arm; what is typed beyond is a slip or another unit.
LEAST_MM, MOST_MM = 1.0, 400.0
# How far beside the two points a ruler is compared, px: ticks and their numbers.
_BESIDE = 14
# Two pictures show the same ruler when the strips are alike to this (Pearson's r). Chosen on simulated
# screens: the same depth gives 1.0, one 2 mm deeper 0.1; JPEG costs a few hundredths.
ALIKE = 0.9
# A ruler drawn over the tissue has fewer px beside it, along its length, than this: it is compared whole.
_LEAST_BESIDE = 5
# Where the strip has no contrast there is no ruler to compare.
_LEAST_SPREAD = 6.0


def scale_of(corners: Any, distance_mm: float) -> Calibration:
    """The scale of a picture with square pixels.

    Parameters
    ----------
    corners : (2, 2) array
        The two points, (row, col) px.
    distance_mm : float
        Between them, as the ruler says.

    Raises
    ------
    CalibrationRefused
        Points too near to each other, or no distance of a picture.
    """
    px = float(np.hypot(*np.subtract(corners[1], corners[0])))
    if px < LEAST_PX:
        raise CalibrationRefused(
            f"the two points are {px:.0f} px apart: take two ticks that are {LEAST_PX:.0f} px apart or more,"
            " the first and the last are best"
        )
    if not LEAST_MM <= distance_mm <= MOST_MM:
        raise CalibrationRefused(
            f"{distance_mm:g} mm between two points of a ruler? Type it in mm, {LEAST_MM:g} to {MOST_MM:g}"
        )
    size = distance_mm / px
    return Calibration(size, size, "person", detail=how(corners, distance_mm))


def how(corners: Any, distance_mm: float) -> str:
    """What the scale was read from, for the line that keeps it."""
    (r0, c0), (r1, c1) = np.asarray(corners, dtype=float).tolist()
    return (
        f"two points on the ruler, (row, col) ({r0:.1f}, {c0:.1f}) and ({r1:.1f}, {c1:.1f}),"
        f" {distance_mm:g} mm apart; square pixels"
    )


@dataclass(frozen=True)
class Candidate:
    """Another picture of the same device without a scale.

    Attributes
    ----------
    page : Page
    misfit : str
        Why the scale is not offered; empty where it fits.
    """

    page: Any
    misfit: str = ""


def same_ruler(frame: Frame, other: Frame, corners: Any) -> str:
    """Why another picture does not show the same ruler at the same place; empty when it does."""
    if frame.shape != other.shape:
        return f"another size of picture ({other.shape[1]} x {other.shape[0]})"
    mine, theirs = _strip(frame.gray, corners), _strip(other.gray, corners)
    # Tissue differs from scan to scan; the ruler beside it does not.
    beside = _strip(frame.scan_area | other.scan_area, corners) < 0.01
    if beside.sum() > _LEAST_BESIDE * len(beside):
        mine, theirs = mine[beside], theirs[beside]
    if mine.std() < _LEAST_SPREAD:
        return "no ruler between the two points that could be compared"
    if theirs.std() < _LEAST_SPREAD:
        return "no ruler there"
    alike = float(np.corrcoef(mine.ravel(), theirs.ravel())[0, 1])
    return "" if alike >= ALIKE else "another ruler there: another depth or zoom"


def candidates(desk: Any, page: Any, frame: Frame, corners: Any) -> Iterator[Candidate]:
    """Pictures of the same device that have no scale, with why it does not fit those it does not.

    Parameters
    ----------
    desk : StudyDesk
    page : Page
        The one that was calibrated.
    frame : Frame
        Its picture.
    corners : (2, 2) array
        The two points on its ruler.
    """
    device = desk.device_of(page)
    for other in desk.pages():
        if other.scan == page.scan or desk.has_scale(other) or desk.device_of(other) != device:
            continue
        try:
            shown = open_scan(desk.study, other.scan).frames[other.frame]
            yield Candidate(other, same_ruler(frame, shown, corners))
        except UsimgError:
            yield Candidate(other, "its file cannot be opened")


def _strip(gray: NDArray[np.generic], corners: Any) -> NDArray[np.float64]:
    """Grey levels along the ruler and beside it, (places, beside)."""
    start, stop = np.asarray(corners, dtype=np.float64)
    length = float(np.hypot(*(stop - start)))
    along = (stop - start) / length
    across = np.array([-along[1], along[0]])
    places = start + np.arange(0.0, length + 1.0)[:, None] * along
    grid = places[:, None] + np.arange(-_BESIDE, _BESIDE + 1)[None, :, None] * across
    found: NDArray[np.float64] = ndimage.map_coordinates(
        gray.astype(np.float64), [grid[..., 0], grid[..., 1]], order=1, mode="nearest"
    )
    return found
