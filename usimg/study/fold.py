"""What holds now: automatic rows and people's decisions, folded into one table.

The fold is the only truth of a study: no state is kept beside it. Nothing here looks at a clock:
automatic rows are ordered by generation (a run's is one more than any it saw), decisions by their
parents (`usimg.study.history`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg.study.days import brought_forward, named
from usimg.study.decisions import ADJUDICATED, Decision, Target, read_decisions
from usimg.study.history import History, Reading
from usimg.study.methods import made_by, method_that_holds, methods_of
from usimg.study.schema import (
    FEATURES,
    GEOMETRY,
    LEFT_OUT,
    MEASURED,
    SCHEMA,
    SINCE_VERSION_2,
    SINCE_VERSION_3,
    TARGET,
    plain,
    read_parts,
)

if TYPE_CHECKING:
    from usimg.study.store import Study

# What a row is: the first three are a run's, the others a person's. A draft was drawn and not yet
# accepted; moved means that the picture's label was changed after the decision.
STATES = ("automatic", "empty", "failed", "draft", "accepted", "corrected", "rejected", "conflict", "moved")
OPEN_ARMS = ("", ADJUDICATED)
PERSON = ("state", "reader", "arm", "author", "heads")
# Status of a row that holds new numbers of a person's outline, whose id it has.
REMEASURED = "remeasured"
Row = dict[str, Any]

# Nullable types keep "not known" apart from 0, "" and False; numbers stay float64 with NaN.
_PANDAS: dict[str, Any] = {
    "string": pd.StringDtype(),
    "int32": pd.Int32Dtype(),
    "int64": pd.Int64Dtype(),
    "bool": pd.BooleanDtype(),
}


@dataclass(frozen=True)
class Fold:
    """What holds now.

    Attributes
    ----------
    rows : DataFrame
        One row per outline that holds: the columns of `usimg.study.schema.SCHEMA`, and ``state``
        (one of `STATES`), ``reader``, ``arm``, ``author``, ``heads`` (ids that this reader's next
        decision names as parents). Numbers are those of the outline that the person decided on.
    readings : list of Reading
        Every reader's, conflicts (``len(standing) > 1``) included.
    others : list of Decision
        What stands of every other kind: label, calibrate, grade, not_done, sign, choose.
    problems : list of str
        Torn lines and damaged parts, which were skipped; choices of a method that disagree.
    methods : list of str
        Every method of the automatic rows, the one that the study began with first.
    method : str
        The one that holds (`usimg.study.methods`).
    """

    rows: pd.DataFrame
    readings: list[Reading] = field(default_factory=list)
    others: list[Decision] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    method: str = ""

    @property
    def conflicts(self) -> list[Reading]:
        """Readings with several heads that disagree; one decision that names all heads settles it."""
        return [reading for reading in self.readings if len(reading.standing) > 1]

    def parents(self, target: Target, reader: str, outline: str, *, arm: str = "") -> tuple[str, ...]:
        """What this reader's next decision names as parents: the heads, or the outline on the screen."""
        for reading in self.readings:
            if (reading.target, reading.reader, reading.arm) == (target, reader, arm):
                return reading.heads
        return (outline,)

    def seen(self, target: Target) -> tuple[str, ...]:
        """Heads of every reader, blind ones and earlier adjudications too: the parents of an adjudication."""
        return tuple(head for reading in self.readings if reading.target == target for head in reading.heads)


def fold(study: Study, *, geometry: bool = True) -> Fold:
    """Fold all good parts and lines of a study.

    Parameters
    ----------
    geometry : bool
        Whether ``rows`` carry polygons and lines.
    """
    automatic, problems = automatic_rows(study, geometry=geometry)
    decisions, torn = read_decisions(study.people)
    history = History(decisions)
    readings, others = history.readings(), history.others()
    methods = methods_of(automatic)
    method, disagreements = method_that_holds(methods, others)
    rows = untouched(newest(automatic, method))
    if readings:
        rows = _decided(rows, _in_force(automatic, method), readings, decisions)
    return Fold(rows, readings, others, problems + torn + disagreements, methods, method)


def automatic_rows(study: Study, *, geometry: bool) -> tuple[pd.DataFrame, list[str]]:
    """Every row that any run wrote, and what had to be skipped, in words."""
    parts, problems = read_parts(study.automatic, geometry=geometry)
    rows: pd.DataFrame = parts.to_pandas(types_mapper=lambda kind: _PANDAS.get(str(kind)))
    return brought_forward(rows, study.secret), problems


def newest(automatic: pd.DataFrame, method: str) -> pd.DataFrame:
    """The rows that hold for each scan, as `as_written` gives them, with every visit's name.

    Visits that nobody named are named by their days (`usimg.study.days.named`).
    """
    return named(as_written(automatic, method))


def as_written(automatic: pd.DataFrame, method: str) -> pd.DataFrame:
    """The rows of the last run of this method that did a scan, for each scan.

    Of two runs that did not see each other the one of the larger name is taken, the same everywhere.
    """
    # A row without a method is a note of a failure, whoever met it.
    theirs = (made_by(automatic) == method) | (automatic["method"].fillna("") == "")
    again = (automatic["status"] == REMEASURED).fillna(value=False)
    automatic = automatic[theirs.astype(bool) & ~again.astype(bool)]
    order = automatic[["scan", "generation", "run"]].drop_duplicates()
    order = order.sort_values(["scan", "generation", "run"])
    last = order.drop_duplicates("scan", keep="last").set_index("scan")["run"]
    held = automatic[(automatic["run"] == automatic["scan"].map(last)).fillna(value=False).astype(bool)]
    return held.drop_duplicates("outline", keep="last").reset_index(drop=True)


def _in_force(automatic: pd.DataFrame, method: str) -> pd.DataFrame:
    """Every automatic row, that which holds for an outline id last."""
    order = automatic.assign(_holds=made_by(automatic) == method)
    return order.sort_values(["_holds", "generation", "run"], kind="stable").drop(columns="_holds")


def untouched(rows: pd.DataFrame) -> pd.DataFrame:
    """Automatic rows as the fold shows them where nobody decided anything."""
    text = pd.Series("", index=rows.index, dtype="string")
    state = rows["status"].replace("measured", "automatic")
    heads = pd.Series([[outline] for outline in rows["outline"]], index=rows.index, dtype=object)
    return rows.assign(state=state, reader=text, arm=text, author=text, heads=heads)


def _decided(
    rows: pd.DataFrame,
    automatic: pd.DataFrame,
    readings: list[Reading],
    decisions: Mapping[str, Decision],
) -> pd.DataFrame:
    touched = {reading.target.scan for reading in readings}
    held = rows[rows["scan"].isin(touched)]
    by_id = {row["outline"]: row for row in _records(automatic[automatic["scan"].isin(touched)])}
    by_scan: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    by_target: dict[tuple[Any, ...], tuple[int, Row]] = {}
    for at, row in zip(held.index, _records(held), strict=True):
        by_scan[row["scan"]].append((at, row))
        by_target[tuple(plain(row[name]) for name in TARGET)] = (at, row)

    heads = list(rows["heads"])  # rows are numbered from 0
    replaced: list[int] = []
    new: list[Row] = []
    for reading in readings:
        target = reading.target
        at, base = by_target.get(tuple(target.as_dict()[name] for name in TARGET), (None, None))
        decided = _row_of(reading, base or _beside(by_scan[target.scan], reading), by_id, decisions)
        if decided is None:  # undone: the automatic row holds again
            if at is not None and reading.arm == "":
                heads[at] = list(reading.heads)
            continue
        neighbours = [row for _, row in by_scan[target.scan]]
        if at is None and neighbours and all(_is_left_out(row) for row in neighbours):
            continue  # the picture was excluded since: that holds, whoever accepted it before
        if at is None and reading.saw_automatic and neighbours:
            decided["state"] = "moved"
        elif at is not None and reading.arm in OPEN_ARMS:
            replaced.append(at)
        new.append(decided)
    rows = rows.assign(heads=pd.Series(heads, index=rows.index, dtype=object))
    if not new:
        return rows
    people = pd.DataFrame(new, columns=rows.columns).astype(rows.dtypes.to_dict())
    kept = rows.drop(index=list(set(replaced)))
    joined = pd.concat([kept, people], ignore_index=True) if len(kept) else people
    return joined.sort_values([*TARGET, "reader", "arm"], kind="stable", ignore_index=True)


def _row_of(
    reading: Reading, base: Row, by_id: Mapping[str, Row], decisions: Mapping[str, Decision]
) -> Row | None:
    """The row that a reading makes of an automatic one, or None when it says nothing any more."""
    row = base | {
        "reader": reading.reader,
        "arm": reading.arm,
        "author": reading.author,
        "heads": list(reading.heads),
    }
    empty = row | dict.fromkeys(name for name in (*FEATURES, *GEOMETRY, "confidence") if name in row)
    if len(reading.standing) > 1:
        why = f"{reading.author} decided twice without seeing the other decision; settle it in the review"
        return empty | {"state": "conflict", "flags": [], "reason": why}
    decision = decisions.get(reading.standing[0]) if reading.standing else None
    if decision is None:
        return None
    if decision.kind == "reject":
        return empty | {"state": "rejected", "flags": [], "reason": str(decision.content["reason"])}
    if decision.kind == "outline":
        return empty | _drawn(decision, row, by_id) | {"state": "draft"}
    return _accepted(decision, row, empty, by_id, decisions)


def _accepted(
    decision: Decision, row: Row, empty: Row, by_id: Mapping[str, Row], decisions: Mapping[str, Decision]
) -> Row:
    accepted = str(decision.content["outline"])
    drawn = decisions.get(accepted)
    if drawn is not None and drawn.kind == "outline":
        return empty | _drawn(drawn, row, by_id) | {"state": "corrected", "author": decision.author}
    automatic = by_id.get(accepted)
    if automatic is None:
        why = "the accepted outline's part is damaged; usimg extract makes it again"
        return empty | {"state": "empty", "flags": [], "reason": why}
    # Whose picture it is may have been mended since: that comes from the row that holds now.
    labels = ("subject", "visit", "day", "age_years", "view", "label_source", *SINCE_VERSION_2)
    numbers = {name: value for name, value in automatic.items() if name in row and name not in labels}
    return row | numbers | {"state": "accepted", "author": decision.author}


def _drawn(decision: Decision, row: Row, by_id: Mapping[str, Row]) -> Row:
    values = {**decision.content["values"], **decision.content["outline"]}
    again = by_id.get(decision.id)
    if again is not None:  # measured again since it was drawn
        values |= {name: again[name] for name in MEASURED if name in again}
    return {name: value for name, value in values.items() if name in row} | {
        "outline": decision.id,
        "status": "measured",
        "method": f"drawn by {decision.author}",
        "confidence": 1.0,
        "validated": None,
        "flags": list(values.get("flags") or []),
        "reason": str(values.get("reason") or ""),
    }


def _is_left_out(row: Row) -> bool:
    return row["status"] == "empty" and str(plain(row["reason"]) or "").startswith(LEFT_OUT)


def _beside(neighbours: list[tuple[int, Row]], reading: Reading) -> Row:
    """A row for a structure that no run looked for in this picture."""
    row: Row = dict.fromkeys([*SCHEMA.names, *PERSON])
    shared = ("subject", "visit", "device", "kind", *SINCE_VERSION_2, *SINCE_VERSION_3)
    if neighbours:
        row |= {name: neighbours[0][1][name] for name in shared}
    return row | reading.target.as_dict() | {"label_source": "person"}


def _records(rows: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
