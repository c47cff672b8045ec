"""Values of people with what reference equations need to know of them, one row per person and place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from usimg.agreement.from_study import counting_values
from usimg.agreement.table import named, natural
from usimg.errors import StudyRefused
from usimg.study import Study
from usimg.study.delimited import number, read_table

# Known of the value; texts.
TEXTS = ("subject", "visit", "structure", "site", "side", "measure", "unit", "rule", "settings", "origin")
# Known of the person. Sex is a text, the others are numbers.
COVARIATES = ("age", "sex", "height_cm", "weight_kg")
FAT = "fat_mm"
_NUMBERS = ("age", "height_cm", "weight_kg", FAT)
_KEY = ["subject", "visit", "structure", "site", "side", "measure"]


def read(path: Path, clinical: Path | None = None, *, include_unvalidated: bool = False) -> pd.DataFrame:
    """Values of a CSV, or those of a study that count, images averaged.

    Parameters
    ----------
    path : Path
        A study, or a table with ``subject``, ``measure``, ``value`` and what applies of ``visit``,
        ``structure``, ``site``, ``side``, ``unit``, ``rule``, ``settings``, ``origin``, ``repeat``,
        ``images`` (how many the value is already the mean of), ``age``, ``sex``, ``height_cm``,
        ``weight_kg``, ``fat_mm``.
    clinical : Path, optional
        The same of each subject, in a table by ``subject`` (and ``visit``).
    include_unvalidated : bool
        Of a study: take outlines that nobody validated too.

    Returns
    -------
    DataFrame
        `TEXTS`, ``value``, ``images``, ``image_variance`` (NaN of one image), `COVARIATES`, ``fat_mm``.

    Raises
    ------
    StudyRefused
        A column is missing or a cell is not understood.
    """
    if path.is_dir():
        rows = counting_values(Study.open(path), include_unvalidated=include_unvalidated)
    else:
        rows = _from_csv(path)
    if clinical is not None:
        rows = _with_clinical(rows, clinical)
    if rows.empty:
        raise StudyRefused(f"{path.name} has no values")
    return averaged(rows)


def averaged(rows: pd.DataFrame) -> pd.DataFrame:
    """Images averaged: one row per person, visit, place and measure.

    Raises
    ------
    StudyRefused
        Images of one place differ in unit, rule or settings.
    """
    full = pd.DataFrame(index=rows.index)
    for name in TEXTS:
        full[name] = rows[name].fillna("").astype(str).str.strip().astype(object) if name in rows else ""
    full["sex"] = rows["sex"].fillna("").astype(str) if "sex" in rows else ""
    for name in _NUMBERS:
        full[name] = rows[name].astype("float64") if name in rows else np.nan
    full["value"] = rows["value"].astype("float64")
    full["already"] = rows["images"].astype("float64") if "images" in rows else np.nan
    full["_order"] = rows["repeat"].fillna("").astype(str).map(natural) if "repeat" in rows else 0
    full = full[full["value"].notna()]
    for column in ("unit", "rule"):
        several = full[[*_KEY, column]].drop_duplicates().duplicated(_KEY)
        if several.any():
            one = full.loc[several[several].index[0]]
            where = named(*(str(one[part]) for part in ("structure", "site", "side", "measure")))
            raise StudyRefused(f"images of {one['subject']}, {where}, differ in {column}: choose one")
    keys = full.groupby(_KEY)["settings"].transform(lambda those: " and ".join(sorted(set(those))))
    echo = full["measure"].str.startswith("echo")
    # Grey levels under two settings have no mean.
    full.loc[echo & (keys != full["settings"]), "value"] = np.nan
    full["settings"] = keys
    grouped = full.groupby(_KEY, sort=True)
    made = grouped.agg(
        **{name: (name, "first") for name in (*TEXTS[6:], "sex", *_NUMBERS)},
        value=("value", "mean"),
        image_variance=("value", "var"),
        images=("value", "size"),
        already=("already", "first"),
    ).reset_index()
    # A value that is the mean of several already says nothing of the single image.
    given = made["already"].notna()
    made.loc[given & (made["already"] > 1), "image_variance"] = np.nan
    made["images"] = made["images"].astype("float64").where(~given, made["already"] * made["images"])
    return made.drop(columns="already").astype({"images": "int64"})


def _from_csv(path: Path) -> pd.DataFrame:
    lines = read_table(path, required=("subject", "measure", "value")).rows
    rows: list[dict[str, Any]] = []
    for line, cells in lines:
        row: dict[str, Any] = dict(cells)
        for name in ("value", "images", *_NUMBERS):
            if name in row:
                row[name] = _number(row[name], f"{path.name} line {line}, column {name}")
        if "sex" in row:
            row["sex"] = _sex(row["sex"], f"{path.name} line {line}")
        rows.append(row)
    return pd.DataFrame(rows)


def _with_clinical(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    known: dict[tuple[str, ...], dict[str, Any]] = {}
    for line, cells in read_table(path, required=("subject",)).rows:
        facts: dict[str, Any] = {}
        for name in (*COVARIATES, FAT):
            if cells.get(name):
                where = f"{path.name} line {line}, column {name}"
                facts[name] = _sex(cells[name], where) if name == "sex" else _number(cells[name], where)
        key = (cells["subject"], cells.get("visit", ""))
        if key in known:
            raise StudyRefused(f"{path.name} line {line}: {key[0]} is there twice; give each visit a line")
        known[key] = facts
    visits = rows["visit"].fillna("").astype(str) if "visit" in rows else pd.Series("", index=rows.index)
    found = [
        known.get((subject, visit), known.get((subject, ""), {}))
        for subject, visit in zip(rows["subject"].astype(str), visits, strict=True)
    ]
    extra = pd.DataFrame(found, index=rows.index)
    return rows.assign(**{str(name): extra[name] for name in extra})


def _number(text: str, where: str) -> float:
    try:
        return number(text) if text else float("nan")
    except ValueError as error:
        raise StudyRefused(f"{where}: {error}") from None


def _sex(text: str, where: str) -> str:
    words = {"": "", "f": "female", "w": "female", "female": "female", "m": "male", "male": "male"}
    words |= {"d": "diverse", "diverse": "diverse"}
    if text.casefold() not in words:
        raise StudyRefused(f"{where}: sex is {text!r}; write female, male or diverse")
    return words[text.casefold()]


def read_by_settings(path: Path, *, include_unvalidated: bool = False) -> pd.DataFrame:
    """As `read`, but a person's values under two settings are two rows, for a bridge between them."""
    if path.is_dir():
        rows = counting_values(Study.open(path), include_unvalidated=include_unvalidated)
    else:
        rows = _from_csv(path)
    if rows.empty or "settings" not in rows:
        raise StudyRefused(f"{path.name} has no column settings, which names the machine of each value")
    return pd.concat([averaged(group) for _, group in rows.groupby("settings", sort=True)], ignore_index=True)
