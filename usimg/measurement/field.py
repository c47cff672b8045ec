"""Where the picture of the tissue ends, seen from an outline: cut by it, touching it, how deep below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

# Nearer than this to the border of the field, an outline touches it: a vertex is placed to about a pixel.
_TOUCH_PX = 2
# A layer that ends within this share of the field's width from its border goes on beyond it: edge finders
# and people stop a little short of it. Chosen here.
_CUT_SHARE = 0.05


def is_cut(upper: FloatArray, lower: FloatArray, scan_area: Mask, box: Box) -> bool:
    """Whether a layer runs on beyond the left or right border of the field.

    Parameters
    ----------
    upper, lower : (M, 2) arrays
        The layer's edges.
    scan_area : (rows, cols) bool array
        Where tissue is shown.
    box : tuple of int
        (r0, c0, r1, c1), half-open: the picture that holds the layer.
    """
    ends = []
    for end in (0, -1):
        row = int(np.clip(round(0.5 * (upper[end, 0] + lower[end, 0])), box[0], box[2] - 1))
        col = int(np.clip(round(0.5 * (upper[end, 1] + lower[end, 1])), box[1], box[3] - 1))
        ends.append((row, col))
    (left_row, left), (right_row, right) = ends
    before = _run(scan_area[left_row, box[1] : left + 1][::-1])
    after = _run(scan_area[right_row, right : box[3]])
    near = max(_TOUCH_PX, _CUT_SHARE * (before + (right - left) + after))
    return min(before, after) <= near


def touching(outlines: Sequence[FloatArray], scan_area: Mask) -> NDArray[np.bool_]:
    """Whether a vertex of each outline lies on the border of the field.

    Parameters
    ----------
    outlines : sequence of (N, 2) arrays, none empty
    scan_area : (rows, cols) bool array
    """
    if not outlines:
        return np.zeros(0, dtype=bool)
    points = np.concatenate(outlines)
    on_border = np.zeros(len(points), dtype=bool)
    for step in ((-_TOUCH_PX, 0), (_TOUCH_PX, 0), (0, -_TOUCH_PX), (0, _TOUCH_PX)):
        on_border |= ~_shown(scan_area, points + step)
    first = np.cumsum([0, *(len(o) for o in outlines[:-1])])
    return np.asarray(np.logical_or.reduceat(on_border, first))


def touches_bottom(outline: FloatArray, scan_area: Mask) -> bool:
    """Whether the outline's deepest vertex lies on the lower border of the field."""
    deepest = outline[int(np.argmax(outline[:, 0]))]
    below = deepest + np.array([_TOUCH_PX, 0])
    return not bool(_shown(scan_area, below[None])[0])


def top_row(scan_area: Mask, box: Box) -> float:
    """Upper edge of the tissue in a picture, px: the skin side, from which depth counts."""
    shown = scan_area[box[0] : box[2], box[1] : box[3]].any(axis=1)
    return box[0] + float(np.argmax(shown)) - 0.5


def _run(shown: Mask) -> int:
    """How far tissue goes on from the first pixel."""
    return len(shown) if shown.all() else int(np.argmin(shown))


def _shown(scan_area: Mask, points: FloatArray) -> Mask:
    rows, cols = np.rint(points).astype(np.int64).T
    inside = (rows >= 0) & (rows < scan_area.shape[0]) & (cols >= 0) & (cols < scan_area.shape[1])
    shown = np.zeros(len(points), dtype=bool)
    shown[inside] = scan_area[rows[inside], cols[inside]]
    return shown
