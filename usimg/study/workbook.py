"""Excel workbooks: the first sheet in, as text; a table with drop-down lists out."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from usimg.errors import StudyRefused
from usimg.study.files import written_whole

# A workbook is a zip file; one that unpacks to more than this is no table that a person filled in.
_MOST_BYTES = 256 * 1024 * 1024
# Rows below the filled ones that have the drop-down lists too, for lines that a person adds.
_SPARE_ROWS = 200


def sheet_lines(path: Path) -> tuple[list[tuple[int, list[str]]], str]:
    """Cells of the first sheet as text, each row with its number, and what was read, in words.

    Whole numbers come without decimals, dates as 2026-02-03. A formula gives the value that Excel
    saved with it.

    Raises
    ------
    StudyRefused
        No workbook, damaged, or it unpacks to more than a table can be.
    """
    import openpyxl  # noqa: PLC0415  slow to import, and CSV needs none of it

    try:
        _check_size(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            sheet = book.worksheets[0]
            lines = [
                (number, [_text(value) for value in row])
                for number, row in enumerate(sheet.iter_rows(values_only=True), start=1)
            ]
            return lines, f"{path.name}: sheet {sheet.title!r}"
        finally:
            book.close()
    except StudyRefused:
        raise
    except OSError as error:
        raise StudyRefused(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # openpyxl raises whatever its parsers do on a damaged workbook
        raise StudyRefused(f"{path.name} is no Excel workbook, or damaged; save it again as .xlsx") from error


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as packed:
        size = sum(item.file_size for item in packed.infolist())
    if size > _MOST_BYTES:
        raise StudyRefused(f"{path.name} unpacks to {size / 1e6:.0f} MB; save the table alone")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def write_workbook(
    path: Path,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    choices: Mapping[str, Sequence[str]],
    widths: Mapping[str, int],
) -> None:
    """Write a table for people to fill in, whole or not at all.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Columns; the header row stays in view.
    rows : sequence of sequences
        Text is written as text: what begins with ``=`` is no formula.
    choices : mapping of str to sequence of str
        Column to what its drop-down list offers; other values may be typed.
    widths : mapping of str to int
        Column to its width in letters.
    """
    import openpyxl  # noqa: PLC0415  as above
    from openpyxl.styles import Font  # noqa: PLC0415
    from openpyxl.utils import get_column_letter  # noqa: PLC0415
    from openpyxl.worksheet.datavalidation import DataValidation  # noqa: PLC0415

    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "labels"
    sheet.append(list(names))
    for row in rows:
        sheet.append(list(row))
    for cells in sheet.iter_rows():
        for cell in cells:
            if isinstance(cell.value, str):
                cell.data_type = "s"
                cell.number_format = "@"  # Excel makes dates of sides and ids otherwise
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"
    lists: Any = book.create_sheet("lists")
    for number, (name, offered) in enumerate(choices.items(), start=1):
        letter = get_column_letter(number)
        for place, value in enumerate([name, *offered], start=1):
            lists[f"{letter}{place}"] = value
        rule = DataValidation(
            type="list", formula1=f"lists!${letter}$2:${letter}${1 + len(offered)}", showErrorMessage=False
        )
        column = get_column_letter(list(names).index(name) + 1)
        rule.add(f"{column}2:{column}{len(rows) + 1 + _SPARE_ROWS}")
        sheet.add_data_validation(rule)
    lists.sheet_state = "hidden"
    for name, width in widths.items():
        sheet.column_dimensions[get_column_letter(list(names).index(name) + 1)].width = width
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(names))}{len(rows) + 1}"
    with written_whole(path) as temporary:
        book.save(temporary)
