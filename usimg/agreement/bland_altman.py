"""Differences between two readers, methods or sessions: bias, limits of agreement, and their intervals.

Bland and Altman 1986 (Lancet 327:307), 1999 (Stat Methods Med Res 8:135); with several values of a patient
2007 (J Biopharm Stat 17:571); intervals of the limits by MOVER, Zou 2013 (Stat Methods Med Res 22:630).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm, t

from usimg.agreement.icc import LEVEL, Interval

FloatArray = NDArray[np.float64]
ALPHA = 1 - LEVEL
Z = float(norm.ppf(1 - ALPHA / 2))


@dataclass(frozen=True)
class Limits:
    """How far the values of two levels lie apart.

    Attributes
    ----------
    first, second : str
        Difference is first minus second.
    patients, n_pairs : int
        Patients, and pairs of values in them.
    bias, lower, upper : Interval
        Mean difference and limits of agreement, each with its 95 % interval.
    sd : float
        Of one difference.
    slope, slope_p : Interval, float
        Change of the difference per unit of the mean (patients' means), and p of a slope of 0.
    spread_p : float
        p of no change of the size of the differences with the mean.
    ratio_lower, ratio_upper : float
        Limits as ratios first / second, where the spread grows with the mean and all values are above 0.
    means, differences : (n_pairs,) arrays
        The points of the plot.
    """

    first: str
    second: str
    patients: int
    n_pairs: int
    bias: Interval
    lower: Interval
    upper: Interval
    sd: float
    slope: Interval
    slope_p: float
    spread_p: float
    ratio_lower: float
    ratio_upper: float
    means: FloatArray
    differences: FloatArray

    @property
    def proportional(self) -> bool:
        """Whether the difference changes with the size of the value (p < 0.05)."""
        return self.slope_p < ALPHA

    @property
    def widening(self) -> bool:
        """Whether the spread grows with the size of the value (p < 0.05), so that ratios say it better."""
        return self.spread_p < ALPHA and np.isfinite(self.ratio_lower)


def limits(
    first: FloatArray, second: FloatArray, patient: NDArray[np.int64], names: tuple[str, str]
) -> Limits:
    """Limits of agreement of pairs of values, several of one patient allowed.

    Parameters
    ----------
    first, second : (N,) arrays
        Values that belong together.
    patient : (N,) int array
        Whose each pair is, from 0 without gaps; at least three patients.
    names : (str, str)
    """
    difference, middle = first - second, (first + second) / 2
    bias, lower, upper, sd = _limits(difference, patient)
    slope, slope_p = _slope(_per_patient(middle, patient), _per_patient(difference, patient))
    # Sizes of the differences from the line, so that a proportional bias is not taken for a wider spread.
    steepness = slope.value if np.isfinite(slope.value) else 0.0
    rest = np.abs(difference - bias.value - steepness * (middle - middle.mean()))
    spread, spread_p = _slope(_per_patient(middle, patient), _per_patient(rest, patient))
    ratio = (float("nan"), float("nan"))
    if spread_p < ALPHA and spread.value > 0 and min(first.min(), second.min()) > 0:
        _, low, high, _ = _limits(np.log(first / second), patient)
        ratio = (float(np.exp(low.value)), float(np.exp(high.value)))
    return Limits(
        *names, int(patient.max()) + 1, len(difference), bias, lower, upper, sd,
        slope, slope_p, spread_p, *ratio, middle, difference,
    )  # fmt: skip


def _limits(d: FloatArray, patient: NDArray[np.int64]) -> tuple[Interval, Interval, Interval, float]:
    """Bias, limits and SD of one difference; patients count alike, however many values they have."""
    count = np.bincount(patient).astype(np.float64)
    means = _per_patient(d, patient)
    n, total = len(count), len(d)
    between = float(means.var(ddof=1))
    within = float(((d - means[patient]) ** 2).sum() / (total - n)) if total > n else 0.0
    # Variance of one difference: of the patients' means, plus what their averaging hid.
    hidden = 1 - float((1 / count).mean())
    variance = between + hidden * within
    sd, bias = float(np.sqrt(variance)), float(means.mean())
    half = float(t.ppf(1 - ALPHA / 2, n - 1)) * np.sqrt(between / n)
    down, up = _around(between, n - 1), _around(within, total - n) if total > n else (0.0, 0.0)
    least = max(0.0, variance - float(np.hypot(down[0], hidden * up[0])))
    most = variance + float(np.hypot(down[1], hidden * up[1]))
    # MOVER: the interval of bias + 1.96 SD from those of its two terms.
    near, far = Z * (sd - np.sqrt(least)), Z * (np.sqrt(most) - sd)
    upper, lower = bias + Z * sd, bias - Z * sd
    inward, outward = float(np.hypot(half, near)), float(np.hypot(half, far))
    return (
        Interval(bias, bias - float(half), bias + float(half)),
        Interval(lower, lower - outward, lower + inward),
        Interval(upper, upper - inward, upper + outward),
        sd,
    )


def _around(variance: float, freedom: int) -> tuple[float, float]:
    """How far the chi-square interval of a variance reaches down and up."""
    return (
        variance * float(1 - freedom / chi2.ppf(1 - ALPHA / 2, freedom)),
        variance * float(freedom / chi2.ppf(ALPHA / 2, freedom) - 1),
    )


def _per_patient(values: FloatArray, patient: NDArray[np.int64]) -> FloatArray:
    return np.asarray(np.bincount(patient, values) / np.bincount(patient), dtype=np.float64)


def _slope(x: FloatArray, y: FloatArray) -> tuple[Interval, float]:
    """Least-squares slope of y on x with its interval, and p of a slope of 0."""
    n = len(x)
    off = x - x.mean()
    spread = float(off @ off)
    if n < 4 or spread <= 0:
        return Interval(float("nan")), float("nan")
    slope = float(off @ y) / spread
    rest = y - y.mean() - slope * off
    error = float(np.sqrt(rest @ rest / (n - 2) / spread))
    if error <= 0:
        return Interval(slope), float("nan")
    half = float(t.ppf(1 - ALPHA / 2, n - 2)) * error
    return Interval(slope, slope - half, slope + half), float(2 * t.sf(abs(slope) / error, n - 2))
