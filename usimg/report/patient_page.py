"""One patient, one visit, one page: values, repeats, sides, the visit before, the pictures, the signature."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg.errors import StudyRefused
from usimg.pages import render, write_page
from usimg.report.gather import named
from usimg.report.stills import Still, still_of
from usimg.study.decisions import Decision, read_decisions
from usimg.study.derived import FASCICULATIONS, HECKMATT
from usimg.study.dictionary import FEATURE_WORDS
from usimg.study.exports import Tables, tables_of
from usimg.study.outlines import with_outlines
from usimg.study.schema import plain
from usimg.study.signing import Signature, signatures
from usimg.study.tables import RULE
from usimg.study.visits import Lacking, lacking

if TYPE_CHECKING:
    from usimg.study import Study

# What is reported of a patient; the rest is in the tables.
FEATURES = ("thickness_mm", "csa_mm2", "echo_intensity", "echo_intensity_protocol")
SIDES = ("left", "right", "midline", "")
# Pictures on the page, beyond which a page is no page any more.
MOST_PICTURES = 48
# Two standard errors either way hold 95 % of what repeats alone would give.
TWO_SIDED_95 = 1.96


@dataclass(frozen=True)
class Cell:
    """One average on the page.

    Attributes
    ----------
    before : float or None
        The same value at the visit before.
    beyond : bool or None
        Whether the change is larger than the error of repeats (95 %); None when that is not known.
    """

    id: str
    value: float
    sd: float | None
    repeats: tuple[float, ...]
    made_of: str
    remarks: str = ""
    before: float | None = None
    beyond: bool | None = None

    @property
    def change(self) -> float | None:
        """From the visit before."""
        return None if self.before is None else self.value - self.before


@dataclass(frozen=True)
class Line:
    """One structure and feature, both sides."""

    label: str
    place: str
    feature: str
    unit: str
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Page:
    """What a patient page says."""

    subject: str
    visit: str
    before: str | None
    lines: list[Line]
    sides: list[str]
    derived: list[dict[str, Any]]
    not_counted: list[tuple[str, str]]
    stills: list[tuple[str, Still]]
    signed: list[Signature]
    method: str
    unvalidated: int
    more_pictures: int = 0
    lacks: Lacking = field(default_factory=Lacking)
    protocol: str = ""
    notes: list[str] = field(default_factory=list)


def patient_report(
    study: Study,
    subject: str,
    path: str | os.PathLike[str] | None = None,
    *,
    visit: str | None = None,
    include_unvalidated: bool = False,
) -> Path:
    """Write the page of one visit of a patient.

    Parameters
    ----------
    study : Study
    subject : str
        Study id.
    path : path, optional
        ``exports/patient_ID_VISIT.html`` when left out.
    visit : str, optional
        The last one when left out (by day where the scans say it, else by name).
    include_unvalidated : bool
        Let automatic outlines count whose method is not validated for their structure.

    Returns
    -------
    Path

    Raises
    ------
    StudyRefused
        No such patient or visit.
    """
    tables = tables_of(study, include_unvalidated=include_unvalidated, geometry=False)
    page = _page(study, tables, subject, visit, include_unvalidated=include_unvalidated)
    html = render("usimg.report", "patient.html.j2", page=page, rule=RULE)
    name = re.sub(r"[^A-Za-z0-9-]+", "_", f"patient_{page.subject}_{page.visit}").strip("_")
    return write_page(path or study.exports / f"{name}.html", html)


def _page(
    study: Study, tables: Tables, subject: str, visit: str | None, *, include_unvalidated: bool
) -> Page:
    rows = tables.current[(tables.current["subject"] == subject).fillna(value=False).astype(bool)]
    if rows.empty:
        known = sorted(set(tables.current["subject"].dropna()) - {""})
        some = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
        raise StudyRefused(f"this study knows no subject {subject}; it has {some or 'none'}")
    visits = _in_order(rows)
    chosen = visits[-1] if visit is None else visit
    if chosen not in visits:
        raise StudyRefused(f"{subject} has no visit {visit}; there is {', '.join(visits)}")
    at = visits.index(chosen)
    before = visits[at - 1] if at else None
    rows = rows[(rows["visit"].fillna("") == chosen).to_numpy(dtype=bool)]
    lines = _lines(tables, subject, chosen, before)
    derived = tables.derived[
        (tables.derived["subject"] == subject) & (tables.derived["visit"].fillna("") == chosen)
    ]
    silent = rows[~rows["counts"].to_numpy(dtype=bool)]
    gone = tables.patients.left_out
    gone = gone[(gone["subject"] == subject) & (gone["visit"] == chosen) & (gone["feature"] != "")]
    gone = gone.drop_duplicates(["structure", "site", "side", "reason"])
    counting = rows[rows["counts"].to_numpy(dtype=bool)]
    unvalidated = (counting["state"] == "automatic") & ~counting["validated"].fillna(value=False).astype(bool)
    stills, more = _stills(study, rows)
    return Page(
        subject=subject,
        visit=chosen,
        before=before,
        lines=lines,
        sides=[side for side in SIDES if any(side in line.cells for line in lines)],
        derived=[_derived(record) for record in derived.to_dict("records")],
        not_counted=[
            *((_place(row), _why(row)) for row in silent.to_dict("records")),
            *((_place(row), _average_words(row)) for row in gone.to_dict("records")),
        ],
        stills=stills,
        signed=[
            signature
            for signature in signatures(study, tables.held, subject, chosen)
            if signature.include_unvalidated == include_unvalidated or not signature.holds
        ],
        method=tables.held.method,
        unvalidated=int(unvalidated.sum()),
        more_pictures=more,
        lacks=lacking(rows, study.protocol, _not_done(tables), subject, chosen),
        protocol=study.protocol.name if study.protocol.entries else "",
        notes=tables.held.problems,
    )


def _not_done(tables: Tables) -> list[Decision]:
    return [decision for decision in tables.held.others if decision.kind == "not_done"]


def _lines(tables: Tables, subject: str, visit: str, before: str | None) -> list[Line]:
    long = tables.patients.long
    of_subject = long[(long["subject"] == subject) & long["feature"].isin(FEATURES)]
    now = of_subject[of_subject["visit"] == visit]
    then = of_subject[of_subject["visit"] == before] if before is not None else of_subject[:0]
    earlier = {record["column"]: record for record in then.to_dict("records")}
    numbers = tables.patients.counting.set_index("measurement_id")
    found: dict[tuple[str, ...], Line] = {}
    for record in now.to_dict("records"):
        feature = str(record["feature"])
        label, _ = named(str(record["structure"]))
        place = ", ".join(
            str(record[name]).replace("_", " ")
            for name in ("site", "muscle_state", "posture")
            if record[name]
        )
        words, unit, _ = FEATURE_WORDS[feature]
        key = (label, place, str(record["session"]), f"{FEATURES.index(feature)}")
        line = found.setdefault(key, Line(label, place, words, unit, {}))
        repeats = numbers.loc[list(record["inputs"]), feature].dropna()
        line.cells[str(record["side"])] = _cell(record, tuple(repeats), earlier.get(record["column"]))
    return [found[key] for key in sorted(found)]


def _cell(record: Mapping[Any, Any], repeats: tuple[float, ...], before: Mapping[Any, Any] | None) -> Cell:
    made_of = ", ".join(
        f"{record[f'n_{state}']} {state}"
        for state in ("corrected", "accepted", "automatic")
        if record[f"n_{state}"]
    )
    beyond = None
    if before is not None and plain(record["sd"]) is not None and plain(before["sd"]) is not None:
        error = (record["sd"] ** 2 / record["n"] + before["sd"] ** 2 / before["n"]) ** 0.5
        beyond = bool(abs(record["value"] - before["value"]) > TWO_SIDED_95 * error)
    return Cell(
        id=str(record["value_id"]),
        value=float(record["value"]),
        sd=plain(record["sd"]),
        repeats=repeats if len(repeats) > 1 else (),
        made_of=made_of,
        remarks=str(record["remarks"]),
        before=None if before is None else float(before["value"]),
        beyond=beyond,
    )


def _derived(record: Mapping[Any, Any]) -> dict[str, Any]:
    fields = ("structure", "site", "side", "muscle_state", "feature")
    place = ", ".join(str(record[name]).replace("_", " ") for name in fields if plain(record[name]))
    return {
        "label": record["label"],
        "place": place if record["name"] not in (HECKMATT, FASCICULATIONS) else place.rpartition(", ")[0],
        "value": plain(record["value"]),
        "error": plain(record["error"]),
        "unit": record["unit"],
        "reason": plain(record["reason"]) or "",
        "id": record["value_id"],
    }


def _stills(study: Study, rows: pd.DataFrame) -> tuple[list[tuple[str, Still]], int]:
    """A thumbnail of every picture with an outline that holds."""
    drawn = rows[~rows["state"].isin(["failed", "empty", "rejected", "conflict"]).to_numpy(dtype=bool)]
    drawn = with_outlines(drawn, study.automatic, read_decisions(study.people)[0])
    drawn = drawn[drawn["polygons"].notna()]
    groups = list(drawn.groupby(["scan", "frame", "region"], sort=False, dropna=False))
    shown = []
    for _, group in groups[:MOST_PICTURES]:
        records = [{str(k): v for k, v in record.items()} for record in group.to_dict("records")]
        places = list(dict.fromkeys(_place(record) for record in records))
        still = still_of(study, records, longest_side=360, with_lines=False)
        shown.append(("; ".join(places), still))
    return shown, max(0, len(groups) - MOST_PICTURES)


def _place(row: Mapping[Any, Any]) -> str:
    label, _ = named(str(plain(row.get("structure")) or "muscle"))
    repeat = plain(row.get("repeat"))
    words = [label, plain(row.get("side")), f"repeat {repeat}" if repeat is not None else ""]
    return ", ".join(str(word) for word in words if word)


def _average_words(row: Mapping[Any, Any]) -> str:
    feature = FEATURE_WORDS.get(str(row["feature"]), (str(row["feature"]),))[0]
    return f"{feature} is not averaged: {row['reason']}"


def _why(row: Mapping[Any, Any]) -> str:
    said, reason = str(plain(row["counts_reason"]) or ""), str(plain(row.get("reason")) or "")
    return f"{said}: {reason}" if said in ("rejected", "no outline") and reason else said


def _in_order(rows: pd.DataFrame) -> list[str]:
    """Visits by their days, where those are known; else by name, numbers in them by size."""
    days = rows.assign(visit=rows["visit"].fillna("")).groupby("visit")["day"].min()
    if days.isna().any():
        return sorted(map(str, days.index), key=_natural)
    return sorted(map(str, days.index), key=lambda visit: (int(days[visit]), _natural(visit)))


def _natural(visit: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", visit)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
