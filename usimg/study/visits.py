"""One row per visit: what is there, what the protocol misses, who signed, and what is known of the person."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg.study.days import VisitNames, date_of
from usimg.study.decisions import Decision
from usimg.study.manifest import Label
from usimg.study.protocol import Missing, StudyProtocol
from usimg.study.schema import LEFT_OUT, plain
from usimg.study.signing import all_signatures
from usimg.study.subjects import covariates, read_people

if TYPE_CHECKING:
    from usimg.study.fold import Fold
    from usimg.study.store import Study

COVARIATES = ("sex", "age_years", "height_cm", "weight_kg", "years_since_onset")
COLUMNS = (
    *("subject", "visit", "days_since_first", *COVARIATES, "device", "settings", "depth_mm", "pictures"),
    *("counting", "complete", "missing", "not_done", "unsettled", "signed_by", "signature"),
)
# A capture that gives nothing: it has to be taken again, as if it had not been.
_NO_CAPTURE = ("failed", "rejected")
_SHOWN = ["view", "shown", "place", "side", "muscle_state"]
_PICTURE = ["subject", "visit", "scan", "frame", "region", "repeat", *_SHOWN]


@dataclass(frozen=True)
class Lacking:
    """What a visit lacks of its protocol.

    Attributes
    ----------
    missing : tuple of Missing
    not_done : tuple of (Missing, str)
        What a person said was not done, and why.
    """

    missing: tuple[Missing, ...] = ()
    not_done: tuple[tuple[Missing, str], ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all that is essential is there."""
        return not any(one.entry.essential for one in (*self.missing, *(one for one, _ in self.not_done)))


def lacking(
    rows: pd.DataFrame,
    protocol: StudyProtocol,
    not_done: Iterable[Decision] = (),
    subject: str = "",
    visit: str = "",
) -> Lacking:
    """What the pictures of one visit lack; rejected and unreadable ones do not count.

    Parameters
    ----------
    rows : DataFrame
        Of a fold, one visit's.
    not_done : iterable of Decision
        Of that kind, of any visit.
    """
    names = VisitNames(rows)
    said = [decision for decision in not_done if names.of(decision) == (subject, visit)]
    return _lacking(protocol, pictures(rows).get((subject, visit), []), said)


def _lacking(protocol: StudyProtocol, shown: Iterable[Label], not_done: Iterable[Decision]) -> Lacking:
    if not protocol.entries:
        return Lacking()
    reasons = {(one.target.structure, one.target.side): str(one.content["reason"]) for one in not_done}
    left: list[Missing] = []
    said: list[tuple[Missing, str]] = []
    for one in protocol.missing(shown):
        why = reasons.get((one.entry.what, one.side)) or reasons.get((one.entry.what, ""))
        if why is None:
            left.append(one)
        else:
            said.append((one, why))
    return Lacking(tuple(left), tuple(said))


def pictures(rows: pd.DataFrame) -> dict[tuple[str, str], list[Label]]:
    """One label for each capture that gives something, by (subject, visit)."""
    gone = rows["state"].isin(_NO_CAPTURE) | rows["reason"].fillna("").str.startswith(LEFT_OUT)
    held = rows[~gone.to_numpy(dtype=bool)]
    by_view = held["view"].fillna("") != ""
    # One picture of a view has a row for each structure in it.
    held = held.assign(
        shown=held["structure"].where(~by_view, ""), place=held["site"].fillna("").where(~by_view, "")
    )
    found: dict[tuple[str, str], list[Label]] = defaultdict(list)
    texts = held.drop_duplicates(_PICTURE)[["subject", "visit", *_SHOWN]].fillna("").astype(str)
    for subject, visit, *shown in texts.itertuples(index=False, name=None):
        found[subject, visit].append(_label(*shown))
    return dict(found)


@cache
def _label(view: str, structure: str, site: str, side: str, state: str) -> Label:
    return Label(view=view, structure=structure, site=site, side=side, state=state)


def visits_of(study: Study, held: Fold, current: pd.DataFrame) -> pd.DataFrame:
    """`COLUMNS` of every visit; no date is in it.

    Parameters
    ----------
    held : Fold
    current : DataFrame
        `usimg.study.tables.current_of` of it.

    Notes
    -----
    ``complete`` is empty where the protocol asks for nothing. Ages are those of ``subjects.csv``, else of
    the tags.
    """
    protocol, signed, shown = study.protocol, all_signatures(study, held), pictures(held.rows)
    people = read_people(study.private / "subjects.csv")
    names = VisitNames(held.rows)
    not_done: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    for decision in held.others:
        if decision.kind == "not_done":
            not_done[names.of(decision)].append(decision)
    found: list[dict[str, Any]] = []
    for record in _by_visit(current).to_dict("records"):
        of_visit = (str(record["subject"]), str(record["visit"]))
        person, when = people.get(of_visit[0]), plain(record["day"])
        known: Mapping[str, Any] = {"age_years": plain(record["age_years"])}
        if person is not None:
            day = "" if when is None else date_of(int(when), person.id, study.secret).isoformat()
            stated = covariates(person, day)
            known = {**known, **{name: value for name, value in stated.items() if value not in (None, "")}}
        lacks = _lacking(protocol, shown.get(of_visit, ()), not_done[of_visit])
        signatures = signed.get(of_visit, [])
        found.append(
            {
                **{name: plain(record[name]) for name in ("subject", "visit", "days_since_first")},
                **{name: known.get(name) for name in COVARIATES},
                **{
                    name: record[name] for name in ("device", "settings", "depth_mm", "counting", "unsettled")
                },
                "pictures": len(shown.get(of_visit, ())),
                "complete": ("yes" if lacks.complete else "no") if protocol.entries else "",
                "missing": "; ".join(map(str, lacks.missing)),
                "not_done": "; ".join(f"{one}: {why}" for one, why in lacks.not_done),
                "signed_by": ", ".join(dict.fromkeys(one.author for one in signatures if one.holds)),
                "signature": _signature(signatures),
            }
        )
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"sex": "string", "depth_mm": "string"})


def _by_visit(current: pd.DataFrame) -> pd.DataFrame:
    """Facts of the rows of each visit: a few passes over all, not some over each of thousands."""
    key = ["subject", "visit"]
    rows = current.assign(
        **{name: current[name].fillna("").astype(str) for name in key},
        counting=current["counts"].astype(int),
        unsettled=(current["state"] == "conflict").astype(int),
    )
    groups = rows[rows["subject"] != ""].groupby(key, sort=True)
    facts = groups.agg(
        days_since_first=("days_since_first", "min"),
        day=("day", "min"),
        age_years=("age_years", "max"),
        shallow=("depth_mm", "min"),
        deep=("depth_mm", "max"),
        counting=("counting", "sum"),
        unsettled=("unsettled", "sum"),
    )
    for name in ("device", "settings"):
        once = rows[[*key, name]].dropna().drop_duplicates().sort_values(name)
        once = once[once[name] != ""]
        facts[name] = once.groupby(key)[name].agg(" + ".join).reindex(facts.index).fillna("")
    facts["depth_mm"] = [
        _range(shallow, deep) for shallow, deep in zip(facts["shallow"], facts["deep"], strict=True)
    ]
    return facts.reset_index()


def _signature(signatures: list[Any]) -> str:
    if any(one.holds for one in signatures):
        return "holds"
    return f"void: {signatures[0].changes}" if signatures else ""


def _range(low: float, high: float) -> str:
    """``40`` or ``40-50``; empty where no depth is known."""
    words = [f"{value:.4g}" for value in (low, high) if not math.isnan(value)]
    return "-".join(dict.fromkeys(words))
