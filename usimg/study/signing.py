"""A visit is signed for exactly what counted when it was signed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from usimg.errors import StudyRefused
from usimg.study.canonical import content_id
from usimg.study.decisions import Decision, Target
from usimg.study.schema import plain
from usimg.study.tables import WIDE_FEATURES

if TYPE_CHECKING:
    from usimg.study.store import Study


@dataclass(frozen=True)
class Signature:
    """Who signed a visit, when, and whether what counts is still what was signed."""

    author: str
    time: str
    holds: bool


def counted_hash(current: pd.DataFrame, subject: str, visit: str) -> str:
    """Hash of every measurement of a visit that counts, with its numbers.

    Parameters
    ----------
    current : DataFrame
        With ``measurement_id`` and ``counts`` (`usimg.study.exports.tables_of`).
    """
    rows = _counting(current, subject, visit)
    names = ("measurement_id", *WIDE_FEATURES)
    held = [[plain(value) for value in row] for row in rows[list(names)].itertuples(index=False, name=None)]
    # Nine digits: a sum in another order may differ in the last bits of a number.
    rounded = [[f"{v:.9g}" if isinstance(v, float) else v for v in row] for row in held]
    return content_id(sorted(rounded, key=str))


def sign(study: Study, current: pd.DataFrame, subject: str, visit: str, *, author: str) -> Decision:
    """Sign a visit.

    Raises
    ------
    StudyRefused
        Nothing of this visit counts.
    """
    if _counting(current, subject, visit).empty:
        raise StudyRefused(f"nothing of {subject}, visit {visit or '(no name)'}, counts: nothing to sign")
    content = {"counted": counted_hash(current, subject, visit), "subject": subject, "visit": visit}
    with study.sitting(author) as sitting:
        return sitting.decide("sign", Target(""), content)


def signatures(
    others: Iterable[Decision], current: pd.DataFrame, subject: str, visit: str
) -> list[Signature]:
    """Signatures under a visit, those that hold first.

    Parameters
    ----------
    others : iterable of Decision
        `usimg.study.fold.Fold.others`.
    """
    now = counted_hash(current, subject, visit)
    found = [
        Signature(decision.author, decision.time, decision.content["counted"] == now)
        for decision in others
        if decision.kind == "sign"
        and (decision.content.get("subject"), decision.content.get("visit")) == (subject, visit)
    ]
    return sorted(found, key=lambda signature: (not signature.holds, signature.time))


def _counting(current: pd.DataFrame, subject: str, visit: str) -> pd.DataFrame:
    of_visit = (current["subject"] == subject) & (current["visit"].fillna("") == visit)
    return current[(current["counts"] & of_visit).to_numpy(dtype=bool, na_value=False)]
