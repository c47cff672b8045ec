"""Change of one named measure over time, against the error with which it is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from usimg.errors import StudyRefused
from usimg.phenotype.clinical import DAYS_A_MONTH
from usimg.study.delimited import day

UNDECIDABLE = "not decidable"


@dataclass(frozen=True, eq=False)
class Change:
    """Change of the one primary measure.

    Attributes
    ----------
    measure : str
    error : float
        Standard error of measurement between sessions of the averaged measure, in its unit.
    level : float
        Of the intervals, 0.95.
    table : DataFrame
        By subject: ``visits``, ``months``, ``change_per_month``, ``low``, ``high``, ``says`` ("falls",
        "rises" or "not decidable").
    """

    measure: str
    error: float
    level: float
    table: pd.DataFrame

    @property
    def sentence(self) -> str:
        """The table in words."""
        counts = self.table["says"].value_counts()
        decided = ", ".join(f"{counts[word]} {word}" for word in ("falls", "rises") if word in counts)
        return (
            f"{self.measure} of {len(self.table)} patients with several visits: {decided or 'none changes'},"
            f" {counts.get(UNDECIDABLE, 0)} {UNDECIDABLE} (within the measurement's error between sessions of"
            f" {self.error:g}; {self.level:.0%} intervals)."
        )


def change(rows: pd.DataFrame, measure: str, error: float, *, level: float = 0.95) -> Change:
    """Slope of one measure over the visits of each patient, with an interval from the known error.

    The slope is the least-squares one; with two visits it is the difference over the months between them.
    Its standard error is ``error / sqrt(sum (t - mean t) ** 2)``, which for two visits is
    ``sqrt(2) * error`` over the months: the change must exceed the minimal detectable change (Weir 2005).
    That the residuals of few visits look smaller than the error is chance and is not used.

    Parameters
    ----------
    rows : DataFrame
        ``subject``, ``visit`` (dates) and the measure; all visits.
    measure : str
        Column: the one primary measure, named before looking.
    error : float
        Between-session standard error of measurement of the measure as it is averaged here.
    level : float

    Raises
    ------
    StudyRefused
        No such column, visits that are no dates, an error that is none, nobody seen twice.
    """
    if measure not in rows:
        raise StudyRefused(f"there is no measure {measure!r}; it is a column of the table of patients")
    if not 0 < error < 1e6:
        raise StudyRefused(
            f"--error {error:g} is no standard error of measurement; usimg agreement gives it (between"
            " sessions, of the average that the protocol takes)"
        )
    seen = rows[["subject", "visit", measure]].dropna()
    months = [_months(str(visit)) for visit in seen["visit"]]
    seen = seen.assign(months=months)
    width = float(norm.ppf(0.5 + level / 2))
    found = {}
    for subject, own in seen.groupby("subject"):
        t, y = own["months"].to_numpy(dtype=np.float64), own[measure].to_numpy(dtype=np.float64)
        spread = float(((t - t.mean()) ** 2).sum())
        if len(t) < 2 or spread == 0:
            continue
        slope = float((t - t.mean()) @ y / spread)
        half = width * error / np.sqrt(spread)
        says = "falls" if slope + half < 0 else "rises" if slope - half > 0 else UNDECIDABLE
        found[subject] = (len(t), float(np.ptp(t)), slope, slope - half, slope + half, says)
    if not found:
        raise StudyRefused(f"nobody has {measure} at two visits")
    columns = ["visits", "months", "change_per_month", "low", "high", "says"]
    table = pd.DataFrame.from_dict(found, orient="index", columns=columns).rename_axis("subject")
    return Change(measure, error, level, table)


def _months(visit: str) -> float:
    try:
        return day(visit).toordinal() / DAYS_A_MONTH
    except ValueError:
        raise StudyRefused(f"change over time needs visits named by their date; {visit!r} is none") from None
