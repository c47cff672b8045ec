"""Visits without dates: a date is a patient's, and stays in ``private/``.

A row keeps the day of its scan as a number that is moved by some days, for each subject by others; how far
follows from the study's secret key. Order and distances of a subject's visits are kept (as DICOM PS3.15's
option "Retain Longitudinal Temporal Information With Modified Dates" does it); the date itself can be had
back with ``private/key.txt`` alone. Where only a date says which visit it is, visits are called v1, v2, ...
in the order of their days.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg.study.delimited import day

if TYPE_CHECKING:
    from usimg.study.decisions import Decision

_ORIGIN = date(2000, 1, 1)
_SPAN_DAYS = 36525  # a hundred years: a day's number says nothing of its date
_DAYS_PER_YEAR = 365.25
# Of the tag PatientAge: how many make a year.
_UNITS = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": _DAYS_PER_YEAR}


def moved_day(when: date, subject: str, key: bytes) -> int:
    """The number that stands for a date in a study's rows.

    Parameters
    ----------
    subject : str
        Study id.
    key : bytes
        The study's secret (`usimg.study.private.SubjectIds.key`).
    """
    return (when - _ORIGIN).days + _moved_by(subject, key)


def date_of(number: int, subject: str, key: bytes) -> date:
    """The date that a day's number stands for: for ages and for ``devices.csv``, never for a table."""
    return _ORIGIN + timedelta(days=int(number) - _moved_by(subject, key))


def _moved_by(subject: str, key: bytes) -> int:
    digest = hmac.new(key, b"days\0" + subject.encode("utf-8"), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") % _SPAN_DAYS


def as_date(text: Any) -> date | None:
    """The date that a text is, or None."""
    try:
        return day(text) if isinstance(text, str) and text else None
    except ValueError:
        return None


def without_date(row: Mapping[str, Any], taken: str, age: float | None, key: bytes) -> dict[str, Any]:
    """A row as a study may keep it: a visit that is a date becomes a day's number, as the scan's date does.

    Parameters
    ----------
    taken : str
        Day of the scan by its tags, or empty.
    age : float or None
        Of the person on that day, years.
    """
    named = as_date(row.get("visit"))
    when = named or as_date(taken)
    number = None if when is None else moved_day(when, str(row.get("subject") or ""), key)
    visit = "" if named is not None else row.get("visit")
    return {**row, "visit": visit, "day": number, "age_years": age}


def brought_forward(rows: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """Rows of an older usimg, whose visits are dates, as `without_date` would have written them."""
    old = rows["day"].isna() & (rows["visit"].fillna("") != "")
    if not old.any():
        return rows
    named = rows.loc[old, ["subject", "visit"]].fillna("").drop_duplicates()
    days = {
        (subject, visit): moved_day(when, subject, key)
        for subject, visit in named.itertuples(index=False, name=None)
        if (when := as_date(visit)) is not None
    }
    if not days:
        return rows
    pairs = list(zip(rows["subject"].fillna(""), rows["visit"].fillna(""), strict=True))
    dated = pd.Series([pair in days for pair in pairs], rows.index) & old
    numbers = pd.array([days.get(pair) for pair in pairs], dtype="Int32")
    rows = rows.copy()
    rows.loc[dated, "day"] = numbers[dated.to_numpy()]
    rows.loc[dated, "visit"] = ""
    return rows


def named(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose visit nobody named get v1, v2, ... by the order of the subject's days.

    All days of a subject are counted, those of named visits too.
    """
    unnamed = (rows["visit"].fillna("") == "") & rows["day"].notna()
    if not unnamed.any():
        return rows
    rank = rows.groupby("subject", dropna=False)["day"].rank(method="dense")
    names = "v" + rank.astype("Int64").astype("string")
    return rows.assign(visit=rows["visit"].where(~unnamed, names))


def named_by_day(visit: str) -> bool:
    """Whether a visit may have its name from `named`: an earlier day that comes to light changes it."""
    return visit[:1] == "v" and visit[1:].isdecimal()


class VisitNames:
    """What visits are called that decisions name: by their day where they have their name from it.

    Parameters
    ----------
    rows : DataFrame
        Of a fold.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        known = rows[["subject", "day", "visit"]].dropna().drop_duplicates()
        self._of = {
            (str(subject), int(day)): str(visit)
            for subject, day, visit in known.itertuples(index=False, name=None)
            if named_by_day(str(visit))
        }

    def of(self, decision: Decision) -> tuple[str, str]:
        """(subject, visit) of a signature or of what was not done."""
        subject, visit = (str(decision.content.get(name, "")) for name in ("subject", "visit"))
        number = decision.content.get("day")
        return subject, visit if number is None else self._of.get((subject, int(number)), visit)


def since_first(rows: pd.DataFrame) -> pd.Series[Any]:
    """Days from a subject's first scan to each row's."""
    return rows["day"] - rows.groupby("subject", dropna=False)["day"].transform("min")


def age_by_tags(birth: str | None, stated: str | None, taken: str | None) -> float | None:
    """Age on the day of the scan in years: to 0.1 from the date of birth, whole from the tag PatientAge.

    The date of birth goes nowhere else.

    Examples
    --------
    >>> age_by_tags("19600203", None, "20260805")
    66.5
    >>> age_by_tags(None, "066Y", "20260805")
    66.0
    """
    born, when = as_date(birth), as_date(taken)
    if born is not None and when is not None and when >= born:
        return round((when - born).days / _DAYS_PER_YEAR, 1)
    text = (stated or "").strip().upper()
    if len(text) == 4 and text[:3].isdecimal() and text[3] in _UNITS:  # PS3.5, value representation AS
        return round(int(text[:3]) / _UNITS[text[3]], 1)
    return None
