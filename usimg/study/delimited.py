"""Tables that people make: CSV of any usual flavour or Excel in, safe CSV out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from usimg.errors import StudyRefused
from usimg.study.files import write_text
from usimg.study.workbook import sheet_lines

_SEPARATORS = (";", "\t", ",")
_DAYS = tuple(
    re.compile(form)
    for form in (
        r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
        r"(?P<day>\d{1,2})\. ?(?P<month>\d{1,2})\. ?(?P<year>\d{4})",
    )
)
_THOUSAND_OR_DECIMAL = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
# Spreadsheets take a cell that begins so for a formula (OWASP "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a person wrote.

    Attributes
    ----------
    name : str
        File name.
    rows : tuple of (int, dict)
        The line each row begins on, and its cells as text by column name.
    took : str
        How the file was understood: separator and encoding, or the sheet of a workbook.
    """

    name: str
    rows: tuple[tuple[int, dict[str, str]], ...]
    took: str


def read_rows(
    path: Path, *, required: Sequence[str], optional: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of `read_table`."""
    yield from read_table(path, required=required, optional=optional).rows


def read_table(path: Path, *, required: Sequence[str], optional: Sequence[str] | None = None) -> Table:
    """A CSV that a person or Excel wrote, or the first sheet of an ``.xlsx``.

    Takes ``;``, tab or comma, a byte order mark, UTF-8 or Windows' cp1252. Column names are
    compared in lower case; blank lines and lines that begin with ``#`` are passed over.

    Parameters
    ----------
    path : Path
    required : sequence of str
        Columns that must be there.
    optional : sequence of str, optional
        Columns that may be; any other is an error. When left out, any other is passed on.

    Raises
    ------
    StudyRefused
        Missing, not text, a column is missing, unknown or doubled, or a line has too many cells.
    """
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        lines, took = sheet_lines(path)
        between = "the sheet's columns"
    else:
        lines, separator, took = _csv_lines(path)
        between = f"columns are separated by {separator!r}"
    names: list[str] | None = None
    rows: list[tuple[int, dict[str, str]]] = []
    for line, values in lines:
        if not any(values) or values[0].startswith("#"):
            continue
        if names is None:
            names = _header(path, values, required, optional)
            continue
        if any(values[len(names) :]):
            raise StudyRefused(
                f"{path.name} line {line}: {len(values)} cells under {len(names)} column names; {between}"
            )
        rows.append((line, dict.fromkeys(names, "") | dict(zip(names, values, strict=False))))
    if names is None:
        raise StudyRefused(f"{path.name} is empty; its first line names the columns {', '.join(required)}")
    return Table(path.name, tuple(rows), took)


def _csv_lines(path: Path) -> tuple[list[tuple[int, list[str]]], str, str]:
    """Cells of each line with its number, the separator, and both in words."""
    text, encoding = _decoded(path)
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    lines: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for cells in reader:
            lines.append((begins, [_decimal(cell.strip(), separator) for cell in cells]))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise StudyRefused(f"{path.name} line {reader.line_num}: {error}") from None
    said = {";": "semicolons", "\t": "tabs", ",": "commas"}[separator]
    return lines, separator, f"{path.name}: columns separated by {said}, {encoding}"


def _decimal(cell: str, separator: str) -> str:
    """``1,234`` where commas part nothing else is a decimal comma: such files come from such countries."""
    return cell.replace(",", ".") if separator != "," and _THOUSAND_OR_DECIMAL.fullmatch(cell) else cell


def _decoded(path: Path) -> tuple[str, str]:
    """The text, and its encoding in words."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StudyRefused(f"{path}: {error.strerror or error}") from error
    for encoding, said in (("utf-8-sig", "UTF-8"), ("cp1252", "Windows text (cp1252)")):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, said
    raise StudyRefused(
        f"{path.name} is not a CSV file (neither UTF-8 nor Windows text); in Excel: Save as, CSV UTF-8"
    )


def _header(
    path: Path, cells: list[str], required: Sequence[str], optional: Sequence[str] | None
) -> list[str]:
    names = [re.sub(r"\s+", "_", cell.casefold()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    missing = [name for name in required if name not in names]
    if missing:
        raise StudyRefused(
            f"{path.name} line 1: column {', '.join(missing)} is missing; it has {', '.join(names)}"
        )
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise StudyRefused(f"{path.name} line 1: column {', '.join(doubled)} is there twice")
    if optional is not None:
        unknown = [name for name in names if name not in required and name not in optional]
        if unknown:
            raise StudyRefused(
                f"{path.name} line 1: column {', '.join(map(repr, unknown))} is not known;"
                f" known are {', '.join((*required, *optional))}"
            )
    return names


def number(text: str) -> float:
    """A number with a decimal point or a decimal comma; ValueError for anything else.

    ``1,234`` is refused: it is a little more than one to some and a thousand to others. In a file whose
    columns are parted by semicolons or tabs, `read_table` takes it for a decimal comma.

    Examples
    --------
    >>> number("0,0592") == number("0.0592")
    True
    """
    if "," in text and "." in text:
        raise ValueError(f"{text!r} has a point and a comma; write it without thousands separators")
    if _THOUSAND_OR_DECIMAL.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is ambiguous: {text.replace(',', '.')} or {text.replace(',', '')}?")
    value = float(text.replace(",", "."))
    if not -1e300 < value < 1e300:
        raise ValueError(f"{text!r} is not a number")
    return value


def day(text: str) -> date:
    """A date written 2026-02-03, 20260203 or 03.02.2026; ValueError for anything else.

    ``03/02/2026`` is refused: it is the 3rd of February to some and the 2nd of March to others.

    Examples
    --------
    >>> day("3.2.2026") == day("2026-02-03") == day("20260203")
    True
    """
    for form in _DAYS:
        found = form.fullmatch(text.strip())
        if found:
            try:
                return date(int(found["year"]), int(found["month"]), int(found["day"]))
            except ValueError:
                raise ValueError(f"{text!r} is no day of the calendar") from None
    if "/" in text:
        raise ValueError(f"{text!r} is ambiguous (day or month first?); write 2026-02-03 or 03.02.2026")
    raise ValueError(f"{text!r} is no date; write 2026-02-03 or 03.02.2026")


def safe_cell(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value


def write_rows(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV (UTF-8, comma, decimal point), whole or not at all; None is an empty cell."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    write_text(path, buffer.getvalue())
