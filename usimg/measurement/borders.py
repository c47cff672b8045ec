"""Layers of one picture share their borders: moving one of them moves the layer beyond it, and the sums.

Fascia lies between two layers and has a thickness of its own. When a person moves the lower edge of one
layer, the fascia moves as a whole, and the upper edge of the layer below goes along by as much; what is
made of several layers runs from the first one's upper edge to the last one's lower edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from usimg import anatomy
from usimg.errors import OutlineRefused
from usimg.measurement.thickness import edges_of, is_folded
from usimg.outline.edges import REACH
from usimg.roi import Roi

Array = NDArray[np.float64]
Edges = tuple[Array, Array]

# Edges of one line lie at most this share of the picture's depth apart: each is looked for within `REACH`
# of the line. Two layers farther from each other than that do not share a border.
MOST_FASCIA = 2.0 * REACH
# A border that moved by less than this, px, was not moved.
_MOVED_PX = 1e-6
# Vertices nearer than this to the line through their neighbours say nothing; far below a reader's hand.
_STRAIGHT_PX = 0.002


@dataclass(frozen=True)
class Followed:
    """What a correction takes along.

    Attributes
    ----------
    rois : dict of int to Roi
        The outlines that go along, by their place in the list.
    refused : tuple of int
        Those that cannot: their other edge is in the way. They stay as they were.
    """

    rois: dict[int, Roi] = field(default_factory=dict)
    refused: tuple[int, ...] = ()


def view_shown(structures: Sequence[str]) -> anatomy.View | None:
    """The view of the anatomy list that a picture with these structures shows, or None.

    The one that holds most of them as layers or sums, two at least; the first of equals.
    """
    return _view_with(frozenset(structures))


# Asked for every move of a mouse, with the same few structures.
@lru_cache(maxsize=64)
def _view_with(wanted: frozenset[str]) -> anatomy.View | None:
    views = anatomy.views()
    held = [len(wanted & {*view.layers, *view.sums}) for view in views]
    best = int(np.argmax(held)) if held else 0
    return views[best] if held and held[best] >= 2 else None


def follow(rois: Sequence[Roi], changed: Mapping[int, Roi], depth_px: int) -> Followed:
    """The outlines beside those that a person changed, with the shared borders where they are now.

    Parameters
    ----------
    rois : sequence of Roi
        All outlines of one picture as they were; what is no layer of a view is left alone.
    changed : mapping of int to Roi
        Outlines as they are now, by their place in ``rois``.
    depth_px : int
        Rows of the picture; two edges farther apart than `MOST_FASCIA` of it are no shared border.

    Returns
    -------
    Followed
    """
    view = view_shown([roi.structure for roi in rois])
    if view is None:
        return Followed()
    reach = MOST_FASCIA * depth_px
    moved: dict[int, Edges] = {}
    for at, after in changed.items():
        before = rois[at]
        old, new = _edges(before), _edges(after)
        if old is None or new is None:
            continue
        for other, beside in enumerate(rois):
            if other in changed or (beside.side, beside.region) != (before.side, before.region):
                continue
            edges = moved.get(other) or _edges(beside)
            if edges is not None:
                now = _along(edges, _borders(view, beside), old, new, _borders(view, before), reach)
                if now is not None:
                    moved[other] = now
    good = {at: _between(rois[at], *edges) for at, edges in moved.items() if _is_open(*edges)}
    return Followed(good, tuple(at for at in moved if at not in good))


def _borders(view: anatomy.View, roi: Roi) -> tuple[int, int] | None:
    """Number of the border above and below a layer or sum, counted from the skin."""
    members = view.sums.get(roi.structure, (roi.structure,))
    if members[0] not in view.layers or members[-1] not in view.layers:
        return None
    return view.layers.index(members[0]), view.layers.index(members[-1]) + 1


def _edges(roi: Roi) -> Edges | None:
    """Upper and lower edge of a layer; None of what has none, or folded ones."""
    if roi.upper is not None and roi.lower is not None:
        edges = roi.upper, roi.lower
    elif len(roi.polygons) == 1:
        try:
            edges = edges_of(roi.polygons[0])
        except OutlineRefused:
            return None
    else:
        return None
    return None if any(is_folded(edge) for edge in edges) else edges


def _along(
    edges: Edges,
    own: tuple[int, int] | None,
    old: Edges,
    new: Edges,
    theirs: tuple[int, int] | None,
    reach: float,
) -> Edges | None:
    """Edges after another outline's went from ``old`` to ``new``; None when none is shared and moved."""
    if own is None or theirs is None:
        return None
    now, moved = list(edges), False
    for end in (0, 1):
        for other in (0, 1):
            if own[end] != theirs[other] or not _is_near(edges[end], old[other], reach):
                continue
            if _farthest(old[other], new[other]) < _MOVED_PX:
                continue
            moved = True
            # An edge on the same side of the same border is that very edge; on the other side of the
            # fascia it keeps its distance.
            if end == other:
                now[end] = _as(now[end], new[other])
            else:
                now[end] = _shifted(now[end], old[other], new[other])
    return (now[0], now[1]) if moved else None


def _is_near(one: Array, other: Array, reach: float) -> bool:
    columns = _common(one, other)
    return columns is not None and float(np.median(np.abs(_gap(one, other, columns)))) <= reach


def _farthest(one: Array, other: Array) -> float:
    columns = np.union1d(one[:, 1], other[:, 1])
    first, last = max(one[0, 1], other[0, 1]), min(one[-1, 1], other[-1, 1])
    columns = columns[(columns >= first) & (columns <= last)]
    return float(np.abs(_gap(one, other, columns)).max()) if len(columns) else 0.0


def _gap(one: Array, other: Array, columns: Array) -> Array:
    return np.interp(columns, one[:, 1], one[:, 0]) - np.interp(columns, other[:, 1], other[:, 0])


def _common(one: Array, other: Array) -> Array | None:
    first, last = max(one[0, 1], other[0, 1]), min(one[-1, 1], other[-1, 1])
    return np.linspace(first, last, 65) if last > first else None


def _shifted(edge: Array, old: Array, new: Array) -> Array:
    """An edge moved by as much as the one beyond the fascia; beyond that one's ends, as far as its ends."""
    first, last = max(old[0, 1], new[0, 1]), min(old[-1, 1], new[-1, 1])
    if last <= first:
        return edge
    columns = _within(edge, old[:, 1], new[:, 1], [first, last])
    rows = np.interp(columns, edge[:, 1], edge[:, 0])
    return _thinned(np.column_stack([rows + _gap(new, old, np.clip(columns, first, last)), columns]))


def _as(edge: Array, new: Array) -> Array:
    """An edge laid on another over that one's columns; beyond them it goes along."""
    columns = _within(edge, new[:, 1])
    inside = np.clip(columns, new[0, 1], new[-1, 1])
    rows = np.interp(inside, new[:, 1], new[:, 0])
    beyond = np.interp(columns, edge[:, 1], edge[:, 0]) - np.interp(inside, edge[:, 1], edge[:, 0])
    return _thinned(np.column_stack([rows + beyond, columns]))


def _within(edge: Array, *others: Array | list[float]) -> Array:
    columns = np.unique(np.concatenate([edge[:, 1], *others]))
    within: Array = columns[(columns >= edge[0, 1]) & (columns <= edge[-1, 1])]
    return within


def _thinned(edge: Array) -> Array:
    """Without vertices that say nothing: those of other outlines would add up from step to step."""
    for turn in range(4):  # every other vertex at a time, so that each is judged beside what stays
        rows, cols = edge[:, 0], edge[:, 1]
        share = (cols[1:-1] - cols[:-2]) / (cols[2:] - cols[:-2])
        off = np.abs(rows[:-2] + share * (rows[2:] - rows[:-2]) - rows[1:-1])
        idle = np.r_[False, off < _STRAIGHT_PX, False] & (np.arange(len(edge)) % 2 == turn % 2)
        edge = edge[~idle]
    return edge


def _is_open(upper: Array, lower: Array) -> bool:
    columns = np.union1d(upper[:, 1], lower[:, 1])
    first, last = max(upper[0, 1], lower[0, 1]), min(upper[-1, 1], lower[-1, 1])
    columns = columns[(columns >= first) & (columns <= last)]
    return len(columns) > 1 and float(_gap(lower, upper, columns).min()) >= 0.0


def _between(roi: Roi, upper: Array, lower: Array) -> Roi:
    ring = np.concatenate([upper, lower[::-1]])
    repeated = (ring == np.roll(ring, 1, axis=0)).all(axis=1)
    edges = {} if roi.upper is None else {"upper": upper, "lower": lower}
    return roi.with_polygons(ring[~repeated], line=roi.line, **edges)
