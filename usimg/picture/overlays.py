"""What was drawn over the tissue: colour (flow, marks, a second caliper), and bright strokes in grey.

Both masks are for leaving pixels out of grey-level statistics; they say nothing about what was drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usimg.vision import cv2

BoolArray = NDArray[np.bool_]
UInt8 = NDArray[np.uint8]

# Reference 4.4: coloured when the channels differ by more than this, tint of the whole picture taken off.
COLOUR_SPREAD = 30
# A picture whose spread stays below this nearly everywhere has no tint to take off.
_TINTED_FROM = 8
_TINT_BINS = 32
# A grey map gives each level one tint; where colours of one level scatter more, it is colour, not a map.
_TINT_SCATTER = 15
# Sepia and blue maps spread the channels by up to this much, flow colours by more (chosen here).
_TINT_MOST = 80

# Drawn strokes are thinner than this, stand out by this much, are this bright, drop by this much from one
# pixel to the next on all four sides, and keep one level. Tissue fades sideways over the width of the beam.
# Chosen here on the Philips and Mindray calipers, where 0.02 % of the tissue of the nerve pictures is hit.
_STROKE_PX = 9
_STANDS_OUT = 80
_BRIGHT = 128
_DROP = 60
_ONE_LEVEL, _LEVEL_SHARE = 12, 0.6  # tissue shows through the middle of a cross


def find_overlays(gray: UInt8, rgb: UInt8 | None, area: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Masks of coloured pixels and of bright drawn strokes.

    Parameters
    ----------
    gray : (rows, cols) uint8 array
    rgb : (rows, cols, 3) uint8 array or None
    area : (rows, cols) bool array
        Scan area, from which the picture's tint is learned.

    Returns
    -------
    coloured, drawn : (rows, cols) bool arrays
        Each with the pixel around it, where chroma bleeds and outlines are dark.
    """
    coloured = np.zeros(gray.shape, bool) if rgb is None else _grown(_coloured(gray, rgb, area))
    return coloured, _grown(_strokes(gray))


def _grown(mask: BoolArray) -> BoolArray:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))).astype(bool)


def _coloured(gray: UInt8, rgb: UInt8, area: BoolArray) -> BoolArray:
    """Pixels whose channels differ by more than the picture's grey map makes them differ."""
    spread = rgb.max(axis=2) - rgb.min(axis=2)
    within = spread[area] if area.any() else spread.ravel()
    if np.percentile(within[::7], 99) <= _TINTED_FROM:
        return np.asarray(spread > COLOUR_SPREAD)
    tint = _tint(gray, rgb, area if area.any() else np.ones_like(area))
    channels = [rgb[..., c] - tint[:, c][gray] for c in range(3)]
    highest = np.maximum(np.maximum(channels[0], channels[1]), channels[2])
    lowest = np.minimum(np.minimum(channels[0], channels[1]), channels[2])
    return np.asarray(highest - lowest > COLOUR_SPREAD)


def _tint(gray: UInt8, rgb: UInt8, area: BoolArray) -> NDArray[np.int16]:
    """(256, 3): what the grey map adds to each channel at each grey level; 0 where colours scatter."""
    levels = gray[area][::5]
    offsets = rgb[area][::5].astype(np.int16) - levels[:, None]
    bins = levels // (256 // _TINT_BINS)
    centres, medians = [], []
    for number in np.unique(bins):
        low, middle, high = np.percentile(offsets[bins == number], (25, 50, 75), axis=0)
        if (high - low).max() <= _TINT_SCATTER and np.ptp(middle) <= _TINT_MOST:
            centres.append((number + 0.5) * (256 // _TINT_BINS))
            medians.append(middle)
    if not centres:
        return np.zeros((256, 3), np.int16)
    table = [np.interp(np.arange(256), centres, column) for column in np.array(medians).T]
    tint: NDArray[np.int16] = np.rint(np.stack(table, axis=1)).astype(np.int16)
    return tint


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
    return np.asarray(drawn[labels])
