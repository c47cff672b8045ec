"""``current.parquet``: every row that holds with its outline, part by part, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from usimg.study.decisions import Decision
from usimg.study.files import written_whole
from usimg.study.schema import GEOMETRY, SCHEMA

# Rows of a fold whose outline is the one in an automatic part; a corrected or drafted one is a person's.
_OF_A_PART = ("automatic", "accepted", "moved")
_OUTLINES = pa.schema([SCHEMA.field(name) for name in GEOMETRY])


def write_with_outlines(
    path: Path, rows: pa.Table, automatic: Path, decisions: Mapping[str, Decision]
) -> None:
    """Write rows of a fold with their outlines, whole or not at all.

    Parameters
    ----------
    path : Path
    rows : pyarrow.Table
        Rows without outlines; the columns of geometry are null.
    automatic : Path
        Folder of the parts; one is read at a time.
    decisions : mapping
        People's outlines by id.
    """
    names = rows.column_names
    with written_whole(path) as temporary, pq.ParquetWriter(temporary, rows.schema) as writer:
        for at, outlines in _in_pieces(rows, automatic, decisions):
            piece = rows.take(pa.array(at))
            for name in GEOMETRY:
                piece = piece.set_column(names.index(name), rows.schema.field(name), outlines[name])
            writer.write_table(piece)


def with_outlines(rows: pd.DataFrame, automatic: Path, decisions: Mapping[str, Decision]) -> pd.DataFrame:
    """A few rows of a fold (those of a patient, of a value) with their outlines; the rest is not read.

    Parameters
    ----------
    rows : DataFrame
        Of a fold without geometry.
    """
    scans = pc.field("scan").isin(sorted(set(rows["scan"])))
    held: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted(automatic.glob("*.parquet")):
        try:
            table = pq.read_table(path, columns=["run", "outline", *GEOMETRY], filters=scans)
        except (OSError, pa.ArrowException):
            continue  # the fold has reported it
        for record in table.to_pylist():
            held[record.pop("run"), record.pop("outline")] = record
    drawn = []
    for run, one, state in zip(rows["run"], rows["outline"], rows["state"], strict=True):
        of_part = held.get((run, one)) if state in _OF_A_PART else None
        drawn.append(of_part or _drawn(decisions.get(str(one)), str(state)))
    columns = {name: pd.Series([d[name] for d in drawn], rows.index, dtype=object) for name in GEOMETRY}
    return rows.assign(**columns)


def _in_pieces(
    rows: pa.Table, automatic: Path, decisions: Mapping[str, Decision]
) -> Iterator[tuple[list[int], pa.Table]]:
    """(row numbers, their outlines): those of each part, then people's and the rows without one."""
    keys = pd.MultiIndex.from_arrays([rows["run"].to_pandas(), rows["outline"].to_pandas()])
    in_part = pc.is_in(rows["state"], value_set=pa.array(_OF_A_PART)).to_pandas().to_numpy(dtype=bool)
    waiting: dict[Any, list[int]] = {}
    for number in in_part.nonzero()[0].tolist():
        waiting.setdefault(keys[number], []).append(number)
    left = dict.fromkeys(range(len(rows)))
    for path in sorted(automatic.glob("*.parquet")):
        try:
            table = pq.read_table(path, columns=["run", "outline", *GEOMETRY])
        except (OSError, pa.ArrowException):
            continue  # the fold has reported it
        found = [
            (number, place)
            for place, key in enumerate(
                zip(table["run"].to_pylist(), table["outline"].to_pylist(), strict=True)
            )
            for number in waiting.pop(key, ())
        ]
        if found:
            at, places = (list(column) for column in zip(*found, strict=True))
            for number in at:
                del left[number]
            yield at, table.select(list(GEOMETRY)).take(pa.array(places))
    if left:
        ids = rows["outline"].take(pa.array(list(left))).to_pylist()
        states = rows["state"].take(pa.array(list(left))).to_pylist()
        drawn = [_drawn(decisions.get(str(one)), state) for one, state in zip(ids, states, strict=True)]
        yield list(left), pa.Table.from_pylist(drawn, schema=_OUTLINES)


def _drawn(decision: Decision | None, state: str) -> dict[str, Any]:
    if decision is None or decision.kind != "outline" or state in ("rejected", "conflict"):
        return dict.fromkeys(GEOMETRY)
    return {name: decision.content["outline"].get(name) for name in GEOMETRY}
