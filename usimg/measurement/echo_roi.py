"""The protocol's region for echo intensity, inside an outline: clear of fascia, as wide and deep as it says.

The region is returned as polygons, so that what is measured can be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from usimg.anatomy import EchoRoi
from usimg.measurement.thickness import edges_of, overlap, rows_at

FloatArray = NDArray[np.float64]
Spacing = tuple[float, float]

# The margin is rolled along the edges in steps of at most a quarter of itself, and of one pixel.
_STEPS_PER_MARGIN = 4
_MOST_COLUMNS = 4096
_BETWEEN_COLUMNS = 24


def echo_region(
    polygons: Sequence[FloatArray],
    region: EchoRoi,
    spacing: Spacing | None,
    *,
    edges: tuple[FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, ...]:
    """The part of an outline that counts for echo intensity.

    A disc of the margin's radius, rolled along the inside of both edges, keeps the region clear of them
    in every direction; the ends keep the margin too. Then the central share of the width, and the share
    of the depth, are cut out.

    Parameters
    ----------
    polygons : sequence of (N, 2) arrays
        The outline's parts, (row, col) in px.
    region : EchoRoi
    spacing : (row_mm, col_mm) or None
        None will do for a region without a margin.
    edges : (upper, lower), optional
        Of a layer; else the chains between each part's extreme columns.

    Returns
    -------
    tuple of (M, 2) arrays
        Empty when the structure is thinner than twice the margin everywhere.

    Raises
    ------
    ValueError
        A margin in mm without a scale.
    OutlineRefused
        An outline without width, or edges without a common column.
    """
    if region.is_whole:
        return tuple(polygons)
    if region.margin_mm > 0.0 and spacing is None:
        raise ValueError(f"a margin of {region.margin_mm:g} mm needs a scale")
    scale = spacing if spacing is not None else (1.0, 1.0)
    pairs = [edges] if edges is not None else [edges_of(p) for p in polygons]
    return tuple(p for upper, lower in pairs for p in _within(upper, lower, region, scale))


def _within(upper: FloatArray, lower: FloatArray, region: EchoRoi, spacing: Spacing) -> list[FloatArray]:
    first, last = overlap(upper, lower)
    row_mm, col_mm = spacing
    margin = region.margin_mm / col_mm
    half = 0.5 * region.central_width * (last - first)
    middle = 0.5 * (first + last)
    left, right = max(first + margin, middle - half), min(last - margin, middle + half)
    if not left < right:
        return []
    # One grid over the whole layer: the disc needs the edges beyond the central width as well.
    step = min(1.0, margin / _STEPS_PER_MARGIN) if margin > 0.0 else 1.0
    count = int(np.clip(np.ceil((last - first) / step), 2, _MOST_COLUMNS)) + 1
    x = np.linspace(first, last, count)
    top, bottom = rows_at(upper, x, inner=1), rows_at(lower, x, inner=-1)
    local = bottom - top
    start, stop = (top + share * local for share in region.depth)
    if margin > 0.0:
        start = np.maximum(start, _rolled(x, top, margin, region.margin_mm / row_mm))
        stop = np.minimum(stop, -_rolled(x, -bottom, margin, region.margin_mm / row_mm))
    # The cut lies where the protocol says, not at the nearest step of the grid.
    columns = np.concatenate([[left], x[(x > left) & (x < right)], [right]])
    start, stop = np.interp(columns, x, start), np.interp(columns, x, stop)
    return [
        np.concatenate([np.c_[start[a:b], columns[a:b]], np.c_[stop[a:b], columns[a:b]][::-1]])
        for a, b in _stretches(stop > start)
    ]


def _rolled(x: FloatArray, edge: FloatArray, across: float, down: float) -> FloatArray:
    """How far down the screen an ellipse with half-axes (down, across) px reaches, rolled along an edge.

    Parameters
    ----------
    x, edge : (K,) arrays
        Columns in even steps, and the edge's rows there.
    """
    step = x[1] - x[0]
    reach = int(across / step + 1e-9)
    sag = _sag(np.arange(-reach, reach + 1) * step, across, down)
    padded = np.pad(edge, reach, mode="edge")
    # (columns, offsets)
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    lowest: FloatArray = (near + sag).max(axis=1)
    # Where the edge is steep, as at the tips of a round outline, it also passes between the columns.
    steep = np.flatnonzero(np.abs(np.diff(edge)) > down / _STEPS_PER_MARGIN)
    if len(steep):
        shares = np.linspace(0.0, 1.0, _BETWEEN_COLUMNS)[1:-1, None]
        at = x[steep] + shares * step
        rows = edge[steep] + shares * np.diff(edge)[steep]
        # (offsets, shares, steep steps): the columns that each point between two columns reaches.
        columns = np.clip(np.arange(-reach, reach + 2)[:, None, None] + steep, 0, len(x) - 1)
        np.maximum.at(
            lowest,
            np.broadcast_to(columns, (len(columns), *at.shape)),
            rows + _sag(x[columns] - at, across, down),
        )
    return lowest


def _sag(offset: FloatArray, across: float, down: float) -> FloatArray:
    """Half-height of the ellipse at an offset from its middle; -inf beside it."""
    square = 1.0 - (offset / across) ** 2
    return np.where(square >= 0.0, down * np.sqrt(np.maximum(square, 0.0)), -np.inf)


def _stretches(inside: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[start, stop) of each run of two or more columns that are inside."""
    change = np.flatnonzero(np.diff(np.r_[False, inside, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in change.reshape(-1, 2) if b - a >= 2]
