"""From shares of "this nerve" on a grid to one smooth closed polygon, sub-pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usimg.outline.nerve_network import Window
from usimg.vision import cv2

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

# Vertices of an outline, and the spread of its smoothing as a share of its length: experts' polygons have
# 10 to 30 corners, below which what a grid adds is noise.
VERTICES = 96
SMOOTHING = 0.012
# A further piece of at least this share of the largest is a part (a bifid nerve), not a speck. Chosen here.
LEAST_PART = 0.25
# The grid is sampled this much finer before it is followed.
FINER = 2


def contours(
    share: FloatArray, window: Window, *, level: float, inside: tuple[float, float] | None = None
) -> list[Array]:
    """The closed curves on which a share is ``level``, (VERTICES, 2) px each, the largest first.

    Parameters
    ----------
    share : (n, n) array
        Of "this" in the places of the window.
    level : float
    inside : (row, col), px, optional
        The piece that holds this point is the only one, where there is such a piece.
    """
    count = share.shape[0] * FINER
    fine = cv2.resize(share, (count, count), interpolation=cv2.INTER_CUBIC)
    # A rim of nothing closes a curve that leaves the window.
    fine = np.pad(cv2.GaussianBlur(fine, (0, 0), 1.0), 2)
    found, _ = cv2.findContours((fine > level).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    curves = sorted((curve for curve in found if len(curve) >= 8), key=cv2.contourArea, reverse=True)
    if not curves:
        return []
    rows, cols = window.places(count)
    first = (float(rows[0]), float(cols[0]))
    step = (window.rows / count, window.cols / count)
    if inside is not None:
        at = ((inside[1] - first[1]) / step[1] + 2, (inside[0] - first[0]) / step[0] + 2)
        holding = (c for c in curves if cv2.pointPolygonTest(c, at, measureDist=False) >= 0)
        curves = [next(holding, curves[0])]
    least = LEAST_PART * cv2.contourArea(curves[0])
    outlines = []
    for curve in curves:
        if cv2.contourArea(curve) < least:
            break
        points = _onto_level(curve[:, 0, ::-1].astype(np.float64), fine, level)
        places = smooth(evenly(points, 4 * VERTICES))[::4] - 2
        outlines.append(np.asarray(places * step + first))
    return outlines


def _onto_level(points: Array, fine: FloatArray, level: float) -> Array:
    """Grid points moved along the slope to where the share is ``level``."""
    down = cv2.Sobel(fine, cv2.CV_32F, 0, 1, scale=0.125)
    right = cv2.Sobel(fine, cv2.CV_32F, 1, 0, scale=0.125)

    def at(field: FloatArray, places: Array) -> Array:
        r, c = places.T.astype(np.float32)
        return np.asarray(cv2.remap(field, c[:, None], r[:, None], cv2.INTER_LINEAR)[:, 0], np.float64)

    here = points
    for _ in range(3):
        slope = np.stack([at(down, here), at(right, here)], axis=1)
        steep = (slope**2).sum(axis=1) + 1e-6
        here = here + np.clip((level - at(fine, here)) / steep, -20, 20)[:, None] * slope
        here = points + np.clip(here - points, -1.0, 1.0)
    return here


def evenly(points: Array, count: int) -> Array:
    """A closed curve as ``count`` points at equal distances along it."""
    closed = np.concatenate([points, points[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.arange(count) * (length[-1] / count)
    return np.column_stack([np.interp(at, length, closed[:, k]) for k in (0, 1)])


def smooth(points: Array) -> Array:
    """A closed curve of evenly set points, smoothed without losing its area."""
    waves = np.fft.fft(points[:, 0] + 1j * points[:, 1])
    order = np.abs(np.fft.fftfreq(len(points), 1 / len(points)))
    waves *= np.exp(-0.5 * (2 * np.pi * SMOOTHING * order) ** 2)
    curve = np.fft.ifft(waves)
    out = np.column_stack([curve.real, curve.imag])
    middle = out.mean(axis=0)
    grow = np.sqrt(area(points) / max(area(out), 1e-9))
    return np.asarray(middle + grow * (out - middle))


def area(points: Array) -> float:
    """Shoelace area of a closed polygon."""
    row, col = points.T
    return 0.5 * abs(float(np.dot(row, np.roll(col, 1)) - np.dot(col, np.roll(row, 1))))
