"""Two copies of one study made one again: on two computers, or a share and a laptop."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usimg.errors import StudyRefused
from usimg.study.decisions import parse_line, read_decisions
from usimg.study.files import written_whole
from usimg.study.pixels import FOLDER
from usimg.study.store import Study

# What people write: never changed, only reported where the copies differ.
TABLES = ("study.toml", "devices.csv", "clinical.csv", "derived.toml", "labels.toml", "protocol.toml")
PRIVATE_TABLES = ("subjects.csv", "manifest.csv")
# How far along a run's record says it is.
_STATUS = ("running", "stopped", "finished")


@dataclass
class Merged:
    """What a merge came to.

    Attributes
    ----------
    parts, sittings, runs : int
        Files that came over.
    lengthened : int
        Sittings of which the other copy had more lines.
    decisions : int
        Decisions that are new here.
    differ : list of str
        What the copies disagree about and a person has to settle.
    """

    parts: int = 0
    sittings: int = 0
    lengthened: int = 0
    runs: int = 0
    decisions: int = 0
    differ: list[str] = field(default_factory=list)


def merge(into: Study, other: Study) -> Merged:
    """Bring everything of another copy into this one; the other is left as it is.

    Parts and lines are kept by what they are: nothing is there twice, nothing is lost, and merging
    both ways gives the same study. Of two sittings where one is the beginning of the other the longer
    is taken. Tables that people write are never touched: a missing one is brought over, one that
    differs is named.

    Raises
    ------
    StudyRefused
        They are copies of different studies, or one place, or the folder cannot be written.
    """
    if into.root == other.root:
        raise StudyRefused("these are one folder; give the other copy of the study")
    if not into.key or into.key != other.key:
        raise StudyRefused(
            f"{into.root.name} and {other.root.name} are different studies (their study.toml has another id);"
            " usimg merge unites copies of one"
        )
    result = Merged()
    known = set(read_decisions(into.people)[0])
    _parts(into, other, result)
    _sittings(into, other, result)
    _runs(into, other, result)
    _sources(into, other)
    _pixels(into, other)
    pairs = [(into.root / name, other.root / name) for name in TABLES]
    pairs += [(into.private / name, other.private / name) for name in PRIVATE_TABLES]
    for ours, theirs in pairs:
        _table(ours, theirs, result)
    result.decisions = len(set(read_decisions(into.people)[0]) - known)
    return result


def _pixels(into: Study, other: Study) -> None:
    """Bring over kept pixels; a file's name is the hash of its scan, and one is there once."""
    for theirs in sorted((other.root / FOLDER).glob("*.png")):
        ours = into.root / FOLDER / theirs.name
        if not ours.exists():
            ours.parent.mkdir(exist_ok=True)
            with written_whole(ours) as temporary:
                shutil.copyfile(theirs, temporary)


def _parts(into: Study, other: Study, result: Merged) -> None:
    for theirs in sorted(other.automatic.glob("*.parquet")):
        ours = into.automatic / theirs.name
        content = theirs.read_bytes()
        if not ours.exists():
            _write(ours, content)
            result.parts += 1
        elif ours.read_bytes() != content:
            # A part is written once: they can only differ when one of them is damaged.
            result.differ.append(f"automatic/{theirs.name}: one of the two is damaged; compare them")


def _sittings(into: Study, other: Study, result: Merged) -> None:
    for theirs in sorted(other.people.glob("*.jsonl")):
        ours = into.people / theirs.name
        content = theirs.read_bytes()
        if not ours.exists():
            _write(ours, content)
            result.sittings += 1
            continue
        held = ours.read_bytes()
        if held.startswith(content):
            continue
        if content.startswith(held):
            _write(ours, content)
            result.lengthened += 1
            continue
        missing = [line for key, line in _lines(content) if key not in dict(_lines(held))]
        if missing:
            # A sitting is one process's file: two that went apart were edited or copied while in use.
            _write(ours.with_name(f"{ours.stem}-merged.jsonl"), b"".join(line + b"\n" for line in missing))
            result.sittings += 1
            result.differ.append(
                f"people/{theirs.name}: the copies went apart; all good lines of both are kept"
            )


def _lines(content: bytes) -> Iterator[tuple[str, bytes]]:
    for line in content.split(b"\n"):
        try:
            yield parse_line(line).id, line
        except ValueError:
            continue


def _runs(into: Study, other: Study, result: Merged) -> None:
    for theirs in sorted((*other.runs.glob("*.json"), *other.runs.glob("*.jsonl"))):
        ours = into.runs / theirs.name
        content = theirs.read_bytes()
        if not ours.exists():
            result.runs += theirs.suffix == ".json"
        elif not _further(content, ours.read_bytes(), theirs.suffix):
            continue
        _write(ours, content)


def _further(theirs: bytes, ours: bytes, suffix: str) -> bool:
    """Whether the other copy of a run's record or log says more."""
    if suffix == ".jsonl":
        return theirs.startswith(ours) and len(theirs) > len(ours)
    return _status(theirs) > _status(ours)


def _status(record: bytes) -> int:
    try:
        said: Any = json.loads(record)
        return _STATUS.index(said["status"])
    except (ValueError, KeyError, TypeError):
        return -1


def _sources(into: Study, other: Study) -> None:
    into.sources.folder.mkdir(parents=True, exist_ok=True)
    for theirs in sorted(other.sources.folder.glob("*.jsonl")):
        ours = into.sources.folder / theirs.name
        held = ours.read_bytes() if ours.exists() else b""
        lines = dict.fromkeys(held.split(b"\n")) | dict.fromkeys(theirs.read_bytes().split(b"\n"))
        united = b"".join(line + b"\n" for line in lines if line)
        if united != held:
            _write(ours, united)


def _table(ours: Path, theirs: Path, result: Merged) -> None:
    if not theirs.is_file():
        return
    if not ours.is_file():
        _write(ours, theirs.read_bytes())
    elif ours.read_bytes() != theirs.read_bytes():
        result.differ.append(f"{ours.name}: the copies differ; this one's is kept. Compare them by hand")


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
