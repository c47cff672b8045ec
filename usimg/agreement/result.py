"""What a comparison found: numbers with their intervals, and what gave none and why."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from usimg.agreement.bland_altman import Limits
from usimg.agreement.components import Component
from usimg.agreement.icc import Interval
from usimg.agreement.table import REREAD, Comparison, Excluded


@dataclass(frozen=True)
class Error:
    """Standard error of measurement and smallest detectable change, of one kind.

    Attributes
    ----------
    kind : str
        ``re-reading``, ``re-scan, sessions``, ... : what would be done again.
    images : int
        How many the value is a mean of.
    sem, mdc95 : Interval
        NaN where `reason` says why.
    any_reader : (float, float)
        Interval of the MDC95 for other readers than these; NaN where not given.
    reason : str
    """

    kind: str
    images: int
    sem: Interval
    mdc95: Interval
    any_reader: tuple[float, float] = (float("nan"), float("nan"))
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to measure a patient, and its error."""

    sessions: int
    images: int
    readers: int
    sem: Interval
    mdc95: Interval


@dataclass(frozen=True)
class Level:
    """One reader, repeat, session or method.

    Attributes
    ----------
    name : str
    n_values, failed, marked : int
        Values; outlines without one; values marked as failed.
    unedited : float
        Share of starting outlines left as they were; NaN where not known.
    """

    name: str
    n_values: int
    failed: int
    marked: int
    unedited: float


@dataclass(frozen=True)
class Close:
    """Share of pairs of values within 10 % of their mean: of those measured, and with failures as misses."""

    measured: float
    with_failures: float
    pairs: int
    failures: int


@dataclass(frozen=True)
class Estimate:
    """Agreement of one structure, site, side and measure.

    Attributes
    ----------
    comparison : Comparison
        What was compared.
    failures : str
        ``counted`` or ``left out``: what was done with values marked as failed; empty where none is.
    patients, incomplete : int
        Patients with a value of every level, and those who lack one.
    images : str
        What one value is, e.g. ``mean of 3 images``.
    mean, between_sd : float
        Of all values; SD of the patients' true values.
    icc : dict
        ``ICC(2,1)``, ``ICC(2,k)``, ``ICC(3,1)`` -> Interval.
    errors : list of Error
    components : list of Component
    plans : list of Plan
        What to average.
    pairs : list of Limits
        Each two levels.
    levels : list of Level
    close : Close
    notes : list of str
    """

    comparison: Comparison
    failures: str
    patients: int
    incomplete: int
    images: str
    mean: float
    between_sd: float
    icc: dict[str, Interval]
    errors: list[Error]
    components: list[Component]
    plans: list[Plan]
    pairs: list[Limits]
    levels: list[Level]
    close: Close
    notes: list[str]

    @property
    def name(self) -> str:
        """In words."""
        said = {"counted": "failed outlines counted", "left out": "failed outlines left out"}
        return ", ".join(filter(None, (self.comparison.name, said.get(self.failures, ""))))


@dataclass(frozen=True, slots=True)
class OutlineAgreement:
    """How alike the outlines of two levels are.

    Attributes
    ----------
    name, first, second : str
    patients, pictures : int
        With both outlines.
    lacking : int
        Pictures in which one of the two found none.
    dice : Interval
        Mean.
    dice_p10, dice_with_failures : float
        Tenth percentile; mean with 0 where an outline is lacking.
    hausdorff95_mm, hausdorff95_mm_p90 : float
        Median and 90th percentile.
    identical : float
        Share of outlines that are the same to the last vertex.
    """

    name: str
    first: str
    second: str
    patients: int
    pictures: int
    lacking: int
    dice: Interval
    dice_p10: float
    dice_with_failures: float
    hausdorff95_mm: float
    hausdorff95_mm_p90: float
    identical: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """A way to get old numbers from new ones, and how well it does.

    Attributes
    ----------
    measure, definition, rule, fitted : str
        Old = `rule` applied to `definition`; `fitted` is its number.
    patients, n_values : int
    error_percent, bias_percent : float
        Typical error in patients left out of the fit; mean error.
    best, as_good : bool
        The plainest of the best; one that cannot be told from the best.
    """

    measure: str
    definition: str
    rule: str
    fitted: str
    patients: int
    n_values: int
    error_percent: float
    bias_percent: float
    best: bool
    as_good: bool

    @property
    def sentence(self) -> str:
        """In words."""
        number = "" if self.rule in ("as it is", f"times {self.fitted}") else f" ({self.fitted})"
        return (
            f"the old numbers fit {self.definition} {self.rule}{number} best, to {self.error_percent:.1f} %"
            f" ({self.patients} patients)"
        )


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A value without a partner: ``old`` or ``new``, what it is, and why."""

    side: str
    name: str
    reason: str


@dataclass(frozen=True)
class Agreement:
    """All of one comparison.

    Attributes
    ----------
    between : str
        Readers, repeats, ...
    estimates : list of Estimate
    outlines : list of OutlineAgreement
    excluded : list of Excluded
        What gave no numbers, and why.
    notes : list of str
        What holds for all of it.
    explanations : list of Explanation
        Of old numbers, best first within a measure.
    unmatched : list of Unmatched
        Old and new values without a partner.
    """

    between: str
    estimates: list[Estimate]
    outlines: list[OutlineAgreement] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    explanations: list[Explanation] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)

    @property
    def what_was_repeated(self) -> str:
        """Whether stored images were read again or patients scanned again, as the page's header says."""
        if self.between not in REREAD:
            return "Patients were scanned again."
        if any(len(set(one.comparison.rows["session"])) > 1 for one in self.estimates):
            return "Stored images were read again; patients were also scanned in several sessions."
        return "Stored images were read again; no patient was scanned again."

    def tables(self) -> dict[str, pd.DataFrame]:
        """The numbers as tables, by name; see `usimg.agreement.tables`."""
        from usimg.agreement.tables import tables  # noqa: PLC0415  tables know this class

        return tables(self)

    def report(self, folder: str | os.PathLike[str], *, command: str = "") -> Path:
        """Write ``agreement.html``, its tables as CSV and its figures as SVG; returns the page."""
        from usimg.agreement.page import write  # noqa: PLC0415  the page knows this class

        return write(self, Path(folder), command)
