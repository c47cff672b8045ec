"""Patient rows as REDCap imports them, with the data dictionary that makes the fields.

One repeating instrument ``ultrasound``; its instance is the visit. A visit that is a number keeps it;
others are numbered in the order of their names, which the file says.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from usimg.study.csvs import write_csv
from usimg.study.dictionary import described

FORM = "ultrasound"
# REDCap refuses longer names (its database has 100 characters, and appends to some of them).
MOST_LETTERS = 60
# The header of REDCap's data dictionary; the order counts.
HEADER = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)


def field_name(column: str) -> str:
    """A name REDCap takes: lower case, single underscores, a letter first, not too long.

    >>> field_name("biceps_brachii__mid_arm__left__thickness_mm")
    'biceps_brachii_mid_arm_left_thickness_mm'
    """
    name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
    if not name[:1].isalpha():
        name = f"f_{name}"
    if len(name) > MOST_LETTERS:
        name = f"{name[: MOST_LETTERS - 7]}_{hashlib.sha256(column.encode()).hexdigest()[:6]}"
    return name


def write_redcap(folder: Path, table: pd.DataFrame, ids: Mapping[tuple[str, str, str], str]) -> list[Path]:
    """Write ``redcap_import.csv`` and ``redcap_dictionary.csv``.

    Parameters
    ----------
    table : DataFrame
        Patient rows (`usimg.study.tables.Wide.table`).
    ids : mapping
        (subject, visit, column) -> value id, kept in the field ``usimg_sources``.
    """
    names = [str(name) for name in table.columns if name not in ("subject", "visit", "session")]
    names = [name for name in names if "__n_" not in name]
    fields = {name: field_name(name) for name in names}
    visits = _instances(table["visit"].tolist())
    columns: dict[str, Sequence[object]] = {
        "record_id": table["subject"].tolist(),
        "redcap_repeat_instrument": [FORM] * len(table),
        "redcap_repeat_instance": [visits[visit] for visit in table["visit"]],
        "usimg_visit": table["visit"].tolist(),
    }
    for name, field in fields.items():
        columns[field] = table[name].astype(object).where(table[name].notna(), None).tolist()
    columns["usimg_sources"] = [
        " ".join(f"{fields[n]}={ids[s, v, n]}" for n in names if (s, v, n) in ids)
        for s, v in zip(table["subject"], table["visit"], strict=True)
    ]
    imported = write_csv(folder / "redcap_import.csv", pa.table(columns))
    rows = [
        _field("record_id", label="Study id"),
        _field("usimg_visit", label="Visit"),
        *(_number(field, name) for name, field in fields.items()),
        _field("usimg_sources", label="Ids of the values: usimg info STUDY --value ID", kind="notes"),
    ]
    lines = {name: [row[name] for row in rows] for name in HEADER}
    return [imported, write_csv(folder / "redcap_dictionary.csv", pa.table(lines))]


def _instances(visits: Sequence[str]) -> dict[str, int]:
    if all(visit.isdecimal() and int(visit) > 0 for visit in visits):
        return {visit: int(visit) for visit in visits}
    return {visit: number for number, visit in enumerate(sorted(set(visits)), start=1)}


def _field(
    name: str, *, label: str, kind: str = "text", note: str = "", validation: str = ""
) -> dict[str, str]:
    said = {
        "Variable / Field Name": name,
        "Form Name": FORM if name != "record_id" else "patient",
        "Field Type": kind,
        "Field Label": label,
        "Field Note": note,
        "Text Validation Type OR Show Slider Number": validation,
    }
    return dict.fromkeys(HEADER, "") | said


def _number(field: str, column: str) -> dict[str, str]:
    entry = described(column)
    return _field(field, label=entry.label, note=entry.unit, validation="number")
