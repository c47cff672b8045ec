"""Why a claim is what it is, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from usimg.phenotype.claim import EXPLAINED, GROUPS, NO_GROUPS, SEVERITY_SAYS_AS_MUCH, p_in_words, threshold
from usimg.phenotype.separation import FEWEST

if TYPE_CHECKING:
    from usimg.phenotype.result import Phenotypes

# Simulated gradients without any groups (one latent severity, loadings 0.5 to 0.7, normal, flat or skewed;
# n = 454, 22 features, k-means on z-scores, 40 cohorts of each kind): the best silhouette was at k = 2 in
# every run, 0.15 to 0.30 on average. tests/phenotype repeats the normal one.
GRADIENT_SILHOUETTE = (0.15, 0.30)
# The same for 8 patients and 17 features, 80 cohorts with loadings of 0.5 and 0.7: 5 to 95 %
# (tests/phenotype repeats it).
SMALL_GRADIENT_SILHOUETTE = (0.11, 0.43)
SMALL = 50
UNITS = {"mm": "mm", "mm2": "mm\N{SUPERSCRIPT TWO}"}


def reason(result: Phenotypes) -> str:
    """Why the claim is what it is, in a few sentences."""
    separation = result.tests.separation
    if separation is None:
        return (
            f"{len(result.labels)} patients are too few for the test that tells groups from a gradient"
            f" (at least {FEWEST}). {no_proof(result)}"
        )
    if result.claim.startswith(EXPLAINED):
        return _explained(result)
    found = f"cross-fitted dip test, p = {p_in_words(separation.p)}, {separation.n} patients"
    if result.claim == NO_GROUPS:
        one_mode = separation.p > threshold(result.tests.confounders)
        return f"{_why_not(found, one_mode=one_mode)} {no_proof(result)}"
    if result.claim == GROUPS:
        assumed = (
            " That device and sex do not explain them was assumed, not checked, where no check was run."
            if result.assume_unconfounded
            else ""
        )
        return (
            f"There are two modes along the axis between the parts ({found}), and they stay with each known"
            f" factor held constant (largest p = {p_in_words(result.p_value)}).{assumed}"
        )
    if result.claim == SEVERITY_SAYS_AS_MUCH:
        return (
            f"There are two modes ({found}), also with the known factors held constant, but for"
            f" {', '.join(outcome.name for outcome in result.tests.outcomes)} the label adds nothing to the"
            " severity score: use the score."
        )
    return (
        f"There are two modes along the axis between the parts ({found}). Whether they are the disease was"
        " not checked: a device or sex can make two modes as well. Give these columns in the clinical table."
    )


def _explained(result: Phenotypes) -> str:
    name = result.claim.removeprefix(EXPLAINED)
    factor = next(f for f in result.tests.confounders if f.name == name)
    shares = ", ".join(f"{level.upper_share:.0%} of {level.name} (n = {level.n})" for level in factor.levels)
    said = f"The parts follow {name}: the upper one holds {shares}."
    if factor.within_p is None:
        return said
    return f"{said} With {name} held constant there are no two modes (p = {p_in_words(factor.within_p)})."


def _why_not(found: str, *, one_mode: bool) -> str:
    if one_mode:
        return (
            f"Along the axis between the parts the patients have one mode ({found}). This is no proof of a"
            " continuum: a small gap cannot be seen at this number of patients."
        )
    return (
        f"There are two modes ({found}), but not with every factor held constant, or the parts are not"
        " stable: see the checks."
    )


def no_proof(result: Phenotypes) -> str:
    """What the silhouette does not show."""
    low, high = GRADIENT_SILHOUETTE
    said = (
        f"k-means always splits: the silhouette of {result.silhouette:.2f} at k = 2 proves nothing, since"
        f" simulated gradients without any groups give {low:.2f} to {high:.2f} on average (454 patients, 22"
        " features)"
    )
    if len(result.labels) < SMALL:
        least, most = SMALL_GRADIENT_SILHOUETTE
        said += f", and {least:.2f} to {most:.2f} in nine of ten gradients of 8 patients"
    return said + "."


def readable(column: str) -> str:
    """A column of the wide table in words.

    >>> readable("biceps_brachii__mid_upper_arm__left__thickness_mm")
    'biceps brachii, mid upper arm, left, thickness (mm)'
    """
    words = ", ".join(re.sub(r"_+", " ", part).strip() for part in column.split("__") if part)
    return re.sub(r" (mm2?)$", lambda unit: f" ({UNITS[unit[1]]})", words)
