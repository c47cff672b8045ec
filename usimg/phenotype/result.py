"""What a clustering found, and the words for what it does not show."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

CLAIM = "no groups shown"
# Ordered names of the parts, least severe first.
NAMES = {
    2: ("Mild", "Severe"),
    3: ("Mild", "Moderate", "Severe"),
    4: ("Mild", "Moderate", "Marked", "Severe"),
    5: ("Mild", "Moderate", "Marked", "Severe", "Very severe"),
}
# Simulated gradients without any groups (one latent severity, loadings 0.5 to 0.7, normal, flat or skewed;
# n = 454, 22 features, k-means on z-scores, 40 cohorts of each kind): the best silhouette was at k = 2 in
# every run, 0.15 to 0.30 on average. tests/phenotype repeats the normal one.
GRADIENT_SILHOUETTE = (0.15, 0.30)
# The same for 8 patients and 17 features, 80 cohorts with loadings of 0.5 and 0.7: 5 to 95 %
# (tests/phenotype repeats it).
SMALL_GRADIENT_SILHOUETTE = (0.11, 0.43)
SMALL = 50

# What could support or forbid the claim "groups", and why it has not run.
_CONFOUNDERS = {"device": "device", "sex": "sex", "site": "site"}
_NOT_BUILT = "not run: this version has no such test"
_CHECKS = {
    "separation": "cross-fitted dip test of the axis between the parts",
    "stability": "the same parts in resampled patients",
    "outcomes": "whether the label tells more about outside outcomes than severity does",
}


def checks_not_run(clinical: pd.DataFrame | None) -> dict[str, str]:
    """Each check by name, and why it was not run."""
    checks = {name: f"{_NOT_BUILT} ({what})" for name, what in _CHECKS.items()}
    for name, column in _CONFOUNDERS.items():
        given = clinical is not None and column in clinical.columns
        checks[name] = (
            f"{_NOT_BUILT} (whether {name} explains the parts)"
            if given
            else f"not run: no column {column!r} was given in clinical"
        )
    return checks


def part_names(k: int) -> tuple[str, ...]:
    """Names of the parts of a continuum, least severe first.

    >>> part_names(2)
    ('lower part of severity', 'upper part of severity')
    """
    if k == 2:
        return ("lower part of severity", "upper part of severity")
    return tuple(f"part {i} of {k} along severity" for i in range(1, k + 1))


@dataclass(frozen=True, eq=False, kw_only=True)
class Phenotypes:
    """Patients in parts along severity, and what can be said of them.

    Attributes
    ----------
    labels : Series of str
        By patient: "Mild"/"Severe" for k = 2, ordered severity names otherwise.
    label_supported : Series of bool
        Whether the label stands for a group that was shown; all False in this version.
    severity : Series of float
        By patient: first principal component in SD, rising with thin and bright muscle.
    claim : str
        What was shown, in words.
    k : int
        Number of parts with the largest mean silhouette, of those tried.
    silhouette : float
        Mean silhouette at ``k``, -1 to 1.
    silhouettes : dict of int to float
        The same for every k tried.
    p_value : None
        No test of groups has run.
    checks : dict
        Check to "passed", "failed" or "not run", with the reason.
    excluded : dict
        Patient to the reason why there is no label.
    dropped : dict
        Column to the reason why it was not used.
    roles : dict
        Feature used to its role.
    standardised : DataFrame
        (patients, features) z-scores that were clustered.
    first_component_share : float
        Share of the variance on the severity axis, 0 to 1.
    random_state : int
        Seed that was used.
    notes : tuple of str
        Cautions of this run, as sentences.
    """

    labels: pd.Series
    label_supported: pd.Series
    severity: pd.Series
    claim: str
    k: int
    silhouette: float
    silhouettes: dict[int, float]
    p_value: float | None
    checks: dict[str, str]
    excluded: dict[object, str]
    dropped: dict[str, str]
    roles: dict[str, str]
    standardised: pd.DataFrame = field(repr=False)
    first_component_share: float
    random_state: int
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> pd.Series[str]:
        """Labels as a page or table names them while no groups are shown: parts of a continuum."""
        names = dict(zip(NAMES[self.k], part_names(self.k), strict=True))
        return self.labels.map(names).rename("part")

    @property
    def reason(self) -> str:
        """Why the claim is what it is, in a sentence or two."""
        low, high = GRADIENT_SILHOUETTE
        said = (
            f"k-means always splits, and a silhouette of {self.silhouette:.2f} at k = {self.k} does not show"
            " that there is anything to split: in simulated cohorts with a mere gradient of severity and no"
            f" groups at all, the best silhouette was at k = 2 every time, at {low:.2f} to {high:.2f} on"
            " average (454 patients, 22 features)."
        )
        if len(self.labels) < SMALL:
            least, most = SMALL_GRADIENT_SILHOUETTE
            said += (
                f" Small ones scatter more: {least:.2f} to {most:.2f} in nine of ten gradients of 8 patients."
            )
        return said + " No test that could tell groups from a gradient was run."

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write one self-contained HTML page and return where it lies."""
        from usimg.phenotype.page import write  # noqa: PLC0415  pages load jinja2; a result needs none

        return write(self, path)
