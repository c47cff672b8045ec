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
# Runs that are worked on together: their scores (runs x patients) stay in a core's cache.
TOGETHER = 256
# Once fewer than this share of the patients change sides in a step, sums are mended and not made anew.
FEW = 0.03


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
    # A column of ones beside the features: one product gives sums and counts.
    X1 = np.concatenate([X, np.ones((len(X), 1), dtype=X.dtype)], axis=1)
    weights = weights.astype(X.dtype)
    parts = np.zeros((runs, len(X)), dtype=np.int_)
    centres = np.zeros((runs, k, X.shape[1]), dtype=X.dtype)
    within = np.full(runs, np.inf)
    step = max(1, TOGETHER // starts)
    for first in range(0, runs, step):
        rows = slice(first, min(first + step, runs))
        repeated = np.repeat(weights[rows], starts, axis=0)
        C = _starting_centres(X, squares, repeated, k, rng)
        labels, C, inertia = _lloyd(X1, squares, repeated, C)
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
    X1: FloatArray, squares: FloatArray, weights: FloatArray, C: FloatArray
) -> tuple[SmallArray, FloatArray, FloatArray]:
    """Labels (runs, n), centres (runs, k, p) and within-sums (runs,) after convergence."""
    labels = _nearest(X1, C)
    sums = _sums(X1, weights, labels, C.shape[1])
    moving = np.arange(len(C))
    for _ in range(MOST_STEPS):
        C[moving] = _means(sums[moving], C[moving])
        now = _nearest(X1, C[moving])
        changes = now != labels[moving]
        changed = changes.any(axis=1)
        moving, now, changes = moving[changed], now[changed], changes[changed]
        if not len(moving):
            break
        before, own = labels[moving], weights[moving]
        if np.count_nonzero(changes) < FEW * changes.size:
            sums[moving] += _moved(X1, own, before, now, changes, C.shape[1])
        else:
            sums[moving] = _sums(X1, own, now, C.shape[1])
        labels[moving] = now
    sums = _sums(X1, weights, labels, C.shape[1])
    # Squares about a part's own mean: those about the origin less those of the mean (Huygens).
    about = (sums[..., :-1] ** 2).sum(axis=2) / np.maximum(sums[..., -1], 1.0)
    return labels, _means(sums, C), np.maximum(weights @ squares - about.sum(axis=1), 0.0)


def _nearest(X1: FloatArray, C: FloatArray) -> SmallArray:
    """Nearest centre (runs, n): the largest of centre . patient - centre . centre / 2."""
    offset = -np.einsum("rkp,rkp->rk", C, C) / 2
    planes = np.concatenate([C, offset[..., None]], axis=2).astype(X1.dtype, copy=False)
    if C.shape[1] == 2:  # one product tells which side of the plane between the two
        return ((planes[:, 1] - planes[:, 0]) @ X1.T > 0).view(np.int8)
    labels = np.zeros((len(C), len(X1)), dtype=np.int8)
    highest = planes[:, 0] @ X1.T
    for j in range(1, C.shape[1]):
        score = planes[:, j] @ X1.T
        np.putmask(labels, score > highest, j)
        if j < C.shape[1] - 1:
            np.maximum(highest, score, out=highest)
    return labels


def _sums(X1: FloatArray, weights: FloatArray, labels: SmallArray, k: int) -> FloatArray:
    """Weighted sums of features, and of ones, over the patients of each part (runs, k, p + 1)."""
    sums = np.empty((len(labels), k, X1.shape[1]), dtype=X1.dtype)
    for j in range(k - 1):
        sums[:, j] = (weights * (labels == j)) @ X1
    # The last part is what the others leave.
    sums[:, -1] = weights @ X1 - sums[:, :-1].sum(axis=1)
    return sums


def _moved(
    X1: FloatArray,
    weights: FloatArray,
    before: SmallArray,
    now: SmallArray,
    changes: NDArray[np.bool_],
    k: int,
) -> FloatArray:
    """What the sums (runs, k, p + 1) gain and lose with the few patients who change sides."""
    run, patient = np.nonzero(changes)
    counted = weights[run, patient]
    part = np.concatenate([run * k + now[run, patient], run * k + before[run, patient]])
    order = np.argsort(part, kind="stable")
    part = part[order]
    firsts = np.flatnonzero(np.diff(part, prepend=-1))
    moves = X1[np.concatenate([patient, patient])[order]]
    moves *= np.concatenate([counted, -counted])[order, None]
    gained = np.zeros((len(now) * k, X1.shape[1]), dtype=X1.dtype)
    gained[part[firsts]] = np.add.reduceat(moves, firsts, axis=0)
    return gained.reshape(len(now), k, -1)


def _means(sums: FloatArray, C: FloatArray) -> FloatArray:
    """Centres (runs, k, p) of the parts; a part that lost everybody keeps its centre."""
    count = sums[..., -1:]
    return np.where(count > 0.5, sums[..., :-1] / np.maximum(count, 1.0), C)
