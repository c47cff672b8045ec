"""Push a border with a round brush, as one pushes a thread with a finger. No Qt.

What lies under the brush goes along with it, most in its middle and nothing at its rim; the outline gets
vertices there as it needs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Vertices under the brush stand at most this share of its radius apart, so that the border bends smoothly.
_STEP = 0.2
# And a stroke is followed in steps of at most this share of the radius.
_STRIDE = 0.25


def push(ring: FloatArray, start: Any, stop: Any, radius: float) -> FloatArray:
    """A closed outline after a brush went over it.

    Parameters
    ----------
    ring : (N, 2) array
        (row, col) px.
    start, stop : (2,) arrays
        Where the brush was and is.
    radius : float
        Of the brush, px.

    Returns
    -------
    (M, 2) array
        The same array when the brush touched nothing.
    """
    start, stop = np.asarray(start, dtype=np.float64), np.asarray(stop, dtype=np.float64)
    count = max(1, int(np.ceil(np.hypot(*(stop - start)) / (_STRIDE * radius))))
    step = (stop - start) / count
    for turn in range(count):
        at = start + turn * step
        if not touches(ring, at, radius):
            continue
        ring = _denser(ring, at, radius)
        away = np.hypot(*(ring - at).T) / radius
        weight = np.where(away < 1.0, (1.0 - np.minimum(away, 1.0) ** 2) ** 2, 0.0)
        ring = ring + weight[:, None] * step
    return ring


def touches(ring: FloatArray, at: Any, radius: float) -> bool:
    """Whether an outline's border passes under the brush."""
    starts, ends = ring, np.roll(ring, -1, axis=0)
    along = ends - starts
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip(((np.asarray(at) - starts) * along).sum(axis=1) / length, 0.0, 1.0)
    nearest = starts + share[:, None] * along
    return bool((np.hypot(*(nearest - at).T) < radius).any())


def _denser(ring: FloatArray, at: FloatArray, radius: float) -> FloatArray:
    """With vertices on every segment that may pass under the brush."""
    ends = np.roll(ring, -1, axis=0)
    length = np.hypot(*(ends - ring).T)
    near = (np.minimum(np.hypot(*(ring - at).T), np.hypot(*(ends - at).T)) - length) < radius
    pieces = np.where(near, np.ceil(length / (_STEP * radius)), 1).astype(int)
    pieces = np.maximum(pieces, 1)
    if (pieces == 1).all():
        return ring
    first = np.repeat(np.arange(len(ring)), pieces)
    share = np.concatenate([np.arange(n) / n for n in pieces])
    return ring[first] + share[:, None] * (ends - ring)[first]
