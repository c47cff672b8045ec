"""The page of one clustering: tables and figures, and the answer in a sentence before both.

Without the claim "groups" the page speaks of parts of a continuum; Mild and Severe stay in the API.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from usimg.errors import DependencyMissing
from usimg.pages import render, write_page
from usimg.phenotype import claim, confounders, evidence, imputation, separation
from usimg.phenotype.change import Change
from usimg.phenotype.claim import EXPLAINED, GROUPS, NO_GROUPS, SEVERITY_SAYS_AS_MUCH
from usimg.phenotype.clustering import STARTS
from usimg.phenotype.corrections import Corrections, Rerun
from usimg.phenotype.drawings import PART_COLOURS
from usimg.phenotype.figures import as_svg, figures
from usimg.phenotype.meaning import Meaning
from usimg.phenotype.patients import Step
from usimg.phenotype.profile import profile
from usimg.phenotype.result import Phenotypes
from usimg.phenotype.sensitivity import Curve, Specification, leave_one_out
from usimg.phenotype.table import COVERAGE, MAX_MISSING, collinear
from usimg.phenotype.wording import GRADIENT_SILHOUETTE, readable

FACTOR_WORDS = {
    "device": "device",
    "sex": "sex",
    "site": "site",
    "onset": "site of onset",
    "visit_year": "year of the visit",
    "age": "age",
    "height": "height",
    "height_cm": "height",
}
# The numbers of the methods text, from where they are used.
METHOD = {
    "alpha": separation.ALPHA,
    "alone": separation.ALPHA_ALONE,
    "folds": separation.FOLDS,
    "divisions": separation.DIVISIONS,
    "fewest": separation.FEWEST,
    "stratum": confounders.STRATUM,
    "permutations": confounders.PERMUTATIONS,
    "strong": confounders.STRONG,
    "subsamples": claim.SUBSAMPLES,
    "resamples": evidence.RESAMPLES,
    "bootstraps": evidence.BOOTSTRAPS,
    "references": evidence.REFERENCES,
    "nulls": evidence.NULLS,
    "splits": evidence.SPLITS,
    "completions": imputation.COMPLETIONS,
    "coverage": COVERAGE,
}
# Patients named under each table before the rest is only counted.
LISTED = 50


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a report shows beside the clustering itself.

    Attributes
    ----------
    flow : tuple of Step
        From all patients to those in the clustering.
    sentences : tuple of str
        How rows became patients, for the methods text.
    meanings : tuple of Meaning
    meanings_missing : str
        Why there are none.
    left_out : tuple of Specification
        Without each block, site and device.
    corrections : Corrections, optional
    reruns : tuple of Rerun
        With other outlines, and with fat.
    curve : Curve, optional
    change : Change, optional
    later : DataFrame, optional
        Later visits, placed by the model.
    """

    flow: tuple[Step, ...] = ()
    sentences: tuple[str, ...] = ()
    meanings: tuple[Meaning, ...] = ()
    meanings_missing: str = ""
    left_out: tuple[Specification, ...] = ()
    corrections: Corrections | None = None
    reruns: tuple[Rerun, ...] = ()
    curve: Curve | None = None
    change: Change | None = None
    later: pd.DataFrame | None = None


def filled(result: Phenotypes, beside: Beside | None = None) -> Beside:
    """What the result itself can say beside the claim: outcomes, and what leaving out changes."""
    beside = beside or Beside()
    try:
        meanings, why = result.meanings, ""
    except DependencyMissing as error:
        meanings, why = (), str(error)
    left_out = leave_one_out(result) if len(result.standardised) >= separation.FEWEST else ()
    return replace(beside, meanings=meanings, meanings_missing=why, left_out=left_out)


def write(
    result: Phenotypes, path: str | os.PathLike[str], command: str = "", beside: Beside | None = None
) -> Path:
    """Write the page of a clustering; `command` is what a reader types to make it again.

    Parameters
    ----------
    beside : Beside, optional
        Of `filled`; made here when left out.
    """
    beside = filled(result) if beside is None else beside
    html = render(
        "usimg.phenotype",
        "phenotypes.html.j2",
        result=result,
        beside=beside,
        parts=list(zip(result.part_words, PART_COLOURS[result.n_parts], _sizes(result), strict=True)),
        colours=PART_COLOURS[result.n_parts],
        groups=result.claim == GROUPS,
        answer=answer(result),
        # Drawn here from numbers and escaped names: markup of our own.
        figures={
            name: (Markup(as_svg(figure, for_page=True)), caption)  # noqa: S704
            for name, (figure, caption) in figures(result, beside).items()
        },
        profile=profile(result),
        collinear=[(readable(a), readable(b), r) for a, b, r in collinear(result.standardised)],
        readable=readable,
        factor_words=FACTOR_WORDS,
        evidence=result.evidence,
        excluded=list(result.excluded.items())[:LISTED],
        dropped=by_reason(result.dropped),
        gradient=GRADIENT_SILHOUETTE,
        starts=STARTS,
        max_missing=MAX_MISSING,
        coverage=COVERAGE,
        method=METHOD,
        command=command or f"usimg.cluster(features, clinical, random_state={result.random_state})",
        fingerprint=fingerprint(result),
        versions={name: version(name) for name in ("numpy", "scipy", "scikit-learn", "pandas")},
        listed=LISTED,
    )
    return write_page(path, html)


def answer(result: Phenotypes) -> str:
    """The claim for the top of the page; echo intensity of several devices comes before it."""
    return f"{result.said} {_claimed(result)}" if result.said else _claimed(result)


def _claimed(result: Phenotypes) -> str:
    n, features = len(result.labels), len(result.roles)
    about = f"{n} patients, {features} features"
    if result.claim == GROUPS:
        assumed = (
            ", assuming that what could not be checked does not matter" if result.assume_unconfounded else ""
        )
        return f"These patients form {result.k} groups along severity{assumed} ({about})."
    if result.tests.separation is None:
        return (
            f"Too few patients to tell groups from a continuum; the parts below cut their severity ({about})."
        )
    if result.claim == NO_GROUPS:
        return (
            "These patients lie on a continuum as far as can be seen; the two parts below are a cut through"
            f" it ({about})."
        )
    if result.claim == SEVERITY_SAYS_AS_MUCH:
        return (
            "These patients are separated, but the severity score says as much of the outcomes as the label"
            f" ({about})."
        )
    if result.claim.startswith(EXPLAINED):
        name = result.claim.removeprefix(EXPLAINED)
        return f"The two parts are explained by {FACTOR_WORDS.get(name, name)}, not by the disease ({about})."
    return f"There is a separation that may or may not be the disease: {result.claim} ({about})."


def fingerprint(result: Phenotypes) -> str:
    """SHA-256 of the standardised features, so that a reader knows that these are the same patients."""
    table = result.standardised.sort_index(key=lambda index: index.map(str))
    text = ",".join([*map(str, table.columns), *map(str, table.index)]).encode()
    return hashlib.sha256(text + np.round(table.to_numpy(), 9).tobytes()).hexdigest()


def by_reason(left_out: dict[str, str]) -> list[tuple[str, list[str]]]:
    """Reasons, the most frequent first, with the names left out for each."""
    reasons: dict[str, list[str]] = {}
    for name, why in left_out.items():
        reasons.setdefault(why, []).append(name)
    return sorted(reasons.items(), key=lambda item: -len(item[1]))


def _sizes(result: Phenotypes) -> list[int]:
    return [int(count) for count in np.bincount(result.ranks, minlength=result.n_parts)]
