"""The page of an index: what an archive holds, under study ids; no name, no path, no picture."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from usimg import anatomy
from usimg.errors import AnatomyUnknown
from usimg.pages import render, write_page
from usimg.study.days import as_date
from usimg.study.recognition import CERTAINTY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from usimg.extract.duplicates import Duplicate
    from usimg.extract.index import Index

# Of what a visit lacks this many stand open; more fold away.
LISTED = 4
# What says what a picture shows, in the order of its weight.
EVIDENCE = {
    "manifest": "a person labelled it",
    "structure": "the command line names it",
    **CERTAINTY,
}


def index_page(
    found: Index, path: str | os.PathLike[str], *, absent: int = 0, duplicates: Sequence[Duplicate] = ()
) -> Path:
    """Write the page of an index.

    Parameters
    ----------
    found : Index
    path : path
        Where the page goes; it is written whole or not at all.
    absent : int
        Scans of the study that are neither in the archive nor where they were.
    duplicates : sequence of Duplicate
        Pictures that are stored twice.

    Returns
    -------
    Path
        Where the page lies.
    """
    html = render(
        "usimg.report",
        "index.html.j2",
        found=found,
        visit_names=_visit_names(found),
        preset_names=_preset_names(found),
        recognised=_recognised(found),
        evidence=[
            (by, words)
            for by, words in EVIDENCE.items()
            if any(p.recognised_by == by for p in found.pictures)
        ],
        unverified=sum(not entry.verified for entry in found.protocol.entries),
        refused=sum(bool(file.refused) for file in found.survey.files),
        excluded=Counter(why for _, why in found.survey.excluded),
        alike=_alike(found),
        absent=absent,
        duplicates=Counter(pair.why.partition(" (")[0] for pair in duplicates),
        words=_words,
        listed=LISTED,
    )
    return write_page(path, html)


def _visit_names(found: Index) -> dict[tuple[str, str], str]:
    """Visits that only their date names, by their order in this archive: a date is a patient's."""
    dated: dict[str, set[str]] = defaultdict(set)
    for visit in found.visits:
        if as_date(visit.visit) is not None:
            dated[visit.subject].add(visit.visit)
    return {
        (subject, visit): f"{number}."
        for subject, days in dated.items()
        for number, visit in enumerate(sorted(days, key=lambda day: as_date(day) or date.min), start=1)
    }


def _preset_names(found: Index) -> dict[str, str]:
    """Presets by number: their names are typed by people, and may name a patient; the console shows them."""
    typed = {str(c.settings.preset.value) for c in found.devices if c.settings.preset.source == "tag"}
    return {name: f"no. {number}" for number, name in enumerate(sorted(typed), start=1)}


def _recognised(found: Index) -> list[tuple[str, str, dict[str, int]]]:
    """(label, side, pictures by evidence), in alphabetical order."""
    rows: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for (what, side, by), count in found.recognised.items():
        rows[(_label(what), side)][by] = count
    return [(label, side, counts) for (label, side), counts in sorted(rows.items())]


def _alike(found: Index) -> list[tuple[str, str, str]]:
    """Pairs under study ids: the patients' own stay on the screen."""
    subject = {patient: name for name, patients in found.patients.items() for patient in patients}
    return [(subject.get(a.one, ""), subject.get(a.other, ""), a.why) for a in found.alike]


def _label(name: str) -> str:
    try:
        return anatomy.find(name).label
    except AnatomyUnknown:
        return _words(name)


def _words(name: str) -> str:
    return name.replace("_", " ")
