"""A workbook for people: patients, measurements, where every value comes from, what columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from usimg.study.files import written_beside

# openpyxl takes about 10 s for this many measurements; more are in measurements.csv.
MOST_ROWS = 50_000
# Control characters that XML does not have; openpyxl refuses a cell with one.
_FORBIDDEN = {n: "\N{REPLACEMENT CHARACTER}" for n in range(32) if n not in (9, 10, 13)}
_BOLD = Font(bold=True)


@dataclass(frozen=True)
class Sheet:
    """Name, column names, rows, and a line above when there is something to say."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]


def write_workbook(path: Path, sheets: Iterable[Sheet]) -> Path:
    """Write a workbook, whole or not at all.

    Texts are cells of type text, ids with leading zeros among them, and are never formulas.

    Returns
    -------
    Path
        Where it lies: ``path``, or a numbered sibling while Excel holds it open.
    """
    book = Workbook(write_only=True)
    for sheet in sheets:
        page = book.create_sheet(sheet.name)
        page.freeze_panes = "A2"
        for number, name in enumerate(sheet.columns, start=1):
            width = min(max(len(name) + 2, 9), 40)
            page.column_dimensions[get_column_letter(number)].width = width
        page.append([_cell(page, name, bold=True) for name in sheet.columns])
        for row in sheet.rows:
            page.append([_cell(page, value) if isinstance(value, str) else value for value in row])
    with written_beside(path) as place:
        book.save(place.temporary)
    return place.path


def _cell(page: Any, text: str, *, bold: bool = False) -> Any:
    cell = WriteOnlyCell(page, value=text.translate(_FORBIDDEN))
    # openpyxl takes a text that begins with = for a formula unless its type is said.
    cell.data_type = "s"
    cell.number_format = "@"
    if bold:
        cell.font = _BOLD
    return cell
