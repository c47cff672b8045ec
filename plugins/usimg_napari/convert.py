"""Outlines to and from the data of one napari Shapes layer. No Qt.

An outline of several parts is several shapes that share an owner; a caliper is a line. Vertices stay
in (row, col) px of the frame, as in a `Roi`; the layer's scale makes them millimetres on the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg import Roi

FloatArray = NDArray[np.float64]

# A drawn outline leaves the measured one by at most this much: half of what an expert's hand
# repeats to, and less than one screen pixel. Chosen here, see `handles`.
HANDLE_TOLERANCE_PX = 0.25


@dataclass(frozen=True)
class Part:
    """One shape of the layer: which outline it belongs to, and which of its polygons it is.

    Attributes
    ----------
    owner : int
        Place of the outline in the list that was drawn.
    vertices : (N, 2) float32 array
        (row, col) px; two for a caliper. Single precision because napari's shapes have no other:
        what comes back unmoved is then equal to the last bit.
    kind : str
        napari's shape type, ``"polygon"`` or ``"line"``.
    """

    owner: int
    vertices: NDArray[np.float32]
    kind: str


def parts(rois: Sequence[Roi]) -> list[Part]:
    """The shapes that show ``rois``, in order; an outline without polygons has none."""
    shapes: list[Part] = []
    for owner, roi in enumerate(rois):
        if roi.polygons:
            # A person's vertices are shown as they were set; only a machine's are thinned.
            shown = roi.polygons if drawn_by_hand(roi) else [handles(p) for p in roi.polygons]
            shapes.extend(Part(owner, polygon.astype(np.float32), "polygon") for polygon in shown)
        elif roi.line is not None:
            shapes.append(Part(owner, roi.line.astype(np.float32), "line"))
    return shapes


def drawn_by_hand(roi: Roi) -> bool:
    """Whether a person set the vertices (a `Roi` made without a method counts as drawn)."""
    return roi.method.startswith("drawn")


def redrawn(roi: Roi, vertices: Sequence[Any], *, author: str) -> Roi:
    """``roi`` as a person left it on the screen.

    Parameters
    ----------
    roi : Roi
        The outline that was shown.
    vertices : sequence of (N, 2) arrays
        Its shapes as they are now; one of two points for a caliper.
    author : str
        Who moved them; a person's outline has confidence 1 and none of the machine's flags.

    Raises
    ------
    OutlineRefused
        A part is left with fewer than three vertices.
    """
    drawn = {"method": f"drawn by {author}" if author else "drawn", "confidence": 1.0, "flags": ()}
    if not roi.polygons and roi.line is not None:
        return roi.with_polygons(line=np.asarray(vertices[0], dtype=np.float64), **drawn)
    return roi.with_polygons(*vertices, **drawn)


def same_shapes(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether two lists of vertex arrays are equal to the last bit."""
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def handles(polygon: FloatArray, tolerance: float = HANDLE_TOLERANCE_PX) -> FloatArray:
    """Vertices enough to take hold of: the polygon without those that its neighbours imply.

    A machine's outline may have a vertex for every column, which nobody can drag. Douglas-Peucker
    (1973) keeps those that matter; no point of the outline moves by more than ``tolerance``.

    Parameters
    ----------
    polygon : (N, 2) float array
        (row, col) px, closed implicitly.
    tolerance : float
        In px.

    Returns
    -------
    (M, 2) float array
        A subset of the vertices in their order, at least three.
    """
    count = len(polygon)
    if count <= 4:
        return np.array(polygon)
    centre = polygon.mean(axis=0)
    first = int(np.argmax(((polygon - centre) ** 2).sum(axis=1)))
    second = int(np.argmax(((polygon - polygon[first]) ** 2).sum(axis=1)))
    first, second = sorted((first, second))
    keep = np.zeros(count, dtype=bool)
    keep[[first, second]] = True
    ring = np.concatenate([np.arange(count), np.arange(count)])
    chains = [ring[first : second + 1], ring[second : first + count + 1]]
    while chains:
        chain = chains.pop()
        if len(chain) < 3:
            continue
        distances = _distance_to_segment(polygon[chain[1:-1]], polygon[chain[0]], polygon[chain[-1]])
        farthest = int(np.argmax(distances))
        if distances[farthest] > tolerance:
            keep[chain[farthest + 1]] = True
            chains += [chain[: farthest + 2], chain[farthest + 1 :]]
    kept: FloatArray = polygon[keep]
    return kept if len(kept) >= 3 else np.array(polygon)


def _distance_to_segment(points: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    along = end - start
    length = float(along @ along)
    share = np.clip((points - start) @ along / (length or 1.0), 0.0, 1.0)
    nearest = start + share[:, None] * along
    distances: FloatArray = np.hypot(*(points - nearest).T)
    return distances
