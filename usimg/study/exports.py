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
from usimg.study.schema import GEOMETRY, SCHEMA
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
        columns = [
            pa.array(values, type=kind)
            for values, kind in zip(_columns(current, CURRENT.names), CURRENT.types, strict=True)
        ]
        pq.write_table(pa.Table.from_arrays(columns, schema=CURRENT), temporary)
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


def _columns(rows: pd.DataFrame, names: list[str]) -> list[list[Any]]:
    """Plain values by column; None where there is none."""
    return [rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in names]


def _cells(rows: pd.DataFrame, names: list[str]) -> Iterator[tuple[Any, ...]]:
    """Rows as a person reads them: scans by their short hash, lists as text."""
    columns = _columns(rows, names)
    for name, column in zip(names, columns, strict=True):
        if name == "scan":
            column[:] = [short(value) for value in column]
        elif name == "flags":
            column[:] = ["; ".join(value) if value is not None else "" for value in column]
    return zip(*columns, strict=True)
