"""What is missing, in which pattern, and whether those who lack values are iller."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from usimg.phenotype.result import Phenotypes

PERMUTATIONS = 1999
# Patterns listed before the rest is only counted.
LISTED = 8
# What is compared beside severity: numbers of the clinical table.
COMPARED = ("alsfrs_r", "age", "months_since_onset")
# Fewer patients on one side say nothing; chosen here.
FEWEST = 5


@dataclass(frozen=True)
class Pattern:
    """Features that are missing together, and in how many patients."""

    features: tuple[str, ...]
    patients: int


@dataclass(frozen=True)
class Compared:
    """Patients who lack values against those who do not, in one number.

    ``p`` is a permutation p of the difference of the means.
    """

    name: str
    n_missing: int
    n_complete: int
    mean_missing: float
    mean_complete: float
    p: float

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        differ = "differ" if self.p <= 0.05 else "do not differ detectably"
        return (
            f"In {self.name.replace('_', ' ')} they {differ}: mean {self.mean_missing:.2f} of"
            f" {self.n_missing} who lack values, {self.mean_complete:.2f} of {self.n_complete} who lack none"
            f" (permutation p = {self.p:.2g})."
        )


@dataclass(frozen=True)
class Missingness:
    """Patterns of missing values, the most frequent first, and who has them."""

    patterns: tuple[Pattern, ...]
    compared: tuple[Compared, ...]


def missingness(result: Phenotypes) -> Missingness | None:
    """Patterns and comparisons of a clustering; None where no value of a feature used is missing."""
    given = result.given.features
    # Controls and those without a fact to adjust for are left out for other reasons than a missing value.
    gone = [
        patient
        for patient, why in result.excluded.items()
        if why.startswith("no value") and patient in given.index
    ]
    people = [*result.labels.index, *gone]
    gaps = given.loc[people, [name for name in given.columns if str(name) in result.roles]].isna()
    if not gaps.to_numpy().any():
        return None
    names = [str(name) for name in gaps.columns]
    rows = gaps[gaps.any(axis=1)]
    counts = Counter(
        tuple(name for name, gap in zip(names, row, strict=True) if gap) for row in rows.to_numpy()
    )
    patterns = tuple(Pattern(features, n) for features, n in counts.most_common())
    lacks = gaps.any(axis=1)
    rng = np.random.default_rng([result.random_state, 21])
    numbers = {"severity": result.severity.reindex(lacks.index)}
    for name in COMPARED:
        if name in result.clinical.columns:
            values = pd.to_numeric(result.clinical[name], errors="coerce")
            numbers[name] = values.reindex(lacks.index)
    compared = [
        found
        for name, values in numbers.items()
        if (found := _compared(name, values, lacks, rng)) is not None
    ]
    return Missingness(patterns, tuple(compared))


def _compared(
    name: str, values: pd.Series, lacks: pd.Series[bool], rng: np.random.Generator
) -> Compared | None:
    known = values.notna()
    y, group = values[known].to_numpy(dtype=np.float64), lacks[known].to_numpy()
    n, m = int(group.sum()), int((~group).sum())
    if min(n, m) < FEWEST:
        return None
    shuffled = np.argsort(rng.random((PERMUTATIONS, len(y))), axis=1) < n  # (r, patients): who is drawn
    means = (shuffled @ y) / n
    overall = y.mean()
    observed = abs(y[group].mean() - overall)
    p = (1 + (np.abs(means - overall) >= observed - 1e-12).sum()) / (1 + PERMUTATIONS)
    return Compared(name, n, m, float(y[group].mean()), float(y[~group].mean()), float(p))
