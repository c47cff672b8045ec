"""Thickness of a layer between its upper and its lower edge.

An edge is an (M, 2) float array of (row, col) in px, left to right; ``spacing`` is (row_mm, col_mm), and
(1, 1) gives px. Between vertices an edge is straight, so vertical means and maxima are exact, not sampled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usimg.errors import OutlineRefused

FloatArray = NDArray[np.float64]
Spacing = tuple[float, float]

RULES = (
    "mean_vertical", "mid_vertical", "max_vertical",
    "mean_perpendicular", "mid_perpendicular", "max_perpendicular",
)  # fmt: skip

# Perpendiculars stand at this many places along the layer; odd, so that one stands in the middle.
_PLACES = 129
# The mid-line's direction is that of a straight line through this share of the width about the place:
# the direction of the layer there, not of a vertex.
_DIRECTION_WIDTH = 0.1
# A perpendicular stands when its foot is found to this, in mm; where edge and mid-line slope
# by 25 degrees, 9 steps do; tips of round outlines are left out.
_CLOSE = 1e-6
_MOST_STEPS = 12
# Where the edges still stand this share of the greatest thickness apart, the layer goes on. Chosen here.
_OPEN_SHARE = 0.25
# A layer narrower than this is a slip of the hand; far below what anyone could draw.
_LEAST_WIDTH_PX = 1e-3
# A folded edge is looked at in this many columns, this many straight pieces at a time.
_STEPS_OF_A_FOLD = 2049
_PIECES_AT_ONCE = 512
# Edges that cross by less are one edge drawn twice, not a mistake.
_CROSSING_PX = 0.5


def edges_of(polygon: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Upper and lower edge of a closed outline: the chains between its extreme columns.

    An end that is a vertical line belongs to neither edge.

    Parameters
    ----------
    polygon : (N, 2) array

    Returns
    -------
    upper, lower : (M, 2) arrays
        Left to right.

    Raises
    ------
    OutlineRefused
        The outline has no width.
    """
    columns = polygon[:, 1]
    first, last = columns.min(), columns.max()
    if last - first < _LEAST_WIDTH_PX:
        raise OutlineRefused("the outline has no width, so it has no upper and lower edge")
    from_left = np.roll(polygon, -int(np.argmin(columns)), axis=0)
    turn = int(np.argmax(from_left[:, 1]))
    there = _without_ends(from_left[: turn + 1], first, last)
    # Back to the left, the first vertex closing the way.
    back = _without_ends(np.concatenate([from_left[turn:], from_left[:1]])[::-1], first, last)
    return (there, back) if _mean_row(there) <= _mean_row(back) else (back, there)


def is_folded(edge: FloatArray) -> bool:
    """Whether an edge runs back over itself, so that a column meets it more than once."""
    return bool((np.diff(edge[:, 1]) <= 0.0).any())


def is_open(upper: FloatArray, lower: FloatArray) -> bool:
    """Whether a layer stops at one end without its edges meeting, so that there is more of it beyond."""
    vertical = _vertical_px(upper, lower, _knots(upper, lower))
    return bool(max(vertical[0], vertical[-1]) > _OPEN_SHARE * vertical.max())


def rows_at(edge: FloatArray, columns: FloatArray, *, inner: int = 0) -> FloatArray:
    """Row of an edge at each column.

    Parameters
    ----------
    edge : (M, 2) array
    columns : (K,) array
        Within the edge's own columns.
    inner : int
        Where a folded edge has several rows: 0 their mean, 1 the lowest on the screen (inside of an
        upper edge), -1 the highest (inside of a lower edge).
    """
    if not is_folded(edge):
        return np.interp(columns, edge[:, 1], edge[:, 0])
    highest: FloatArray = np.full(len(columns), np.inf)
    lowest: FloatArray = np.full(len(columns), -np.inf)
    for first in range(0, len(edge) - 1, _PIECES_AT_ONCE):
        rows, cols = edge[first : first + _PIECES_AT_ONCE + 1].T
        # (pieces, columns): which straight pieces pass each column, and where.
        start, stop = cols[:-1, None], cols[1:, None]
        passes = (np.minimum(start, stop) <= columns) & (columns <= np.maximum(start, stop))
        step = np.where(stop == start, 1.0, stop - start)
        with np.errstate(over="ignore"):  # of a piece narrower than numbers can say, the end is as good
            along = np.clip((columns - start) / step, 0.0, 1.0)
        at = rows[:-1, None] + along * np.diff(rows)[:, None]
        highest = np.minimum(highest, np.where(passes, at, np.inf).min(axis=0))
        lowest = np.maximum(lowest, np.where(passes, at, -np.inf).max(axis=0))
    if inner == 0:
        return 0.5 * (highest + lowest)
    return lowest if inner > 0 else highest


def overlap(upper: FloatArray, lower: FloatArray) -> tuple[float, float]:
    """First and last column that both edges have.

    Raises
    ------
    OutlineRefused
        They have none in common.
    """
    first = max(upper[:, 1].min(), lower[:, 1].min())
    last = min(upper[:, 1].max(), lower[:, 1].max())
    if last - first < _LEAST_WIDTH_PX:
        raise OutlineRefused("the upper and the lower edge have no column in common")
    return float(first), float(last)


def thickness_profile(
    upper: FloatArray, lower: FloatArray, spacing: Spacing
) -> tuple[FloatArray, FloatArray]:
    """Vertical thickness along the layer, at every pixel column that both edges have.

    Parameters
    ----------
    upper, lower : (M, 2) arrays
    spacing : (row_mm, col_mm)

    Returns
    -------
    columns : (K,) array
        px.
    thickness : (K,) array
        mm.

    Raises
    ------
    OutlineRefused
        The edges have no column in common, or cross.
    """
    first, last = overlap(upper, lower)
    whole = np.arange(np.ceil(first), np.floor(last) + 1.0)
    columns = whole if len(whole) else np.array([0.5 * (first + last)])
    return columns, _vertical_px(upper, lower, columns) * spacing[0]


def thickness(upper: FloatArray, lower: FloatArray, spacing: Spacing, rule: str) -> float:
    """Thickness by one rule; see `thicknesses`.

    Examples
    --------
    >>> upper = np.array([[10.0, 0.0], [10.0, 100.0]])
    >>> lower = np.array([[30.0, 0.0], [50.0, 100.0]])
    >>> thickness(upper, lower, (0.1, 0.05), "mean_vertical")
    3.0
    """
    return thicknesses(upper, lower, spacing)[rule]


def thicknesses(upper: FloatArray, lower: FloatArray, spacing: Spacing) -> dict[str, float]:
    """Thickness by every rule: mean, middle and maximum of vertical and of perpendicular lines.

    A perpendicular stands on the line half-way between the edges, at 129 places along the layer; those
    that would leave the columns both edges have are left out, and where too few stand (fewer than half,
    or none in the middle) the value is NaN.

    Parameters
    ----------
    upper, lower : (M, 2) arrays
    spacing : (row_mm, col_mm)

    Raises
    ------
    OutlineRefused
        The edges have no column in common, or cross.
    """
    first, last = overlap(upper, lower)
    knots = _knots(upper, lower)
    vertical = _vertical_px(upper, lower, knots)
    middle = _vertical_px(upper, lower, np.array([0.5 * (first + last)]))[0]
    upright = _perpendicular(upper, lower, spacing)
    stands = np.isfinite(upright)
    enough = stands.mean() >= 0.5
    return {
        "mean_vertical": float(np.trapezoid(vertical, knots) / (last - first)) * spacing[0],
        "mid_vertical": float(middle) * spacing[0],
        "max_vertical": float(vertical.max()) * spacing[0],
        "mean_perpendicular": float(upright[stands].mean()) if enough else float("nan"),
        "mid_perpendicular": float(upright[_PLACES // 2]),
        "max_perpendicular": float(upright[stands].max()) if enough else float("nan"),
    }


def _knots(upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Columns between which both edges are straight, first and last included.

    A folded edge has none that mean anything; even steps bound the work that a scribble can make.
    """
    first, last = overlap(upper, lower)
    if is_folded(upper) or is_folded(lower):
        return np.linspace(first, last, _STEPS_OF_A_FOLD)
    knots = np.unique(np.concatenate([upper[:, 1], lower[:, 1], [first, last]]))
    return knots[(knots >= first) & (knots <= last)]


def _vertical_px(upper: FloatArray, lower: FloatArray, columns: FloatArray) -> FloatArray:
    vertical = rows_at(lower, columns) - rows_at(upper, columns)
    if vertical.min() < -_CROSSING_PX:
        raise OutlineRefused("the upper edge runs below the lower edge; redraw the outline")
    return np.maximum(vertical, 0.0)


def _perpendicular(upper: FloatArray, lower: FloatArray, spacing: Spacing) -> FloatArray:
    """(129,) lengths in mm of the perpendiculars on the mid-line; NaN where one leaves the layer."""
    first, last = overlap(upper, lower)
    x = np.linspace(first, last, _PLACES)
    above = rows_at(upper, x) * spacing[0]
    below = rows_at(lower, x) * spacing[0]
    x = x * spacing[1]
    mid = 0.5 * (above + below)
    slope = _local_slope(x, mid)
    steep = np.sqrt(1.0 + slope**2)
    across, down = -slope / steep, 1.0 / steep

    def reach(edge: FloatArray) -> FloatArray:
        # Along the normal from (x, mid): the distance d with mid + d * down = edge(x + d * across).
        # Each step corrects d by the miss; it closes in wherever edge and mid-line differ by less
        # than a right angle, and is left out where it does not.
        d = edge - mid
        for _ in range(_MOST_STEPS):
            miss = (np.interp(x + d * across, x, edge) - mid) / down - d
            d = d + miss
            if np.abs(miss).max() < _CLOSE:
                break
        foot = x + d * across
        stands = (np.abs(miss) < _CLOSE) & (foot >= x[0] - _CLOSE) & (foot <= x[-1] + _CLOSE)
        return np.where(stands, d, np.nan)

    return reach(below) - reach(above)


def _local_slope(x: FloatArray, y: FloatArray) -> FloatArray:
    """Slope of the straight line through the neighbourhood of each place (least squares, even steps)."""
    half = max(1, round(0.5 * _DIRECTION_WIDTH * (_PLACES - 1)))
    offsets = np.arange(-half, half + 1, dtype=np.float64)
    kernel = offsets / (offsets**2).sum()
    slope = np.correlate(y, kernel, mode="valid") / (x[1] - x[0])
    # The ends take the direction of the first and last whole neighbourhood.
    return np.concatenate([np.full(half, slope[0]), slope, np.full(half, slope[-1])])


def _without_ends(chain: FloatArray, first: float, last: float) -> FloatArray:
    """The chain from where it leaves the first column for good to where it first meets the last."""
    start = int(np.flatnonzero(chain[:, 1] == first)[-1])
    stop = start + int(np.flatnonzero(chain[start:, 1] == last)[0])
    return chain[start : stop + 1]


def _mean_row(edge: FloatArray) -> float:
    """Mean row by width; the first vertices coincide for both edges of a round outline."""
    first, last = edge[0, 1], edge[-1, 1]
    return float(rows_at(edge, np.linspace(first, last, 33)).mean())
