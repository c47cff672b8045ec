"""Colour that was painted over tissue, told from a colour map that tints the whole picture."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

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
# The picture has a map when this share of its lit pixels wears it; a colour box covers less of a field.
_TINT_SHARE = 0.9
_LIT = 24


@dataclass(frozen=True, slots=True)
class Tint:
    """What a picture's colour map adds to each channel at each grey level.

    Attributes
    ----------
    table : (256, 3) int16 array
    strength : int
        Largest difference between channels that it makes; 0 for a grey picture.
    """

    table: NDArray[np.int16]
    strength: int = 0


NO_TINT = Tint(np.zeros((256, 3), np.int16))


def find_tint(gray: UInt8, rgb: UInt8 | None, area: BoolArray) -> Tint:
    """Learn the colour map from the scan area.

    Parameters
    ----------
    gray : (rows, cols) uint8 array
    rgb : (rows, cols, 3) uint8 array or None
    area : (rows, cols) bool array
        Scan area; the whole frame stands for an empty one.
    """
    if rgb is None:
        return NO_TINT
    # a ninth of the pixels is enough to learn a map from
    few = area[::3, ::3] if area.any() else np.ones_like(area[::3, ::3])
    levels, colours = gray[::3, ::3][few], rgb[::3, ::3][few]
    spread = colours.max(axis=1) - colours.min(axis=1)
    if np.percentile(spread, 99) <= _TINTED_FROM:
        return NO_TINT
    table = _table(levels, colours)
    lit = levels >= _LIT
    worn = (colours[lit].astype(np.int16) - levels[lit, None]) - table[levels[lit]]
    if not lit.any() or np.mean(np.abs(worn).max(axis=1) <= _TINT_SCATTER) < _TINT_SHARE:
        # colours of many kinds: what few levels seem to share is paint, beyond what noise and a faint map do
        table = np.where(np.ptp(table, axis=1, keepdims=True) <= COLOUR_SPREAD, table, 0).astype(np.int16)
        return Tint(table)
    return Tint(table, int(np.ptp(table[np.unique(levels)], axis=1).max()))


def coloured_pixels(gray: UInt8, rgb: UInt8, tint: Tint) -> BoolArray:
    """Pixels whose channels differ by more than the picture's colour map makes them differ.

    What is grey as stored is not coloured either, whatever the map says: marks are drawn above it.
    """
    planes = cv2.split(rgb)
    spread = _spread(*planes)
    if tint.table.any():
        added = np.clip(tint.table, 0, 255).astype(np.uint8)
        taken = np.clip(-tint.table, 0, 255).astype(np.uint8)
        untinted = [
            cv2.add(cv2.subtract(plane, cv2.LUT(gray, added[:, c])), cv2.LUT(gray, taken[:, c]))
            for c, plane in enumerate(planes)
        ]
        spread = cv2.min(spread, _spread(*untinted))
    return np.asarray(spread > COLOUR_SPREAD)


def _spread(red: UInt8, green: UInt8, blue: UInt8) -> UInt8:
    highest, lowest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return np.asarray(cv2.subtract(highest, lowest))


def _table(levels: UInt8, colours: UInt8) -> NDArray[np.int16]:
    """(256, 3): what the map adds to each channel at each grey level; where colours scatter, nothing.

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
