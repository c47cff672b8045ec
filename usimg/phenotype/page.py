"""The page of one clustering: figures as numbers here, drawn by the template.

Without the claim "groups" the page speaks of parts of a continuum; Mild and Severe stay in the API.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usimg.pages import render, write_page
from usimg.phenotype import claim, confounders, evidence, separation
from usimg.phenotype.claim import EXPLAINED, GROUPS, NO_GROUPS, SEVERITY_SAYS_AS_MUCH, STABLE
from usimg.phenotype.clustering import STARTS
from usimg.phenotype.result import Phenotypes
from usimg.phenotype.silhouette import silhouettes
from usimg.phenotype.table import MAX_MISSING
from usimg.phenotype.wording import GRADIENT_SILHOUETTE

# Okabe-Ito: told apart by colour-blind people, and in grey print by their lightness.
PART_COLOURS = {
    2: ("#56B4E9", "#D55E00"),
    3: ("#56B4E9", "#E69F00", "#D55E00"),
    4: ("#56B4E9", "#009E73", "#E69F00", "#D55E00"),
    5: ("#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7"),
}
ROLE_WORDS = {
    "muscle_thickness": "muscle thickness",
    "muscle_echo": "muscle echo intensity",
    "muscle_csa": "muscle area",
    "nerve_csa": "nerve area",
    "fat": "fat",
    "other": "other",
}
UNITS = {"mm": "mm", "mm2": "mm\N{SUPERSCRIPT TWO}"}
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
# Shares of subsamples; the last bin holds those who never changed sides.
STABILITY_EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.999, 1.001)
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
}
# Patients named under each table before the rest is only counted.
LISTED = 50


def write(result: Phenotypes, path: str | os.PathLike[str], command: str = "") -> Path:
    """Write the page of a clustering; `command` is what a reader types to make it again."""
    ranks = ranks_of(result)
    html = render(
        "usimg.phenotype",
        "phenotypes.html.j2",
        result=result,
        parts=list(zip(result.part_words, PART_COLOURS[result.n_parts], _sizes(result), strict=True)),
        colours=PART_COLOURS[result.n_parts],
        groups=result.claim == GROUPS,
        answer=answer(result),
        severity=severity_histogram(result),
        map=patient_map(result),
        widths=silhouette_bars(result),
        stability=np.histogram(result.stability, STABILITY_EDGES)[0].tolist(),
        stable=STABLE,
        profile=profile(result),
        factor_words=FACTOR_WORDS,
        evidence=result.evidence,
        excluded=list(result.excluded.items())[:LISTED],
        dropped=by_reason(result.dropped),
        gradient=GRADIENT_SILHOUETTE,
        starts=STARTS,
        max_missing=MAX_MISSING,
        method=METHOD,
        least=int(np.bincount(ranks).min()),
        command=command or f"usimg.cluster(features, clinical, random_state={result.random_state})",
        fingerprint=fingerprint(result),
    )
    return write_page(path, html)


def answer(result: Phenotypes) -> str:
    """The claim as one sentence for the top of the page."""
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


@dataclass(frozen=True)
class Map:
    """Patients on the first two principal components.

    ``points`` hold x, y, rank of the part and whether the patient is borderline; ``shares`` the share of
    variance of each component.
    """

    points: tuple[tuple[float, float, int, bool], ...]
    shares: tuple[float, float]
    reach: float


def patient_map(result: Phenotypes) -> Map:
    """Each patient at severity and the second component, in SD of the patients on the first."""
    X = result.standardised.to_numpy()
    left, spread, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    first = X @ result.axis.to_numpy()
    # Both in the unit of the first, so that the cloud has its shape.
    second = left[:, 1] * np.sqrt(len(X)) * spread[1] / spread[0]
    shares = spread**2 / (spread**2).sum()
    doubts = result.borderline.loc[result.standardised.index]
    points = zip(first, second, ranks_of(result), doubts, strict=True)
    reach = float(max(np.abs(first).max(), np.abs(second).max()) * 1.05)
    return Map(
        tuple((float(x), float(y), int(rank), bool(doubt)) for x, y, rank, doubt in points),
        (float(shares[0]), float(shares[1])),
        reach,
    )


@dataclass(frozen=True)
class Widths:
    """Silhouettes of the patients of one part, widest first."""

    values: tuple[float, ...]
    mean: float
    negative: int


def silhouette_bars(result: Phenotypes) -> list[Widths]:
    """Silhouettes of every patient by part, least severe first."""
    ranks = ranks_of(result)
    widths = silhouettes(result.standardised.to_numpy(), ranks)
    return [
        Widths(
            tuple(sorted(map(float, widths[ranks == part]), reverse=True)),
            float(widths[ranks == part].mean()),
            int((widths[ranks == part] < 0).sum()),
        )
        for part in range(result.n_parts)
    ]


def ranks_of(result: Phenotypes) -> NDArray[np.int_]:
    """Rank of each label (n,), 0 the least severe, of the patients who have all features."""
    return np.asarray(result.ranks.loc[result.standardised.index], dtype=np.int_)


def _sizes(result: Phenotypes) -> list[int]:
    return [int(count) for count in np.bincount(result.ranks, minlength=result.n_parts)]


@dataclass(frozen=True)
class Bar:
    """A part's patients in one bin of severity: ``low`` to ``high`` SD, ``base`` to ``top`` patients."""

    low: float
    high: float
    base: int
    top: int
    part: int


@dataclass(frozen=True)
class Histogram:
    """Stacked bars over severity, with ticks in SD and in patients."""

    bars: tuple[Bar, ...]
    low: float
    high: float
    top: int
    count_ticks: tuple[int, ...]


def severity_histogram(result: Phenotypes) -> Histogram:
    """Patients per half SD of severity, parts stacked."""
    scores, ranks = result.severity.to_numpy(), result.ranks.to_numpy()
    width = 0.5
    first, last = np.floor(scores.min() / width), np.floor(scores.max() / width) + 1
    edges = np.arange(first, last + 1) * width
    counts = np.stack([np.histogram(scores[ranks == part], edges)[0] for part in range(result.n_parts)])
    tops = counts.cumsum(axis=0)  # (parts, bins)
    bars = tuple(
        Bar(
            float(edges[b]),
            float(edges[b + 1]),
            int(tops[part, b] - counts[part, b]),
            int(tops[part, b]),
            part,
        )
        for part in range(result.n_parts)
        for b in range(len(edges) - 1)
        if counts[part, b]
    )
    highest = int(tops[-1].max())
    return Histogram(bars, float(edges[0]), float(edges[-1]), highest, _count_ticks(highest))


def _count_ticks(highest: int) -> tuple[int, ...]:
    step = next(s for m in (1, 10, 100, 1000, 10_000) for s in (m, 2 * m, 5 * m) if highest <= 4 * s)
    return tuple(range(0, highest + 1, step))


@dataclass(frozen=True)
class ProfileRow:
    """One feature: its mean z-score in each part, least severe first; Hedges' g of the outer parts."""

    name: str
    role: str
    means: tuple[float, ...]
    g: float
    g_interval: tuple[float, float]


def profile(result: Phenotypes) -> list[ProfileRow]:
    """Features by role, then by how far the outer parts lie from each other."""
    ranks = ranks_of(result)
    means = result.standardised.groupby(ranks).mean()  # (parts, features)
    rows = [
        ProfileRow(
            readable(name),
            ROLE_WORDS[result.roles[name]],
            tuple(means[name]),
            *hedges(column[ranks == 0], column[ranks == ranks.max()]),
        )
        for name in result.standardised.columns
        for column in [result.standardised[name].to_numpy()]
    ]
    order = list(ROLE_WORDS.values())
    return sorted(rows, key=lambda r: (order.index(r.role), -abs(r.means[-1] - r.means[0]), r.name))


def readable(column: str) -> str:
    """A column of the wide table in words.

    >>> readable("biceps_brachii__mid_upper_arm__left__thickness_mm")
    'biceps brachii, mid upper arm, left, thickness (mm)'
    """
    words = ", ".join(re.sub(r"_+", " ", part).strip() for part in column.split("__") if part)
    return re.sub(r" (mm2?)$", lambda unit: f" ({UNITS[unit[1]]})", words)


def hedges(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[float, tuple[float, float]]:
    """Hedges' g of two samples and its normal 95 % interval (Hedges and Olkin 1985)."""
    n, m = len(low), len(high)
    freedom = n + m - 2
    pooled = ((low - low.mean()) ** 2).sum() + ((high - high.mean()) ** 2).sum()
    if freedom < 1 or pooled <= 0:
        return float("nan"), (float("nan"), float("nan"))
    g = (high.mean() - low.mean()) / np.sqrt(pooled / freedom) * (1 - 3 / (4 * freedom - 1))
    error = 1.96 * np.sqrt((n + m) / (n * m) + g**2 / (2 * (n + m)))
    return float(g), (float(g - error), float(g + error))
