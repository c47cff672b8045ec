"""Figures of outlines against experts: errors with their n and interval, by device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """Thickness errors of one set of pictures, shares of the thickness.

    Attributes
    ----------
    name : str
        Which set.
    n, groups : int
        Pictures, and how many persons or clips they come from.
    median, p90 : float
        Of the size of the error.
    bias : float
        Median signed error.
    over_5, over_10 : int
        Pictures beyond.
    accepted, accepted_over_10 : int
        Of those with a confidence of at least 0.5.
    """

    name: str
    n: int
    groups: int
    median: float
    p90: float
    bias: float
    over_5: int
    over_10: int
    accepted: int
    accepted_over_10: int


def figures(
    name: str, errors: Sequence[float], groups: Sequence[str], confidence: Sequence[float]
) -> Figures:
    """Sum up signed relative errors (1 for a wrong place), one per picture."""
    error, trust = np.array(errors, dtype=np.float64), np.array(confidence, dtype=np.float64) >= 0.5
    if len(error) == 0:
        return Figures(name, 0, 0, np.nan, np.nan, np.nan, 0, 0, 0, 0)
    size = np.abs(error)
    return Figures(
        name,
        len(error),
        len(set(groups)),
        float(np.median(size)),
        float(np.percentile(size, 90)),
        float(np.median(error)),
        int((size > 0.05).sum()),
        int((size > 0.10).sum()),
        int(trust.sum()),
        int((size[trust] > 0.10).sum()),
    )


def relative_error(upper: Array, lower: Array, top: Array, bottom: Array) -> tuple[float, float]:
    """(signed relative error of the mean thickness, Dice) of edges against an expert's, column by column.

    The error is 1 where the two compartments overlap by less than half (of their union): another place,
    whatever its thickness.

    Examples
    --------
    >>> level = np.zeros(4)
    >>> error, dice = relative_error(level, level + 11, level, level + 10)
    >>> round(error, 3), round(dice, 3)
    (0.1, 0.952)
    >>> relative_error(level, level + 10, level + 20, level + 30)
    (1.0, 0.0)
    """
    shared = float(np.clip(np.minimum(lower, bottom) - np.maximum(upper, top), 0, None).sum())
    both = float((lower - upper).sum() + (bottom - top).sum())
    dice = 2 * shared / both
    if shared < 0.5 * (both - shared):
        return 1.0, dice
    return float((lower - upper).mean() / (bottom - top).mean() - 1.0), dice


def interval(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share (Biometrika 1934): it never promises too much.

    Examples
    --------
    >>> low, high = interval(0, 38)
    >>> f"{low:.0%} to {high:.1%}"
    '0% to 9.3%'
    """
    if n == 0:
        return (0.0, 1.0)
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, n - count + 1))
    high = 1.0 if count == n else float(beta.ppf(1 - tail, count + 1, n - count))
    return (low, high)


def share(count: int, n: int) -> str:
    """A share with its count and interval, as the cards print it.

    Examples
    --------
    >>> share(0, 38)
    '0 of 38 (0-9 %)'
    """
    if n == 0:
        return "0 of 0"
    low, high = interval(count, n)
    return f"{count} of {n} ({100 * low:.0f}-{100 * high:.0f} %)"


def table(rows: Sequence[Figures]) -> str:
    """Markdown table."""
    columns = ("pictures", "n (groups)", "median error", "p90", "bias", "over 5 %", "over 10 %", "accepted")
    heads = (*columns, "of these over 10 %")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for f in rows:
        size = f"{100 * f.median:.1f} % | {100 * f.p90:.1f} % | {100 * f.bias:+.1f} %"
        counts = " | ".join(share(count, f.n) for count in (f.over_5, f.over_10, f.accepted))
        wrong = share(f.accepted_over_10, f.accepted)
        lines.append(f"| {f.name} | {f.n} ({f.groups}) | {size} | {counts} | {wrong} |")
    return "\n".join(lines)
