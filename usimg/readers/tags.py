"""Named, guarded access to a data set.

Iterating a whole data set fails on real files (a loose item tag, a misspelt character set, a private
element of the wrong type), while every tag that matters reads well by its name.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from pydicom.errors import BytesLengthException, InvalidDicomError

# What pydicom raises, when a value is touched, on values that break their own rules.
BAD_VALUE = (
    BytesLengthException,
    InvalidDicomError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    NotImplementedError,
    ArithmeticError,
    struct.error,
    RecursionError,
    EOFError,
    OSError,
)


def value(ds: Any, keyword: str) -> Any:
    """The value, or None where the tag is absent, empty or broken."""
    try:
        found = ds.get(keyword)
    except BAD_VALUE:
        return None
    return None if found is None or found == "" else found


def text(ds: Any, keyword: str) -> str | None:
    """The value as text, several joined by a blank; None where absent."""
    found = value(ds, keyword)
    if found is None:
        return None
    try:
        # A person's name can be iterated over, letter by letter, and is one value all the same.
        several = isinstance(found, Sequence) and not isinstance(found, str)
        parts = list(found) if several else [found]
        joined = " ".join(str(part) for part in parts).strip()
    except BAD_VALUE:
        return None
    return joined or None


def numbers(ds: Any, keyword: str) -> list[float] | None:
    """The value or values as floats; None where absent or no numbers."""
    found = value(ds, keyword)
    if found is None:
        return None
    try:
        parts = [found] if isinstance(found, (str, int, float)) else list(found)
        return [float(part) for part in parts] or None
    except BAD_VALUE:
        return None


def integer(ds: Any, keyword: str) -> int | None:
    """The first value as an int; None where absent or no whole number."""
    found = numbers(ds, keyword)
    if found is None or found[0] != found[0] or abs(found[0]) > 2**53:
        return None
    return int(found[0])
