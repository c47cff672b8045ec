"""Bootstrap over patients: 95 % intervals of what is estimated from averages over patients.

Patients are drawn, with all their values; what belongs to one patient is never torn apart. Intervals are
bootstrap-t (Efron and Tibshirani 1993, ch. 12.5), since plain percentiles of a variance are too short with
few patients; benchmarks/agreement.md counts how often they hold the truth. Where many patients show no
difference at all, percentiles are taken. The standard error within each
draw is the infinitesimal jackknife's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from usimg.agreement.icc import LEVEL, Interval

FloatArray = NDArray[np.float64]
DRAWS = 1999
# Fewer patients give no interval by resampling (chosen here; benchmarks/agreement.md begins at 15).
FEWEST = 10
# Patients without any difference, as where outlines were left unedited, make some draws look exact and their
# t endless: beyond this share plain percentiles are taken (chosen here).
_MOST_ALIKE = 0.2
# More draws than these that come to nothing: no interval.
_LOST = 0.05


@dataclass(frozen=True)
class Ratios:
    """Averages that a value is a linear function of: each a sum over patients by a sum over patients.

    Attributes
    ----------
    sums, counts : (n, C) arrays
        Per patient: what is averaged, and how many went into it.
    weights : (C,) array
        The value is ``weights @ (sums.sum(0) / counts.sum(0))``.
    means : (n,) array, optional
        Their variance between patients is added.
    """

    sums: FloatArray
    counts: FloatArray
    weights: FloatArray
    means: FloatArray | None = None

    def value(self) -> float:
        """The estimate; the variance of `means` with n - 1."""
        averages = self.sums.sum(axis=0) / self.counts.sum(axis=0)
        added = 0.0 if self.means is None else float(self.means.var(ddof=1))
        return float(self.weights @ averages) + added

    def drawn(self, draws: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Value and its standard error with each patient taken as often as `draws` (B, n) says."""
        n = draws.shape[1]
        totals = draws @ self.counts  # (B, C)
        with np.errstate(divide="ignore", invalid="ignore"):
            averages = (draws @ self.sums) / totals
            value = averages @ self.weights
            # Influence of each patient on each draw's value, (B, n).
            pull = n * (
                (self.weights / totals) @ self.sums.T - (self.weights * averages / totals) @ self.counts.T
            )
        if self.means is not None:
            middle = draws @ self.means / n
            off = (self.means[None, :] - middle[:, None]) ** 2
            spread = (draws * off).sum(axis=1) / n
            value = value + spread
            pull = pull + off - spread[:, None]
        error = np.sqrt((draws * pull**2).sum(axis=1) / (n * (n - 1)))
        return value, error


def interval(ratios: Ratios) -> Interval:
    """Estimate of a variance, or of a mean of shares, with its bootstrap-t interval over patients.

    On the log scale; where more than a few draws come out below 0, as those of a part that is hardly
    there, on its own scale and cut at 0.

    Parameters
    ----------
    ratios : Ratios

    Returns
    -------
    Interval
        Without limits where fewer than `FEWEST` patients, or draws without any spread, give none.
    """
    value = ratios.value()
    n = len(ratios.sums)
    if n < FEWEST:
        return Interval(value)
    once, error = (float(one[0]) for one in ratios.drawn(np.ones((1, n), dtype=np.int64)))
    if not error > 0:
        return Interval(value)
    drawn, errors = ratios.drawn(_draws(n))
    below = (1 - LEVEL) / 2
    if ratios.means is None and _most_alike(ratios.sums) > _MOST_ALIKE:
        low, high = np.quantile(drawn[np.isfinite(drawn)], [below, 1 - below])
        return Interval(value, max(0.0, float(low)), max(0.0, float(high)))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = (np.log(drawn) - np.log(once)) * drawn / errors
        plain = (drawn - once) / errors
    usable = np.isfinite(logs)
    if value > 0 and once > 0 and usable.mean() >= 1 - _LOST:
        high, low = np.quantile(logs[usable], [1 - below, below])
        step = error / once
        return Interval(value, float(value * np.exp(-high * step)), float(value * np.exp(-low * step)))
    usable = np.isfinite(plain)
    if usable.mean() < 1 - _LOST:
        return Interval(value)
    high, low = np.quantile(plain[usable], [1 - below, below])
    return Interval(value, max(0.0, value - float(high) * error), max(0.0, value - float(low) * error))


def _most_alike(sums: FloatArray) -> float:
    """Largest share of patients who add exactly the same: 0, or the offset where it was taken off."""
    scale = np.abs(sums).max()
    if scale == 0:
        return 1.0
    _, counts = np.unique(np.round(sums / scale, 9), axis=0, return_counts=True)
    return float(counts.max() / len(sums))


@lru_cache(maxsize=4)
def _draws(n: int) -> NDArray[np.int64]:
    """How often each of n patients is taken, (DRAWS, n); always the same, so results are too."""
    drawn: NDArray[np.int64] = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    return drawn
