"""What people know of the patients: ``private/subjects.csv``, and the age at a visit.

=========== ========================================================================================
alias       PatientID, or name, as the scans carry it; one line for each way it is written
id          study id
sex         female, male, diverse (or f, m, w, d)
birth_date  stays in ``private/``: ages are computed from it, and it goes nowhere else; or
birth_year  then the age is right to half a year
height_cm
weight_kg
onset_date  of the first symptom; or its year alone
=========== ========================================================================================

Facts may stand in any of a subject's lines. Other columns are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

from usimg.errors import StudyRefused
from usimg.study.delimited import day, number, read_table

_SEXES = {
    "f": "female", "w": "female", "female": "female", "weiblich": "female",
    "m": "male", "male": "male", "männlich": "male",
    "d": "diverse", "diverse": "diverse", "divers": "diverse", "": "",
}  # fmt: skip
# What people are: a typing error is refused, an unusual person is not.
_YEARS, _HEIGHTS_CM, _WEIGHTS_KG = (1890, 2200), (40.0, 250.0), (2.0, 400.0)
_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Person:
    """One subject. The date of birth is not shown, and only `age` reads it."""

    id: str
    sex: str = ""
    birth_date: date | None = field(default=None, repr=False)
    birth_year: int | None = field(default=None, repr=False)
    height_cm: float | None = None
    weight_kg: float | None = None
    onset_date: date | None = field(default=None, repr=False)
    onset_year: int | None = field(default=None, repr=False)

    def age(self, visit: date) -> tuple[float | None, str]:
        """Age at a visit in years to 0.1, and why it is missing or less exact.

        Raises
        ------
        StudyRefused
            The visit lies before the birth.
        """
        years, doubt = _years_from(self.birth_date, self.birth_year, visit)
        if years is not None and years < 0.0:
            raise StudyRefused(f"subject {self.id}: a visit of {visit.isoformat()} lies before the birth")
        return years, doubt if years is not None else "neither birth_date nor birth_year in subjects.csv"

    def years_since_onset(self, visit: date) -> tuple[float | None, str]:
        """Time from the first symptom to a visit in years to 0.1, and why it is missing or less exact."""
        years, doubt = _years_from(self.onset_date, self.onset_year, visit)
        return years, doubt if years is not None else "no onset_date in subjects.csv"


def _years_from(exact: date | None, year: int | None, until: date) -> tuple[float | None, str]:
    if exact is not None:
        return round((until - exact).days / _DAYS_PER_YEAR, 1), ""
    if year is not None:
        middle = date(year, 7, 1)
        return round((until - middle).days / _DAYS_PER_YEAR, 1), "from the year alone: right to half a year"
    return None, ""


def read_people(path: Path) -> dict[str, Person]:
    """The subjects in ``subjects.csv`` by study id; a missing file names nobody.

    Raises
    ------
    StudyRefused
        A cell is not understood, or two lines of one subject contradict each other; the message names
        line and column.
    """
    if not path.exists():
        return {}
    people: dict[str, dict[str, Any]] = {}
    for line, row in read_table(path, required=("alias", "id")).rows:
        known = people.setdefault(row["id"], {})
        for name, value in _facts(row, f"{path.name} line {line}").items():
            if known.setdefault(name, value) != value:
                raise StudyRefused(
                    f"{path.name} line {line}, column {name}: {row['id']} has another {name} further up"
                )
    return {subject: Person(subject, **facts) for subject, facts in people.items()}


def _facts(row: Mapping[str, str], where: str) -> dict[str, Any]:
    readers: dict[str, Callable[[str], Any]] = {
        "sex": _sex,
        "birth_date": _past_day,
        "birth_year": lambda text: int(_within(text, _YEARS)),
        "height_cm": lambda text: _within(text, _HEIGHTS_CM),
        "weight_kg": lambda text: _within(text, _WEIGHTS_KG),
        "onset_date": _past_day,
    }
    facts: dict[str, Any] = {}
    for column, read in readers.items():
        text = row.get(column, "")
        if not text:
            continue
        name = column
        if column == "onset_date" and text.isdecimal() and len(text) == 4:
            name, read = "onset_year", lambda year: int(_within(year, _YEARS))  # noqa: PLW2901  a year alone
        try:
            facts[name] = read(text)
        except ValueError as error:
            raise StudyRefused(f"{where}, column {column}: {error}") from None
    return facts


def _sex(text: str) -> str:
    if text.casefold() not in _SEXES:
        raise ValueError(f"{text!r} is not female, male or diverse")
    return _SEXES[text.casefold()]


def _past_day(text: str) -> date:
    found = day(text)
    if not _YEARS[0] <= found.year <= _YEARS[1]:
        raise ValueError(f"{text!r} is no year of a life")
    return found


def _within(text: str, bounds: tuple[float, float]) -> float:
    value = number(text)
    if not bounds[0] <= value <= bounds[1]:
        raise ValueError(f"{text!r} does not lie between {bounds[0]:g} and {bounds[1]:g}")
    return value


def covariates(person: Person, visit: str) -> dict[str, Any]:
    """What tables may carry of a subject at a visit: sex, ages, sizes; no date.

    Parameters
    ----------
    visit : str
        Label of the visit; ages are given when it is a date.
    """
    try:
        when = day(visit)
    except ValueError:
        when = None
    age = person.age(when)[0] if when is not None else None
    since_onset = person.years_since_onset(when)[0] if when is not None else None
    sizes = {f.name: getattr(person, f.name) for f in fields(person) if f.name in ("height_cm", "weight_kg")}
    return {"sex": person.sex, "age_years": age, **sizes, "years_since_onset": since_onset}
