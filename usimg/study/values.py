"""Every value has a short id, by which `usimg info STUDY --value ID` says where it comes from.

A *measurement id* names one outline of one reader with all its numbers; a *value id* names an average or
a derived value and changes when anything that went into it does. Both are text to a spreadsheet: they
begin with a letter and hold no ``e`` between digits only.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Iterable, Sequence

import pandas as pd

# 55 bits: among a million ids two are equal with p = 1e-5.
_LETTERS = 11


def measurement_ids(rows: pd.DataFrame) -> list[str]:
    """Ids of rows of a fold: the same outline, reader and arm have the same id in every export."""
    readers, arms = rows["reader"].fillna(""), rows["arm"].fillna("")
    return [_id("M", who) for who in zip(rows["outline"].fillna(""), readers, arms, strict=True)]


def value_id(place: Sequence[str], inputs: Iterable[str]) -> str:
    """Id of an average or derived value.

    Parameters
    ----------
    place : sequence of str
        Whose, which and what: subject, visit, ..., feature.
    inputs : iterable of str
        Ids of what it was computed from, in any order.
    """
    return _id("V", [*place, "", *sorted(inputs)])


def _id(kind: str, parts: Iterable[str]) -> str:
    # No part holds a unit separator: subjects, rules and names of the list are printable text.
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8")).digest()
    return kind + b32encode(digest[:7]).decode("ascii")[:_LETTERS]
