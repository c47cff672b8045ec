"""What a file shows: from a manifest, the command line, the laboratory's own words, or its tags.

Never a guess: names of files and a protocol's order give proposals for a labelling sheet
(`usimg.study.recognition`), and no measurement rests on them until a person took them over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from usimg.scan import Header
from usimg.study.decisions import read_decisions
from usimg.study.history import History
from usimg.study.labelled import Decided, decided
from usimg.study.manifest import Label, Manifest
from usimg.study.private import SubjectIds
from usimg.study.recognition import NO_WORDS, Proposal, Words, as_fields, by_pattern, by_tags
from usimg.study.recognition import side_of as side_of

if TYPE_CHECKING:
    from usimg.study import Study


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
    words : Words
        The laboratory's own, from ``labels.toml``.
    decided : Decided
        What people said of scans in the viewer; it stands before all others.
    met : mapping
        (path, size, modified_ns) of files that the study met before to their hash: a file that was
        decided on need not be read through again.
    """

    structure: str = ""
    manifest: Manifest | None = None
    subjects: SubjectIds | None = None
    words: Words = NO_WORDS
    decided: Decided = field(default_factory=Decided)
    met: Mapping[tuple[str, int, int], str] = field(default_factory=dict, hash=False)

    def of_scan(self, scan: str, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        """The labels of `of_file` with what people decided about this scan laid over them."""
        return self.decided.over(scan, labels)

    def of_file(self, relative: str, header: Header | None) -> tuple[Label, ...]:
        """Labels of one file: a manifest's, else the command line's, the laboratory's pattern's, the tags'.

        What a manifest leaves open (the subject, the visit, the side) is filled in from the pattern and
        the tags; a structure from the command line fills lines that name none.

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
        pattern = by_pattern(relative, self.words)
        return tuple(self._completed(label, tags, pattern) for label in listed or (Label(),))

    def _completed(self, label: Label, tags: Header, pattern: Proposal | None) -> Label:
        if not label.says_what and self.structure:
            label = replace(label, source="structure", **as_fields(self.structure))
        if pattern is not None:
            if not label.says_what and pattern.what:
                label = replace(label, source="labels.toml", **as_fields(pattern.what))
            label = replace(
                label,
                side=label.side or pattern.side,
                subject=label.subject or pattern.subject,
                visit=label.visit or pattern.visit,
                repeat=pattern.repeat if label.repeat is None else label.repeat,
            )
        if not label.says_what:
            label = replace(label, source="tags", **recognised(tags, self.words))
        return replace(
            label,
            side=label.side or side_of(tags, self.words),
            subject=self._subject(label.subject, tags),
            visit=label.visit or visit_of(tags),
        )

    def _subject(self, subject: str, tags: Header) -> str:
        if self.subjects is None:
            return subject
        if subject:
            return self.subjects.of_manifest(subject, tags.patient_name)
        return self.subjects.of_patient(tags.patient_id)


def recognised(tags: Header, words: Words = NO_WORDS) -> dict[str, Any]:
    """``{"structure": name}`` or ``{"view": name}`` where exactly one is written in the tags, else ``{}``."""
    found = by_tags(tags, words)
    return as_fields(found.what) if found is not None else {}


def visit_of(tags: Header) -> str:
    """The study's date as 2026-02-03; empty when there is none."""
    date = (tags.study_date or "").replace("-", "").strip()
    return f"{date[:4]}-{date[4:6]}-{date[6:8]}" if re.fullmatch(r"\d{8}", date) else ""


def labelling_of(study: Study, *, structure: str = "", manifest: Manifest | None = None) -> Labelling:
    """Everything that a study knows of what scans show: the manifest, its own words, what people decided.

    Raises
    ------
    StudyRefused
        ``labels.toml`` or ``subjects.csv`` is not understood.
    """
    decisions, _ = read_decisions(study.people)
    said = decided(History(decisions).others())
    met = {(s.path, s.size, s.modified_ns): s.scan for s in study.sources.all()} if said else {}
    words = Words.read(study.root / "labels.toml")
    return Labelling(structure, manifest, study.subjects, words, said, met)
