"""Values computed from patient rows: ratios, sums, indices; their error, and why one is missing."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from usimg.errors import StudyRefused
from usimg.study.decisions import Decision
from usimg.study.formula import evaluate, names_of
from usimg.study.rulings import GRADES
from usimg.study.schema import TARGET
from usimg.study.values import value_id

if TYPE_CHECKING:
    from usimg.study.tables import Wide

PERSON = ("subject", "visit", "session")
PLACE = ("structure", "site", "side", "muscle_state", "posture")
COLUMNS = (
    *("value_id", "name", "label", *PERSON, *PLACE, "feature", "value", "error", "unit", "n"),
    *("reason", "formula", "source", "inputs"),
)
HECKMATT = "heckmatt_grade"
FASCICULATIONS = "fasciculations"


@dataclass(frozen=True)
class Derived:
    """One entry of ``derived.toml``, whose head says what the fields mean."""

    name: str
    label: str
    formula: str
    terms: Mapping[str, Mapping[str, str]]
    features: tuple[str, ...] = ()
    breaths: int = 0
    unit: str = ""
    source: str = ""
    free: tuple[str, ...] = field(default=())


def definitions(study_root: Path | None = None) -> list[Derived]:
    """The derived values of usimg, and of a study's own ``derived.toml``, which wins by name.

    Raises
    ------
    StudyRefused
        An entry that is not understood; the message names file and entry.
    """
    found = _read(Path(__file__).with_name("derived.toml"))
    own = study_root / "derived.toml" if study_root is not None else None
    if own is not None and own.is_file():
        found |= _read(own)
    return list(found.values())


def derive(wide: Wide, entries: Iterable[Derived]) -> pd.DataFrame:
    """Every derived value, one row each; missing ones with their reason.

    Parameters
    ----------
    wide : Wide
        What `usimg.study.tables.wide` gave.
    entries : iterable of Derived

    Returns
    -------
    DataFrame
        `COLUMNS`. A value none of whose terms exists has no row.
    """
    tables = [_one(wide, entry, feature) for entry in entries for feature in entry.features or ("",)]
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(filled, ignore_index=True)[list(COLUMNS)]


def graded(rows: pd.DataFrame, others: Iterable[Decision]) -> pd.DataFrame:
    """What people saw of each place, over repeats and readers: median Heckmatt grade, any fasciculations.

    Parameters
    ----------
    rows : DataFrame
        Of a fold: they say whose picture a grade is about.
    others : iterable of Decision
        `usimg.study.fold.Fold.others`.

    Notes
    -----
    The grade is an ordinal scale and has no mean. Fasciculations are 1 where one picture showed some, for
    they come and go.
    """
    given = [decision for decision in others if decision.kind == "grade" and not decision.arm]
    grades = [one for one in given if one.content.get("grade") in GRADES]
    seen = [one for one in given if isinstance(one.content.get("fasciculations"), bool)]
    tables = [
        _over_pictures(rows, grades, "grade", "median").assign(
            name=HECKMATT, label="Heckmatt grade, median", feature=HECKMATT, unit="1-4",
            formula="median", source="Heckmatt 1982",
        ),
        _over_pictures(rows, seen, "fasciculations", "max").assign(
            name=FASCICULATIONS, label="Fasciculations seen", feature=FASCICULATIONS, unit="0 or 1",
            formula="max", source="",
        ),
    ]  # fmt: skip
    filled = [
        _with_ids(table.assign(error=np.nan, reason=""))[list(COLUMNS)] for table in tables if len(table)
    ]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(COLUMNS))


def _over_pictures(rows: pd.DataFrame, said: list[Decision], name: str, how: str) -> pd.DataFrame:
    """One row a place: a number that people gave its pictures, summed up, with how many gave one."""
    key = [*PERSON, *PLACE]
    if not said:
        return pd.DataFrame(columns=[*key, "value", "n", "inputs"])
    given = pd.DataFrame(
        [one.target.as_dict() | {"value": float(one.content[name]), "input": one.id} for one in said]
    )
    names = list(TARGET)
    known = rows.drop_duplicates(names)[[*names, *PERSON, "muscle_state", "posture"]].copy()
    # Missing frames and regions must meet each other: they are compared as text.
    for table in (known, given):
        texts = [table[name].astype(object).where(table[name].notna(), "").astype(str) for name in names]
        table["target"] = list(zip(*texts, strict=True))
    joined = given.merge(known[["target", *PERSON, "muscle_state", "posture"]], on="target", how="inner")
    joined[key] = joined[key].fillna("").astype(str)
    groups = joined.groupby(key)
    result = groups["value"].agg(how).reset_index()
    return result.assign(n=groups.size().to_numpy(), inputs=groups["input"].agg(tuple).to_numpy())


def _read(path: Path) -> dict[str, Derived]:
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise StudyRefused(f"{path.name}: {error}") from None
    return {name: _entry(path.name, name, entry) for name, entry in said.items()}


def _entry(file: str, name: str, said: Any) -> Derived:
    where = f"{file}, [{name}]"
    if not isinstance(said, dict) or not isinstance(said.get("terms"), dict):
        raise StudyRefused(f"{where}: an entry needs a formula and terms.NAME = {{ structure = ... }}")
    unknown = set(said) - {"label", "formula", "terms", "features", "breaths", "unit", "source"}
    if unknown:
        raise StudyRefused(f"{where}: {', '.join(sorted(unknown))} is not known here")
    terms = {str(term): dict(fields) for term, fields in said["terms"].items()}
    features = tuple(said.get("features", ()))
    try:
        named = names_of(str(said.get("formula", "")))
    except StudyRefused as error:
        raise StudyRefused(f"{where}: {error}") from None
    if named != set(terms):
        raise StudyRefused(f"{where}: the formula names {sorted(named)}, the terms are {sorted(terms)}")
    given = [set(fields) for fields in terms.values()]
    wrong = set.union(*given) - {*PLACE, "feature"}
    if wrong or any(fields != given[0] for fields in given):
        known = ", ".join((*PLACE, "feature"))
        raise StudyRefused(f"{where}: every term gives the same fields, out of {known}")
    if ("feature" in given[0]) == bool(features):
        raise StudyRefused(f"{where}: give a feature in every term, or features for all")
    return Derived(
        name=name,
        label=str(said.get("label", name)),
        formula=str(said["formula"]),
        terms=terms,
        features=features,
        breaths=int(said.get("breaths", 0)),
        unit=str(said.get("unit", "")),
        source=str(said.get("source", "")),
        free=tuple(name for name in PLACE if name not in given[0]),
    )


def _one(wide: Wide, entry: Derived, feature: str) -> pd.DataFrame:
    """One entry for one feature: the terms side by side, joined on whose and the free fields."""
    key = [*PERSON, *entry.free]
    if entry.breaths:
        key.append("repeat")
    parts = {}
    for term, fields in entry.terms.items():
        wanted = {**fields, "feature": fields.get("feature", feature)}
        table = _of_repeats(wide, wanted) if entry.breaths else _of_averages(wide, wanted)
        parts[term] = table.set_index(key).add_prefix(f"{term} ")
    joined = pd.concat(parts.values(), axis=1)
    if joined.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    names = list(entry.terms)
    terms = {term: joined[f"{term} value"].to_numpy(dtype=float) for term in names}
    errors = {term: joined[f"{term} error"].to_numpy(dtype=float) for term in names}
    value, error = evaluate(entry.formula, terms, errors)
    reason = _reasons(joined, entry, terms)
    value[reason != ""] = np.nan
    error[np.isnan(value)] = np.nan
    n = np.column_stack([joined[f"{term} n"].fillna(0) for term in names]).min(axis=1).astype(int)
    inputs = [
        tuple(item for made_of in row for item in (made_of if isinstance(made_of, tuple) else ()))
        for row in zip(*(joined[f"{term} inputs"] for term in names), strict=True)
    ]
    result = joined.index.to_frame(index=False).assign(value=value, error=error, n=n, reason=reason)
    result["inputs"] = pd.Series(inputs, index=result.index, dtype=object)
    if entry.breaths:
        result = _over_breaths(result, entry)
    constant = _shared(entry)
    result = result.assign(**{name: constant.get(name, "") for name in PLACE if name not in entry.free})
    named = {"name": entry.name, "label": entry.label, "unit": entry.unit, "formula": entry.formula}
    result = result.assign(**named, source=entry.source, feature=f"{feature or constant['feature']}")
    return _with_ids(result)


def _of_averages(wide: Wide, wanted: Mapping[str, str]) -> pd.DataFrame:
    values = wide.long
    held = values[np.logical_and.reduce([values[name] == said for name, said in wanted.items()])]
    error = held["sd"] / np.sqrt(held["n"])
    inputs = held["value_id"].map(lambda one: (one,))
    fields = [*PERSON, *(name for name in PLACE if name not in wanted)]
    return held[[*fields, "value", "n", "rule"]].assign(error=error, inputs=inputs)


def _of_repeats(wide: Wide, wanted: Mapping[str, str]) -> pd.DataFrame:
    rows, feature = wide.counting, wanted["feature"]
    place = {name: said for name, said in wanted.items() if name != "feature"}
    held = rows[np.logical_and.reduce([rows[name] == said for name, said in place.items()])]
    held = held[held[feature].notna() & held["repeat"].notna()]
    key = [*PERSON, *(name for name in PLACE if name not in wanted), "repeat"]
    groups = held.groupby(key)
    means = groups[feature].mean().rename("value").reset_index()
    inputs = groups["measurement_id"].agg(tuple).to_numpy()
    return means.assign(n=1, rule="", error=np.nan, inputs=inputs)


def _reasons(joined: pd.DataFrame, entry: Derived, terms: Mapping[str, Any]) -> Any:
    reason = np.full(len(joined), "", dtype=object)
    for term, value in terms.items():
        words = ", ".join(str(said).replace("_", " ") for said in entry.terms[term].values())
        reason[np.isnan(value) & (reason == "")] = f"no value for {words}"
        reason[(value == 0.0) & (reason == "")] = f"{words} is zero"
    structures = {fields.get("structure", "") for fields in entry.terms.values()}
    if len(structures) == 1:  # one structure by two rules gives a ratio of rules
        rules = joined[[f"{term} rule" for term in terms]].to_numpy()
        reason[(rules != rules[:, :1]).any(axis=1) & (reason == "")] = "measured by different rules"
    return reason


def _over_breaths(result: pd.DataFrame, entry: Derived) -> pd.DataFrame:
    key = [*PERSON, *entry.free]
    rows = []
    for place, group in result.groupby(key):
        good = group[group["reason"] == ""]
        enough = len(good) >= entry.breaths
        value = good["value"]
        why = f"{len(good)} complete breaths; it takes {entry.breaths}"
        rows.append(
            dict(zip(key, place, strict=True))
            | {
                "value": value.mean() if enough else np.nan,
                "error": value.std() / np.sqrt(len(good)) if enough else np.nan,
                "n": len(good),
                "reason": "" if enough else why,
                "inputs": tuple(item for made_of in good["inputs"] for item in made_of),
            }
        )
    return pd.DataFrame(rows)


def _shared(entry: Derived) -> dict[str, str]:
    """Fields in which all terms agree: RF + VI is of no one structure, a wrist ratio of the median nerve."""
    first, *others = entry.terms.values()
    return {name: said for name, said in first.items() if all(term[name] == said for term in others)} | {
        "feature": first.get("feature", "")
    }


def _with_ids(result: pd.DataFrame) -> pd.DataFrame:
    names = zip(*(result[name] for name in ("name", *PERSON, *PLACE, "feature")), strict=True)
    ids = [value_id(place, made_of) for place, made_of in zip(names, result["inputs"], strict=True)]
    return result.assign(value_id=ids)
