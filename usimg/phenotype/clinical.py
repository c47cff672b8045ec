"""The clinical table: what people know of each patient, joined to the visit of the scan.

``clinical.csv`` has ``subject`` and any of these; other columns are kept and not used:

================== =================================================================================
date               of this line; a patient may have several lines, the one nearest to the scan counts
visit              instead of a date: the same words as the scans' visits
group              ``control`` for healthy people, who are a reference and are not clustered
device, settings   scanner, and its preset where several are in use
sex, age           age in years at the visit
height_cm          or ``height``
onset              region of onset: bulbar, upper limb, lower limb, respiratory
onset_date         of the first symptom; or ``months_since_onset``
site               hospital
alsfrs_r_q1 ...    items 0 to 4 (``q5a`` or ``q5b``); or ``alsfrs_r``, the total
mmt, cmap_mv       strength as a sum, and amplitude in mV
gastrostomy        1 or 0
================== =================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from usimg.errors import StudyRefused
from usimg.phenotype.scales import scored
from usimg.study.delimited import day, number, read_rows

# Days between a scan and a clinical line that may lie apart. ALSFRS-R falls by about 1 point a month
# (reference 5.1), so that 90 days cost 3 points of 48; chosen here.
WINDOW_DAYS = 90
# Facts that no visit changes: taken from any of a patient's lines.
LASTING = ("group", "sex", "height", "height_cm", "onset", "onset_date", "site")
DAYS_A_MONTH = 365.25 / 12
# Names that other programs give the same columns.
_SAME = {"alsfrs_r_total": "alsfrs_r", "onset_site": "onset", "age_years": "age", "mmt_sum": "mmt"}
_SAME |= {"cmap_amplitude_mv": "cmap_mv", "device_id": "device"}
_DATES = ("date", "onset_date")


@dataclass(frozen=True)
class Joined:
    """One clinical row per patient, and how it was found.

    Attributes
    ----------
    table : DataFrame
        By subject, in the order of the visits.
    window_days : int
    outside : int
        Patients whose nearest line lies too far from the scan: they keep lasting facts alone.
    absent : int
        Patients without any line.
    by : str
        ``"date"``, ``"visit"`` or ``"patient"``.
    """

    table: pd.DataFrame
    window_days: int
    outside: int
    absent: int
    by: str

    @property
    def sentence(self) -> str:
        """The join in words."""
        how = {
            "date": f"the line nearest to the scan, at most {self.window_days} days from it",
            "visit": "the line of the same visit",
            "patient": "one line a patient, whose date was not looked at",
        }[self.by]
        said = f"Clinical facts: {how}."
        if self.outside:
            said += f" {self.outside} patients have none in that window and keep lasting facts only."
        if self.absent:
            said += f" {self.absent} patients have no clinical line."
        return said


def read_clinical(path: Path) -> pd.DataFrame:
    """A clinical table by subject; numbers as numbers, dates as dates.

    Raises
    ------
    StudyRefused
        No column ``subject``, or a date that is none.
    """
    lines = list(read_rows(path, required=("subject",)))
    if not lines:
        raise StudyRefused(f"{path.name} names columns and no patient")
    table = pd.DataFrame([row for _, row in lines]).replace("", None)
    table = table.rename(columns={old: new for old, new in _SAME.items() if new not in table.columns})
    for name in table.columns.difference(["subject", "visit"]):
        if name in _DATES:
            table[name] = [
                _day(path, line, name, text) for (line, _), text in zip(lines, table[name], strict=True)
            ]
            continue
        try:
            table[name] = [number(text) if isinstance(text, str) else float("nan") for text in table[name]]
        except ValueError:
            continue  # words: a device, a sex
    return table.set_index("subject")


def joined(
    clinical: pd.DataFrame,
    visits: pd.Series[str],
    *,
    window_days: int = WINDOW_DAYS,
    dates: Mapping[tuple[str, str], str] | None = None,
) -> Joined:
    """The clinical row that belongs to each patient's scan, with scales and stages.

    Parameters
    ----------
    clinical : DataFrame
        Of `read_clinical`.
    visits : Series of str
        By patient: visit of the scan, a date or words; empty where there is none.
    window_days : int
        How far from the scan a dated line may lie.
    dates : mapping, optional
        (subject, visit) to its date, where visits are not named by it.

    Raises
    ------
    StudyRefused
        No patient of the scans in it, or several lines of one and nothing that chooses between them.
    """
    known = clinical[clinical.index.isin(visits.index)]
    if known.empty:
        raise StudyRefused(
            f"the clinical table shares no subject with the scans: it has {clinical.index[0]!r}, they have"
            f" {visits.index[0]!r}; both name people by their study id"
        )
    named = [(dates or {}).get((str(who), str(visit)), visit) for who, visit in visits.items()]
    days = pd.Series([_as_day(text) for text in named], index=visits.index, dtype=object)
    dated = "date" in known and known["date"].notna().any() and days.notna().any()
    by_visit = not dated and "visit" in known and visits.isin(set(known["visit"].dropna())).any()
    outside = 0
    if dated:
        line = known.assign(apart=_days_apart(known, days)).sort_values("apart", kind="stable")
        line = line[~line.index.duplicated()]
        far = line["apart"].isna() | (line["apart"] > window_days)
        changing = [name for name in line.columns if name not in LASTING]
        line.loc[far, changing] = None
        outside, line = int(far.sum()), line.drop(columns="apart")
    elif by_visit:
        line = known[known["visit"] == visits.reindex(known.index)]
    else:
        line = known
    if line.index.has_duplicates:
        twice = line.index[line.index.duplicated()][0]
        raise StudyRefused(
            f"clinical table: {twice} has several lines; give the scans' visits as dates and each line its"
            " date, or write the same visit in both"
        )
    lasting = [name for name in LASTING if name in known.columns]
    table = line.reindex(visits.index)
    anywhere = known[lasting].groupby(level=0).first().reindex(visits.index)
    for name in lasting:
        table[name] = table[name].where(table[name].notna(), anywhere[name])
    table = _with_duration(table, days)
    return Joined(
        scored(table.drop(columns=[name for name in ("date", "visit") if name in table])),
        window_days,
        outside,
        int((~visits.index.isin(known.index)).sum()),
        "date" if dated else "visit" if by_visit else "patient",
    )


def _with_duration(table: pd.DataFrame, days: pd.Series) -> pd.DataFrame:
    """``months_since_onset`` at the scan, from a date of onset; the date itself goes no further."""
    if "onset_date" not in table:
        return table
    if "months_since_onset" not in table:
        since = table["date"] if "date" in table else pd.Series(None, index=table.index)
        until = days.where(days.notna(), since)
        table["months_since_onset"] = [
            (end - start).days / DAYS_A_MONTH if isinstance(end, date) and isinstance(start, date) else None
            for end, start in zip(until, table["onset_date"], strict=True)
        ]
        table["months_since_onset"] = table["months_since_onset"].astype(float)
    return table.drop(columns="onset_date")


def _days_apart(lines: pd.DataFrame, scans: pd.Series) -> pd.Series:
    """Days between each line and the scan of its patient; None where one is not known."""
    apart = [
        float(abs((when - scan).days)) if isinstance(when, date) and isinstance(scan, date) else None
        for when, scan in zip(lines["date"], scans.reindex(lines.index), strict=True)
    ]
    return pd.Series(apart, index=lines.index, dtype=float)


def _as_day(text: str) -> date | None:
    try:
        return day(str(text))
    except ValueError:
        return None


def _day(path: Path, line: int, column: str, text: object) -> date | None:
    if not isinstance(text, str):
        return None
    try:
        return day(text)
    except ValueError as error:
        raise StudyRefused(f"{path.name} line {line}, column {column}: {error}") from None
