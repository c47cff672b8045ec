"""The vertices of an outline that a person can take hold of, and what moving one does to the outline. No Qt.

A machine's outline may have a vertex for every column, which nobody can drag. A few of them are drawn
as handles; what is measured stays the whole outline. A handle that is moved takes its surroundings
along, less and less up to the next handles, and nothing beyond: the numbers change by what was dragged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# An outline of so many vertices can be edited as it is.
FEW = 48
# The line drawn through the handles stays this close to what is measured: half a pixel of the scan is
# less than what a reader's hand repeats to, and about half a pixel on the screen. Chosen here.
TOLERANCE_PX = 0.5


@dataclass(frozen=True, eq=False)
class Handled:
    """A closed outline, or a line of two points, with its handles.

    Attributes
    ----------
    ring : (N, 2) float array
        (row, col) px: what is measured.
    at : (M,) int array
        Which of its vertices are handles, ascending; the first of them is vertex 0.
    vertices : (M, 2) float32 array
        The handles as napari keeps them, in single precision: what comes back unmoved is equal to
        the last bit.
    """

    ring: FloatArray
    at: NDArray[np.intp]
    vertices: NDArray[np.float32]

    def bent(self, vertices: Any) -> Handled:
        """The outline after its handles were moved, or one of them inserted or removed.

        Parameters
        ----------
        vertices : (K, 2) array
            The handles as they are on the screen now.

        Returns
        -------
        Handled
            Of other vertices altogether, the polygon that they are.
        """
        now = np.array(vertices, dtype=np.float32)
        if len(now) == len(self.vertices):
            return self._moved(now)
        if len(now) == len(self.vertices) + 1:
            at = _difference(self.vertices, now)
            if at > 0 and np.array_equal(np.delete(now, at, axis=0), self.vertices):
                return self._with_handle(at, now[at]).bent(now)
        if len(now) == len(self.vertices) - 1:
            at = _difference(now, self.vertices)
            if np.array_equal(np.delete(self.vertices, at, axis=0), now):
                return self._without_handle(at)
        return all_handles(now)

    def _moved(self, now: NDArray[np.float32]) -> Handled:
        shift = now.astype(float) - self.vertices
        # Each vertex follows the handles before and after it, by how many vertices lie between: equal
        # drags there and back cancel, however the outline was bent in the meantime.
        count = len(self.ring)
        share = [np.interp(np.arange(count), self.at, shift[:, axis], period=count) for axis in (0, 1)]
        return Handled(self.ring + np.column_stack(share), self.at, now)

    def _with_handle(self, at: int, near: NDArray[np.float32]) -> Handled:
        """One handle more, at the place of the outline nearest to a click between two handles."""
        count = len(self.ring)
        span = np.arange(self.at[at - 1], self.at[at] if at < len(self.at) else count)
        starts, ends = self.ring[span], self.ring[(span + 1) % count]
        places = _nearest(near.astype(float), starts, ends)
        best = int(np.argmin(np.hypot(*(places - near).T)))
        after = int(span[best]) + 1
        ring = np.insert(self.ring, after, places[best], axis=0)
        handles = np.insert(np.where(self.at >= after, self.at + 1, self.at), at, after)
        return Handled(ring, handles, np.insert(self.vertices, at, places[best], axis=0))

    def _without_handle(self, at: int) -> Handled:
        """One handle less: between its neighbours the outline runs straight."""
        count = len(self.ring)
        first, last = self.at[at - 1], self.at[(at + 1) % len(self.at)]
        gone = np.arange(first + 1, last if last > first else last + count) % count
        kept = np.setdiff1d(np.arange(count), gone)
        handles = np.searchsorted(kept, np.delete(self.at, at))
        return _from_first_handle(self.ring[kept], handles, np.delete(self.vertices, at, axis=0))


def all_handles(points: Any) -> Handled:
    """An outline of which every vertex is a handle.

    Parameters
    ----------
    points : (N, 2) array
    """
    ring = np.array(points, dtype=np.float64)
    return Handled(ring, np.arange(len(ring)), ring.astype(np.float32))


def with_handles(ring: FloatArray, tolerance: float = TOLERANCE_PX) -> Handled:
    """Choose handles: every vertex of few, of many those that the others follow from (Douglas-Peucker 1973).

    Parameters
    ----------
    ring : (N, 2) float array
        (row, col) px, closed implicitly.
    tolerance : float
        No vertex lies farther than this, in px, from the line through the handles.
    """
    count = len(ring)
    if count <= FEW:
        return all_handles(ring)
    first = int(np.argmax(((ring - ring.mean(axis=0)) ** 2).sum(axis=1)))
    second = int(np.argmax(((ring - ring[first]) ** 2).sum(axis=1)))
    first, second = sorted((first, second))
    keep = np.zeros(count, dtype=bool)
    keep[[first, second]] = True
    twice = np.concatenate([np.arange(count), np.arange(count)])
    chains = [twice[first : second + 1], twice[second : first + count + 1]]
    while chains:
        chain = chains.pop()
        if len(chain) < 3:
            continue
        inner = ring[chain[1:-1]]
        off = np.hypot(*(inner - _nearest(inner, ring[chain[0]], ring[chain[-1]])).T)
        farthest = int(np.argmax(off))
        if off[farthest] > tolerance:
            keep[chain[farthest + 1]] = True
            chains += [chain[: farthest + 2], chain[farthest + 1 :]]
    at = np.flatnonzero(keep)
    if len(at) < 3:
        return all_handles(ring)
    return _from_first_handle(ring, at, ring[at].astype(np.float32))


def _from_first_handle(ring: FloatArray, at: NDArray[np.intp], vertices: NDArray[np.float32]) -> Handled:
    return Handled(np.roll(ring, -at[0], axis=0), at - at[0], vertices)


def _difference(short: NDArray[np.float32], long: NDArray[np.float32]) -> int:
    """Where a list that is one longer has its additional vertex."""
    unequal = (short != long[: len(short)]).any(axis=1)
    return int(np.argmax(unequal)) if unequal.any() else len(short)


def _nearest(points: FloatArray, starts: FloatArray, ends: FloatArray) -> FloatArray:
    """The point of each segment nearest to each point; shapes broadcast."""
    along = ends - starts
    length = (along**2).sum(axis=-1)
    share = ((points - starts) * along).sum(axis=-1) / np.where(length == 0.0, 1.0, length)
    nearest: FloatArray = starts + np.clip(share, 0.0, 1.0)[..., None] * along
    return nearest
