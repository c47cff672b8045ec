"""Areas and lengths of closed polygons with sub-pixel vertices.

Every polygon is an (N, 2) float array of (row, col) in px, pixel centres at integers, closed from the
last vertex to the first. ``spacing`` is (row_mm, col_mm); (1, 1) gives px. An area is the polygon's own
(the shoelace formula), never a count of pixels, which for a 2 mm2 nerve at 0.05 mm differs by some 6 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Spacing = tuple[float, float]


def signed_area(polygon: FloatArray, spacing: Spacing = (1.0, 1.0)) -> float:
    """Shoelace area; positive when the vertices run clockwise on the screen (rows down).

    Parameters
    ----------
    polygon : (N, 2) array
    spacing : (row, col)
        mm per pixel; (1, 1) for px2.
    """
    # About the first vertex, so that a small nerve far from the corner keeps its digits.
    rows, cols = (polygon - polygon[0]).T
    twice = float(cols[:-1] @ rows[1:] - rows[:-1] @ cols[1:])
    return 0.5 * twice * spacing[0] * spacing[1]


def area(polygons: Sequence[FloatArray], spacing: Spacing = (1.0, 1.0)) -> float:
    """Area of several parts together, whichever way round each is drawn.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [0.0, 10.0], [10.0, 10.0], [10.0, 0.0]])
    >>> area([square], spacing=(0.1, 0.05))
    0.5
    """
    return sum(abs(signed_area(p, spacing)) for p in polygons)


def perimeter(polygons: Sequence[FloatArray], spacing: Spacing = (1.0, 1.0)) -> float:
    """Length of the outlines of all parts, each closed."""
    total = 0.0
    for polygon in polygons:
        steps = np.diff(polygon, axis=0, append=polygon[:1]) * spacing
        total += float(np.sqrt(np.einsum("ij,ij->i", steps, steps)).sum())
    return total


def roundness(area_: float, perimeter_: float) -> float:
    """4 pi A / P2: 1 for a circle, less for all else; NaN for an outline without length."""
    return 4.0 * np.pi * area_ / perimeter_**2 if perimeter_ > 0.0 else float("nan")


def length(line: FloatArray, spacing: Spacing = (1.0, 1.0)) -> float:
    """Length of a (2, 2) caliper line."""
    step = (line[1] - line[0]) * spacing
    return float(np.hypot(step[0], step[1]))


def clip_to_frame(polygon: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """The part of a polygon that lies on the picture, pixel edges included; (0, 2) when none does.

    Sutherland-Hodgman, one border after the other. Where a concave outline falls apart, its pieces stay
    joined along the border by lines without area.

    Parameters
    ----------
    polygon : (N, 2) array
    shape : (rows, cols)
    """
    for axis, size in ((0, shape[0]), (1, shape[1])):
        for sign, border in ((1.0, -0.5), (-1.0, size - 0.5)):
            polygon = _clip_half_plane(polygon, axis, sign, border)
            if len(polygon) < 3:
                return np.empty((0, 2))
    return polygon


def leaves_frame(polygon: FloatArray, shape: tuple[int, int]) -> bool:
    """Whether a vertex lies beyond the outermost pixels' edges."""
    return bool((polygon < -0.5).any() or (polygon > np.subtract(shape, 0.5)).any())


def _clip_half_plane(polygon: FloatArray, axis: int, sign: float, border: float) -> FloatArray:
    """Keep the side where ``sign * (coordinate - border) >= 0``."""
    if not len(polygon):
        return polygon
    beyond = sign * (polygon[:, axis] - border)
    inside = beyond >= 0.0
    if inside.all():
        return polygon
    kept: list[FloatArray] = []
    for i, j in zip(range(-1, len(polygon) - 1), range(len(polygon)), strict=True):
        if inside[i] != inside[j]:
            t = beyond[i] / (beyond[i] - beyond[j])
            crossing = polygon[i] + t * (polygon[j] - polygon[i])
            crossing[axis] = border
            kept.append(crossing)
        if inside[j]:
            kept.append(polygon[j])
    return np.array(kept).reshape(-1, 2)
