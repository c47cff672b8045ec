"""Where a value comes from: its inputs, outlines, scales, definitions, authors and versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg.errors import StudyRefused
from usimg.study.decisions import Decision, read_decisions
from usimg.study.dictionary import described
from usimg.study.exports import Tables, tables_of
from usimg.study.outlines import with_outlines
from usimg.study.schema import plain, read_parts, target_of
from usimg.study.tables import RULE, RULE_UNVALIDATED, counted
from usimg.study.values import measurement_ids

if TYPE_CHECKING:
    from usimg.study.store import Study

Row = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One thing that happened to an outline."""

    when: str
    author: str
    what: str


@dataclass(frozen=True)
class Measurement:
    """One outline with its numbers (a row of a fold), and what happened to it.

    Attributes
    ----------
    replaced : bool
        Whether another row holds in its place by now.
    """

    id: str
    row: Row
    steps: tuple[Step, ...] = ()
    replaced: bool = False


@dataclass(frozen=True)
class Provenance:
    """Where one value comes from.

    Attributes
    ----------
    id : str
    kind : str
        ``"measurement"``, ``"average"`` or ``"derived"``.
    title : str
    value, error : float or None
    unit : str
    facts : dict
        What is said of an average or derived value: formula, rule, repeats, source.
    parts : tuple of Provenance
        Averages that a derived value was computed from.
    measurements : tuple of Measurement
        All outlines that went in.
    """

    id: str
    kind: str
    title: str
    value: float | None = None
    error: float | None = None
    unit: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Provenance, ...] = ()
    measurements: tuple[Measurement, ...] = ()


def where_from(study: Study, value: str) -> Provenance:
    """Follow a value id or measurement id back to its pictures.

    Parameters
    ----------
    study : Study
    value : str
        As the exports show it; case does not matter.

    Raises
    ------
    StudyRefused
        No such id: mistyped, or what the value was made of has changed since it was exported.
    """
    wanted = value.strip().upper()
    for include_unvalidated in (False, True):
        tables = tables_of(study, include_unvalidated=include_unvalidated, geometry=False)
        found = _find(study, tables, wanted)
        if found is not None:
            rule = f"{RULE} {RULE_UNVALIDATED}" if include_unvalidated else RULE
            return found if found.kind == "measurement" else _with_rule(found, rule)
    old = _replaced(study, wanted)
    if old is not None:
        return old
    raise StudyRefused(
        f"no value of this study has the id {value}: it is mistyped, or what the value was made of has"
        " changed since the table was written (usimg export writes it again)"
    )


def _with_rule(found: Provenance, rule: str) -> Provenance:
    return Provenance(**{**found.__dict__, "facts": {**found.facts, "what counts": rule}})


def _find(study: Study, tables: Tables, wanted: str) -> Provenance | None:
    long, derived = tables.patients.long, tables.derived
    if wanted in set(long["value_id"]):
        return _average(study, tables, _record(long[long["value_id"] == wanted]))
    if len(derived) and wanted in set(derived["value_id"]):
        return _derived(study, tables, _record(derived[derived["value_id"] == wanted]))
    rows = tables.current[tables.current["measurement_id"] == wanted]
    if rows.empty:
        return None
    (one,) = _measurements(study, rows.head(1))
    return Provenance(wanted, "measurement", f"{_whose(one.row)}: {_place(one.row)}", measurements=(one,))


def _average(study: Study, tables: Tables, record: Row) -> Provenance:
    rows = tables.current[tables.current["measurement_id"].isin(record["inputs"])]
    n, spread = int(record["n"]), plain(record["sd"])
    entry = described(str(record["column"]))
    facts = {
        "repeats": str(n),
        "SD between repeats": "" if spread is None else f"{spread:.3g}",
        "made of": ", ".join(
            f"{record[f'n_{state}']} {state}" for state in ("automatic", "accepted", "corrected")
        ),
        "rule": str(record["rule"]).replace("_", " "),
        "settings": str(record["settings"]),
        "look again": str(record["remarks"]),
        "column": str(record["column"]),
    }
    return Provenance(
        str(record["value_id"]),
        "average",
        f"{_whose(record)}: {entry.label}",
        unit=entry.unit,
        value=plain(record["value"]),
        error=None if spread is None else spread / n**0.5,
        facts=facts,
        measurements=tuple(_measurements(study, rows)),
    )


def _derived(study: Study, tables: Tables, record: Row) -> Provenance:
    long = tables.patients.long
    parts = tuple(
        _average(study, tables, _record(long[long["value_id"] == one]))
        for one in record["inputs"]
        if one in set(long["value_id"])
    )
    rows = tables.current[tables.current["measurement_id"].isin(record["inputs"])]
    own = tuple(_measurements(study, rows)) if len(rows) else ()
    return Provenance(
        str(record["value_id"]),
        "derived",
        f"{_whose(record)}: {record['label']}, {_place(record)}".rstrip(", "),
        value=plain(record["value"]),
        error=plain(record["error"]),
        unit=str(record["unit"]),
        facts={
            "formula": str(record["formula"]),
            "missing because": str(record["reason"]),
            "source": str(record["source"]) or "none: usual practice, to be confirmed",
        },
        parts=parts,
        measurements=own or tuple({m.id: m for part in parts for m in part.measurements}.values()),
    )


def _replaced(study: Study, wanted: str) -> Provenance | None:
    """An automatic row that held once, by the id that it had."""
    parts, _ = read_parts(study.automatic, geometry=False)
    rows = parts.to_pandas().assign(reader="", arm="", author="", state="automatic")
    rows = rows[[one == wanted for one in measurement_ids(rows)]]
    if rows.empty:
        return None
    rows = counted(rows.tail(1)).assign(measurement_id=wanted)
    (one,) = _measurements(study, rows)
    one = Measurement(one.id, one.row, one.steps, replaced=True)
    return Provenance(wanted, "measurement", f"{_whose(one.row)}: {_place(one.row)}", measurements=(one,))


def _measurements(study: Study, rows: pd.DataFrame) -> list[Measurement]:
    decisions, _ = read_decisions(study.people)
    found = []
    rows = with_outlines(rows, study.automatic, decisions)
    for record in rows.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        found.append(Measurement(str(row["measurement_id"]), row, tuple(_steps(row, decisions))))
    return found


def _steps(row: Row, decisions: Mapping[str, Decision]) -> list[Step]:
    """What happened to this target, earliest first; times are notes, and order nothing but this list."""
    version = plain(row.get("usimg_version")) or "unknown"
    steps = []
    if plain(row.get("run")):
        steps.append(
            Step(str(row["run"]).partition("-")[0], f"usimg {version}", f"outlined by {row['method']}")
        )
    target = target_of(row)
    own = [decision for decision in decisions.values() if decision.target == target]
    for decision in sorted(own, key=lambda one: (one.time, one.id)):
        arm = f" in the arm {decision.arm}" if decision.arm else ""
        steps.append(Step(decision.time, decision.author, _words(decision) + arm))
    return steps


def _words(decision: Decision) -> str:
    if decision.kind == "reject":
        return f"rejected: {decision.content['reason']}"
    said = {"outline": "drew an outline", "accept": "accepted", "undo": "took a decision back"}
    return said.get(decision.kind, decision.kind.replace("_", " "))


def _place(record: Mapping[str, Any]) -> str:
    names = ("structure", "site", "side", "muscle_state")
    words = [str(plain(record.get(name)) or "").replace("_", " ") for name in names]
    return ", ".join(filter(None, words))


def _whose(record: Mapping[str, Any]) -> str:
    visit = plain(record.get("visit"))
    return f"{plain(record.get('subject')) or 'no subject'}{f', visit {visit}' if visit else ''}"


def _record(rows: pd.DataFrame) -> Row:
    return {str(name): value for name, value in rows.iloc[0].to_dict().items()}
