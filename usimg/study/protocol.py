"""A laboratory's protocol: what is to be scanned of a patient, how often, and in which order.

Shipped are ``generic``, which asks for nothing, and ``als-nmus``. A study names one of them, or a TOML
file of its own, in ``study.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from usimg import anatomy
from usimg.errors import AnatomyUnknown, StudyRefused
from usimg.study.manifest import STATES, Label
from usimg.study.recognition import Step

SIDES = ("left", "right", "midline")
_TOP_KEYS = ("name", "label", "source", "measure", "order")
_MEASURE_KEYS = ("view", "structure", "site", "sides", "repeats", "state", "essential", "source", "verified")
_ORDER_KEYS = ("show", "side", "repeat")
_SHIPPED = ("generic", "als-nmus")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to scan.

    Attributes
    ----------
    view, structure : str
        Names of the anatomy list; one of them is empty.
    site : str
        Of a structure; empty: any.
    sides : tuple of str
        Each is wanted; empty: whichever side is scanned.
    repeats : int
        Least number of captures a side.
    state : str
        Of the muscle or of breathing; empty: any.
    essential : bool
        A visit without it is not complete.
    source : str
    verified : bool
        Whether place and borders were read in ``source``.
    """

    view: str = ""
    structure: str = ""
    site: str = ""
    sides: tuple[str, ...] = ()
    repeats: int = 1
    state: str = ""
    essential: bool = True
    source: str = ""
    verified: bool = False

    @property
    def what(self) -> str:
        """The view or structure."""
        return self.view or self.structure

    def shown_by(self, label: Label, side: str) -> bool:
        """Whether a picture with this label is one of those that are wanted of that side."""
        if side and label.side != side and not (side == "midline" and not label.side):
            return False
        # A muscle is scanned relaxed unless somebody says otherwise; a phase of breath has to be said.
        if self.state and (label.state or "relaxed") != self.state:
            return False
        if label.view:
            return label.view == self.view if self.view else self._within(label.view)
        if self.view:
            # A single structure of the view is a capture of it when the view is its usual place.
            view = anatomy.view(self.view)
            usual = view.sites.get(label.structure, label.site)
            return label.structure in view.structures and label.site in ("", usual)
        return label.structure == self.structure and self.site in ("", label.site)

    def _within(self, name: str) -> bool:
        view = anatomy.view(name)
        return self.structure in view.structures and self.site in ("", view.sites.get(self.structure, ""))


@dataclass(frozen=True, slots=True)
class Missing:
    """What a visit lacks."""

    entry: Entry
    side: str
    found: int

    def __str__(self) -> str:
        """In words, e.g. ``upper_arm left: 1 of 3``; a muscle at rest is not said to be."""
        state = "" if self.entry.state == "relaxed" else self.entry.state
        place = " ".join(part for part in (self.entry.what, self.entry.site, self.side, state) if part)
        return f"{place}: {self.found} of {self.entry.repeats}"


@dataclass(frozen=True, slots=True)
class StudyProtocol:
    """What is scanned of each patient at each visit."""

    name: str
    label: str = ""
    source: str = ""
    entries: tuple[Entry, ...] = ()
    order: tuple[Step, ...] = ()

    def missing(self, labels: Iterable[Label]) -> list[Missing]:
        """What the pictures of one visit lack, in the protocol's order.

        Parameters
        ----------
        labels : iterable of Label
            One of each picture; what says nothing counts for nothing.
        """
        pictures = [label for label in labels if label.says_what]
        lacking: list[Missing] = []
        for entry in self.entries:
            for side in entry.sides or ("",):
                found = sum(entry.shown_by(label, side) for label in pictures)
                if found < entry.repeats:
                    lacking.append(Missing(entry, side, found))
        return lacking

    def complete(self, labels: Iterable[Label]) -> bool:
        """Whether a visit has all that is essential."""
        return not any(missing.entry.essential for missing in self.missing(labels))


def load(name: str, *, beside: Path | None = None) -> StudyProtocol:
    """The shipped protocol of that name, or the TOML file with that path.

    Parameters
    ----------
    name : str
        ``"generic"``, ``"als-nmus"``, or a path.
    beside : Path, optional
        Folder that a relative path starts from.

    Raises
    ------
    StudyRefused
        No such protocol, or something in it is not understood; the message names the line.
    """
    if name in _SHIPPED:
        file = files("usimg.study") / "protocols" / f"{name}.toml"
        return parse(file.read_text(encoding="utf-8"), f"{name}.toml")
    path = (beside or Path()) / name
    try:
        return parse(path.read_text(encoding="utf-8-sig"), path.name)
    except (OSError, UnicodeDecodeError):
        raise StudyRefused(
            f"no protocol {name!r}: give one of {', '.join(_SHIPPED)}, or a TOML file (looked for {path})"
        ) from None


def parse(text: str, name: str) -> StudyProtocol:
    """The protocol in a TOML text; ``name`` is the file's, for messages.

    Raises
    ------
    StudyRefused
        Naming the line.
    """
    return _Parser(text, name).protocol()


class _Parser:
    """Knows where in the text a key stands: tomllib forgets it."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.lines = text.splitlines()
        try:
            self.said = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise StudyRefused(f"{name}: {error}") from None

    def protocol(self) -> StudyProtocol:
        self._only(self.said, _TOP_KEYS, "", 0)
        name = self._text(self.said, "name", "", 0)
        if not name:
            raise StudyRefused(f"{self.name} line 1: a protocol needs a name")
        entries = tuple(self._entry(row, n) for n, row in enumerate(self._rows("measure")))
        seen: set[tuple[str, str, str, str]] = set()
        for number, entry in enumerate(entries):
            asked = {(entry.what, entry.site, side, entry.state) for side in entry.sides or ("",)}
            if asked & seen:
                raise self._wrong("measure", number, "", f"{entry.what} is asked for twice")
            seen |= asked
        return StudyProtocol(
            name=name,
            label=self._text(self.said, "label", "", 0),
            source=self._text(self.said, "source", "", 0),
            entries=entries,
            order=tuple(self._step(row, n) for n, row in enumerate(self._rows("order"))),
        )

    def _entry(self, row: dict[str, Any], n: int) -> Entry:
        self._only(row, _MEASURE_KEYS, "measure", n)
        view, structure = (self._text(row, key, "measure", n) for key in ("view", "structure"))
        if bool(view) == bool(structure):
            raise self._wrong("measure", n, "view", "give a view or a structure, one of them")
        try:
            view = anatomy.view(view).name if view else ""
            structure = anatomy.structure(structure).name if structure else ""
        except AnatomyUnknown as error:
            raise self._wrong("measure", n, "view" if view else "structure", str(error)) from None
        site = self._text(row, "site", "measure", n)
        if site and view:
            raise self._wrong(
                "measure", n, "site", "a view has its sites already; give site with a structure"
            )
        if site:
            try:
                site = anatomy.structure(structure).site(site).name
            except AnatomyUnknown as error:
                raise self._wrong("measure", n, "site", str(error)) from None
        sides = row.get("sides", [])
        if not isinstance(sides, list) or any(side not in SIDES for side in sides):
            raise self._wrong("measure", n, "sides", f"{sides!r} is no list of {', '.join(SIDES)}")
        repeats = row.get("repeats", 1)
        if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
            raise self._wrong("measure", n, "repeats", f"{repeats!r} is not a whole number from 1 upwards")
        state = self._text(row, "state", "measure", n)
        if state not in STATES:
            raise self._wrong("measure", n, "state", f"{state!r} is not one of {', '.join(STATES[1:])}")
        source, verified = (
            self._text(row, "source", "measure", n),
            self._truth(row, "verified", n, default=False),
        )
        if verified and not source:
            raise self._wrong("measure", n, "verified", "verified without a source")
        essential = self._truth(row, "essential", n, default=True)
        return Entry(view, structure, site, tuple(sides), repeats, state, essential, source, verified)

    def _step(self, row: dict[str, Any], n: int) -> Step:
        self._only(row, _ORDER_KEYS, "order", n)
        show, side = (self._text(row, key, "order", n) for key in ("show", "side"))
        try:
            found = anatomy.find(show)
        except AnatomyUnknown as error:
            raise self._wrong("order", n, "show", str(error)) from None
        if side not in ("", *SIDES):
            raise self._wrong("order", n, "side", f"{side!r} is not one of {', '.join(SIDES)}")
        repeat = row.get("repeat")
        if repeat is not None and (isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1):
            raise self._wrong("order", n, "repeat", f"{repeat!r} is not a whole number from 1 upwards")
        is_view = isinstance(found, anatomy.View)
        return Step(found.name if is_view else "", "" if is_view else found.name, side, repeat)

    def _rows(self, table: str) -> list[dict[str, Any]]:
        rows = self.said.get(table, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise StudyRefused(
                f"{self.name} line {self._line('', 0, table)}: write [[{table}]] for each entry"
            )
        return rows

    def _only(self, row: dict[str, Any], known: tuple[str, ...], table: str, n: int) -> None:
        for key in row:
            if key not in known:
                raise self._wrong(table, n, key, f"not known; known are {', '.join(known)}")

    def _text(self, row: dict[str, Any], key: str, table: str, n: int) -> str:
        value = row.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(table, n, key, f"{value!r} is no text")
        return value

    def _truth(self, row: dict[str, Any], key: str, n: int, *, default: bool) -> bool:
        value = row.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong("measure", n, key, f"{value!r} is neither true nor false")
        return value

    def _wrong(self, table: str, n: int, key: str, what: str) -> StudyRefused:
        where = f"{self.name} line {self._line(table, n, key)}"
        return StudyRefused(f"{where}, {key}: {what}" if key else f"{where}: {what}")

    def _line(self, table: str, n: int, key: str) -> int:
        """Where a key of the n-th ``[[table]]`` stands; the table's own line when the key does not."""
        head = re.compile(rf"\s*\[\[\s*{re.escape(table)}\s*\]\]") if table else None
        begins = 0
        if head is not None:
            heads = [i for i, line in enumerate(self.lines) if head.match(line)]
            begins = heads[n] if n < len(heads) else 0
        if key:
            wanted = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[=\].]""")
            for i in range(begins if head is None else begins + 1, len(self.lines)):
                if head is not None and self.lines[i].lstrip().startswith("["):
                    break
                if wanted.match(self.lines[i]):
                    return i + 1
        return begins + 1
