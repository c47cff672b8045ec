"""The same question asked in every way that a reasonable person might: one curve, and what was left out.

A plan is a TOML file::

    [vary]                                   # every combination of these is run
    sides = ["apart", "average", "worst"]    # needs rows with left and right
    standardise = ["plain", "robust"]
    adjust = [[], ["age", "sex", "height"]]
    weights = ["features", "blocks"]         # each feature weighs the same, or each block
    features = ["all", "without muscle_echo", "only muscle_thickness", "with fat"]
    exclude = ["nobody", "borderline"]       # or "COLUMN = VALUE" of the clinical table
    k = [2, 3]                               # parts compared with the main analysis
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from usimg.errors import StudyRefused
from usimg.phenotype.clustering import cluster
from usimg.phenotype.evidence import agreement
from usimg.phenotype.patients import APART, SIDES, with_sides
from usimg.phenotype.recipe import Preparation
from usimg.phenotype.result import Given, Phenotypes
from usimg.phenotype.table import ROLES, columns_with_role

KEYS = ("sides", "standardise", "adjust", "weights", "features", "exclude", "k")
# More runs than this make no figure that anybody reads, and minutes of work; chosen here.
MOST_RUNS = 300
# Clinics and devices of fewer patients change too little to be left out one by one; chosen here.
FEWEST_LEFT_OUT = 10


@dataclass(frozen=True)
class Specification:
    """One way to ask, and what came out.

    ``agreement`` is the adjusted Rand index with the main analysis over the patients of both, ``moved``
    how many of those change part; ``why`` says why a run could not be made.
    """

    choices: dict[str, str]
    n: int = 0
    features: int = 0
    claim: str = ""
    p_value: float | None = None
    agreement: float | None = None
    moved: int = 0
    compared: int = 0
    why: str = ""


@dataclass(frozen=True)
class Curve:
    """All specifications, in the order of their p-values."""

    runs: tuple[Specification, ...]

    @property
    def sentence(self) -> str:
        """The curve in words."""
        made = [run for run in self.runs if not run.why]
        claims = pd.Series([run.claim for run in made]).value_counts()
        said = "; ".join(f"{claim}: {n}" for claim, n in claims.items())
        alike = [run.agreement for run in made if run.agreement is not None]
        spread = (
            f" Agreement with the main parts (ARI): {min(alike):.2f} to {max(alike):.2f}." if alike else ""
        )
        failed = len(self.runs) - len(made)
        lost = f" {failed} could not be run." if failed else ""
        return f"{len(made)} ways to ask. {said}.{spread}{lost}"


def read_plan(path: Path) -> dict[str, list[Any]]:
    """The choices that a plan varies.

    Raises
    ------
    StudyRefused
        Not TOML, an unknown key or choice, or too many combinations.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudyRefused(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise StudyRefused(f"{path.name}: {error}") from None
    vary = content.get("vary")
    if not isinstance(vary, dict) or not vary:
        raise StudyRefused(f"{path.name}: a plan has a table [vary] with some of {', '.join(KEYS)}")
    for key, values in vary.items():
        if key not in KEYS:
            raise StudyRefused(f"{path.name}: vary.{key} is not known; known are {', '.join(KEYS)}")
        if not isinstance(values, list) or not values:
            raise StudyRefused(f"{path.name}: vary.{key} is a list of choices, like [...]")
        for value in values:
            _checked(path.name, key, value)
    runs = int(np.prod([len(values) for values in vary.values()]))
    if runs > MOST_RUNS:
        raise StudyRefused(f"{path.name}: {runs} combinations; a plan has at most {MOST_RUNS}")
    return dict(vary)


def curve(result: Phenotypes, plan: Mapping[str, list[Any]], rows: pd.DataFrame | None = None) -> Curve:
    """Run every combination of a plan.

    Parameters
    ----------
    result : Phenotypes
        The main analysis.
    plan : mapping
        Of `read_plan`.
    rows : DataFrame, optional
        By patient with both sides and fat, for `sides` and "with fat"; the main analysis' features when
        left out.
    """
    runs = [_run(result, choices, rows) for choices in _combinations(plan)]
    return Curve(tuple(sorted(runs, key=lambda run: (run.p_value is None, run.p_value or 0.0))))


def leave_one_out(result: Phenotypes) -> tuple[Specification, ...]:
    """The analysis without each block of features, each site and each device."""
    runs = []
    roles = set(result.roles.values())
    blocks = {
        "muscle thickness": ("muscle_thickness", "muscle_csa"),
        "muscle echo intensity": ("muscle_echo",),
        "nerve": ("nerve_csa",),
    }
    for name, members in blocks.items():
        rest = [feature for feature, role in result.roles.items() if role not in members]
        if set(members) & roles and rest:
            runs.append(
                _compared(result, {"without": f"block: {name}"}, features=result.given.features[rest])
            )
    for column in ("site", "device"):
        if column not in result.clinical.columns:
            continue
        counts = result.clinical[column].value_counts()
        if len(counts) < 2:
            continue
        for level in sorted(map(str, counts.index[counts >= FEWEST_LEFT_OUT])):
            gone = result.clinical.index[result.clinical[column].astype("string") == level]
            features = result.given.features.drop(index=gone, errors="ignore")
            runs.append(_compared(result, {"without": f"{column}: {level}"}, features=features))
    return tuple(runs)


def again(result: Phenotypes, **changed: Any) -> Phenotypes:
    """The same call with ``features``, ``clinical``, ``preparation`` ... replaced."""
    given: Given = replace(result.given, **changed)
    roles = {name: role for name, role in (given.roles or {}).items() if name in given.features.columns}
    return cluster(
        given.features,
        given.clinical,
        roles=roles or None,
        random_state=given.random_state,
        assume_unconfounded=given.assume_unconfounded,
        preparation=given.preparation,
    )


def _combinations(plan: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*plan.values()):
        yield dict(zip(plan, values, strict=True))


def _run(result: Phenotypes, choices: Mapping[str, Any], rows: pd.DataFrame | None) -> Specification:
    named = {key: _in_words(value) for key, value in choices.items()}
    asked = choices.get("features", "all")
    columns = _columns(result, asked, choices.get("sides"), rows)
    if columns.empty:
        return Specification(named, why=f"no feature is left ({asked})")
    kept = columns.drop(index=_excluded(result, choices.get("exclude", "nobody")), errors="ignore")
    changes: dict[str, Any] = {}
    if "standardise" in choices:
        changes["standardise"] = choices["standardise"]
    if "adjust" in choices:
        changes["adjust"] = tuple(choices["adjust"])
    if "weights" in choices:
        changes["weights"] = {} if choices["weights"] == "blocks" else None
    preparation = replace(result.given.preparation, **changes)
    return _compared(result, named, k=choices.get("k"), features=kept, preparation=preparation)


def _compared(
    result: Phenotypes, named: dict[str, str], *, k: int | None = None, **changed: Any
) -> Specification:
    try:
        other = again(result, **changed)
    except StudyRefused as error:
        return Specification(named, why=str(error))
    if k is not None and k not in other.partitions:
        return Specification(named, why=f"too few patients for {k} parts")
    ranks = other.ranks if k is None else other.partitions[k]
    both = result.standardised.index.intersection(ranks.index)
    mine, theirs = (np.asarray(part.loc[both], dtype=np.int_) for part in (result.ranks, ranks))
    crossed = np.eye(int(mine.max()) + 1)[mine].T @ np.eye(int(theirs.max()) + 1)[theirs]
    return Specification(
        named,
        len(other.standardised),
        len(other.roles),
        other.claim,
        other.p_value,
        float(agreement(crossed[None])[0]),
        int((mine != theirs).sum()),
        len(both),
    )


def _columns(result: Phenotypes, asked: str, sides: str | None, rows: pd.DataFrame | None) -> pd.DataFrame:
    """The features of one specification; fat only where it is asked for or was in the main analysis."""
    features = result.given.features
    given = dict(result.given.roles or {})
    if rows is not None and (sides is not None or asked == "with fat"):
        every = with_sides(rows, sides or APART)[0]
        fat = [name for name, role in columns_with_role(every.columns).items() if role == "fat"]
        if sides is not None:
            features = every.drop(columns=fat)
        if asked == "with fat" or "fat" in result.roles.values():
            features = pd.concat([features, every[[name for name in fat if name not in features]]], axis=1)
    roles = columns_with_role(features.columns) | given
    word, _, block = asked.partition(" ")
    if word in ("without", "only"):
        wanted = [name for name in features if (roles.get(str(name)) == block) == (word == "only")]
        return features[wanted]
    return features


def _excluded(result: Phenotypes, asked: str) -> list[object]:
    if asked == "nobody":
        return []
    if asked == "borderline":
        return list(result.borderline.index[result.borderline])
    column, _, value = (part.strip() for part in asked.partition("="))
    if column not in result.clinical.columns:
        raise StudyRefused(f"plan: exclude = {asked!r}, but the clinical table has no column {column!r}")
    return list(result.clinical.index[result.clinical[column].astype("string") == value])


def _checked(file: str, key: str, value: Any) -> None:
    known: Mapping[str, tuple[Any, ...]] = {
        "sides": SIDES,
        "weights": ("features", "blocks"),
        "k": (2, 3, 4, 5),
    }
    said = f"{file}: vary.{key}: {value!r}"
    if key in known and value not in known[key]:
        raise StudyRefused(f"{said} is not one of {', '.join(map(str, known[key]))}")
    if key == "features" and value not in ("all", "with fat"):
        word, _, block = str(value).partition(" ")
        if word not in ("without", "only") or block not in ROLES:
            raise StudyRefused(
                f'{said}: write "all", "with fat", "without BLOCK" or "only BLOCK" ({", ".join(ROLES)})'
            )
    if key == "exclude" and value not in ("nobody", "borderline") and "=" not in str(value):
        raise StudyRefused(f'{said}: write "nobody", "borderline" or "COLUMN = VALUE"')
    if key == "standardise":
        Preparation(standardise=value)
    if key == "adjust":
        if not isinstance(value, list):
            raise StudyRefused(f"{said} is a list, like []")
        Preparation(adjust=tuple(value))


def _in_words(value: Any) -> str:
    return (", ".join(value) or "nothing") if isinstance(value, list) else str(value)
