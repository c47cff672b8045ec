"""What other programs read: Parquet, CSV, Excel and REDCap in ``exports/``, made again at any time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from usimg.study.csvs import write_csv
from usimg.study.decisions import read_decisions
from usimg.study.derived import definitions, derive, graded
from usimg.study.dictionary import described
from usimg.study.outlines import write_with_outlines
from usimg.study.private import SHORT_HASH
from usimg.study.redcap import write_redcap
from usimg.study.schema import GEOMETRY, SCHEMA
from usimg.study.store import Study
from usimg.study.tables import RULE, RULE_UNVALIDATED, Wide, current_of, wide
from usimg.study.values import measurement_ids
from usimg.study.visits import visits_of

if TYPE_CHECKING:
    from usimg.study.excel import Sheet
    from usimg.study.fold import Fold

# The long table's columns beside the automatic schema's.
PEOPLE = pa.schema(
    {
        "measurement_id": pa.string(),
        "days_since_first": pa.int32(),
        "settings": pa.string(),
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
_NOT_FOR_READING = ("work", "generation", "day", "heads", *GEOMETRY)
# Columns of the table that says where every value of a patient row comes from.
SOURCES = (
    *("value_id", "subject", "visit", "session", "column", "value", "n", "sd", "rule", "settings"),
    *("n_automatic", "n_accepted", "n_corrected", "remarks", "inputs"),
)
FAILURES = ("scan", "frame", "region", "subject", "visit", "view", "structure", "status", "reason")


@dataclass(frozen=True)
class Exported:
    """Where the files lie, and how much is in them.

    Attributes
    ----------
    notes : list of str
        Files that another program holds open, and what was written instead.
    """

    folder: Path
    rows: int
    counted: int
    patient_rows: int
    problems: list[str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tables:
    """Everything that holds in a study, as tables (`tables_of`)."""

    held: Fold
    current: pd.DataFrame
    patients: Wide
    derived: pd.DataFrame


def tables_of(study: Study, *, include_unvalidated: bool = False, geometry: bool = True) -> Tables:
    """Fold a study and compute patient rows and derived values.

    Parameters
    ----------
    include_unvalidated : bool
        Let automatic outlines count whose method is not validated for their structure.
    geometry : bool
        Whether the rows carry their outlines.
    """
    held = study.fold(geometry=geometry)
    current = current_of(study, held, include_unvalidated=include_unvalidated)
    current = current.assign(measurement_id=pd.array(measurement_ids(current), dtype="string"))
    patients = wide(current, study.protocol)
    parts = [derive(patients, definitions(study.root)), graded(held.rows, held.others)]
    filled = [part for part in parts if len(part)]
    derived = pd.concat(filled, ignore_index=True) if filled else parts[0]
    return Tables(held, current, patients, derived)


def export(
    study: Study,
    *,
    include_unvalidated: bool = False,
    excel: bool = False,
    redcap: bool = False,
    locale: str = "",
) -> Exported:
    """Write the study's tables.

    ``current.parquet`` (all rows with outlines), ``measurements.csv`` (long), ``wide.csv`` (a row per
    patient and visit), ``visits.csv`` (what each lacks, covariates, signature), ``derived.csv``,
    ``sources.csv`` (where every patient value comes from), ``left_out.csv``, ``failures.csv``.

    Parameters
    ----------
    include_unvalidated : bool
        Let automatic outlines count whose method is not validated for their structure.
    excel : bool
        Also ``study.xlsx``, for people.
    redcap : bool
        Also ``redcap_import.csv`` and ``redcap_dictionary.csv``.
    locale : str
        Of the CSV files: ``""``, or ``"de"`` for semicolons and decimal commas.

    Raises
    ------
    StudyRefused
        The folder cannot be written.
    """
    tables = tables_of(study, include_unvalidated=include_unvalidated, geometry=False)
    current, folder = tables.current, study.exports
    whole = pa.Table.from_arrays(
        [
            pa.nulls(len(current), kind) if name in GEOMETRY else _array(current[name], kind)
            for name, kind in zip(CURRENT.names, CURRENT.types, strict=True)
        ],
        schema=CURRENT,
    )
    decisions, _ = read_decisions(study.people)
    write_with_outlines(folder / "current.parquet", whole, study.automatic, decisions)
    readable = whole.filter(pa.array((current["status"] != "failed").to_numpy(dtype=bool)))
    long = _for_reading(readable, [name for name in CURRENT.names if name not in _NOT_FOR_READING])
    del whole, readable
    lost = current[current["state"].isin(["failed", "empty"])]
    patients = tables.patients
    written: dict[str, pa.Table] = {
        "measurements.csv": long,
        "wide.csv": _plain(patients.table),
        "visits.csv": _plain(visits_of(study, tables.held, current)),
        "derived.csv": _plain(_joined_inputs(tables.derived)),
        "sources.csv": _plain(_joined_inputs(patients.long)[list(SOURCES)]),
        "left_out.csv": _plain(patients.left_out),
        "failures.csv": _for_reading(
            pa.Table.from_arrays([_array(lost[n], CURRENT.field(n).type) for n in FAILURES], list(FAILURES)),
            list(FAILURES),
        ),
    }
    places = [
        (folder / name, write_csv(folder / name, table, locale=locale)) for name, table in written.items()
    ]
    if excel:
        from usimg.study.excel import write_workbook  # noqa: PLC0415  openpyxl, only when asked for

        book = folder / "study.xlsx"
        about = _about(study, tables.held, include_unvalidated=include_unvalidated)
        places.append((book, write_workbook(book, _sheets(written, about))))
    if redcap:
        named = patients.long[["subject", "visit", "column", "value_id"]].itertuples(index=False, name=None)
        ids = {(subject, visit, column): one for subject, visit, column, one in named}
        write_redcap(folder, patients.table, ids)
    return Exported(
        folder=folder,
        rows=len(long),
        counted=int(current["counts"].sum()),
        patient_rows=len(patients.table),
        problems=tables.held.problems,
        notes=[
            f"{path.name} is open in another program: close it in Excel; written as {place.name} meanwhile"
            for path, place in places
            if place != path
        ],
    )


def _sheets(written: dict[str, pa.Table], about: list[tuple[str, str]]) -> Iterator[Sheet]:
    from usimg.study.excel import MOST_ROWS, Sheet  # noqa: PLC0415  as in `export`

    names = {
        "patients": "wide.csv",
        "visits": "visits.csv",
        "derived": "derived.csv",
        "sources": "sources.csv",
        "measurements": "measurements.csv",
        "left out": "left_out.csv",
        "failures": "failures.csv",
    }
    columns: list[str] = []
    for sheet, file in names.items():
        table = written[file]
        columns += [name for name in table.column_names if name not in columns]
        if len(table) > MOST_ROWS:
            about.append((sheet, f"{len(table):,} rows, too many for this workbook: they are in {file}"))
        else:
            yield Sheet(sheet, table.column_names, _rows(table))
    entries = [described(name) for name in columns]
    words = ("column", "label", "unit", "definition", "source")
    yield Sheet("dictionary", words, ([getattr(entry, name) for name in words] for entry in entries))
    yield Sheet("about", ("what", "said"), about)


def _about(study: Study, held: Fold, *, include_unvalidated: bool) -> list[tuple[str, str]]:
    said = [
        ("made by", f"usimg {version('usimg')}. For research use only: not a medical device."),
        ("what counts", RULE),
        ("outlined and measured by", held.method),
    ]
    if include_unvalidated:
        said.insert(2, ("what counts", RULE_UNVALIDATED))
    if study.primary_reader:
        said.append(("primary reader", study.primary_reader))
    others = [method for method in held.methods if method != held.method]
    said += [("lies beside it, and does not count", method) for method in others]
    return said + [("problem", problem) for problem in held.problems]


def _array(column: pd.Series[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_list(kind):  # lists are objects, and so is what is missing
        return pa.array([None if value is None or value is pd.NA else value for value in column], type=kind)
    return pa.array(column, type=kind, from_pandas=True)


def _for_reading(table: pa.Table, names: list[str]) -> pa.Table:
    """Scans by their short hash, lists as text."""
    columns = []
    for name in names:
        column = table[name]
        if name == "scan":
            column = pc.utf8_slice_codeunits(column, 0, SHORT_HASH)
        elif pa.types.is_list(column.type):
            column = pc.binary_join(column, "; ")
        columns.append(column)
    return pa.table(columns, names=names)


def _joined_inputs(values: pd.DataFrame) -> pd.DataFrame:
    return values.assign(inputs=[" ".join(made_of) for made_of in values["inputs"]])


def _plain(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)


def _rows(table: pa.Table) -> Iterable[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)
