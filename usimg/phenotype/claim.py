"""What may be claimed: groups, or why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from usimg.phenotype.confounders import REQUIRED, Confounder, confounders
from usimg.phenotype.kmeans import kmeans
from usimg.phenotype.outcomes import Outcome, outcomes
from usimg.phenotype.separation import ALPHA, ALPHA_ALONE, FEWEST, DipTest, cross_fitted_scores, dip_test

FloatArray = NDArray[np.float64]

NO_GROUPS = "no groups shown"
GROUPS = "groups"
EXPLAINED = "explained by "
SEVERITY_SAYS_AS_MUCH = "separated, but severity says as much"

# Subsamples of 80 % for the stability that a label needs; the report draws more.
SUBSAMPLES = 60
SHARE = 0.8
SUBSAMPLE_STARTS = 4
# A patient who changes sides in more than a fifth of the subsamples is borderline (issue 14).
STABLE = 0.8


@dataclass(frozen=True, eq=False, kw_only=True)
class Tests:
    """What the claim rests on.

    Attributes
    ----------
    separation : DipTest or None
        Cross-fitted dip of all patients; None when it was not run.
    confounders : tuple of Confounder
    outcomes : tuple of Outcome
    stability : ndarray, shape (n,)
        Share of subsamples in which a patient falls into the part that all patients give.
    p_value : float or None
        The largest p that the claim needs: separation, and separation within each factor.
    claim : str
    checks : dict
        Check to "passed", "failed" or "not run", and why.
    """

    separation: DipTest | None
    confounders: tuple[Confounder, ...]
    outcomes: tuple[Outcome, ...]
    stability: FloatArray
    p_value: float | None
    claim: str
    checks: dict[str, str]


def examine(
    X: FloatArray,
    upper: NDArray[np.bool_],
    severity: FloatArray,
    clinical: pd.DataFrame,
    *,
    assume_unconfounded: bool,
    random_state: int,
) -> Tests:
    """Run the tests of the split in two, and say what may be claimed.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Standardised features.
    upper : ndarray of bool, shape (n,)
        Who is in the upper of the two parts.
    severity : ndarray, shape (n,)
    clinical : DataFrame
        Rows in the order of `X`; no columns where nothing is known.
    assume_unconfounded : bool
        Claim groups although device or sex could not be checked.
    random_state : int
    """
    rng = np.random.default_rng([random_state, 14])
    scores = cross_fitted_scores(X, rng) if len(X) >= FEWEST else None
    separation = dip_test(scores) if scores is not None else None
    factors = confounders(X, upper, scores, severity, clinical, rng)
    stability = patient_stability(X, upper, rng)
    told = outcomes(upper, severity, clinical, rng)

    claim = _claim(separation, factors, told, stability, assume_unconfounded=assume_unconfounded)
    within = [factor.within_p for factor in factors if factor.within_p is not None]
    return Tests(
        separation=separation,
        confounders=factors,
        outcomes=told,
        stability=stability,
        p_value=max([separation.p, *within]) if separation is not None else None,
        claim=claim,
        checks=_checks(separation, factors, told, stability, assume_unconfounded=assume_unconfounded),
    )


def _claim(
    separation: DipTest | None,
    factors: tuple[Confounder, ...],
    told: tuple[Outcome, ...],
    stability: FloatArray,
    *,
    assume_unconfounded: bool,
) -> str:
    separated = separation is not None and separation.p <= threshold(factors)
    suspects = [
        factor
        for factor in factors
        if factor.strong and not factor.separated_within and (separated or factor.makes_two)
    ]
    if suspects:
        return EXPLAINED + max(suspects, key=lambda factor: factor.effect).name
    if not separated or any(factor.checked and not factor.separated_within for factor in factors):
        return NO_GROUPS
    if float(stability.mean()) < STABLE:
        return NO_GROUPS
    unchecked = _unchecked(factors)
    if unchecked and not assume_unconfounded:
        return f"separated, not checked for {', '.join(unchecked)}"
    if told and not any(outcome.label_adds for outcome in told):
        return SEVERITY_SAYS_AS_MUCH
    return GROUPS


def threshold(factors: tuple[Confounder, ...]) -> float:
    """Largest p of the test of all patients that counts as two modes."""
    return ALPHA if any(factor.within_p is not None for factor in factors) else ALPHA_ALONE


def _unchecked(factors: tuple[Confounder, ...]) -> list[str]:
    given = {factor.name: factor for factor in factors}
    missing = [name for name in REQUIRED if name not in given]
    return missing + [name for name, factor in given.items() if not factor.checked]


def patient_stability(X: FloatArray, upper: NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """Share (n,) of 80 % subsamples whose nearest centre puts a patient where all patients put them."""
    drawn = subsamples(len(X), SUBSAMPLES, rng)
    parts = kmeans(X, drawn, 2, starts=SUBSAMPLE_STARTS, rng=rng).parts == 1
    agree = parts == upper
    agree = np.where(agree.mean(axis=1, keepdims=True) < 0.5, ~agree, agree)
    stable: FloatArray = agree.mean(axis=0)
    return stable


def subsamples(n: int, count: int, rng: np.random.Generator) -> FloatArray:
    """Weights (count, n): 1 for the 80 % of the patients that a subsample holds, 0 for the others."""
    rank = np.argsort(np.argsort(rng.random((count, n)), axis=1), axis=1)
    return (rank < max(2, round(SHARE * n))).astype(np.float64)


def _checks(
    separation: DipTest | None,
    factors: tuple[Confounder, ...],
    told: tuple[Outcome, ...],
    stability: FloatArray,
    *,
    assume_unconfounded: bool,
) -> dict[str, str]:
    checks = {}
    if separation is None:
        checks["separation"] = f"not run: under {FEWEST} patients a dip test says nothing"
    else:
        limit = threshold(factors)
        found = separation.p <= limit
        checks["separation"] = (
            f"{'passed' if found else 'failed'}: cross-fitted dip {separation.dip:.4f},"
            f" p = {p_in_words(separation.p)} (two modes at {limit} or less)"
        )
    given = {factor.name: factor for factor in factors}
    for name in dict.fromkeys([*REQUIRED, *given]):
        checks[name] = _factor_check(
            name,
            given.get(name),
            separated=separation is not None and separation.p <= threshold(factors),
            assumed=assume_unconfounded,
        )
    mean = float(stability.mean())
    checks["stability"] = (
        f"{'passed' if mean >= STABLE else 'failed'}: a patient keeps the part in {mean:.0%} of"
        f" {SUBSAMPLES} subsamples on average; {(stability < STABLE).sum()} are borderline"
        " (a mere gradient passes too)"
    )
    checks["outcomes"] = _outcome_check(told)
    return checks


def _factor_check(name: str, factor: Confounder | None, *, separated: bool, assumed: bool) -> str:
    if factor is None:
        return f"not run: no column {name!r} was given in clinical" + (
            "; assumed not to matter" if assumed else ""
        )
    if not factor.checked:
        return f"not run: {factor.unchecked}"
    if len(factor.levels) == 1:
        return f"passed: {factor.unchecked}"
    with_parts = (
        f"association with the parts {factor.effect:.2f} (permutation p = {p_in_words(factor.permutation_p)})"
    )
    left_out = f"; {factor.unchecked}" if factor.unchecked else ""
    if separated and factor.separated_within:
        return (
            f"passed: two modes with {name} held constant, p = {p_in_words(factor.within_p)};"
            f" {with_parts}{left_out}"
        )
    if not separated and not (factor.strong and factor.makes_two):
        return f"not run: no separation that {name} could explain; {with_parts}{left_out}"
    alone = f", and {name} alone makes two kinds of patients" if factor.makes_two else ""
    return (
        f"failed: no two modes with {name} held constant, p = {p_in_words(factor.within_p)};"
        f" {with_parts}{alone}{left_out}"
    )


def p_in_words(p: float | None) -> str:
    """A p-value in two digits; none below a thousandth, where the tables end.

    >>> p_in_words(0.0341), p_in_words(1e-6), p_in_words(None)
    ('0.034', '0.001 or less', 'unknown')
    """
    if p is None:
        return "unknown"
    return "0.001 or less" if p <= 0.001001 else f"{p:.2g}"


def _outcome_check(told: tuple[Outcome, ...]) -> str:
    if not told:
        return "not run: clinical has no outcome (alsfrs_r, mmt, cmap) for enough patients"
    adds = [outcome.name for outcome in told if outcome.label_adds]
    names = ", ".join(outcome.name for outcome in told)
    if adds:
        return f"passed: the label adds to severity for {', '.join(adds)} (of {names})"
    return f"failed: for {names} the label adds nothing to the severity score"
