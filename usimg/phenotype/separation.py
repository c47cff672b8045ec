"""The cross-fitted dip test: whether there are two modes along the axis between the parts.

A dip test of the axis that the same patients chose finds groups in up to 26 % of structureless cohorts.
Here each patient is scored on an axis that was found without that patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from usimg.phenotype.dip import dip, p_value
from usimg.phenotype.kmeans import kmeans

FloatArray = NDArray[np.float64]

# Ten folds had the power of five at twice the time; the mean over a few divisions into folds finds groups
# 3.4 SD apart slightly more often (0.89 to 0.92 of 150 cohorts; chosen here).
FOLDS = 5
DIVISIONS = 3
# k-means starts on each fold; two parts have few local optima.
STARTS = 8


@dataclass(frozen=True)
class DipTest:
    """A dip test of n scores: p is small where there are two modes."""

    n: int
    dip: float
    p: float


# Threshold of the uniform-null p of each test where all patients and each known factor held constant must
# pass: at most 5 % of the cohorts without groups of every kind tried pass all (benchmarks/phenotypes.md), the
# flat gradient being the worst. Where no factor could be held constant one test decides, at its own level.
ALPHA = 0.07
ALPHA_ALONE = 0.05
# Fewer patients leave the folds too little to find an axis with; chosen here.
FEWEST = 50


def dip_test(scores: FloatArray) -> DipTest:
    """Test scores (n,) against one mode."""
    statistic = dip(scores)
    return DipTest(len(scores), statistic, p_value(statistic, len(scores)))


def cross_fitted_scores(X: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Each patient on the axis between the two parts of the other patients.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Standardised features.
    rng : Generator
        Draws the folds and the starts.

    Returns
    -------
    ndarray, shape (n,)
        In SD of the training patients, all axes pointing the same way; mean of `DIVISIONS` divisions.
    """
    divisions = [_scored_once(X, rng) for _ in range(DIVISIONS)]
    turned = [scores if scores @ divisions[0] >= 0 else -scores for scores in divisions]
    mean: FloatArray = np.mean(turned, axis=0)
    return mean


def _scored_once(X: FloatArray, rng: np.random.Generator) -> FloatArray:
    fold = rng.permutation(np.arange(len(X)) % FOLDS)
    training = (fold[None, :] != np.arange(FOLDS)[:, None]).astype(np.float64)
    split = kmeans(X, training, 2, starts=STARTS, rng=rng)
    scores = np.empty(len(X))
    reference = None
    for k in range(FOLDS):
        inside = fold != k
        axis = discriminant(X[inside], split.parts[k, inside] == 1)
        if reference is None:
            reference = axis
        if float(axis @ reference) < 0:
            axis = -axis
        trained = X[inside] @ axis
        scores[~inside] = (X[~inside] @ axis - trained.mean()) / trained.std()
    return scores


def cross_fitted_towards(X: FloatArray, level: NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """Each patient (n,) on the axis between two known kinds of the other patients, in SD of those."""
    fold = np.empty(len(X), dtype=np.int_)
    for side in (level, ~level):  # both kinds in every fold
        fold[side] = rng.permutation(np.arange(side.sum()) % FOLDS)
    scores = np.empty(len(X))
    for k in range(FOLDS):
        inside = fold != k
        axis = discriminant(X[inside], level[inside])
        trained = X[inside] @ axis
        scores[~inside] = (X[~inside] @ axis - trained.mean()) / trained.std()
    return scores


def discriminant(X: FloatArray, second: NDArray[np.bool_]) -> FloatArray:
    """Unit axis (p,) that tells the second kind from the first: shrunken linear discriminant.

    The covariance within the kinds is shrunk towards its diagonal by the rule of Ledoit and Wolf (2004,
    "A well-conditioned estimator"), whose target here is the mean variance.
    """
    difference = X[second].mean(axis=0) - X[~second].mean(axis=0)
    residual = np.where(second[:, None], X - X[second].mean(axis=0), X - X[~second].mean(axis=0))
    covariance = shrunken(residual)
    axis = np.linalg.solve(covariance, difference)
    length = float(np.linalg.norm(axis))
    return np.asarray(axis / length if length > 0 else np.eye(1, X.shape[1])[0])


def shrunken(residual: FloatArray) -> FloatArray:
    """Covariance (p, p) of centred rows (n, p), shrunk towards the mean variance (Ledoit and Wolf 2004)."""
    n, p = residual.shape
    sample = residual.T @ residual / n
    mean_variance = np.trace(sample) / p
    spread = ((sample - mean_variance * np.eye(p)) ** 2).sum()
    squares = residual**2
    noise = float((squares.T @ squares / n - sample**2).sum()) / n
    shrink = min(1.0, noise / spread) if spread > 0 else 1.0
    # A hair more than none keeps the matrix invertible where two columns are copies.
    shrink = max(shrink, 1e-6)
    return np.asarray((1 - shrink) * sample + shrink * mean_variance * np.eye(p))


def combined(tests: Sequence[DipTest]) -> float:
    """One p-value for several strata: Stouffer's sum of z, weighted by the root of n.

    >>> round(combined([DipTest(200, 0.05, 0.03), DipTest(200, 0.05, 0.03)]), 4)
    0.0039
    """
    weights = np.sqrt([test.n for test in tests])
    z = norm.isf(np.clip([test.p for test in tests], 1e-12, 1 - 1e-3))
    return float(norm.sf(weights @ z / np.linalg.norm(weights)))
