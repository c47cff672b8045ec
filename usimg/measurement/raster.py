"""Which pixels an outline holds: those whose centre is inside, each edge counted once.

Even-odd along each row of pixel centres, half-open both ways: an edge from row a to row b crosses the
centres r with a <= r < b, and a run from column x to column y holds the centres c with x < c <= y. So a
square from 50 to 250 holds 200 x 200 pixels, two outlines that share an edge share no pixel, and no
pixel is lost between them. A centre that lies exactly on an edge goes where ImageJ puts
it. (``skimage.draw.polygon`` counts the edges too: 201 x 201; ``cv2.fillPoly`` rounds vertices.) All
outlines of a frame are done at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Crossings of one row closer than this are one point (a vertex on a row of pixel centres).
_SAME_PX = 1e-9


@dataclass(frozen=True)
class Runs:
    """Runs of pixels along rows, and whose they are.

    Attributes
    ----------
    owner, row, start, stop : (S,) int arrays
        Outline number; row; columns from ``start`` up to, not including, ``stop``.
    doubtful : (n_outlines,) float array
        Share of each outline's area where it winds the other way round or twice, because it crosses
        itself: 0 for a simple outline, 0.5 for a figure of eight.
    """

    owner: IntArray
    row: IntArray
    start: IntArray
    stop: IntArray
    doubtful: FloatArray

    def pixels(self, columns: int) -> tuple[IntArray, IntArray]:
        """Every pixel: its outline's number and its flat index into a frame of that many columns."""
        counts = self.stop - self.start
        # What to add to a pixel's place in the list to get its place in the frame.
        ahead = self.row * columns + self.start - (np.cumsum(counts) - counts)
        index = np.repeat(ahead, counts)
        index += np.arange(len(index))
        return np.repeat(self.owner, counts), index

    def between(self, first: int, last: int) -> Runs:
        """Those of outlines ``first`` up to, not including, ``last``, renumbered from 0."""
        chosen = slice(*np.searchsorted(self.owner, (first, last)))
        return Runs(
            self.owner[chosen] - first,
            self.row[chosen],
            self.start[chosen],
            self.stop[chosen],
            self.doubtful[first:last],
        )


def runs(outlines: Sequence[Sequence[FloatArray]], shape: tuple[int, int]) -> Runs:
    """The pixels inside each outline, its parts together (a pixel in two parts counts twice).

    Parameters
    ----------
    outlines : sequence of sequences of (N, 2) arrays
        Parts of each outline, (row, col) in px.
    shape : (rows, cols)
        Pixels outside it do not exist.
    """
    parts = [np.asarray(p, dtype=np.float64) for outline in outlines for p in outline]
    owner_of_part = np.repeat(np.arange(len(outlines)), [len(outline) for outline in outlines])
    nothing = np.empty(0, dtype=np.int64)
    none = Runs(nothing, nothing, nothing, nothing, np.zeros(len(outlines)))
    if not parts:
        return none
    edge, part, row = _edges_by_row(parts, shape[0])
    if not len(row):
        return none
    # Always from the edge's upper end: two outlines that share it get the very same crossing.
    top, bottom, down = edge
    share = (row - top[:, 0]) / (bottom[:, 0] - top[:, 0])
    x = top[:, 1] + share * (bottom[:, 1] - top[:, 1])

    order = np.lexsort((x, row, part))
    x, row, part, down = x[order], row[order], part[order], down[order]
    left, right = x[0::2], x[1::2]
    doubtful = _doubtful(x, row, part, down, len(parts))
    start = np.clip(np.floor(left) + 1.0, 0, shape[1]).astype(np.int64)
    stop = np.clip(np.floor(right) + 1.0, 0, shape[1]).astype(np.int64)
    kept = stop > start
    return Runs(
        owner_of_part[part[0::2]][kept],
        row[0::2][kept],
        start[kept],
        stop[kept],
        # The worst part speaks for the outline.
        _worst(doubtful, owner_of_part, len(outlines)),
    )


def overlap_each_other(parts: Sequence[FloatArray], shape: tuple[int, int]) -> bool:
    """Whether two parts of one outline hold the same pixel, so that it would be counted twice."""
    if len(parts) < 2:
        return False
    _, index = runs([parts], shape).pixels(shape[1])
    return len(np.unique(index)) < len(index)


def _edges_by_row(
    parts: list[FloatArray], rows: int
) -> tuple[tuple[FloatArray, FloatArray, NDArray[np.bool_]], IntArray, IntArray]:
    """Every (edge, row of pixel centres) that meet: upper end, lower end, runs down?; part; row."""
    lengths = np.array([len(p) for p in parts])
    start = np.concatenate(parts)
    ends = np.cumsum(lengths)
    following = np.arange(1, len(start) + 1)
    following[ends - 1] = ends - lengths
    stop = start[following]
    part = np.repeat(np.arange(len(parts)), lengths)
    down = stop[:, 0] > start[:, 0]
    top = np.where(down[:, None], start, stop)
    bottom = np.where(down[:, None], stop, start)
    first = np.clip(np.ceil(top[:, 0]), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(bottom[:, 0]), 0, rows).astype(np.int64)
    counts = last - first
    which = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(which)) - (np.cumsum(counts) - counts)[which]
    return (top[which], bottom[which], down[which]), part[which], first[which] + within


def _doubtful(
    x: FloatArray, row: IntArray, part: IntArray, down: NDArray[np.bool_], n_parts: int
) -> FloatArray:
    """Share of each part's area where its edges do not go in and out in turn.

    Along a row, a simple outline is entered by edges of one direction and left by edges of the other,
    everywhere the same. Rows where two crossings coincide prove nothing and are left out.
    """
    left, right = x[0::2], x[1::2]
    width = right - left
    of_row = np.cumsum(np.r_[False, (np.diff(row) != 0) | (np.diff(part) != 0)])
    tied = np.zeros(of_row[-1] + 1, dtype=bool)
    tied[of_row[1:][(np.diff(of_row) == 0) & (np.diff(x) < _SAME_PX)]] = True
    sound = ~tied[of_row[0::2]]
    enters, leaves, of_part = down[0::2], down[1::2], part[0::2]
    entered_down = np.bincount(of_part, weights=width * (enters & ~leaves & sound), minlength=n_parts)
    entered_up = np.bincount(of_part, weights=width * (~enters & leaves & sound), minlength=n_parts)
    total = np.bincount(of_part, weights=width * sound, minlength=n_parts)
    wrong = total - np.maximum(entered_down, entered_up)
    return np.divide(wrong, total, out=np.zeros(n_parts), where=total > 0)


def _worst(of_part: FloatArray, owner: IntArray, n: int) -> FloatArray:
    worst = np.zeros(n)
    np.maximum.at(worst, owner, of_part)
    return worst
