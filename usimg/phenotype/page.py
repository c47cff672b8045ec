"""The page of one clustering: figures as numbers here, drawn by the template.

Without the claim "groups" the page speaks of parts of a continuum; Mild and Severe stay in the API.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.pages import render, write_page
from usimg.phenotype.clustering import STARTS
from usimg.phenotype.result import NAMES, Phenotypes
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
# Patients named under each table before the rest is only counted.
LISTED = 50


def write(result: Phenotypes, path: str | os.PathLike[str]) -> Path:
    """Write the page of a clustering."""
    parts = result.part_words
    html = render(
        "usimg.phenotype",
        "phenotypes.html.j2",
        result=result,
        parts=list(zip(parts, PART_COLOURS[result.n_parts], _sizes(result), strict=True)),
        severity=severity_histogram(result),
        profile=profile(result),
        silhouette=_silhouette_figure(result),
        excluded=list(result.excluded.items())[:LISTED],
        gradient=GRADIENT_SILHOUETTE,
        starts=STARTS,
        max_missing=MAX_MISSING,
    )
    return write_page(path, html)


def _ranks(result: Phenotypes) -> NDArray[np.int_]:
    """Rank of each patient's label (n,), 0 the least severe."""
    names = NAMES[result.n_parts]
    return np.array([names.index(label) for label in result.labels], dtype=np.int_)


def _sizes(result: Phenotypes) -> list[int]:
    return [int(count) for count in np.bincount(_ranks(result), minlength=result.n_parts)]


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
    scores, ranks = result.severity.to_numpy(), _ranks(result)
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
    """One feature: its mean z-score in each part, least severe first."""

    name: str
    role: str
    means: tuple[float, ...]


def profile(result: Phenotypes) -> list[ProfileRow]:
    """Features by role, then by how far the outer parts lie from each other."""
    ranks = _ranks(result)
    means = result.standardised.groupby(ranks).mean()  # (parts, features)
    rows = [
        ProfileRow(readable(name), ROLE_WORDS[result.roles[name]], tuple(means[name]))
        for name in result.standardised.columns
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


def _silhouette_figure(result: Phenotypes) -> dict[str, Any]:
    values = sorted(result.silhouettes.items())
    top = max(0.4, np.ceil(max(result.silhouettes.values()) * 10) / 10)
    low = min(0.0, np.floor(min(result.silhouettes.values()) * 10) / 10)
    ticks = np.round(np.arange(low, top + 0.01, 0.1), 1)
    return {
        "values": values,
        "low": low,
        "top": top,
        "ticks": [float(t) for t in ticks],
    }
