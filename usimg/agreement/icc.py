"""Intraclass correlations of a complete table of patients by readers, with their intervals.

Two-way analysis of variance, n patients (rows) by k readers, repeats or methods (columns). Names of the
forms as Shrout and Fleiss 1979 (Psychol Bull 86:420); intervals as McGraw and Wong 1996 (Psychol Methods
1:30, with their correction 1:390).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, f

FloatArray = NDArray[np.float64]
LEVEL = 0.95
# Draws of the generalised pivots; fixed seed, so that a table gives the same interval again.
_DRAWS = 20_000
# Mean squares below this share of the total are rounding, not differences.
_NOTHING = 1e-18


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval; NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True, slots=True)
class MeanSquares:
    """Two-way analysis of variance without replication.

    Attributes
    ----------
    n, k : int
        Rows (patients) and columns (readers).
    rows, columns, error : float
        Mean squares; ``rows`` of the patients, ``columns`` of the readers.
    """

    n: int
    k: int
    rows: float
    columns: float
    error: float

    @property
    def identical(self) -> bool:
        """Whether all columns agree exactly."""
        return max(self.columns, self.error) <= _NOTHING * max(self.rows, 1.0)

    @property
    def between_sd(self) -> float:
        """SD of the patients' true values: sqrt((MSR - MSE) / k), 0 where that is negative."""
        return float(np.sqrt(max(0.0, (self.rows - self.error) / self.k)))

    @property
    def within(self) -> float:
        """Mean square within patients: variance of the readers plus that of the error.

        Equal to (MSC - MSE) / n + MSE, also where the first term is negative.
        """
        return self.error + (self.columns - self.error) / self.n


def mean_squares(table: FloatArray) -> MeanSquares:
    """Mean squares of a complete (n, k) table."""
    n, k = table.shape
    grand, rows, columns = table.mean(), table.mean(axis=1), table.mean(axis=0)
    residual = table - rows[:, None] - columns[None, :] + grand
    return MeanSquares(
        n,
        k,
        float(k * ((rows - grand) ** 2).sum() / (n - 1)),
        float(n * ((columns - grand) ** 2).sum() / (k - 1)),
        float((residual**2).sum() / ((n - 1) * (k - 1))),
    )


def icc_agreement(ms: MeanSquares) -> Interval:
    """ICC(2,1): absolute agreement of one reader, readers a sample of those who might read.

    Examples
    --------
    The example of Shrout and Fleiss 1979 (6 targets, 4 judges):

    >>> judged = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> round(icc_agreement(mean_squares(np.array(judged, dtype=float))).value, 2)
    0.29
    """
    n, k, msr, msc, mse = ms.n, ms.k, ms.rows, ms.columns, ms.error
    value = (msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n)
    if ms.identical:
        return Interval(1.0)
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    freedom = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1)))
    tail = 1 - (1 - LEVEL) / 2
    upper, lower = f.ppf(tail, n - 1, freedom), f.ppf(tail, freedom, n - 1)
    spread = k * msc + (k * n - k - n) * mse
    return Interval(
        value,
        float(n * (msr - upper * mse) / (upper * spread + n * msr)),
        float(n * (lower * msr - mse) / (spread + n * lower * msr)),
    )


def icc_agreement_of_mean(ms: MeanSquares) -> Interval:
    """ICC(2,k): absolute agreement of the mean of all k columns, where that mean is what is used."""
    value = (ms.rows - ms.error) / (ms.rows + (ms.columns - ms.error) / ms.n)
    single = icc_agreement(ms)
    low, high = (ms.k * one / (1 + (ms.k - 1) * one) for one in (single.low, single.high))
    return Interval(1.0 if ms.identical else value, low, high)


def icc_consistency(ms: MeanSquares) -> Interval:
    """ICC(3,1): consistency, i.e. the readers' own offsets do not count. Not agreement."""
    n, k = ms.n, ms.k
    if ms.error <= _NOTHING * max(ms.rows, 1.0):
        return Interval(1.0)
    ratio = ms.rows / ms.error
    tail = 1 - (1 - LEVEL) / 2
    low = ratio / f.ppf(tail, n - 1, (n - 1) * (k - 1))
    high = ratio * f.ppf(tail, (n - 1) * (k - 1), n - 1)
    return Interval(*(float((one - 1) / (one + k - 1)) for one in (ratio, low, high)))


def sem_of_any_reader(ms: MeanSquares) -> tuple[float, float]:
    """Interval of the SEM that holds for other readers than these, who are a sample of few.

    Generalised pivots (Weerahandi 1993, J Am Stat Assoc 88:899) of the two mean squares. A bootstrap over
    patients keeps the readers as they are; with two or three of them that says little of a fourth.

    Returns
    -------
    (low, high)
        Of sqrt(variance of readers + variance of error), 95 %.
    """
    rng = np.random.default_rng(0)
    df_error, df_columns = (ms.n - 1) * (ms.k - 1), ms.k - 1
    error = ms.error * df_error / chi2.rvs(df_error, size=_DRAWS, random_state=rng)
    columns = ms.columns * df_columns / chi2.rvs(df_columns, size=_DRAWS, random_state=rng)
    variance = np.maximum(0.0, (columns - error) / ms.n) + error
    low, high = np.sqrt(np.quantile(variance, [(1 - LEVEL) / 2, 1 - (1 - LEVEL) / 2]))
    return float(low), float(high)
