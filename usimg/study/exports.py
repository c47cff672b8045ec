"""What other programs read: Parquet and CSV in ``exports/``, made again at any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from usimg.study.delimited import write_rows
from usimg.study.files import written_whole
from usimg.study.private import short
from usimg.study.schema import GEOMETRY, SCHEMA, plain
from usimg.study.store import Study
from usimg.study.tables import counted, wide

# The long table's columns beside the automatic schema's.
PEOPLE = pa.schema(
    {
        "state": pa.string(),
        "reader": pa.string(),
        "arm": pa.string(),
        "author": pa.string(),
        "heads": pa.list_(pa.string()),
        "counts": pa.bool_(),
        "counts_reason": pa.string(),
    }
)
CURRENT = pa.schema([*SCHEMA, *PEOPLE])
_NOT_FOR_READING = ("work", "generation", "heads", *GEOMETRY)


@dataclass(frozen=True)
class Exported:
    """Where the files lie, and how much is in them."""

    folder: Path
    rows: int
    counted: int
    patient_rows: int
    problems: list[str]


def export(study: Study, *, include_unvalidated: bool = False) -> Exported:
    """Write ``current.parquet``, ``measurements.csv``, ``wide.csv`` and ``failures.csv``.

    Parameters
    ----------
    include_unvalidated : bool
        Let automatic outlines count whose method is not validated for their structure.

    Raises
    ------
    StudyRefused
        The folder cannot be written, or a file is open in another program.
    """
    held = study.fold()
    current = counted(held.rows, primary_reader=study.primary_reader, include_unvalidated=include_unvalidated)
    folder = study.exports
    with written_whole(folder / "current.parquet") as temporary:
        pq.write_table(pa.Table.from_pylist(_records(current), schema=CURRENT), temporary)
    readable = current[current["status"] != "failed"]
    names = [name for name in CURRENT.names if name not in _NOT_FOR_READING]
    write_rows(folder / "measurements.csv", names, _cells(readable, names))
    patients = wide(current)
    columns = [str(name) for name in patients.table.columns]
    write_rows(folder / "wide.csv", columns, _cells(patients.table, columns))
    failures = ["scan", "frame", "region", "subject", "visit", "view", "structure", "status", "reason"]
    lost = current[current["state"].isin(["failed", "empty"])]
    write_rows(folder / "failures.csv", failures, _cells(lost, failures))
    return Exported(
        folder=folder,
        rows=len(readable),
        counted=int(current["counts"].sum()),
        patient_rows=len(patients.table),
        problems=held.problems,
    )


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): plain(value) for name, value in row.items()} for row in rows.to_dict("records")]


def _cells(rows: pd.DataFrame, names: list[str]) -> Iterator[list[Any]]:
    for row in rows[names].to_dict("records"):
        yield [_cell(name, plain(row[name])) for name in names]


def _cell(name: str, value: Any) -> Any:
    if name == "scan":
        return short(value)
    return "; ".join(map(str, value)) if isinstance(value, list) else value
