"""The part of a frame an outline is looked for in, and the evened-out picture that is searched.

A *pane* is one tissue picture of a frame (a dual image has two): the rectangle round its scan area,
its grey levels with drawn-over pixels filled from beside them, and a mask of what may be used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from usimg.scan import Frame
from usimg.vision import cv2

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

# A picture smaller than this holds no layer or nerve that could be told from speckle (chosen here).
LEAST_SIDE_PX = 48
# Rows of the picture that lines are searched in: 4-6 cm of depth give 0.13-0.19 mm a row, a third of a
# thin fascia (chosen on dltrack_apo train).
WORKING_ROWS = 320
# Columns of a panoramic picture are squeezed to at most this many; lines stay lines.
WORKING_COLS = 640


@dataclass(frozen=True, eq=False)
class Pane:
    """One tissue picture of a frame.

    Attributes
    ----------
    gray : (rows, cols) float32 array
        Grey levels 0-255 inside ``box``; overlays are filled from their surroundings.
    usable : (rows, cols) bool array
        Scan area, filled overlays included.
    drawn : (rows, cols) bool array
        Overlays: their filled grey is nobody's evidence.
    box : tuple of int
        (r0, c0, r1, c1), half-open, in px of the frame.
    region : int or None
        Index into ``frame.regions``.
    """

    gray: FloatArray
    usable: BoolArray
    drawn: BoolArray
    box: tuple[int, int, int, int]
    region: int | None

    def holds(self, row: float, col: float) -> bool:
        """Whether a point of the frame lies in this pane's rectangle."""
        r0, c0, r1, c1 = self.box
        return r0 - 0.5 <= row < r1 - 0.5 and c0 - 0.5 <= col < c1 - 0.5


# A view asks once per structure, a box once per box: the frame last looked at is kept.
@lru_cache(maxsize=2)
def panes(frame: Frame) -> tuple[Pane, ...]:
    """The tissue pictures of a frame, largest first; none where nothing usable is shown."""
    area = np.asarray(frame.scan_area, dtype=bool)
    overlays = np.asarray(frame.overlays, dtype=bool) & area
    rows, cols = frame.shape
    windows: list[tuple[int | None, tuple[int, int, int, int]]] = [
        (region.index, region.box) for region in frame.tissue_regions
    ] or [(None, (0, 0, rows, cols))]
    found = []
    for index, (r0, c0, r1, c1) in windows:
        inside = area[r0:r1, c0:c1]
        if min(inside.shape, default=0) == 0:
            continue
        # A stray column or two of mask must not widen the rectangle.
        in_rows = np.flatnonzero(inside.sum(axis=1) >= 0.02 * inside.shape[1])
        in_cols = np.flatnonzero(inside.sum(axis=0) >= 0.02 * inside.shape[0])
        if len(in_rows) < LEAST_SIDE_PX or len(in_cols) < LEAST_SIDE_PX:
            continue
        top, bottom = int(in_rows[0]), int(in_rows[-1]) + 1
        left, right = int(in_cols[0]), int(in_cols[-1]) + 1
        box = (r0 + top, c0 + left, r0 + bottom, c0 + right)
        usable = inside[top:bottom, left:right]
        drawn = overlays[box[0] : box[2], box[1] : box[3]]
        gray = frame.gray[box[0] : box[2], box[1] : box[3]].astype(np.float32)
        found.append(Pane(_filled(gray, drawn), usable, drawn, box, index))
    return tuple(found)


def _filled(gray: FloatArray, drawn: BoolArray) -> FloatArray:
    """Grey with drawn-over pixels taken from the nearest pixel beside them."""
    if not drawn.any() or drawn.all():
        return gray
    # One pixel more: anti-aliased text and compression carry colour past the mask.
    grown = ndimage.binary_dilation(drawn)
    if grown.all():
        return gray
    nearest = ndimage.distance_transform_edt(grown, return_distances=False, return_indices=True)
    filled: FloatArray = gray[tuple(nearest)]
    blurred = cv2.GaussianBlur(filled, (0, 0), 2.0)
    return np.where(grown, blurred, gray).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Working:
    """A pane at working resolution, brightness and contrast evened out over depth and width.

    Attributes
    ----------
    even : (rows, cols) float32 array
        Local mean 0, local spread 1; 0 where nothing may be used.
    gray : (rows, cols) float32 array
        Grey 0-255 at the same resolution.
    usable : (rows, cols) bool array
    row_px, col_px : float
        Pixels of the pane per working row and column.
    """

    even: FloatArray
    gray: FloatArray
    usable: BoolArray
    row_px: float
    col_px: float


def working(pane: Pane) -> Working:
    """Bring a pane to `WORKING_ROWS` rows and even out its gain."""
    rows, cols = pane.gray.shape
    # A multiple of 8: lines are searched in blocks of 4 columns, two blocks at a time.
    new_cols = 8 * round(np.clip(cols * WORKING_ROWS / rows, 64, WORKING_COLS) / 8)
    size = (new_cols, WORKING_ROWS)
    shrink = rows > WORKING_ROWS
    gray = cv2.resize(pane.gray, size, interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
    usable = cv2.resize(pane.usable.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    weight = usable.astype(np.float32)
    # Windows of 1/8 of the depth: wider than any fascia, narrower than the change of gain with depth.
    sigma = WORKING_ROWS / 16
    norm = np.maximum(_blur(weight, sigma), 1e-3)
    mean = _blur(gray * weight, sigma) / norm
    spread = np.sqrt(np.maximum(_blur((gray - mean) ** 2 * weight, sigma) / norm, 0.0))
    # The floor keeps black depths black: noise of one or two grey levels is not contrast.
    floor = max(2.0, 0.1 * float(gray[usable].std())) if usable.any() else 2.0
    even = np.where(usable, (gray - mean) / np.maximum(spread, floor), 0.0).astype(np.float32)
    return Working(even, gray, usable, rows / WORKING_ROWS, cols / new_cols)


def _blur(image: FloatArray, sigma: float) -> FloatArray:
    blurred: FloatArray = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return blurred
