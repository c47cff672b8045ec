"""What a picture shows, read from words somebody wrote; a proposal with its evidence, never a guess.

Of real pictures hardly any has a body part; what helps are the words of a laboratory (``labels.toml``),
names of files and folders, and the order in which a protocol is scanned. What a person set wins over all
of it, and where two structures are written, none is taken.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usimg import anatomy
from usimg.errors import AnatomyUnknown, StudyRefused
from usimg.study.manifest import SIDES

if TYPE_CHECKING:
    from usimg.scan import Header

# A preset is called "Nerve" or "Muscle" whatever is scanned with it: such a word alone names nothing.
_TOO_GENERAL = frozenset({"muscle", "nerve", "vessel", "subcutaneous_fat"})
# Abbreviations ("TA", "RF") mean other things inside a sentence: they count only as the whole text.
_SHORTEST_IN_TEXT = 5
_LONGEST_RUN = 5  # words in the longest name of the anatomy list's synonyms
SIDE_WORDS = {"left": "left", "links": "left", "right": "right", "rechts": "right"}
# In a file's name a letter alone is a side; in a sentence it is anything.
_SIDE_LETTERS = {"l": "left", "li": "left", "r": "right", "re": "right"}
_PATTERN_GROUPS = ("subject", "visit", "name", "side", "repeat")

# How much a proposal is worth, best first; words and not a number, which nobody has measured.
CERTAINTY = {
    "tags": "a tag names it",
    "labels.toml": "the laboratory's own words or pattern name it",
    "text": "text in the picture names it",
    "file name": "a file or folder name names it",
    "order": "its place in the protocol's order",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a picture seems to show.

    Attributes
    ----------
    view, structure : str
        Names of the anatomy list; at most one of them.
    side, subject, visit : str
    repeat : int or None
    by : str
        One of `CERTAINTY`.
    evidence : str
        The words it rests on. They may come from a file's name: for the screen and ``private/``.
    confidence : float or None
        Of text that was read in the picture, 0 to 1.
    """

    view: str = ""
    structure: str = ""
    side: str = ""
    subject: str = ""
    visit: str = ""
    repeat: int | None = None
    by: str = ""
    evidence: str = ""
    confidence: float | None = None

    @property
    def what(self) -> str:
        """The view or structure."""
        return self.view or self.structure


@dataclass(frozen=True, slots=True)
class Words:
    r"""A laboratory's own words: ``labels.toml`` in the study.

    Attributes
    ----------
    names : mapping of str to str
        Normalised word to a name of the anatomy list.
    sides : mapping of str to str
        Lower-case word to side.
    patterns : tuple of re.Pattern
        Of a path below the archive, with the groups ``subject``, ``visit``, ``name``, ``side``, ``repeat``.

    Examples
    --------
    ``labels.toml``::

        patterns = ['(?P<subject>P\d+)_(?P<name>[a-z]+)_(?P<side>[LR])(?P<repeat>\d)\.dcm']
        [names]
        "OA vorn" = "upper_arm"
        [sides]
        "sin" = "left"
    """

    names: Mapping[str, str] = field(default_factory=dict)
    sides: Mapping[str, str] = field(default_factory=dict)
    patterns: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def read(cls, path: Path) -> Words:
        """Read ``labels.toml``; a missing file holds no words.

        Raises
        ------
        StudyRefused
            Not TOML, an unknown key, name or side, or a pattern that is none; the message says which.
        """
        if not path.exists():
            return cls()
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise StudyRefused(f"{path.name}: {error}") from None
        unknown = sorted(set(said) - {"names", "sides", "patterns"})
        if unknown:
            raise StudyRefused(
                f"{path.name}: {', '.join(unknown)} is not known; known are names, sides, patterns"
            )
        names = {
            anatomy.normalise(word): _named(path, word, name) for word, name in said.get("names", {}).items()
        }
        sides = {word.casefold(): _side(path, word, side) for word, side in said.get("sides", {}).items()}
        return cls(names, sides, tuple(_pattern(path, text) for text in said.get("patterns", [])))

    def find(self, text: str) -> str:
        """The structure or view that this text is a name of; empty when it is none."""
        own = self.names.get(anatomy.normalise(text))
        if own or not text.strip():
            return own or ""
        try:
            name = anatomy.find(text).name
        except AnatomyUnknown:
            return ""
        return "" if name in _TOO_GENERAL else name

    def is_own(self, text: str) -> bool:
        """Whether the laboratory itself listed this word."""
        return anatomy.normalise(text) in self.names


NO_WORDS = Words()


def _named(path: Path, word: str, name: Any) -> str:
    try:
        return anatomy.find(str(name)).name
    except AnatomyUnknown as error:
        raise StudyRefused(f"{path.name}, names, {word!r}: {error}") from None


def _side(path: Path, word: str, side: Any) -> str:
    if side not in SIDES.values():
        raise StudyRefused(f"{path.name}, sides, {word!r}: {side!r} is not left, right or midline")
    return str(side)


def _pattern(path: Path, text: Any) -> re.Pattern[str]:
    try:
        pattern = re.compile(text, re.IGNORECASE)
    except (re.error, TypeError) as error:
        raise StudyRefused(f"{path.name}, patterns, {text!r}: {error}") from None
    unknown = set(pattern.groupindex) - set(_PATTERN_GROUPS)
    if unknown or not pattern.groupindex:
        raise StudyRefused(f"{path.name}, patterns, {text!r}: groups are named {', '.join(_PATTERN_GROUPS)}")
    return pattern


def by_tags(tags: Header, words: Words = NO_WORDS) -> Proposal | None:
    """What the tags name: body part stands before series description and protocol name."""
    for tag, text in (
        ("body part", tags.body_part),
        ("series description", tags.series_description),
        ("protocol name", tags.protocol_name),
    ):
        names = named_in(text or "", words)
        if len(names) == 1:
            return Proposal(
                **as_fields(names.pop()), side=side_of(tags, words), by="tags", evidence=f"{tag} {text!r}"
            )
        if names:
            return None  # two structures in one text: which one is shown is for a person to say
    return None


def by_pattern(relative: str, words: Words) -> Proposal | None:
    """What a laboratory's own pattern reads in a path; None when none fits or it names nothing known."""
    for pattern in words.patterns:
        found = pattern.search(relative)
        if found is None:
            continue
        said = {name: text for name, text in found.groupdict().items() if text}
        name, side = said.get("name", ""), said.get("side", "").casefold()
        known = words.find(name)
        sides = SIDE_WORDS | _SIDE_LETTERS | dict(words.sides)
        repeat = said.get("repeat", "")
        if (name and not known) or (side and side not in sides):
            continue
        return Proposal(
            **(as_fields(known) if known else {}),
            side=sides.get(side, ""),
            subject=said.get("subject", ""),
            visit=said.get("visit", ""),
            repeat=int(repeat) if repeat.isdecimal() else None,
            by="labels.toml",
            evidence=f"pattern {pattern.pattern!r}",
        )
    return None


def by_file_name(relative: str, words: Words = NO_WORDS) -> Proposal | None:
    """What the file's name spells out, else the name of its folder, and so on upwards."""
    parts = relative.rpartition(".")[0] if "." in relative.rpartition("/")[2] else relative
    for part in reversed(parts.split("/")):
        names = named_in(part, words)
        if len(names) > 1:
            return None
        if names:
            every = SIDE_WORDS | _SIDE_LETTERS | dict(words.sides)
            sides = {every[word] for word in split(parts) if word in every}
            side = sides.pop() if len(sides) == 1 else ""
            return Proposal(**as_fields(names.pop()), side=side, by="file name", evidence=f"name {part!r}")
    return None


@dataclass(frozen=True, slots=True)
class Step:
    """One picture of a protocol's order."""

    view: str = ""
    structure: str = ""
    side: str = ""
    repeat: int | None = None


def by_order(known: Sequence[Proposal | None], steps: Sequence[Step]) -> tuple[list[Proposal | None], str]:
    """What the pictures of one visit show by their place in the protocol's order.

    Parameters
    ----------
    known : sequence of Proposal or None
        What is known of each picture, in the order of acquisition.
    steps : sequence of Step
        The protocol's order.

    Returns
    -------
    proposals : list of Proposal or None
        None where something is known already, or nothing can be said.
    why_not : str
        Empty when the order fits. It fits only as a whole: as many pictures as steps, and none that
        is known to show something else; one picture too many shifts all after it.
    """
    nothing: list[Proposal | None] = [None] * len(known)
    if not steps:
        return nothing, "the protocol states no order"
    if len(known) != len(steps):
        return nothing, f"{len(known)} pictures for {len(steps)} steps of the order"
    for number, (is_known, step) in enumerate(zip(known, steps, strict=True), start=1):
        if is_known is None:
            continue
        other_what = is_known.what and is_known.what != (step.view or step.structure)
        other_side = is_known.side and step.side and is_known.side != step.side
        if other_what or other_side:
            return (
                nothing,
                f"picture {number} shows {is_known.what} {is_known.side}, not the order's step".strip(),
            )
    proposed = [
        Proposal(s.view, s.structure, s.side, repeat=s.repeat, by="order", evidence=f"step {n} of the order")
        for n, s in enumerate(steps, start=1)
    ]
    return [None if k is not None and k.what else p for k, p in zip(known, proposed, strict=True)], ""


def as_fields(name: str) -> dict[str, Any]:
    """``{"view": name}`` or ``{"structure": name}``."""
    found = anatomy.find(name)
    return {"view" if isinstance(found, anatomy.View) else "structure": found.name}


def side_of(tags: Header, words: Words = NO_WORDS) -> str:
    """``left``, ``right`` or ``midline`` where the tags say one thing; else empty."""
    letter = (tags.laterality or "").strip().upper()
    stated = {"L": "left", "R": "right", "M": "midline"}.get(letter, "")
    every = SIDE_WORDS | dict(words.sides)
    written = {
        every[word]
        for text in (tags.series_description, tags.protocol_name, tags.body_part)
        for word in split(text or "")
        if word in every
    }
    sides = written | ({stated} if stated else set())
    return sides.pop() if len(sides) == 1 else ""


def split(text: str) -> list[str]:
    """Words in lower case; an underscore parts them as a space does."""
    return re.findall(r"[^\W_]+", text.casefold())


def named_in(text: str, words: Words = NO_WORDS) -> set[str]:
    """Names of the anatomy list in a text: the whole of it, else the longest runs of words."""
    return set(names_with_words(text, words))


def names_with_words(text: str, words: Words = NO_WORDS) -> dict[str, list[str]]:
    """As `named_in`, each name with the words of the text that name it."""
    whole = words.find(text)
    parts = split(text)
    if whole:
        return {whole: parts}
    found: dict[str, list[str]] = {}
    taken = [False] * len(parts)
    for start, stop in _runs(len(parts)):
        run = " ".join(parts[start:stop])
        if any(taken[start:stop]) or (len(run) < _SHORTEST_IN_TEXT and not words.is_own(run)):
            continue
        name = words.find(run)
        if name:
            found[name] = parts[start:stop]
            taken[start:stop] = [True] * (stop - start)
    return found


def _runs(n: int) -> Iterator[tuple[int, int]]:
    for length in range(min(_LONGEST_RUN, n), 0, -1):
        for start in range(n - length + 1):
            yield start, start + length
