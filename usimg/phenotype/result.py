"""What a clustering found, and the words for what it does not show."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from usimg.phenotype.claim import GROUPS, STABLE, Tests

if TYPE_CHECKING:
    from usimg.phenotype.evidence import Evidence
    from usimg.phenotype.imputation import Imputed
    from usimg.phenotype.meaning import Meaning
    from usimg.phenotype.missing import Missingness
    from usimg.phenotype.recipe import Preparation, Recipe

# Ordered names of the parts, least severe first.
NAMES = {
    2: ("Mild", "Severe"),
    3: ("Mild", "Moderate", "Severe"),
    4: ("Mild", "Moderate", "Marked", "Severe"),
    5: ("Mild", "Moderate", "Marked", "Severe", "Very severe"),
}


def part_names(k: int) -> tuple[str, ...]:
    """Names of the parts of a continuum, least severe first.

    >>> part_names(2)
    ('lower part of severity', 'upper part of severity')
    """
    if k == 2:
        return ("lower part of severity", "upper part of severity")
    return tuple(f"part {i} of {k} along severity" for i in range(1, k + 1))


@dataclass(frozen=True, eq=False)
class Given:
    """What `usimg.cluster` was called with, so that it can be called again with one thing changed."""

    features: pd.DataFrame
    clinical: pd.DataFrame | None
    roles: Mapping[str, str] | None
    random_state: int
    assume_unconfounded: bool
    preparation: Preparation


@dataclass(frozen=True, eq=False, kw_only=True)
class Phenotypes:
    """Patients in parts along severity, and what can be said of them.

    Attributes
    ----------
    labels : Series of str
        By patient: "Mild"/"Severe" for k = 2, ordered severity names otherwise.
    label_supported : Series of bool
        Whether the label stands for a group that was shown, and the patient is not borderline.
    severity : Series of float
        By patient: first principal component in SD, rising with thin and bright muscle.
    stability : Series of float
        By patient: share of 80 % subsamples that agree on the part (of two); under 0.8 is borderline. Of a
        patient who lacks features: share of the completions that fall into the part.
    claim : str
        "groups", "separated, not checked for ...", "separated, but severity says as much",
        "explained by ..." or "no groups shown".
    k : int
        Number of groups; 1 where none are shown. The labels then are those of two parts.
    silhouettes : dict of int to float
        Mean silhouette for every k tried, -1 to 1.
    tests : Tests
        What the claim rests on, in numbers.
    excluded : dict
        Patient to the reason why there is no label.
    dropped : dict
        Column to the reason why it was not used.
    roles : dict
        Feature used to its role.
    standardised : DataFrame
        (patients, features) z-scores that were clustered: of the patients who have all features.
    incomplete : DataFrame
        The same of labelled patients who lack some; their labels come from multiple imputation.
    clinical : DataFrame
        What was given of the labelled patients.
    partitions : DataFrame of int
        (patients, k) part of each clustered patient for every k tried, 0 the least severe.
    axis : Series of float
        By feature: ``standardised @ axis`` is severity.
    centres : DataFrame
        (parts, features) mean z-scores of the parts, least severe first.
    recipe : Recipe
        What brought the features to this scale.
    said : str
        A sentence about echo intensity of several devices, for the top of a report; else empty.
    controls : int
        How many controls were taken out.
    first_component_share : float
        Share of the variance on the severity axis, 0 to 1.
    random_state : int
        Seed that was used.
    assume_unconfounded : bool
        Whether device and sex were assumed not to matter where they could not be checked.
    notes : tuple of str
        Cautions of this run, as sentences.
    given : Given
        What was asked.
    """

    labels: pd.Series
    label_supported: pd.Series
    severity: pd.Series
    stability: pd.Series
    claim: str
    k: int
    silhouettes: dict[int, float]
    tests: Tests = field(repr=False)
    excluded: dict[object, str]
    dropped: dict[str, str]
    roles: dict[str, str]
    standardised: pd.DataFrame = field(repr=False)
    incomplete: pd.DataFrame = field(repr=False)
    clinical: pd.DataFrame = field(repr=False)
    partitions: pd.DataFrame = field(repr=False)
    axis: pd.Series = field(repr=False)
    centres: pd.DataFrame = field(repr=False)
    recipe: Recipe = field(repr=False)
    said: str
    controls: int
    first_component_share: float
    random_state: int
    assume_unconfounded: bool = False
    notes: tuple[str, ...] = ()
    given: Given = field(repr=False)

    @property
    def n_parts(self) -> int:
        """Number of parts that the labels speak of: k, and 2 where no groups are shown."""
        return max(self.k, 2)

    @property
    def silhouette(self) -> float:
        """Mean silhouette of the parts that the labels speak of."""
        return self.silhouettes[self.n_parts]

    @property
    def p_value(self) -> float | None:
        """Largest p that the claim needs: of separation, and of separation within each factor."""
        return self.tests.p_value

    @property
    def checks(self) -> dict[str, str]:
        """Check to "passed", "failed" or "not run", and why."""
        return self.tests.checks

    @property
    def ranks(self) -> pd.Series[int]:
        """Labels as numbers, 0 the least severe."""
        return self.labels.map(list(NAMES[self.n_parts]).index).rename("rank")

    @property
    def mean_z(self) -> pd.Series[float]:
        """A plainer severity of each patient: mean z-score of what orients, thin and bright positive."""
        from usimg.phenotype.table import mean_z  # noqa: PLC0415  `table` is loaded with `cluster` alone

        return mean_z(pd.concat([self.standardised, self.incomplete]), self.roles).loc[self.labels.index]

    @property
    def borderline(self) -> pd.Series[bool]:
        """Patients whose part changes in more than a fifth of the subsamples."""
        return (self.stability < STABLE).rename("borderline")

    @property
    def parts(self) -> pd.Series[str]:
        """Labels as a page or table names them: parts of a continuum unless groups are shown."""
        if self.claim == GROUPS:
            return self.labels.rename("part")
        names = dict(zip(NAMES[self.n_parts], part_names(self.n_parts), strict=True))
        return self.labels.map(names).rename("part")

    @property
    def part_words(self) -> tuple[str, ...]:
        """Names of the parts, least severe first, as `parts` uses them."""
        return NAMES[self.n_parts] if self.claim == GROUPS else part_names(self.n_parts)

    @cached_property
    def evidence(self) -> Evidence | None:
        """Silhouettes, gap, prediction strength, resampling, second opinions, power: seconds, made once.

        None for fewer than 20 patients.
        """
        from usimg.phenotype.evidence import evidence  # noqa: PLC0415  the claim needs none of it

        table = self.standardised.sort_index(key=lambda index: index.map(str))
        ranks = np.asarray(self.ranks.loc[table.index], dtype=np.int_)
        return evidence(table.to_numpy(), ranks, self.silhouettes, self.random_state)

    @cached_property
    def missingness(self) -> Missingness | None:
        """Which values are missing together, and whether those who lack them are iller; None without any."""
        from usimg.phenotype.missing import missingness  # noqa: PLC0415  the claim needs none of it

        return missingness(self)

    @cached_property
    def imputed(self) -> Imputed | None:
        """The separation of all patients, missing values completed several times; None without any."""
        from usimg.phenotype.imputation import imputed  # noqa: PLC0415  the claim needs none of it

        table = self.standardised.sort_index(key=lambda index: index.map(str))
        return imputed(table, self.incomplete, self.random_state)

    @cached_property
    def meanings(self) -> tuple[Meaning, ...]:
        """Outcomes on the part and on severity, adjusted; needs statsmodels (``usimg[stats]``)."""
        from usimg.phenotype.meaning import meanings  # noqa: PLC0415  the claim needs none of it

        return meanings(self)

    @property
    def reason(self) -> str:
        """Why the claim is what it is, in a few sentences."""
        from usimg.phenotype.wording import reason  # noqa: PLC0415  it needs this module's class

        return reason(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write what places new patients and later visits: JSON, read by ``usimg cluster --assign``.

        Raises
        ------
        StudyRefused
            Echo intensity was standardised by device, with people who are not in the model.
        """
        from usimg.phenotype.model import Model  # noqa: PLC0415  the claim needs none of it

        return Model.of(self).save(path)

    def report(self, path: str | os.PathLike[str], *, command: str = "") -> Path:
        """Write one self-contained HTML page and return where it lies.

        Parameters
        ----------
        path : path
            The file to write.
        command : str
            What was typed, for the page's section on making it again.
        """
        from usimg.phenotype.page import write  # noqa: PLC0415  pages load jinja2; a result needs none

        return write(self, path, command)
