"""What a file shows, from the command line, a manifest, or its tags; never a guess.

Tags name a structure or view only where a name of the anatomy list is written out in them. Of real
pictures hardly any has a body part, and the protocol's name is a preset's; what is not recognised
stays unlabelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from usimg import anatomy
from usimg.errors import AnatomyUnknown
from usimg.scan import Header
from usimg.study.manifest import Label, Manifest
from usimg.study.private import SubjectIds

# A preset is called "Nerve" or "Muscle" whatever is scanned with it: such a word alone names nothing.
_TOO_GENERAL = frozenset({"muscle", "nerve", "vessel", "subcutaneous_fat"})
# Abbreviations ("TA", "RF") mean other things inside a sentence: they count only as the whole text.
_SHORTEST_IN_TEXT = 5
_SIDE_WORDS = {
    "left": "left",
    "links": "left",
    "right": "right",
    "rechts": "right",
}


@dataclass(frozen=True, slots=True)
class Labelling:
    """Where labels come from.

    Attributes
    ----------
    structure : str
        Every file shows this (a structure or view of the anatomy list); empty: not said.
    manifest : Manifest or None
    subjects : SubjectIds or None
        Turns patients' ids into study ids; None leaves the subject of the tags empty.
    """

    structure: str = ""
    manifest: Manifest | None = None
    subjects: SubjectIds | None = None

    def of_file(self, relative: str, header: Header | None) -> tuple[Label, ...]:
        """Labels of one file: a manifest's, else the command line's, else the tags'.

        What a manifest leaves open (the subject, the visit, the side) is filled in from the tags; a
        structure from the command line fills lines that name none.

        Parameters
        ----------
        relative : str
            Path below the archive, with ``/``.
        header : Header or None
            None for a file that could not be opened.

        Raises
        ------
        StudyRefused
            The manifest contradicts itself about this file.
        """
        listed = self.manifest.labels(relative) if self.manifest is not None else ()
        tags = header if header is not None else Header()
        return tuple(self._completed(label, tags) for label in listed or (Label(),))

    def _completed(self, label: Label, tags: Header) -> Label:
        if not label.says_what and self.structure:
            label = replace(label, source="structure", **_as_fields(self.structure))
        if not label.says_what:
            label = replace(label, source="tags", **recognised(tags))
        return replace(
            label,
            side=label.side or side_of(tags),
            subject=self._subject(label.subject, tags),
            visit=label.visit or _visit(tags),
        )

    def _subject(self, subject: str, tags: Header) -> str:
        if self.subjects is None:
            return subject
        if subject:
            return self.subjects.of_manifest(subject, tags.patient_name)
        return self.subjects.of_patient(tags.patient_id)


def recognised(tags: Header) -> dict[str, Any]:
    """``{"structure": name}`` or ``{"view": name}`` where exactly one is written in the tags, else ``{}``.

    Body part stands before series description and protocol name.
    """
    for text in (tags.body_part, tags.series_description, tags.protocol_name):
        names = _named_in(text or "")
        if len(names) == 1:
            return _as_fields(names.pop())
        if names:
            return {}  # two structures in one text: which one is shown is for a person to say
    return {}


def _as_fields(name: str) -> dict[str, Any]:
    found = anatomy.find(name)
    return {"view" if isinstance(found, anatomy.View) else "structure": found.name}


def side_of(tags: Header) -> str:
    """``left``, ``right`` or ``midline`` where the tags say one thing; else empty."""
    letter = (tags.laterality or "").strip().upper()
    stated = {"L": "left", "R": "right", "M": "midline"}.get(letter, "")
    written = {
        _SIDE_WORDS[word]
        for text in (tags.series_description, tags.protocol_name, tags.body_part)
        for word in _words(text or "")
        if word in _SIDE_WORDS
    }
    sides = written | ({stated} if stated else set())
    return sides.pop() if len(sides) == 1 else ""


def _visit(tags: Header) -> str:
    date = (tags.study_date or "").replace("-", "").strip()
    return f"{date[:4]}-{date[4:6]}-{date[6:8]}" if re.fullmatch(r"\d{8}", date) else ""


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _named_in(text: str) -> set[str]:
    """Names of the anatomy list in a text: the whole of it, else the longest runs of words."""
    whole = _known(text)
    if whole:
        return {whole}
    found: set[str] = set()
    words = _words(text)
    taken = [False] * len(words)
    for start, stop in _runs(len(words)):
        run = " ".join(words[start:stop])
        if any(taken[start:stop]) or len(run) < _SHORTEST_IN_TEXT:
            continue
        name = _known(run)
        if name:
            found.add(name)
            taken[start:stop] = [True] * (stop - start)
    return found


def _runs(n: int) -> Iterator[tuple[int, int]]:
    longest = 5  # words in the longest name of the anatomy list's synonyms
    for length in range(min(longest, n), 0, -1):
        for start in range(n - length + 1):
            yield start, start + length


def _known(text: str) -> str:
    try:
        name = anatomy.find(text).name if text.strip() else ""
    except AnatomyUnknown:
        return ""
    return "" if name in _TOO_GENERAL else name
