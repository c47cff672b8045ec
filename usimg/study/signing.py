"""A visit is signed for exactly what counted when it was signed; any later change voids the signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg.errors import StudyRefused
from usimg.study.canonical import content_id
from usimg.study.days import VisitNames, named_by_day
from usimg.study.decisions import Decision, Target
from usimg.study.schema import plain, target_of
from usimg.study.tables import WIDE_FEATURES, counted
from usimg.study.values import measurement_ids

if TYPE_CHECKING:
    from usimg.study.fold import Fold
    from usimg.study.store import Study

# What a person says of a visit beside its outlines, and puts a name under with them.
_SIGNED_TOO = ("grade", "not_done")


@dataclass(frozen=True)
class Signature:
    """Who signed a visit, when, and whether what counts is still what was signed.

    Attributes
    ----------
    include_unvalidated : bool
        Whether automatic outlines that nobody validated counted for the person who signed.
    changes : str
        What differs from what was signed, in words; empty when the signature holds.
    """

    author: str
    time: str
    holds: bool
    include_unvalidated: bool = False
    changes: str = ""


def sign(
    study: Study,
    subject: str,
    visit: str,
    *,
    author: str,
    include_unvalidated: bool = False,
    held: Fold | None = None,
) -> Decision:
    """Sign a visit: a line with the hash of every measurement that counts, its numbers, grades and gaps.

    Parameters
    ----------
    study : Study
    subject, visit : str
        As the tables name them.
    author : str
        Who signs.
    include_unvalidated : bool
        Whether automatic outlines that nobody validated count for what is signed.
    held : Fold, optional
        What holds, when the caller has it already.

    Raises
    ------
    StudyRefused
        Nothing of this visit counts, or two decisions about it are in conflict.
    """
    held = held if held is not None else study.fold(geometry=False)
    rows = _of_visit(held.rows, subject, visit)
    unsettled = int((rows["state"] == "conflict").sum())
    if unsettled:
        raise StudyRefused(
            f"{subject}, visit {visit or '(no name)'}: {unsettled} decisions of one reader disagree; settle"
            " them in usimg review before signing"
        )
    now = _what_counts(held, rows, subject, visit, study.primary_reader, unvalidated=include_unvalidated)
    if not now["measurements"]:
        raise StudyRefused(f"nothing of {subject}, visit {visit or '(no name)'}, counts: nothing to sign")
    content = now | {"subject": subject, "visit": visit, "include_unvalidated": include_unvalidated}
    if named_by_day(visit):
        content["day"] = plain(rows["day"].min())
    with study.sitting(author) as sitting:
        return sitting.decide("sign", Target(""), content)


def signatures(study: Study, held: Fold, subject: str, visit: str) -> list[Signature]:
    """Signatures under a visit, those that hold first, then the latest.

    Parameters
    ----------
    held : Fold
        With or without outlines.
    """
    return _judged(study, held, subject, visit, _signs_of(held).get((subject, visit), []))


def all_signatures(study: Study, held: Fold) -> dict[tuple[str, str], list[Signature]]:
    """Signatures of every visit that has some, by subject and visit."""
    return {of_visit: _judged(study, held, *of_visit, signs) for of_visit, signs in _signs_of(held).items()}


def _signs_of(held: Fold) -> dict[tuple[str, str], list[Decision]]:
    found: dict[tuple[str, str], list[Decision]] = {}
    names = VisitNames(held.rows)
    for decision in held.others:
        if decision.kind == "sign":
            found.setdefault(names.of(decision), []).append(decision)
    return found


def _judged(study: Study, held: Fold, subject: str, visit: str, signs: Sequence[Decision]) -> list[Signature]:
    """Each signature beside what counts now by the rule it was made under; one visit's."""
    if not signs:
        return []
    rows = _of_visit(held.rows, subject, visit)
    found: list[Signature] = []
    for decision in signs:
        rule = decision.content.get("include_unvalidated") is True
        now = _what_counts(held, rows, subject, visit, study.primary_reader, unvalidated=rule)
        holds = decision.content["counted"] == now["counted"]
        changes = "" if holds else _changes(decision.content, now)
        found.append(Signature(decision.author, decision.time, holds, rule, changes))
    latest_first = sorted(found, key=lambda signature: signature.time, reverse=True)
    return sorted(latest_first, key=lambda signature: not signature.holds)


def _of_visit(rows: pd.DataFrame, subject: str, visit: str) -> pd.DataFrame:
    where = (rows["subject"] == subject) & (rows["visit"].fillna("") == visit)
    return rows[where.fillna(value=False).to_numpy(dtype=bool)]


def _what_counts(
    held: Fold, rows: pd.DataFrame, subject: str, visit: str, primary_reader: str, *, unvalidated: bool
) -> dict[str, Any]:
    """Ids of the measurements of a visit that count, and the hash of them with their numbers and grades."""
    current = counted(rows, primary_reader=primary_reader, include_unvalidated=unvalidated)
    current = current[current["counts"].to_numpy(dtype=bool)]
    current = current.assign(measurement_id=measurement_ids(current))
    names = ("measurement_id", *WIDE_FEATURES)
    numbers = [
        # Nine digits: a sum in another order may differ in the last bits of a number.
        [f"{v:.9g}" if isinstance(v, float) else v for v in map(plain, row)]
        for row in current[list(names)].itertuples(index=False, name=None)
    ]
    records = ({str(name): value for name, value in row.items()} for row in rows.to_dict("records"))
    pictures, visits = set(map(target_of, records)), VisitNames(rows)
    said = [
        [decision.kind, decision.id]
        for decision in held.others
        if decision.kind in _SIGNED_TOO
        and (decision.target in pictures or visits.of(decision) == (subject, visit))
    ]
    return {
        "counted": content_id(sorted(numbers, key=str) + sorted(said)),
        "measurements": sorted(current["measurement_id"]),
    }


def _changes(signed: Any, now: dict[str, Any]) -> str:
    before, after = set(signed.get("measurements") or ()), set(now["measurements"])
    words = [
        f"{len(some)} {what}"
        for some, what in (
            (after - before, "measurements count that did not"),
            (before - after, "measurements count no longer"),
        )
        if some
    ]
    return "; ".join(words) or "numbers or grades have changed"
