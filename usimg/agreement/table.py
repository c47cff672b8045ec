"""The tidy table that every comparison starts from: one row per value, and who, which, how beside it.

Columns, all text but the value; those that do not apply are left out or empty:

============ =======================================================================================
subject      study id of the patient
visit        of a patient with several visits the first is taken: between visits the patient changes
structure    muscle or nerve; structures are never pooled
site, side
measure      ``thickness_mm``, ``csa_mm2``, ``echo_intensity``, ...
value        empty: the outline failed, and is counted as such
unit         where the measure's name does not say it
rule         by which it was measured; two rules are not compared
session      coming back to the patient, probe lifted; within one visit
operator     who scanned
repeat       capture within a session
reader       who outlined the stored picture
reading      first, second, ... time that one reader read one picture
method       what outlined it
version      of what outlined or measured it
device       with its settings: grey levels of two devices or settings are not compared
start        what the reader started from: ``scratch`` or ``automatic``
edited       whether the starting outline was changed: yes, no, or empty
failed       yes: a person looking at it would not accept the outline
============ =======================================================================================
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from usimg.errors import StudyRefused
from usimg.study.delimited import number, read_table

REQUIRED = ("subject", "measure", "value")
TEXTS = (
    "subject", "visit", "structure", "site", "side", "measure", "unit", "rule", "session", "operator",
    "repeat", "reader", "reading", "method", "version", "device", "start",
)  # fmt: skip
FLAGS = ("edited", "failed")
COLUMNS = (*TEXTS, *FLAGS, "value")
# What is compared -> the column that tells the levels apart.
BETWEEN = {
    "readers": "reader",
    "readings": "reading",
    "repeats": "repeat",
    "sessions": "session",
    "operators": "operator",
    "methods": "method",
    "versions": "version",
}
# Comparing these reads the same stored pictures again; the others scan the patient again.
REREAD = ("readers", "readings", "methods", "versions")
# Where one reader's own values are compared, two readers are two comparisons.
_WITHIN_READER = ("readings", "repeats", "sessions", "operators")
FEWEST = 3
_YES, _NO = ("yes", "y", "true", "1", "ja", "x"), ("no", "n", "false", "0", "nein")
_PLACE = ("visit", "session", "operator", "repeat", "reader", "reading", "method", "version")
_UNITS = {"mm2": "mm\N{SUPERSCRIPT TWO}", "mm": "mm", "cm2": "cm\N{SUPERSCRIPT TWO}", "cm": "cm"}


@dataclass(frozen=True)
class Excluded:
    """A comparison, or a part of one, that gives no numbers, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The rows of one structure, site, side and measure, to be compared between levels.

    Attributes
    ----------
    structure, site, side, measure, unit, rule, start : str
    reader : str
        Whose values these are, where each reader is compared with nobody but himself.
    between : str
        One of `BETWEEN`.
    levels : tuple of str
    rows : DataFrame
        `COLUMNS`, one visit of each patient.
    """

    structure: str
    site: str
    side: str
    measure: str
    unit: str
    rule: str
    start: str
    reader: str
    between: str
    levels: tuple[str, ...]
    rows: pd.DataFrame

    @property
    def name(self) -> str:
        """In words, e.g. ``rectus femoris, mid thigh, left: thickness (mm)``."""
        words = named(self.structure, self.site, self.side, self.measure, self.unit)
        beside = [f"started from {self.start}" if self.start else "", self.reader]
        return ", ".join(filter(None, (words, *beside)))


def read(path: Path) -> pd.DataFrame:
    """A tidy table from CSV or Excel.

    Raises
    ------
    StudyRefused
        A column is missing, a cell is not understood, or two lines are the same measurement.
    """
    lines = read_table(path, required=REQUIRED).rows
    rows: list[dict[str, Any]] = [
        {name: cells[name] for name in COLUMNS if name in cells} for _, cells in lines
    ]
    numbers = [line for line, _ in lines]
    for line, row in zip(numbers, rows, strict=True):
        try:
            row["value"] = number(row["value"]) if row["value"] else float("nan")
        except ValueError as error:
            raise StudyRefused(f"{path.name} line {line}, column value: {error}") from None
    return tidy(
        pd.DataFrame(rows, columns=list(rows[0]) if rows else list(REQUIRED), index=numbers), path.name
    )


def tidy(table: pd.DataFrame, name: str = "the table") -> pd.DataFrame:
    """A table with all of `COLUMNS`, checked.

    Parameters
    ----------
    table : DataFrame
        At least `REQUIRED`; other columns than `COLUMNS` are left out.
    name : str
        What messages call it.

    Raises
    ------
    StudyRefused
        A column is missing, a cell is not understood, or two rows are the same measurement.
    """
    missing = [column for column in REQUIRED if column not in table]
    if missing:
        raise StudyRefused(
            f"{name}: column {', '.join(missing)} is missing; it has {', '.join(map(str, table.columns))}"
        )
    made = pd.DataFrame(index=table.index)
    for column in TEXTS:
        made[column] = table[column].map(_text).astype(object) if column in table else ""
    for column in FLAGS:
        made[column] = (
            [_flag(v, f"{name}, column {column}") for v in table[column]] if column in table else ""
        )
    made["value"] = pd.to_numeric(table["value"]).astype("float64")
    # An empty value is an outline that failed; a value may be marked as failed all the same.
    made.loc[made["value"].isna(), "failed"] = "yes"
    if made.empty:
        raise StudyRefused(f"{name} has no rows")
    nameless = made.index[(made["subject"] == "") | (made["measure"] == "")]
    if len(nameless):
        raise StudyRefused(f"{name} line {nameless[0]}: a value needs its subject and measure")
    key = ["subject", "structure", "site", "side", "measure", *_PLACE, "start"]
    twice = made.index[made.duplicated(key, keep=False)]
    if len(twice):
        first = made.loc[twice[0], key]
        others = [line for line in twice if (made.loc[line, key] == first).all()]
        raise StudyRefused(
            f"{name}: lines {', '.join(map(str, others[:3]))} are one measurement twice ({first['subject']},"
            f" {named(*first[['structure', 'site', 'side', 'measure']])}); number them by repeat, reading"
            " or session"
        )
    return made


def comparisons(table: pd.DataFrame, between: str) -> tuple[list[Comparison], list[Excluded]]:
    """What can be compared, and what cannot with its reason.

    Parameters
    ----------
    table : DataFrame
        Of `tidy`.
    between : str
        One of `BETWEEN`.

    Raises
    ------
    StudyRefused
        `between` is none of them.
    """
    if between not in BETWEEN:
        raise StudyRefused(f"cannot compare between {between!r}; choose one of {', '.join(BETWEEN)}")
    found: list[Comparison] = []
    left_out: list[Excluded] = []
    rows, later = _first_visits(table)
    if later:
        left_out.append(Excluded("later visits", f"{later} values; between visits the patient changes"))
    within = ["reader"] if between in _WITHIN_READER else []
    # From scratch first: readers who start from one outline are not independent.
    by = ["structure", "site", "measure", "start", *within]
    for key, group in sorted(_groups(rows, by), key=lambda one: _order(one[0])):
        for side, part in _sides(group):
            one = _comparison(dict(key, side=side), part, between)
            (found if isinstance(one, Comparison) else left_out).append(one)  # type: ignore[arg-type]
    return found, left_out


def _groups(rows: pd.DataFrame, names: list[str]) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    for key, group in rows.groupby(names, sort=True):
        texts: tuple[Hashable, ...] = key if isinstance(key, tuple) else (key,)
        yield dict(zip(names, map(str, texts), strict=True)), group


def _order(key: dict[str, str]) -> tuple[str, ...]:
    started = "1" if key["start"] == "automatic" else "0"
    return (key["structure"], key["site"], key["measure"], started, *key.values())


def _comparison(key: dict[str, str], rows: pd.DataFrame, between: str) -> Comparison | Excluded:
    column = BETWEEN[between]
    levels = tuple(sorted(set(rows[column]) - {""}, key=natural))
    units, rules = (sorted(set(rows[name]) - {""}) for name in ("unit", "rule"))
    unit = units[0] if units else unit_of(key["measure"])
    made = Comparison(
        key["structure"], key["site"], key["side"], key["measure"], unit, rules[0] if rules else "",
        key["start"], key.get("reader", ""), between, levels, rows,
    )  # fmt: skip
    why = _cannot(made, units, rules, column)
    return Excluded(made.name, why) if why else made


def _cannot(made: Comparison, units: list[str], rules: list[str], column: str) -> str:  # noqa: PLR0911
    """Why these rows are not compared; empty when they are."""
    rows = made.rows
    if len(units) > 1:
        return f"values in {' and in '.join(units)}; convert them to one unit"
    if len(rules) > 1:
        return f"measured by different rules ({', '.join(rules)}); choose one"
    if not made.levels:
        return f"column {column} is empty: nothing says which {column} a value is of"
    if len(made.levels) < 2:
        return f"only one {column} ({made.levels[0]}): nothing to compare with"
    measured = rows[rows["value"].notna() & (rows[column] != "")]
    several = measured.groupby("subject")[column].nunique()
    patients = int((several > 1).sum())
    if patients < FEWEST:
        people = "1 patient has" if patients == 1 else f"{patients} patients have"
        return f"{people} values of two {made.between}; at least {FEWEST} are needed"
    if made.measure.startswith("echo") and _several(measured, "device"):
        return "grey levels of one patient from different devices or settings; bridge them first"
    if measured["value"].min() == measured["value"].max():
        return f"every value is {measured['value'].iloc[0]:g}: constant values say nothing of agreement"
    return ""


def _first_visits(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Rows of each patient's first visit, and how many values are of later ones."""
    rank = {visit: n for n, visit in enumerate(sorted(set(table["visit"]), key=natural))}
    order = table["visit"].map(rank)
    kept = order == order.groupby(table["subject"]).transform("min")
    return table[kept], int((~kept).sum())


def _sides(group: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each side on its own; together where nobody was measured on both, since then all are independent."""
    sides = sorted(set(group["side"]))
    if _several(group, "side"):
        yield from ((side, group[group["side"] == side]) for side in sides)
    else:
        yield sides[0] if len(sides) == 1 else "left or right", group


def _several(rows: pd.DataFrame, column: str) -> bool:
    """Whether any patient has two different entries there."""
    return bool(rows[["subject", column]].drop_duplicates()["subject"].duplicated().any())


def natural(text: Hashable) -> tuple[tuple[int, float, str], ...]:
    """Sorting key under which 2 comes before 10.

    >>> sorted(["10", "2", "b"], key=natural)
    ['2', '10', 'b']
    """
    try:
        return ((0, float(str(text)), ""),)
    except ValueError:
        return ((1, 0.0, str(text)),)


def unit_of(measure: str) -> str:
    """Unit that a measure's name states; empty where it states none.

    >>> unit_of("thickness_mm"), unit_of("echo_intensity")
    ('mm', '')
    """
    return next((unit for end, unit in _UNITS.items() if measure.endswith(f"_{end}")), "")


def named(structure: str, site: str, side: str, measure: str, unit: str = "") -> str:
    """A comparison in words.

    >>> named("rectus_femoris", "mid_thigh", "left", "thickness_mm")
    'rectus femoris, mid thigh, left: thickness (mm)'
    """
    place = ", ".join(part.replace("_", " ") for part in (structure, site, side) if part)
    what = measure
    for end in _UNITS:
        what = what.removesuffix(f"_{end}")
    said = unit or unit_of(measure)
    return (f"{place}: " if place else "") + what.replace("_", " ") + (f" ({said})" if said else "")


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a column of numbers with a gap comes as floats
    return str(value).strip()


def _flag(value: Any, where: str) -> str:
    text = _text(value).casefold()
    if text in _YES:
        return "yes"
    if text in _NO:
        return "no"
    if text:
        raise StudyRefused(f"{where}: {text!r} is neither yes nor no")
    return ""
