"""Each known factor (device, sex, clinic, age) against the parts and severity: is it the disease, or that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from usimg.phenotype.separation import ALPHA, DipTest, combined, cross_fitted_towards, dip_test

FloatArray = NDArray[np.float64]

# Columns of `clinical` that are looked at, by the names users give them.
CATEGORIES = ("device", "sex", "site", "onset", "visit_year")
NUMBERS = ("age", "height", "height_cm")
# Without these two no groups can be claimed: echo intensity follows the device, thickness the sex.
REQUIRED = ("device", "sex")
# A dip test of fewer has no power to speak of: 0.23 for equal groups 3 SD apart at 227 already.
STRATUM = 100
PERMUTATIONS = 999
# Cramér's V (for numbers: correlation) from which a factor may be what the parts are about, with a
# permutation p at most this. In 454 patients V under 0.3 leaves 9 % of the variance; chosen here.
STRONG = 0.3
SURE = 0.01
# Share of patients that must lie in strata large enough for the factor to count as checked; chosen here.
COVERED = 0.5


@dataclass(frozen=True)
class Level:
    """One level of a factor: how many patients, and the share of them in the upper part."""

    name: str
    n: int
    upper_share: float


@dataclass(frozen=True)
class Confounder:
    """One factor against the two parts.

    Attributes
    ----------
    name : str
    levels : tuple of Level
        For a number: its tertiles.
    effect, permutation_p : float
        Cramér's V with the parts, or absolute correlation for a number; and its permutation p.
    severity_share : float
        Share of the variance of severity that the factor explains, 0 to 1.
    within_p : float or None
        Dip test with the factor held constant; None when it could not be run.
    known_axis_p : float or None
        Dip test on the axis between the factor's own levels: small when the factor alone makes two
        kinds of patients.
    unchecked : str
        Why `within_p` is None, or which levels it leaves out; empty when neither.
    """

    name: str
    levels: tuple[Level, ...]
    effect: float
    permutation_p: float
    severity_share: float
    within_p: float | None
    known_axis_p: float | None
    unchecked: str

    @property
    def strong(self) -> bool:
        """Whether parts and factor go together so much that one may stand for the other."""
        return self.effect >= STRONG and self.permutation_p <= SURE

    @property
    def checked(self) -> bool:
        """Whether the separation could be looked at with this factor held constant."""
        return self.within_p is not None or len(self.levels) == 1

    @property
    def separated_within(self) -> bool:
        """Whether there are two modes with this factor held constant."""
        return len(self.levels) == 1 or (self.within_p is not None and self.within_p <= ALPHA)

    @property
    def makes_two(self) -> bool:
        """Whether the factor alone makes two kinds of patients."""
        return self.known_axis_p is not None and self.known_axis_p <= ALPHA


def confounders(
    X: FloatArray,
    upper: NDArray[np.bool_],
    scores: FloatArray | None,
    severity: FloatArray,
    clinical: pd.DataFrame,
    rng: np.random.Generator,
) -> tuple[Confounder, ...]:
    """Every factor that `clinical` has, in the order of `CATEGORIES` and `NUMBERS`.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Standardised features.
    upper : ndarray of bool, shape (n,)
        Who is in the upper of the two parts.
    scores : ndarray, shape (n,), optional
        Cross-fitted scores; None where the dip test was not run.
    severity : ndarray, shape (n,)
    clinical : DataFrame
        Rows in the order of `X`.
    rng : Generator
        Draws permutations and folds.
    """
    order = np.argsort(rng.random((PERMUTATIONS, len(X))), axis=1)
    shuffled = upper[order].astype(np.float64)
    found = [
        _category(name, clinical[name], X, upper, shuffled, scores, severity, rng)
        for name in CATEGORIES
        if name in clinical.columns and clinical[name].notna().any()
    ]
    for name in NUMBERS:
        if name in clinical.columns:
            values = pd.to_numeric(clinical[name], errors="coerce").to_numpy(dtype=np.float64)
            if np.isfinite(values).sum() > 2 and np.nanstd(values) > 0:
                found.append(_number(name, values, upper, shuffled, scores, severity))
    return tuple(found)


def _category(
    name: str,
    column: pd.Series,
    X: FloatArray,
    upper: NDArray[np.bool_],
    shuffled: FloatArray,
    scores: FloatArray | None,
    severity: FloatArray,
    rng: np.random.Generator,
) -> Confounder:
    known = column.notna().to_numpy()
    # A year that was read as a number is a whole one.
    names = np.array([f"{value:g}" if isinstance(value, float) else str(value) for value in column])
    level_names = sorted(set(names[known]))
    member = np.stack([known & (names == level) for level in level_names])  # (levels, n)
    levels = tuple(
        Level(level, int(m.sum()), float(upper[m].mean()))
        for level, m in zip(level_names, member, strict=True)
    )
    effect, p = _association(member.astype(np.float64), upper.astype(np.float64), shuffled)
    within, unchecked = _within(name, member, level_names, scores, missing=int((~known).sum()))
    return Confounder(
        name, levels, effect, p, _explained(member, severity), within, _known_axis(X, member, rng), unchecked
    )


def _association(member: FloatArray, upper: FloatArray, shuffled: FloatArray) -> tuple[float, float]:
    """Cramér's V of levels (l, n) with the parts (n,), and its permutation p."""
    known = member.sum(axis=0) > 0
    n, sizes = known.sum(), member.sum(axis=1)

    def v(parts: FloatArray) -> FloatArray:  # (r, n) -> (r,)
        in_upper = parts @ member.T  # (r, levels)
        share = in_upper.sum(axis=1, keepdims=True) / n
        spread = np.maximum(share * (1 - share), 1e-12)
        chi2 = ((in_upper - share * sizes) ** 2 / (sizes * spread)).sum(axis=1)
        return np.asarray(np.sqrt(chi2 / n))

    observed = float(v(upper[None])[0]) if len(member) > 1 else 0.0
    return observed, float((1 + (v(shuffled) >= observed - 1e-12).sum()) / (1 + len(shuffled)))


def _explained(member: NDArray[np.bool_], severity: FloatArray) -> float:
    """Share of the variance of severity between the levels (eta squared)."""
    known = member.any(axis=0)
    values = severity[known]
    between = sum(m.sum() * (severity[m].mean() - values.mean()) ** 2 for m in member)
    return float(between / max(((values - values.mean()) ** 2).sum(), 1e-12))


def _within(
    name: str, member: NDArray[np.bool_], level_names: list[str], scores: FloatArray | None, *, missing: int
) -> tuple[float | None, str]:
    """Smallest p of two modes with the factor held constant, and what could not be looked at.

    Two tests of the same question, of which the smaller p counts: one dip test of the scores less each
    level's mean (the better one while levels have similar shares of the parts), and the levels' own dip
    tests combined (the better one where they have not). That this keeps the level is simulated
    (benchmarks/phenotypes.md).
    """
    if len(level_names) == 1:
        return None, f"all {member.sum()} patients have one {name}, {level_names[0]}" + _without(
            missing, name
        )
    if scores is None:
        return None, "too few patients for a dip test"
    large = [m for m in member if m.sum() >= STRATUM]
    small = [
        f"{level} ({m.sum()})" for level, m in zip(level_names, member, strict=True) if m.sum() < STRATUM
    ]
    left_out = f"levels under {STRATUM} patients not checked: {', '.join(small)}" if small else ""
    covered = sum(int(m.sum()) for m in large)
    if not large or covered < COVERED * len(scores):
        return None, (left_out or f"{covered} patients have a known {name}") + _without(missing, name)
    each = [dip_test(scores[m]) for m in large]
    centred = dip_test(np.concatenate([scores[m] - scores[m].mean() for m in large]))
    return min(centred.p, combined(each)), left_out + _without(missing, name)


def _without(missing: int, name: str) -> str:
    return f"; {missing} patients without {name}" if missing else ""


def _known_axis(X: FloatArray, member: NDArray[np.bool_], rng: np.random.Generator) -> float | None:
    """Smallest dip p on the axes between each level and the others, times the number of axes."""
    known = member.any(axis=0)
    sides = [m for m in member if min(m.sum(), known.sum() - m.sum()) >= max(20, 0.1 * known.sum())]
    if len(member) == 2:
        sides = sides[:1]
    if not sides:
        return None
    tests: list[DipTest] = [dip_test(cross_fitted_towards(X[known], m[known], rng)) for m in sides]
    return min(1.0, len(tests) * min(test.p for test in tests))


def _number(
    name: str,
    values: FloatArray,
    upper: NDArray[np.bool_],
    shuffled: FloatArray,
    scores: FloatArray | None,
    severity: FloatArray,
) -> Confounder:
    known = np.isfinite(values)
    centred = np.where(known, values - values[known].mean(), 0.0)

    def correlation(parts: FloatArray) -> FloatArray:  # (r, n) -> (r,)
        inside = np.where(known, parts, 0.0)
        share = inside.sum(axis=1, keepdims=True) / known.sum()
        spread = np.sqrt(np.maximum(share * (1 - share), 1e-12))[:, 0]
        return np.asarray(np.abs(inside @ centred) / (known.sum() * centred[known].std() * spread))

    effect = float(correlation(upper[None].astype(np.float64))[0])
    p = float((1 + (correlation(shuffled) >= effect - 1e-12).sum()) / (1 + len(shuffled)))
    edges = np.quantile(values[known], [0, 1 / 3, 2 / 3, 1])
    third = np.clip(np.searchsorted(edges[1:-1], values, side="right"), 0, 2)
    levels = tuple(
        Level(f"{edges[t]:g} to {edges[t + 1]:g}", int(m.sum()), float(upper[m].mean()))
        for t in range(3)
        if (m := known & (third == t)).any()
    )
    slope = float(centred @ severity / (centred @ centred))
    share = slope**2 * float(centred @ centred) / max(float(((severity - severity.mean()) ** 2).sum()), 1e-12)
    within, unchecked = None, "too few patients for a dip test"
    if scores is not None:
        if known.sum() >= max(STRATUM, COVERED * len(values)):
            line = centred * (centred @ scores / (centred @ centred))
            within, unchecked = dip_test((scores - line)[known]).p, ""
        else:
            unchecked = f"{known.sum()} patients have a known {name}"
    return Confounder(name, levels, effect, p, min(share, 1.0), within, None, unchecked)
