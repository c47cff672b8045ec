"""How alike two outlines of one structure in one picture are: Dice and Hausdorff distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from usimg.measurement.raster import runs
from usimg.roi import Roi

FloatArray = NDArray[np.float64]
# Points along an outline lie this close together, so that distances do not depend on where its vertices are.
_STEP_PX = 0.25


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two outlines compared.

    Attributes
    ----------
    dice : float
        Twice the shared pixels by the pixels of both, 0 to 1.
    hausdorff95_mm : float
        Larger of the two 95th percentiles of the distances from one contour to the other; NaN without
        a scale.
    identical : bool
        The same vertices.
    """

    dice: float
    hausdorff95_mm: float
    identical: bool


def overlap(first: Roi, second: Roi, spacing: tuple[float, float] | None) -> Overlap | None:
    """Compare two outlines of one frame; None where one has no area (a caliper line, nothing drawn).

    Parameters
    ----------
    first, second : Roi
    spacing : (float, float) or None
        Millimetres per pixel, down and across.

    Examples
    --------
    >>> square = Roi(polygon=np.array([[0.0, 0], [0, 40], [40, 40], [40, 0]]))
    >>> moved = Roi(polygon=square.polygon + [0, 4.0])
    >>> found = overlap(square, moved, (0.1, 0.1))
    >>> round(found.dice, 3), round(found.hausdorff95_mm, 3)
    (0.9, 0.4)
    """
    if not first.polygons or not second.polygons:
        return None
    return Overlap(
        _dice(first.polygons, second.polygons),
        float("nan") if spacing is None else _hausdorff95(first.polygons, second.polygons, np.array(spacing)),
        _same(first, second),
    )


def _same(first: Roi, second: Roi) -> bool:
    return len(first.polygons) == len(second.polygons) and all(
        one.shape == other.shape and np.allclose(one, other, atol=1e-6)
        for one, other in zip(first.polygons, second.polygons, strict=True)
    )


def _dice(first: Sequence[FloatArray], second: Sequence[FloatArray]) -> float:
    points = np.concatenate([*first, *second])
    corner = np.floor(points.min(axis=0)) - 1
    shape = tuple((np.ceil(points.max(axis=0)) + 2 - corner).astype(int))
    owner, index = runs(
        [[p - corner for p in first], [p - corner for p in second]], (int(shape[0]), int(shape[1]))
    ).pixels(int(shape[1]))
    mine, theirs = np.unique(index[owner == 0]), np.unique(index[owner == 1])
    both = len(mine) + len(theirs)
    return 2 * len(np.intersect1d(mine, theirs, assume_unique=True)) / both if both else float("nan")


def _hausdorff95(first: Sequence[FloatArray], second: Sequence[FloatArray], spacing: FloatArray) -> float:
    one, other = (np.concatenate([_dense(p) for p in polygons]) * spacing for polygons in (first, second))
    there, back = cKDTree(other).query(one)[0], cKDTree(one).query(other)[0]
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def _dense(polygon: FloatArray) -> FloatArray:
    """Points along a closed contour, `_STEP_PX` apart at most."""
    ends = np.roll(polygon, -1, axis=0)
    lengths = np.hypot(*(ends - polygon).T)
    counts = np.maximum(1, np.ceil(lengths / _STEP_PX).astype(int))
    edge = np.repeat(np.arange(len(polygon)), counts)
    along = (np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)) / counts[edge]
    return np.asarray(polygon[edge] + along[:, None] * (ends - polygon)[edge], dtype=np.float64)
