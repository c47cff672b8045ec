"""How an old spreadsheet is to be read: a TOML file that says which column is what.

.. code-block:: toml

    [columns]                 # leave out what the table does not have
    subject = "Patient"
    side = "Seite"
    structure = "Muskel"
    repeat = "Bild"           # only where each image has a line of its own
    device = "Gerät"

    [words.side]
    R = "right"
    L = "left"

    [words.structure]
    BB = "biceps_brachii"

    [[value]]                 # one for each column of numbers
    column = "Dicke"
    measure = "thickness_mm"
    unit = "cm"
    mean_of = 3               # 1: a single image
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from usimg.errors import StudyRefused
from usimg.study.delimited import number, read_table

PLACE = ("subject", "visit", "structure", "site", "side", "repeat", "device")
# What one of a unit is in mm, mm2 or grey levels.
_UNITS = {"mm": 1.0, "cm": 10.0, "mm2": 1.0, "cm2": 100.0, "": 1.0}
_VALUE_KEYS = ("column", "measure", "unit", "mean_of", "structure", "site", "side")


@dataclass(frozen=True, slots=True)
class Value:
    """One column of numbers.

    Attributes
    ----------
    column, measure, unit : str
    mean_of : int
        Images that a number is the mean of.
    fixed : dict
        What the column alone says: structure, site, side.
    """

    column: str
    measure: str
    unit: str = ""
    mean_of: int = 1
    fixed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnMap:
    """Which column of an old table is what."""

    columns: dict[str, str]
    words: dict[str, dict[str, str]]
    numbers: tuple[Value, ...]


def read_map(path: Path) -> ColumnMap:
    """Read a column map.

    Raises
    ------
    StudyRefused
        Not TOML, a key that is not known, or nothing says where subjects and values are.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudyRefused(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise StudyRefused(f"{path.name}: {error}") from None
    columns = {name: _folded(str(column)) for name, column in said.get("columns", {}).items()}
    words = {
        name: {str(old).casefold(): str(new) for old, new in of.items()}
        for name, of in said.get("words", {}).items()
    }
    unknown = sorted((set(columns) | set(words)) - set(PLACE))
    if unknown:
        raise StudyRefused(f"{path.name}: {', '.join(unknown)} is not known; known are {', '.join(PLACE)}")
    if "subject" not in columns or not said.get("value"):
        raise StudyRefused(
            f"{path.name} needs subject under [columns], and a [[value]] for each column of numbers"
        )
    return ColumnMap(columns, words, tuple(_value(path.name, one) for one in said["value"]))


def read_old(path: Path, by: ColumnMap) -> pd.DataFrame:
    """The old numbers, one row each.

    Returns
    -------
    DataFrame
        Index: line in the file. `PLACE`, ``measure``, ``old`` (in mm, mm² or grey levels), ``mean_of``.

    Raises
    ------
    StudyRefused
        A column is missing or a number is not understood; the message names the line.
    """
    needed = [*by.columns.values(), *(_folded(one.column) for one in by.numbers)]
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for line, cells in read_table(path, required=needed).rows:
        place = {name: _word(by, name, cells[column]) for name, column in by.columns.items()}
        for one in by.numbers:
            text = cells[_folded(one.column)]
            if not text:
                continue
            try:
                old = number(text) * _UNITS[one.unit]
            except ValueError as error:
                raise StudyRefused(f"{path.name} line {line}, column {one.column}: {error}") from None
            rows.append(
                dict.fromkeys(PLACE, "")
                | place
                | one.fixed
                | {"measure": one.measure, "old": old, "mean_of": one.mean_of}
            )
            lines.append(line)
    if not rows:
        raise StudyRefused(f"{path.name} has no numbers in {', '.join(one.column for one in by.numbers)}")
    return pd.DataFrame(rows, index=lines)


def template(path: Path) -> str:
    """A map to begin with, with the columns that an old table has."""
    table = read_table(path, required=())
    names = ", ".join(table.rows[0][1]) if table.rows else "none"
    return (
        f"# {path.name} has the columns: {names}\n[columns]\nsubject = \"...\"\nside = \"...\"\n"
        "structure = \"...\"\n\n[words.side]\nR = \"right\"\nL = \"left\"\n\n[[value]]\ncolumn = \"...\"\n"
        "measure = \"thickness_mm\"\nunit = \"mm\"\nmean_of = 3\n"
    )  # fmt: skip


def _value(name: str, said: dict[str, Any]) -> Value:
    unknown = sorted(set(said) - set(_VALUE_KEYS))
    if unknown:
        raise StudyRefused(f"{name}: {', '.join(unknown)} under [[value]] is not known")
    if not said.get("column") or not said.get("measure"):
        raise StudyRefused(f"{name}: a [[value]] needs column and measure")
    unit = str(said.get("unit", ""))
    if unit not in _UNITS:
        raise StudyRefused(f"{name}: unit {unit!r} is none of {', '.join(filter(None, _UNITS))}")
    images = said.get("mean_of", 1)
    if not isinstance(images, int) or images < 1:
        raise StudyRefused(f"{name}: mean_of is {images!r}; it is the number of images that were averaged")
    fixed: dict[str, str] = {key: str(said[key]) for key in ("structure", "site", "side") if key in said}
    return Value(str(said["column"]), str(said["measure"]), unit, images, fixed)


def _word(by: ColumnMap, name: str, text: str) -> str:
    words = by.words.get(name, {})
    return words.get(text.casefold(), text)


def _folded(name: str) -> str:
    # As `read_table` names columns.
    return "_".join(name.casefold().split())
