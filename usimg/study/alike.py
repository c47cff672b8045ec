"""Ids that look like one person's, and one id that looks like two persons'. Shown, never merged.

Numbers given in a row differ by one digit as typing errors do, so a digit alone is no sign: it takes
the name, or pictures of the one among pictures of the other on one machine.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import combinations

# Letters that are read and typed for digits.
_LOOKS_LIKE = str.maketrans("oilsbz", "011582")
# difflib's ratio from which two names are one, misspelt: one wrong letter in seven, as for sites.
_SAME_NAME = 0.85
# A name that more ids than this carry is an anonymiser's, not a person's (chosen here).
_MOST_IDS_OF_A_NAME = 3
# Of two patients' numbers that are each other swapped, both have a session's pictures; of a typing error
# the wrong one has fewer (chosen here).
_RARE = 0.5
_SPELLING = "the same but for case, separators or leading zeros"
_LETTER = "a letter for a digit that looks like it"
_DIGIT = "one digit differs"
_SWAPPED_DIGITS = "two neighbouring digits swapped"


@dataclass(frozen=True, slots=True)
class Patient:
    """An id as the scans carry it.

    Attributes
    ----------
    id : str
    names : frozenset of str
    sessions : mapping of (device, day) to (first, last)
        Times of acquisition, written so that they sort.
    pictures : int
    """

    id: str
    names: frozenset[str] = frozenset()
    sessions: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    pictures: int = 0


@dataclass(frozen=True, slots=True)
class Alike:
    """Two ids that may be one person's, or one id (``other`` empty) that may be two persons'.

    Attributes
    ----------
    why : str
        Without names or ids, as a page may show it.
    """

    one: str
    other: str
    why: str


def alike(patients: Iterable[Patient]) -> list[Alike]:
    """What looks like one person, most telling first.

    Ids are compared with their misspellings: other letter case, separators and leading zeros, two
    neighbours swapped, one character wrong, missing or too many.
    """
    known = {patient.id: patient for patient in patients if patient.id.strip()}
    bearers: dict[str, set[str]] = defaultdict(set)
    for patient in known.values():
        for name in patient.names:
            bearers[_folded(name)].add(patient.id)
    telling = {name for name, ids in bearers.items() if name and len(ids) <= _MOST_IDS_OF_A_NAME}
    found: list[tuple[int, Alike]] = []
    for patient in known.values():
        names = sorted({_folded(name) for name in patient.names} & telling)
        if any(not _one_name(a, b) for a, b in combinations(names, 2)):
            found.append((0, Alike(patient.id, "", "one id with two names")))
    for one, other in sorted(_near_pairs(known) | _same_name_pairs(bearers, telling)):
        judged = _judged(known[one], known[other], telling)
        if judged is not None:
            found.append((judged[0], Alike(one, other, judged[1])))
    return [pair for _, pair in sorted(found, key=lambda ranked: (ranked[0], ranked[1].one, ranked[1].other))]


def _judged(one: Patient, other: Patient, telling: set[str]) -> tuple[int, str] | None:
    """Rank and reason, or None where it is no more than two neighbours in a list of numbers."""
    how = _difference(one.id, other.id)
    mine, theirs = ({_folded(n) for n in p.names} & telling for p in (one, other))
    same_name = any(_one_name(a, b) for a in mine for b in theirs)
    other_name = bool(mine and theirs) and not same_name
    among = _among(one, other)
    signs = [how] if how else []
    if same_name:
        signs.append("the same or nearly the same name")
    if among:
        signs.append("pictures of one among pictures of the other on one device")
    if other_name and not (among and how):
        return None
    fewer, more = sorted((one.pictures, other.pictures))
    rare = fewer < _RARE * more
    if not (same_name or among) and (how == _DIGIT or (how == _SWAPPED_DIGITS and not rare)):
        return None
    spelling = how in (_SPELLING, _LETTER)
    rank = 1 if same_name and how else 2 if spelling or same_name or among else 3
    return (rank, "; ".join(signs)) if signs else None


def _difference(one: str, other: str) -> str:
    """How two ids differ, in words; empty when by more than one step."""
    a, b = _plain(one), _plain(other)
    if a == b:
        return _SPELLING
    if _as_digits(one) == _as_digits(other):
        return _LETTER
    return _exchanged(a, b) if len(a) == len(b) else _one_more(*sorted((a, b), key=len))


def _exchanged(a: str, b: str) -> str:
    places = [i for i in range(len(a)) if a[i] != b[i]]
    digits = all(a[i].isdigit() and b[i].isdigit() for i in places)
    if len(places) == 1:
        return _DIGIT if digits else "one character differs"
    i, j = places[0], places[-1]
    if len(places) == 2 and j == i + 1 and (a[i], a[j]) == (b[j], b[i]):
        return _SWAPPED_DIGITS if digits else "two neighbours swapped"
    return ""


def _one_more(short: str, long: str) -> str:
    for i in range(len(long) if len(long) == len(short) + 1 else 0):
        if long[:i] + long[i + 1 :] == short:
            # P1 and P12 are two numbers unless something else speaks for it.
            return _DIGIT if long[i].isdigit() else "one character more"
    return ""


def _near_pairs(known: Mapping[str, Patient]) -> set[tuple[str, str]]:
    """Pairs that one step parts: both share a form with one character left out, or the form itself."""
    sharing: dict[str, set[str]] = defaultdict(set)
    for name in known:
        plain = _plain(name)
        without_one = (plain[:i] + plain[i + 1 :] for i in range(len(plain)))
        for form in {plain, f"digits {_as_digits(name)}", *without_one}:
            sharing[form].add(name)
    pairs = {pair for ids in sharing.values() for pair in combinations(sorted(ids), 2)}
    return {(one, other) for one, other in pairs if _difference(one, other)}


def _same_name_pairs(bearers: Mapping[str, set[str]], telling: set[str]) -> set[tuple[str, str]]:
    return {pair for name in telling for pair in combinations(sorted(bearers[name]), 2)}


def _among(one: Patient, other: Patient) -> bool:
    for place in one.sessions.keys() & other.sessions.keys():
        (a0, a1), (b0, b1) = one.sessions[place], other.sessions[place]
        if a0 < b0 <= b1 < a1 or b0 < a0 <= a1 < b1:
            return True
    return False


def _one_name(one: str, other: str) -> bool:
    if any(c.isdigit() for c in one + other):
        return one == other  # a pseudonym with a number: a digit is all that tells two persons apart
    return one == other or SequenceMatcher(None, one, other, autojunk=False).ratio() >= _SAME_NAME


def _as_digits(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum()).translate(_LOOKS_LIKE)


def _plain(text: str) -> str:
    letters = "".join(c for c in text.casefold() if c.isalnum())
    return re.sub(r"(?<!\d)0+(?=\d)", "", letters)


def _folded(name: str) -> str:
    # The order of first and last name differs between machines.
    return " ".join(sorted(name.replace("^", " ").replace(",", " ").casefold().split()))
