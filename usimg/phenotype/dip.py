"""Hartigan's dip: how far a sample lies from the closest distribution with one mode.

Written from the two papers of 1985: J. A. Hartigan and P. M. Hartigan, "The dip test of unimodality",
Annals of Statistics 13, 70-84, and P. M. Hartigan, "Computation of the dip statistic to test for
unimodality", Applied Statistics 34, 320-325. The hulls are isotonic regressions of slopes
(Barlow and others 1972), which scipy has.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

FloatArray = NDArray[np.float64]

# Below four values every sample is as close to unimodal as any.
LEAST = 4


def dip(sample: ArrayLike) -> float:
    """Largest distance between a sample's distribution and the closest unimodal one.

    Parameters
    ----------
    sample : array_like, shape (n,)
        Finite numbers in any order.

    Returns
    -------
    float
        Between ``1 / (2 n)`` and 0.25.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.linspace(0, 1, 50)
    >>> round(dip(one), 3), round(dip(np.concatenate([one, one + 9])), 3)
    (0.01, 0.222)
    """
    x, counts = np.unique(np.asarray(sample, dtype=np.float64), return_counts=True)
    n = int(counts.sum())
    if n < LEAST or len(x) < 2:
        return 1 / (2 * n)
    above = counts.cumsum() / n  # the empirical distribution at x
    below = above - counts / n  # and just before it
    low, high = 0, len(x) - 1
    apart = 1 / n  # twice the dip so far: no continuous curve is closer to a step of 1 / n
    while True:
        part = slice(low, high + 1)
        minorant, touches_below = _hull(x[part], below[part], convex=True)
        majorant, touches_above = _hull(x[part], above[part], convex=False)
        gap = majorant - minorant
        from_below = touches_below[gap[touches_below].argmax()]
        from_above = touches_above[gap[touches_above].argmax()]
        if gap[from_below] >= gap[from_above]:
            widest = gap[from_below]
            left = from_below
            right = touches_above[np.searchsorted(touches_above, left)]
        else:
            widest = gap[from_above]
            right = from_above
            left = touches_below[np.searchsorted(touches_below, right, side="right") - 1]
        if widest <= apart:
            return apart / 2
        outside_left = (above[part] - minorant)[: left + 1].max()
        outside_right = (majorant - below[part])[right:].max()
        apart = max(apart, float(outside_left), float(outside_right))
        if (left, right) == (0, high - low):
            return apart / 2
        low, high = low + int(left), low + int(right)


def p_value(statistic: float, n: int) -> float:
    """Share of uniform samples of ``n`` with a dip as large.

    The uniform is the unimodal law that is hardest to tell from two modes; for all others the share
    is smaller, so the value errs towards "one mode".

    Notes
    -----
    From a table of simulated samples (``benchmarks/dip_null.py``; 20,000 of each size up to 500, 5,000
    above), interpolated in ``sqrt(n)`` times the dip, which hardly depends on n. No value is below the
    table's resolution.
    """
    sizes, tail, quantiles = _null()
    scaled = np.sqrt(n) * statistic
    position = float(np.interp(np.log(n), np.log(sizes), np.arange(len(sizes))))
    lower, upper = int(np.floor(position)), int(np.ceil(position))
    at_n = quantiles[lower] + (position - lower) * (quantiles[upper] - quantiles[lower])
    # log of the tail is nearly linear in the statistic
    return float(np.exp(np.interp(scaled, at_n, np.log(tail))))


@cache
def _null() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sizes (s,), tail shares (t,) falling, and quantiles of sqrt(n) times the dip (s, t)."""
    text = files("usimg.phenotype").joinpath("dip_null.csv").read_text("utf-8")
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    table = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    sizes = np.array([float(cell) for cell in rows[0][1:]])
    tail = np.array([float(row[0]) for row in rows[1:]])
    return sizes, tail, table.T


def _hull(x: FloatArray, y: FloatArray, *, convex: bool) -> tuple[FloatArray, NDArray[np.intp]]:
    """Greatest convex minorant, or least concave majorant, at every x (m,), and where it touches y."""
    if len(x) < 2:
        return y.copy(), np.arange(len(x))
    widths = np.diff(x)
    fit = isotonic_regression(np.diff(y) / widths, weights=widths, increasing=convex)
    touches = np.asarray(fit.blocks, dtype=np.intp)
    return np.interp(x, x[touches], y[touches]), touches
