"""Where tissue is: the field of view inside a frame that also shows bars, ticks and text.

What surrounds a field is exactly flat, whatever its level (black, grey or white); tissue never is, for noise
and speckle are everywhere, faint as they may be. So: the pixels that lie in no flat patch, their large parts
that are not writing, and then the shape that fields have, because a field may be black in its depth or
under a shadow and is still field: a rectangle (linear probe), a convex fan (curved and phased probes,
trapezoid), else the parts themselves (a bent panorama).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usimg.vision import cv2

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
UInt8 = NDArray[np.uint8]
Box = tuple[int, int, int, int]

# Thin things (text, ticks, traces) fall away under an opening of this many pixels on 768 rows: chosen here,
# on the DICOM collection and the training splits.
_OPENING_PX, _ON_ROWS = 15, 768
_LEAST_OPENING_PX = 9  # a JPEG block of ringing has 8
# Where writing crowds, this share of the pixels sees a step of 90 levels to a neighbour in its row; in the
# muscle and nerve pictures of the training splits 0.1 % of the tissue sees half of it.
STEP_LEVELS, _WRITING_SHARE = 90, 0.2
_STROKE_PX = 7  # a drawn line is thinner
# JPEG leaves up to 3 levels of ringing beside a field; its straight sides are taken where more happens.
_RINGING = 3
# A side is straight when this share of rows ends within two pixels of one column. A 10 degree
# slant gives 5 % on 500 rows.
_STRAIGHT_SHARE, _STRAIGHT_SLACK = 0.2, 2
_BEYOND = 0.1
_LEVEL_TOP = 0.9  # a trapezoid's top is level over half its width
# A row belongs to a linear field when this share of it is no surround.
_ROW_SHARE = 0.1
# ... or this share of it holds noise darker than any mark (chosen here on the nerve pictures' black depths).
_NOISE_SHARE, _FAINT, _MARK = 0.005, 60, 128
# Enough rows above a field to judge their noise by.
_TITLE_SHARE = 0.1
# Parts below this share of the largest are not the field's.
_PART_SHARE = 0.04
# A part along the upper or lower border that is lower than this share of the rows is a menu or title bar.
_BAR_SHARE = 0.1
# A page of writing has this share of its pixels in or beside letters; a lone label less (chosen here).
_PAGE_SHARE = 0.01
# Less than this share of the box and there is no field to speak of.
_LEAST_SHARE = 0.01
# The hull of a bent panorama takes in exactly flat surround; dark pockets inside real fans hold noise in
# 0.1 % of their pixels and more. Smaller pockets matter little and hold too few pixels to tell.
_POCKET, _NOISE, _ONE_PART = 0.01, 0.0005, 0.95
# A curved face sinks by tan(half angle / 2) / 2 of its chord: 0.35 for an endocavity probe of 140 degrees.
_FACE_SAG = 0.35


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


def large_parts(gray: UInt8, share: float) -> list[tuple[Box, float]]:
    """Boxes of textured parts, each with its area as a share of the largest's, which comes first."""
    if min(gray.shape) < 8:
        return []
    size = _opening_size(gray)
    core = _core(_in_no_flat_patch(_spread(gray), 0) & (1 - _writing(gray, size)), size)
    _, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(core[::2, ::2]), connectivity=8)
    parts = stats[1:][np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")].tolist()
    rows = core.shape[0]
    return [
        ((2 * y, 2 * x, 2 * (y + height), 2 * (x + width)), area / parts[0][cv2.CC_STAT_AREA])
        for x, y, width, height, area in parts
        if area >= share * parts[0][cv2.CC_STAT_AREA] and 2 * height >= _BAR_SHARE * rows
    ]


def is_written(gray: UInt8) -> bool:
    """Whether the frame holds more than a word of writing."""
    if min(gray.shape) < 8:
        return False
    return bool(_writing(gray, _opening_size(gray)).mean() > _PAGE_SHARE)


def _field(gray: UInt8) -> BoolArray | None:
    if min(gray.shape) < 8:
        return None
    spread, size = _spread(gray), _opening_size(gray)
    quiet = 1 - _writing(gray, size)
    textured = _in_no_flat_patch(spread, 0)
    faint = _parts(textured & quiet, size)
    if faint is None:
        return None
    noise = (textured & quiet).astype(bool) & (gray < _FAINT) & ~_near_marks(gray, faint)
    lively = _parts(_in_no_flat_patch(spread, _RINGING) & quiet, size)
    for sides in (lively, faint):
        rectangle = None if sides is None else _rectangle(sides, faint, noise)
        if rectangle is not None:
            field = np.zeros(gray.shape, bool)
            r0, c0, r1, c1 = rectangle
            field[r0:r1, c0:c1] = True
            return field
    return _fan(faint, textured, size)


def _spread(gray: UInt8) -> UInt8:
    """Largest less smallest level among each pixel and its eight neighbours."""
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.subtract(cv2.dilate(gray, kernel), cv2.erode(gray, kernel)))


def _opening_size(gray: UInt8) -> int:
    return max(_LEAST_OPENING_PX, round(_OPENING_PX * int(gray.shape[0]) / _ON_ROWS)) | 1


def _core(textured: UInt8, size: int) -> UInt8:
    """Texture without thin things and small gaps."""
    return np.asarray(
        cv2.morphologyEx(_close(textured, size), cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    )


def _in_no_flat_patch(spread: UInt8, levels: int) -> UInt8:
    """1 for every pixel that belongs to no 3 x 3 patch of ``levels`` or less between its extremes."""
    flat = (spread <= levels).astype(np.uint8)
    return np.asarray(1 - cv2.dilate(flat, np.ones((3, 3), np.uint8)))


def _writing(gray: UInt8, size: int) -> UInt8:
    """1 where text and icons crowd, with the ringing around them, and on upright strokes (a ruler).

    All are looked for along rows: strokes have steps there, skin and fascia lie across.
    """
    kernel = np.ones((1, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(gray, kernel), cv2.erode(gray, kernel))
    steps = (spread > STEP_LEVELS).astype(np.float32)
    crowded = cv2.boxFilter(steps, -1, (2 * size + 1, size)) > _WRITING_SHARE
    drawn = cv2.dilate(crowded.astype(np.uint8), np.ones((size, size), np.uint8))
    upright = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, np.ones((1, _STROKE_PX), np.uint8)) > STEP_LEVELS
    return np.asarray(drawn | upright)


def _near_marks(gray: UInt8, parts: BoolArray) -> BoolArray:
    """Within 8 px (a JPEG block) of bright pixels outside the parts: ticks, labels and their ringing."""
    marks = ((gray >= _MARK) & ~parts).astype(np.uint8)
    return np.asarray(cv2.dilate(marks, np.ones((17, 17), np.uint8))).astype(bool)


def _parts(textured: UInt8, size: int) -> BoolArray | None:
    """Large parts, below or above the largest of them; None when there is none."""
    core = _core(textured, size)
    coarse = np.ascontiguousarray(core[::2, ::2])  # parts are larger than the opening: half the pixels do
    count, labels, stats, _ = cv2.connectedComponentsWithStats(coarse, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0.0
    largest = int(np.argmax(areas))
    if count < 2 or areas[largest] < _LEAST_SHARE * coarse.size:
        return None
    left = stats[:, cv2.CC_STAT_LEFT]
    right = left + stats[:, cv2.CC_STAT_WIDTH]
    shared = np.minimum(right, right[largest]) - np.maximum(left, left[largest])
    top, height = stats[:, cv2.CC_STAT_TOP], stats[:, cv2.CC_STAT_HEIGHT]
    at_border = (top == 0) | (top + height == coarse.shape[0])
    bar = at_border & (height < _BAR_SHARE * coarse.shape[0])
    bar[largest] = False
    own = (areas >= _PART_SHARE * areas[largest]) & (shared >= 0.5 * (right - left)) & ~bar
    rows, cols = core.shape
    taken = cv2.resize(own[labels].astype(np.uint8), (cols, rows), interpolation=cv2.INTER_NEAREST)
    grown = cv2.dilate(taken, np.ones((3, 3), np.uint8))
    parts: BoolArray = (grown & core).astype(bool)
    return parts


def _close(mask: UInt8, size: int) -> UInt8:
    """Closing that also works at the border: OpenCV takes what lies outside for dark."""
    padded = cv2.copyMakeBorder(mask, size, size, size, size, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    return np.ascontiguousarray(closed[size:-size, size:-size])


def _rectangle(sides: BoolArray, faint: BoolArray, noise: BoolArray) -> Box | None:
    """Box of parts with straight upright sides and a level top, or None.

    The sides come from ``sides``; downwards it goes on as long as there is something ``faint``, or ``noise``.
    """
    rows = np.flatnonzero(sides.any(axis=1))
    cols = np.flatnonzero(sides.any(axis=0))
    if rows.size < 8 or cols.size < 8:
        return None
    inside = sides[rows]
    left = _straight(inside.argmax(axis=1), outward=-1)
    right = _straight(sides.shape[1] - 1 - inside[:, ::-1].argmax(axis=1), outward=1)
    tops = sides[:, cols].argmax(axis=0)
    top = _straight(tops, outward=-1, share=0.5)
    if top is not None and np.mean(np.abs(tops - top) <= _STRAIGHT_SLACK) >= _LEVEL_TOP:
        # as wide as its level top, though a shadow hides a side
        left = int(cols[0]) if left is None else left
        right = int(cols[-1]) if right is None else right
    if left is None or right is None or top is None or right - left < 8:
        return None
    filled = (sides | faint)[:, left : right + 1].mean(axis=1) >= _ROW_SHARE
    # a lossy codec leaves noise above the field too: then noise below it says nothing
    if top < _TITLE_SHARE * noise.shape[0] or noise[: top - _STRAIGHT_SLACK].mean() < _NOISE_SHARE:
        filled |= noise[:, left : right + 1].mean(axis=1) >= _NOISE_SHARE
    deepest = int(np.flatnonzero(filled)[-1])
    return (top, left, deepest + 1, right + 1) if deepest > top else None


def _straight(ends: IntArray, *, outward: int, share: float = _STRAIGHT_SHARE) -> int | None:
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
    return level if beyond.mean() <= _BEYOND else None


def _fan(parts: BoolArray, textured: UInt8, size: int) -> BoolArray:
    """Convex hull less the hollow of a curved face; the parts themselves where they are bent."""
    outline = cv2.convexHull(_row_ends(parts))[:, 0, :]
    hull = np.zeros(parts.shape, np.uint8)
    cv2.fillConvexPoly(hull, outline, 1)
    field: BoolArray = hull.astype(bool)
    field &= np.arange(parts.shape[0])[:, None] >= _face(parts, outline)
    return _without_holes(parts) if _is_bent(parts, field, textured, size) else field


def _row_ends(parts: BoolArray) -> NDArray[np.int32]:
    """(x, y) of the first and last pixel of each row: all that a hull needs."""
    rows = np.flatnonzero(parts.any(axis=1))
    left = parts[rows].argmax(axis=1)
    right = parts.shape[1] - 1 - parts[rows][:, ::-1].argmax(axis=1)
    return np.concatenate([np.stack([left, rows], 1), np.stack([right, rows], 1)]).astype(np.int32)


def _is_bent(parts: BoolArray, field: BoolArray, textured: UInt8, size: int) -> bool:
    """Whether the hull of the one part takes in surround: a deep pocket with no noise at all in it."""
    coarse = np.ascontiguousarray(parts[::2, ::2].astype(np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(coarse, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas.max() < _ONE_PART * areas.sum():
        return False
    pockets = (field & ~_without_holes(parts)).astype(np.uint8)
    inner = cv2.erode(pockets, np.ones((size, size), np.uint8))  # beside tissue JPEG rings
    inside = inner.astype(bool)
    return bool(inside.sum() > _POCKET * field.sum() and textured[inside].mean() < _NOISE)


def _without_holes(parts: BoolArray) -> BoolArray:
    contours, _ = cv2.findContours(parts.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(parts.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return filled.astype(bool)


def _face(parts: BoolArray, outline: NDArray[np.int32]) -> IntArray:
    """First row of the field in each column, below the chord that the hull draws over a curved face.

    The chord is the hull's longest nearly level upper edge. Under it the field begins where texture does,
    but no deeper than a curved face can sink: near field may be black.
    """
    first = np.zeros(parts.shape[1], np.int64)
    ends = np.roll(outline, -1, axis=0)
    run = ends - outline
    centre = outline[:, 1].mean()
    level = (np.abs(run[:, 1]) <= 0.25 * np.abs(run[:, 0])) & (outline[:, 1] < centre) & (ends[:, 1] < centre)
    if not level.any():
        return first
    edge = int(np.argmax(np.where(level, np.abs(run[:, 0]), -1)))
    (x0, y0), (x1, y1) = sorted((tuple(outline[edge]), tuple(ends[edge])))
    cols = np.arange(x0, x1 + 1)
    chord = np.interp(cols, (x0, x1), (y0, y1))
    along = (cols - x0) / (x1 - x0) * 2 - 1
    deepest = chord + _FACE_SAG * (x1 - x0) * (1 - along**2)
    texture = np.where(parts[:, cols].any(axis=0), parts[:, cols].argmax(axis=0), parts.shape[0])
    first[cols] = np.minimum(texture, deepest).astype(np.int64)
    return first
