"""What was drawn over the tissue: colour (flow, marks, a second caliper), and bright strokes in grey.

Both masks are for leaving pixels out of grey-level statistics; they say nothing about what was drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usimg.picture.colour import Tint, coloured_pixels, find_tint
from usimg.picture.scan_area import STEP_LEVELS
from usimg.vision import cv2

BoolArray = NDArray[np.bool_]
UInt8 = NDArray[np.uint8]

# Drawn strokes are thinner than this, stand out by this much, are this bright, drop by this much from one
# pixel to the next on all four sides, and keep one level. Tissue fades sideways over the width of the beam.
# Chosen here on the Philips and Mindray calipers; of the nerve pictures under 0.01 % of the tissue is hit.
_STROKE_PX = 9
_STANDS_OUT = 80
_BRIGHT = 128
_DROP = 60
# Height and width of a few letters, and the share of steps in them: all letters of 7 to 16 px drawn over
# phantoms, JPEG or not, against no tissue of the training pictures (chosen here on these).
_LETTER_PX, _LETTER_SHARE = (11, 25), 0.27
_ONE_LEVEL, _LEVEL_SHARE = 12, 0.6  # tissue shows through the middle of a cross


def find_overlays(
    gray: UInt8, rgb: UInt8 | None, area: BoolArray, tint: Tint | None = None
) -> tuple[BoolArray, BoolArray]:
    """Masks of coloured pixels and of bright drawn strokes.

    Parameters
    ----------
    gray : (rows, cols) uint8 array
    rgb : (rows, cols, 3) uint8 array or None
    area : (rows, cols) bool array
        Scan area, from which the picture's tint is learned.
    tint : Tint, optional
        When it was learned before.

    Returns
    -------
    coloured, drawn : (rows, cols) bool arrays
        Each with the pixel around it, where chroma bleeds and outlines are dark.
    """
    coloured = np.zeros(gray.shape, bool)
    if rgb is not None:
        coloured = _grown(coloured_pixels(gray, rgb, tint or find_tint(gray, rgb, area)))
    return coloured, _grown(_strokes(gray) | _letters(gray))


def _grown(mask: BoolArray) -> BoolArray:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))).astype(bool)


def _letters(gray: UInt8) -> BoolArray:
    """Thin bright parts where steps along rows crowd, as in writing: smooth letters have many levels."""
    kernel = np.ones((1, 3), np.uint8)
    steps = cv2.subtract(cv2.dilate(gray, kernel), cv2.erode(gray, kernel)) > STEP_LEVELS
    high, wide = _LETTER_PX
    crowded = cv2.boxFilter(steps.astype(np.float32), -1, (wide, high)) > _LETTER_SHARE
    around = cv2.dilate(crowded.astype(np.uint8), np.ones((high, wide), np.uint8)).astype(bool)
    thin = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, np.ones((_STROKE_PX, _STROKE_PX), np.uint8))
    return np.asarray(around & (thin >= _DROP) & (gray >= _BRIGHT - _DROP // 2))


def _strokes(gray: UInt8) -> BoolArray:
    """Thin bright parts of one level that end abruptly on all four sides."""
    around = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    stands_out = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, around)
    candidate = ((stands_out >= _STANDS_OUT) & (gray >= _BRIGHT)).astype(np.uint8)
    # side by side only: past the corners of an outlined cross bright tissue touches its middle
    count, labels = cv2.connectedComponents(candidate, connectivity=4)
    if count < 2:
        return np.zeros(gray.shape, bool)
    rows, cols = np.nonzero(candidate)
    part = labels[rows, cols]
    level = gray[rows, cols].astype(np.float64)
    sizes = np.bincount(part, minlength=count)
    top = np.zeros(count)
    np.maximum.at(top, part, level)
    drawn = np.bincount(part, level >= top[part] - _ONE_LEVEL, count) >= _LEVEL_SHARE * sizes
    padded = cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    outside = cv2.copyMakeBorder(candidate, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0) == 0
    for dr, dc in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        r, c = rows + 1 + dr, cols + 1 + dc
        edge = outside[r, c]
        drop = np.bincount(part[edge], level[edge] - padded[r, c][edge], count)
        drawn &= drop >= _DROP * np.bincount(part[edge], minlength=count)
    drawn[0] = False
    # tissue that a line runs into is not drawn
    of_one_level = np.zeros(gray.shape, bool)
    of_one_level[rows, cols] = level >= top[part] - 2 * _ONE_LEVEL
    return np.asarray(drawn[labels]) & of_one_level
