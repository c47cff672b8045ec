"""What was drawn over the tissue: colour (flow, marks, a second caliper), and bright strokes in grey.

Both masks are for leaving pixels out of grey-level statistics; they say nothing about what was drawn.
"""

from __future__ import annotations

import itertools

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
# Chosen here on the Philips and Mindray calipers; of the nerve pictures under 0.01 % of the tissue is hit.
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
    planes = cv2.split(rgb)
    spread = _spread(*planes)
    # a ninth of the pixels is enough to learn a map from
    few = area[::3, ::3] if area.any() else np.ones_like(area[::3, ::3])
    if np.percentile(spread[::3, ::3][few], 99) > _TINTED_FROM:
        tint = _tint(gray[::3, ::3][few], rgb[::3, ::3][few])
        added, taken = np.clip(tint, 0, 255).astype(np.uint8), np.clip(-tint, 0, 255).astype(np.uint8)
        untinted = [
            cv2.add(cv2.subtract(plane, cv2.LUT(gray, added[:, c])), cv2.LUT(gray, taken[:, c]))
            for c, plane in enumerate(planes)
        ]
        spread = _spread(*untinted)
    return np.asarray(spread > COLOUR_SPREAD)


def _spread(red: UInt8, green: UInt8, blue: UInt8) -> UInt8:
    highest, lowest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return np.asarray(cv2.subtract(highest, lowest))


def _tint(levels: UInt8, colours: UInt8) -> NDArray[np.int16]:
    """(256, 3): what the grey map adds to each channel at each grey level; 0 where colours scatter.

    ``levels`` (N,) are grey, ``colours`` (N, 3) the same pixels' channels.
    """
    order = np.argsort(levels, kind="stable")
    levels = levels[order]
    offsets = colours[order].astype(np.int16) - levels[:, None]
    width = 256 // _TINT_BINS
    edges = np.searchsorted(levels, np.arange(0, 257, width, dtype=np.int32))
    centres, medians = [], []
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        if start == stop:
            continue
        low, middle, high = np.percentile(offsets[start:stop], (25, 50, 75), axis=0)
        if (high - low).max() <= _TINT_SCATTER and np.ptp(middle) <= _TINT_MOST:
            centres.append((number + 0.5) * width)
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
