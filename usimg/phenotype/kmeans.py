"""k-means over many weightings of the same patients at once, as matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int_]
SmallArray = NDArray[np.int8]

# Lloyd's steps until no patient changes sides; sklearn's limit.
MOST_STEPS = 300
# Runs that are worked on together: their distances (runs x patients) stay in a core's cache.
TOGETHER = 128


@dataclass(frozen=True, eq=False)
class Partitions:
    """The best of several starts for each weighting.

    Attributes
    ----------
    parts : ndarray of int, shape (runs, n)
        Nearest centre of every patient, also of those whose weight is 0.
    centres : ndarray, shape (runs, k, p)
    within : ndarray, shape (runs,)
        Weighted sum of squared distances to the nearest centre.
    """

    parts: IntArray
    centres: FloatArray
    within: FloatArray


def kmeans(
    X: FloatArray, weights: FloatArray, k: int, *, starts: int, rng: np.random.Generator
) -> Partitions:
    """k-means (Lloyd 1982, starts by k-means++, Arthur and Vassilvitskii 2007), once per row of `weights`.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Standardised features. The work is done in their precision: float32 halves the time.
    weights : ndarray, shape (runs, n)
        How often each patient counts: 1 or 0 for a subsample, counts for a bootstrap.
    k : int
        Number of parts.
    starts : int
        Best of this many, by `within`.
    rng : Generator
        Draws the starts.
    """
    runs = len(weights)
    squares = np.einsum("ij,ij->i", X, X)
    weights = weights.astype(X.dtype)
    parts = np.zeros((runs, len(X)), dtype=np.int_)
    centres = np.zeros((runs, k, X.shape[1]), dtype=X.dtype)
    within = np.full(runs, np.inf)
    step = max(1, TOGETHER // starts)
    for first in range(0, runs, step):
        rows = slice(first, min(first + step, runs))
        repeated = np.repeat(weights[rows], starts, axis=0)
        C = _starting_centres(X, squares, repeated, k, rng)
        labels, C, inertia = _lloyd(X, squares, repeated, C)
        best = inertia.reshape(-1, starts).argmin(axis=1) + np.arange(len(labels) // starts) * starts
        parts[rows], centres[rows], within[rows] = labels[best], C[best], inertia[best]
    return Partitions(parts, centres, within)


def _starting_centres(
    X: FloatArray, squares: FloatArray, weights: FloatArray, k: int, rng: np.random.Generator
) -> FloatArray:
    """(runs, k, p): each next centre drawn with probability weight x squared distance to the nearest."""
    runs = len(weights)
    C = np.empty((runs, k, X.shape[1]), dtype=X.dtype)
    nearest = np.ones_like(weights)
    for j in range(k):
        reached = np.cumsum(weights * nearest, axis=1)
        drawn = rng.random((runs, 1)).astype(X.dtype) * reached[:, -1:]
        chosen = np.minimum((reached <= drawn).sum(axis=1), len(X) - 1)
        C[:, j] = X[chosen]
        to_new = np.maximum(squares - 2 * C[:, j] @ X.T + squares[chosen][:, None], 0.0)
        nearest = to_new if j == 0 else np.minimum(nearest, to_new)
    return C


def _lloyd(
    X: FloatArray, squares: FloatArray, weights: FloatArray, C: FloatArray
) -> tuple[SmallArray, FloatArray, FloatArray]:
    """Labels (runs, n), centres (runs, k, p) and within-sums (runs,) after convergence."""
    runs, k, _ = C.shape
    labels = np.full(weights.shape, -1, dtype=np.int8)
    within = np.zeros(runs, dtype=X.dtype)
    moving = np.arange(runs)
    for step in range(MOST_STEPS):
        now, nearest = _assign(X, C[moving])
        changed = (now != labels[moving]).any(axis=1)
        if step == MOST_STEPS - 1:
            changed[:] = False
        labels[moving] = now
        still = moving[~changed]
        within[still] = (weights[still] * np.maximum(nearest[~changed] + squares, 0.0)).sum(axis=1)
        moving, now = moving[changed], now[changed]
        if not len(moving):
            break
        own = weights[moving]
        left = own.sum(axis=1, keepdims=True)
        rest = own @ X
        for j in range(k):
            # The last part is what the others leave.
            members = own * (now == j) if j < k - 1 else None
            count = members.sum(axis=1, keepdims=True) if members is not None else left
            total = members @ X if members is not None else rest
            left, rest = left - count, rest - total
            # A part that lost everybody keeps its centre.
            C[moving, j] = np.where(count > 0, total / np.maximum(count, 1.0), C[moving, j])
    return labels, C, within


def _assign(X: FloatArray, C: FloatArray) -> tuple[SmallArray, FloatArray]:
    """Nearest centre (runs, n), and the squared distance to it less the patient's own square."""
    labels = np.zeros((len(C), len(X)), dtype=np.int8)
    nearest = np.full((len(C), len(X)), np.inf, dtype=X.dtype)
    for j in range(C.shape[1]):
        centre = C[:, j]
        distance = (-2 * centre) @ X.T + np.einsum("ij,ij->i", centre, centre)[:, None]
        closer = distance < nearest
        np.putmask(labels, closer, j)
        np.minimum(nearest, distance, out=nearest)
    return labels, nearest
