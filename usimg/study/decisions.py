"""What people decide: one line of JSON each, named by the hash of its content.

A sitting is one person at one screen; it owns one file in ``people/`` that no other process ever
opens for writing, so two people, or one person on two computers, never meet in a file.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from usimg.errors import StudyRefused
from usimg.study.canonical import canonical_json, content_id

# kind -> what its content must say. Kinds in OUTLINE_KINDS compete for one place: which outline holds.
KINDS: dict[str, tuple[str, ...]] = {
    "outline": ("outline", "values"),
    "accept": ("outline",),
    "reject": ("reason",),
    "label": ("label",),
    "calibrate": ("row_mm", "col_mm"),
    "grade": (),
    "not_done": ("reason",),
    "sign": ("counted",),
    "undo": ("undoes",),
    "choose": ("method",),
}
OUTLINE_KINDS = ("outline", "accept", "reject")
# Readings in this arm settle what readers, blind ones too, left open; readings in any other arm but ""
# are blind and change nothing by themselves.
ADJUDICATED = "adjudicated"


@dataclass(frozen=True, slots=True)
class Target:
    """What a decision is about: one structure in one picture.

    Attributes
    ----------
    scan : str
        SHA-256 of the file's bytes.
    frame : int
        0-based.
    region : int or None
        Panel of a dual image; None for the whole frame.
    repeat : int or None
        Which of the repeated captures.
    """

    scan: str
    frame: int = 0
    region: int | None = None
    structure: str = ""
    site: str = ""
    side: str = ""
    repeat: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, as written to a line."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True)
class Decision:
    """One thing a person decided.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    content : mapping
        What was decided; `KINDS` names the keys that each kind needs. ``outline``: ``outline``
        (geometry, see `usimg.study.schema.outline_of`) and ``values`` (the numbers measured on it);
        ``accept``: ``outline``, the id of the outline that is accepted, automatic or a person's.
    reader, arm : str
        Whose reading this is (the author's own unless a reader study says otherwise), and in which
        arm of one; what is read in an arm never counts by itself.
    parents : tuple of str
        Ids of what the person saw when deciding: the heads at that time, automatic ids included.
    author, time : str
        Who typed it and when (ISO 8601, UTC). Time is a note: clocks decide nothing.
    """

    kind: str
    target: Target
    author: str
    time: str
    content: Mapping[str, Any] = field(default_factory=dict)
    reader: str = ""
    arm: str = ""
    parents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        needed = KINDS.get(self.kind)
        if needed is None:
            raise StudyRefused(f"{self.kind!r} is no kind of decision; it is one of {', '.join(KINDS)}")
        missing = [name for name in needed if self.content.get(name) in (None, "")]
        if missing:
            raise StudyRefused(f"a decision of kind {self.kind!r} needs {', '.join(missing)}")
        seen = (self.content.get("grade"), self.content.get("fasciculations"))
        if self.kind == "grade" and set(seen) <= {None, ""}:
            raise StudyRefused(
                "a decision of kind 'grade' needs a grade, or whether there are fasciculations"
            )
        if not self.author:
            raise StudyRefused("a decision needs its author's name")

    def as_dict(self) -> dict[str, Any]:
        """Everything but the id."""
        return {
            "kind": self.kind,
            "target": self.target.as_dict(),
            "author": self.author,
            "time": self.time,
            "content": dict(self.content),
            "reader": self.reader,
            "arm": self.arm,
            "parents": list(self.parents),
        }

    @cached_property
    def id(self) -> str:
        """SHA-256 of the content."""
        return content_id(self.as_dict())

    def line(self) -> str:
        """The line in a sitting's file, without its newline."""
        return canonical_json({"id": self.id, **self.as_dict()})


def parse_line(line: bytes) -> Decision:
    """The decision in one line.

    Raises
    ------
    ValueError
        Torn, not JSON, of an unknown kind, or not what its id says.
    """
    try:
        record = json.loads(line)
        target = Target(**record["target"])
        decision = Decision(
            kind=record["kind"],
            target=target,
            author=record["author"],
            time=record["time"],
            content=record["content"],
            reader=record["reader"],
            arm=record["arm"],
            parents=tuple(record["parents"]),
        )
        stated = record["id"]
        hash(target)  # a list where a name belongs would fail much later
    except (KeyError, TypeError, AttributeError, RecursionError, StudyRefused) as error:
        raise ValueError(f"not a decision ({error})") from None
    if decision.id != stated:
        raise ValueError("its content is not what its id says")
    return decision


def read_decisions(people: Path) -> tuple[dict[str, Decision], list[str]]:
    """All decisions by id, and what had to be skipped, in words.

    A line that a crash cut short is reported and skipped; the lines before it hold.
    """
    decisions: dict[str, Decision] = {}
    problems: list[str] = []
    for path in sorted(people.glob("*.jsonl")):
        lines = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                decision = parse_line(line)
            except ValueError as error:
                cut = number == len(lines)
                what = "was cut short" if cut else f"cannot be read: {error}"
                problems.append(f"people/{path.name} line {number} {what}; skipped")
            else:
                decisions[decision.id] = decision
    return decisions, problems


class Sitting:
    """One person at one screen. Each decision is on the disk before the call returns.

    Use as a context; the file appears with the first decision.

    Examples
    --------
    ``with study.sitting("A. Smith") as sitting: sitting.accept(target, outline_id)``
    """

    def __init__(self, people: Path, author: str, *, reader: str = "", arm: str = "") -> None:
        if not author.strip():
            raise StudyRefused("who is reading? A sitting needs its author's name")
        self.author = author.strip()
        self.reader = reader or self.author
        self.arm = arm
        self._people = people
        self.path = people / self._new_name()
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next sitting opens its own."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def decide(
        self, kind: str, target: Target, content: Mapping[str, Any], *, parents: Sequence[str] = ()
    ) -> Decision:
        """Append one decision and wait until the disk has it.

        Parameters
        ----------
        kind : str
            One of `KINDS`.
        content : mapping
            What `KINDS` says this kind needs.
        parents : sequence of str
            The heads that the person saw (``heads`` of the row in `usimg.study.fold.Fold.rows`).

        Raises
        ------
        StudyRefused
            The decision is incomplete, or the folder cannot be written.
        """
        decision = Decision(
            kind=kind,
            target=target,
            author=self.author,
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            content=content,
            reader=self.reader,
            arm=self.arm,
            parents=tuple(dict.fromkeys(parents)),
        )
        line = decision.line().encode("utf-8") + b"\n"
        try:
            self._append(line)
        except OSError as error:
            self._start_afresh()
            raise StudyRefused(
                f"{self.path.name}: this decision is NOT saved ({error.strerror or error});"
                " make room or rights in the study's folder and decide again"
            ) from error
        return decision

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._file = self.path.open("xb", buffering=0)
        written = self._file.write(line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes were taken")
        os.fsync(self._file.fileno())

    def _start_afresh(self) -> None:
        # What was half written stays a torn last line; the next decision must not be glued to it.
        self.close()
        self.path = self._people / self._new_name()

    def _new_name(self) -> str:
        return f"{_file_safe(self.author)}-{uuid.uuid4().hex}.jsonl"

    def outline(
        self,
        target: Target,
        outline: Mapping[str, Any],
        values: Mapping[str, Any],
        *,
        parents: Sequence[str],
    ) -> Decision:
        """Keep a corrected or drawn outline with the numbers measured on it; it counts once accepted."""
        content = {"outline": dict(outline), "values": dict(values)}
        return self.decide("outline", target, content, parents=parents)

    def accept(self, target: Target, outline: str, *, parents: Sequence[str] = ()) -> Decision:
        """Accept the outline of that id, automatic or a person's."""
        return self.decide("accept", target, {"outline": outline}, parents=parents or (outline,))

    def reject(self, target: Target, reason: str, *, parents: Sequence[str]) -> Decision:
        """Say that this picture gives no measurement, and why."""
        return self.decide("reject", target, {"reason": reason}, parents=parents)

    def undo(self, decision: Decision, *, parents: Sequence[str] = ()) -> Decision:
        """Take a decision back, an undo included (that is a redo); what it replaced holds again."""
        return self.decide(
            "undo", decision.target, {"undoes": decision.id}, parents=parents or (decision.id,)
        )


def _file_safe(author: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", author).encode("ascii", "ignore").decode()
    # Windows forbids more characters than POSIX and some whole names (CON, NUL): the uuid follows anyway.
    return re.sub(r"[^A-Za-z0-9]+", "_", ascii_only).strip("_")[:40] or "reader"
