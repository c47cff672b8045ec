"""The silhouette of every patient (Rousseeuw 1987)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def silhouettes(X: FloatArray, parts: NDArray[np.int_]) -> FloatArray:
    """(b - a) / max(a, b) for each row of X (n, p).

    a is the mean distance to the patient's own part, b the smallest mean distance to another; 0 for a
    patient who is a part of one.
    """
    count = int(parts.max()) + 1
    squares = np.einsum("ij,ij->i", X, X)
    distances = np.sqrt(np.maximum(squares[:, None] - 2 * X @ X.T + squares, 0.0))
    np.fill_diagonal(distances, 0.0)
    member = np.eye(count)[parts]  # (n, count)
    sizes = member.sum(axis=0)
    sums = distances @ member  # (n, count)
    own = sums[np.arange(len(X)), parts] / np.maximum(sizes[parts] - 1, 1)
    means = np.where(member > 0, np.inf, sums / np.maximum(sizes, 1))
    means[:, sizes == 0] = np.inf
    other = means.min(axis=1)
    width = (other - own) / np.maximum(np.maximum(own, other), 1e-300)
    return np.asarray(np.where(sizes[parts] > 1, width, 0.0))
