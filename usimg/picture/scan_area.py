"""Where tissue is: the field of view inside a frame that also shows bars, ticks and text.

What surrounds a field is flat, whatever its level (black, grey or white); tissue never is, for speckle is
everywhere. So: everything that belongs to no flat patch, its largest connected part, and then the shape that
such parts have, because a field may be black in its depth or under a shadow and is still field: a rectangle
(linear probe), a convex fan (curved and phased probes, trapezoid), else the part itself (panorama).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.vision import cv2

BoolArray = NDArray[np.bool_]
UInt8 = NDArray[np.uint8]
Box = tuple[int, int, int, int]

# A 3 x 3 patch whose levels differ by no more than this is flat: JPEG leaves 1..3 levels in a flat
# surround, speckle differs by more nearly everywhere. Chosen here on the training splits.
_FLAT_LEVELS = 3
# Text, ticks and thin lines fall away under an opening of this many pixels, on frames of 768 rows.
_OPENING_PX, _ON_ROWS = 15, 768
# A side is straight when this share of rows ends within two pixels of one column. A 10 degree
# slant gives 5 % on 500 rows.
_STRAIGHT_SHARE = 0.2
_STRAIGHT_SLACK = 2
# Below this share of its convex hull a part is bent (a panorama) and the hull would take in surround.
_SOLID = 0.93
# Less than this share of the box and there is no field to speak of.
_LEAST_SHARE = 0.01


def find_scan_area(gray: UInt8, boxes: tuple[Box, ...] = ()) -> BoolArray:
    """Mask of the field, or of several panes.

    Parameters
    ----------
    gray : (rows, cols) uint8 array
    boxes : tuple of (r0, c0, r1, c1)
        Half-open tissue regions that the file states; each is searched by itself. Without them the
        whole frame is searched.

    Returns
    -------
    (rows, cols) bool array
        All False where nothing like a field is seen. A stated region in which no field is found is taken
        whole: it may be black.
    """
    area = np.zeros(gray.shape, bool)
    for r0, c0, r1, c1 in boxes:
        found = _field(gray[r0:r1, c0:c1])
        area[r0:r1, c0:c1] |= True if found is None else found
    if not boxes:
        found = _field(gray)
        if found is not None:
            area = found
    return area


def _field(gray: UInt8) -> BoolArray | None:
    if min(gray.shape) < 8:
        return None
    size = max(3, round(_OPENING_PX * gray.shape[0] / _ON_ROWS)) | 1
    part = _largest_part(_textured(gray), size)
    if part is None:
        return None
    rectangle = _rectangle(part)
    if rectangle is not None:
        filled = np.zeros(gray.shape, bool)
        r0, c0, r1, c1 = rectangle
        filled[r0:r1, c0:c1] = True
        return filled
    return _fan(part) if _solidity(part) >= _SOLID else part


def _textured(gray: UInt8) -> UInt8:
    """255 for every pixel that lies in no flat 3 x 3 patch."""
    kernel = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(gray, kernel), cv2.erode(gray, kernel))
    flat = np.where(spread <= _FLAT_LEVELS, np.uint8(255), np.uint8(0))
    return np.asarray(cv2.bitwise_not(cv2.dilate(flat, kernel)))


def _largest_part(textured: UInt8, size: int) -> BoolArray | None:
    """The largest connected part after thin things are gone, its holes filled; None when too small."""
    kernel = np.ones((size, size), np.uint8)
    closed = _close(textured, size)
    core = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < _LEAST_SHARE * textured.size:
        return None
    # an opening rounds corners: what was taken from the part itself comes back
    near = cv2.dilate((labels == largest).astype(np.uint8), kernel)
    part = _drop_thin(closed & near * np.uint8(255))
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(part)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.astype(bool)


def _close(mask: UInt8, size: int) -> UInt8:
    """Closing that also works at the border: OpenCV takes what lies outside for dark."""
    pad = size
    padded = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    return np.ascontiguousarray(closed[pad:-pad, pad:-pad])


def _drop_thin(mask: UInt8) -> UInt8:
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)))


def _rectangle(part: BoolArray) -> Box | None:
    """Box of a part with straight upright sides and a level top, or None."""
    rows = np.flatnonzero(part.any(axis=1))
    cols = np.flatnonzero(part.any(axis=0))
    inside = part[rows]
    left = _straight(inside.argmax(axis=1), outward=-1)
    right = _straight(part.shape[1] - 1 - inside[:, ::-1].argmax(axis=1), outward=1)
    top = _straight(part[:, cols].argmax(axis=0), outward=-1, share=0.5)
    if left is None or right is None or top is None or right - left < 8:
        return None
    return top, left, int(rows[-1]) + 1, right + 1


def _straight(ends: NDArray[Any], *, outward: int, share: float = _STRAIGHT_SHARE) -> int | None:
    """The outermost level at which many of the ends agree, or None; few may lie beyond it."""
    low = int(ends.min()) - _STRAIGHT_SLACK
    counts = np.bincount(ends - low, minlength=int(ends.max()) - low + 1 + _STRAIGHT_SLACK)
    around = np.convolve(counts, np.ones(2 * _STRAIGHT_SLACK + 1, int), mode="same")
    agreeing = np.flatnonzero(around >= share * ends.size)
    if agreeing.size == 0:
        return None
    run = agreeing[0] if outward < 0 else agreeing[-1]
    near = slice(max(0, run - _STRAIGHT_SLACK), run + _STRAIGHT_SLACK + 1)
    level = low + near.start + int(np.argmax(counts[near]))
    beyond = ends < level - _STRAIGHT_SLACK if outward < 0 else ends > level + _STRAIGHT_SLACK
    return level if beyond.mean() <= 0.05 else None


def _hull(part: BoolArray) -> UInt8:
    points = cv2.findNonZero(part.astype(np.uint8))
    filled = np.zeros(part.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return filled


def _solidity(part: BoolArray) -> float:
    return float(part.sum() / max(1, int(_hull(part).sum())))


def _fan(part: BoolArray) -> BoolArray:
    """Convex hull of the part, less what lies above its top: a curved probe's face is hollow."""
    first = np.where(part.any(axis=0), part.argmax(axis=0), part.shape[0])
    below = np.arange(part.shape[0])[:, None] >= first
    inside: BoolArray = _hull(part).astype(bool) & below
    return inside
