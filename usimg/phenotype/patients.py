"""From rows per visit to one row per patient: which visit, which side, how many repeats, and who is left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from usimg.errors import StudyRefused
from usimg.phenotype.table import ORIENTS, columns_with_role
from usimg.study.delimited import day

APART, AVERAGE, WORST = "apart", "average", "worst"
SIDES = (APART, AVERAGE, WORST)
_LEFT, _RIGHT = "left", "right"
COUNTS = re.compile(r"__n_(automatic|accepted|corrected)$")


@dataclass(frozen=True)
class Step:
    """One step of the flow chart: who went, why, and how many are left."""

    what: str
    gone: int
    left: int


@dataclass(frozen=True, eq=False)
class Patients:
    """One row per patient, and how it came about.

    Attributes
    ----------
    table : DataFrame
        (patients, features), by subject.
    visits : Series of str
        The visit of each row; empty where none is named.
    later : DataFrame
        The rows of all later visits, with ``subject`` and ``visit``.
    flow : tuple of Step
    sentences : tuple of str
        What was done, for the methods text.
    """

    table: pd.DataFrame
    visits: pd.Series[str]
    later: pd.DataFrame
    flow: tuple[Step, ...]
    sentences: tuple[str, ...]


def baseline(rows: pd.DataFrame, *, visit: str = "", sides: str = APART) -> Patients:
    """The baseline visit of each patient, sides as asked.

    Parameters
    ----------
    rows : DataFrame
        ``subject``, ``visit`` where there are several, and features; counts ``..._n_automatic`` are used
        for what they say and are no features.
    visit : str
        The visit to take; empty: each patient's first by date or number.
    sides : str
        ``"apart"``; ``"average"`` of the sides there are; ``"worst"``: the thinner or brighter of two,
        missing unless both were measured, since the worse of two is lower by chance alone.

    Raises
    ------
    StudyRefused
        Visits without an order, or a visit that nobody has.
    """
    people = rows["subject"].nunique()
    flow = [Step("people with a value that counts", 0, people)]
    labels = rows["visit"].astype(str) if "visit" in rows else pd.Series("", index=rows.index)
    if visit:
        chosen = rows[labels == visit]
        if chosen.empty:
            raise StudyRefused(
                f"no patient has a visit {visit!r}; there are {', '.join(sorted(set(labels)))}"
            )
        said = f"The visit {visit} of each patient."
        flow.append(Step(f"no visit {visit}", people - chosen["subject"].nunique(), len(chosen)))
    else:
        chosen = _first_visits(rows, labels)
        said = "The first visit of each patient." if len(chosen) < len(rows) else "One visit a patient."
    if chosen["subject"].duplicated().any():
        twice = chosen.loc[chosen["subject"].duplicated(), "subject"].iloc[0]
        raise StudyRefused(
            f"{twice} has several rows; give one row per patient and visit, and name the visits"
        )
    chosen = chosen.set_index("subject")
    visits = pd.Series("", index=chosen.index, name="visit")
    later = rows.iloc[:0]
    if "visit" in rows:
        visits = chosen["visit"].astype(str)
        later = rows[(labels != rows["subject"].map(visits)) & rows["subject"].isin(chosen.index)]
    table = chosen.drop(columns=[name for name in ("visit", "session") if name in chosen])
    sided, side_words = with_sides(table, sides)
    return Patients(
        sided,
        visits,
        with_sides(later, sides)[0],
        tuple(flow),
        (said, *_repeats(table), side_words),
    )


def values_of(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns that can be clustered, and subcutaneous fat, which is carried along beside them.

    Columns whose role is known; a table without any as it is. Echo intensity over the whole outline is left
    out where the protocol's region gave one: two nearly equal columns would count the same thing twice.
    """
    table = table[[name for name in table.columns if not COUNTS.search(str(name))]]
    roles = columns_with_role(table.columns)
    if not roles:
        return table, table[[]]
    twice = {name for name in roles if f"{name}_protocol" in roles}
    bridged = [name for name in table.columns if str(name).endswith("__echo_intensity_bridged")]
    fat = [name for name, role in roles.items() if role == "fat"]
    return table[[*(name for name in roles if name not in {*twice, *fat}), *bridged]], table[fat]


def flow_to_groups(flow: tuple[Step, ...], excluded: Mapping[object, str], incomplete: int) -> list[Step]:
    """The rest of the flow chart: who the clustering left out, reason by reason."""
    steps, left = list(flow), flow[-1].left
    reasons: dict[str, int] = {}
    for why in excluded.values():
        kind = "too few of the features" if why.startswith("no value") else why
        reasons[kind] = reasons.get(kind, 0) + 1
    for why, n in sorted(reasons.items(), key=lambda item: -item[1]):
        left -= n
        steps.append(Step(why, n, left))
    if incomplete:
        steps.append(Step("lack a feature: labelled, but not clustered", incomplete, left - incomplete))
    return steps


def _first_visits(rows: pd.DataFrame, labels: pd.Series[str]) -> pd.DataFrame:
    if not rows["subject"].duplicated().any() or len(set(labels)) == 1:
        return rows
    ranks = {label: _rank(label) for label in set(labels)}
    kinds = {kind for kind, _ in ranks.values()}
    if len(kinds) > 1 or kinds == {"words"}:
        raise StudyRefused(
            f"patients have several visits ({', '.join(sorted(ranks))}), which have no order; choose one with"
            " --visit, or name visits by date or number"
        )
    order = labels.map(lambda label: ranks[label][1])
    first = order.groupby(rows["subject"]).transform("min")
    return rows[order == first]


def _repeats(table: pd.DataFrame) -> list[str]:
    """How many repeats each value is the mean of, where the table says so."""
    counts = table[[name for name in map(str, table.columns) if COUNTS.search(name)]]
    if counts.empty:
        return []
    stems = pd.Series([COUNTS.sub("", name) for name in counts.columns], index=counts.columns)
    sums = counts.astype(float).T.groupby(stems).sum(min_count=1).to_numpy().ravel()
    repeats = sums[np.isfinite(sums)]
    if not len(repeats):
        return []
    spread = f"{np.median(repeats):g} a value (median; {repeats.min():g} to {repeats.max():g})"
    return [f"Repeats were averaged: {spread}."]


def _rank(label: str) -> tuple[str, float]:
    """How visits are ordered: by date, or by the one number in their name."""
    try:
        return "date", float(day(label).toordinal())
    except ValueError:
        numbers = re.findall(r"\d+", label)
        return ("number", float(numbers[0])) if len(numbers) == 1 else ("words", 0.0)


def with_sides(table: pd.DataFrame, sides: str) -> tuple[pd.DataFrame, str]:
    """Left and right as one column where both exist, named ``both`` or ``worse`` in the side's place."""
    if sides not in SIDES:
        raise StudyRefused(f"sides is {sides!r}; it is one of {', '.join(SIDES)}")
    if sides == APART:
        return table, "Sides are features of their own."
    pairs = {
        name: name.replace(f"__{_LEFT}__", f"__{_RIGHT}__")
        for name in map(str, table.columns)
        if f"__{_LEFT}__" in name and name.replace(f"__{_LEFT}__", f"__{_RIGHT}__") in table
    }
    if not pairs:
        return table, "No feature has two sides."
    roles = columns_with_role(pd.Index(list(pairs)))
    made: dict[str, pd.Series] = {}
    single = 0
    for left, right in pairs.items():
        both = table[[left, right]]
        sign = ORIENTS.get(roles.get(left, ""), 0.0)
        if COUNTS.search(left):
            made[left.replace(f"__{_LEFT}__", "__both__")] = both.sum(axis=1, min_count=1)
        elif sides == WORST and sign:
            worst = both.max(axis=1) if sign > 0 else both.min(axis=1)
            made[left.replace(f"__{_LEFT}__", "__worse__")] = worst.where(both.notna().all(axis=1))
        else:
            made[left.replace(f"__{_LEFT}__", "__both__")] = both.mean(axis=1)
            single += int((both.notna().sum(axis=1) == 1).sum())
    rest = table.drop(columns=[*pairs, *pairs.values()])
    said = (
        "Of two sides the thinner or brighter, missing unless both were measured; nerves and fat averaged."
        if sides == WORST
        else f"Sides were averaged ({single} values are of one side alone)."
    )
    return pd.concat([rest, pd.DataFrame(made, index=table.index)], axis=1), said
