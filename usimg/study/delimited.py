"""Tables that people make: CSV of any usual flavour in, safe CSV out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from usimg.errors import StudyRefused
from usimg.study.files import write_text

_SEPARATORS = (";", "\t", ",")
# Spreadsheets take a cell that begins so for a formula (OWASP "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def read_rows(
    path: Path, *, required: Sequence[str], optional: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV that a person or Excel wrote, each with the line it begins on.

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
    text = _decoded(path)
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    names: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            values = [cell.strip() for cell in cells]
            if not any(values) or values[0].startswith("#"):
                continue
            if names is None:
                names = _header(path, values, required, optional)
                continue
            if any(values[len(names) :]):
                raise StudyRefused(
                    f"{path.name} line {line}: {len(values)} cells under {len(names)} column names;"
                    f" columns are separated by {separator!r}"
                )
            yield line, dict.fromkeys(names, "") | dict(zip(names, values, strict=False))
    except csv.Error as error:
        raise StudyRefused(f"{path.name} line {reader.line_num}: {error}") from None
    if names is None:
        raise StudyRefused(f"{path.name} is empty; its first line names the columns {', '.join(required)}")


def _decoded(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StudyRefused(f"{path}: {error.strerror or error}") from error
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
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

    Examples
    --------
    >>> number("0,0592") == number("0.0592")
    True
    """
    if "," in text and "." in text:
        raise ValueError(f"{text!r} has a point and a comma; write it without thousands separators")
    value = float(text.replace(",", "."))
    if not -1e300 < value < 1e300:
        raise ValueError(f"{text!r} is not a number")
    return value


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
