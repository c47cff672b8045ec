"""Labelled pictures that wait for their outlines, and how a few of them get some. No Qt, no threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from usimg.extract import extract_archive
from usimg.study import Study
from usimg.study.decisions import Decision
from usimg_napari.tiles import Found

# Scans outlined at a time: a process needs a second or two to start, a person a minute to label a dozen.
BATCH = 12


class Backlog:
    """Scans in the order in which they were labelled.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.waiting: dict[str, None] = {}

    def add(self, scans: Iterable[str]) -> None:
        """These wait; one that waits already is not outlined twice."""
        self.waiting |= dict.fromkeys(scans)

    def add_unfinished(self, found: Found, outlined: Iterable[str]) -> None:
        """Pictures that a person labelled before the program ended, and that have no outlines."""
        known = set(outlined)
        named = {tile.scan for tile in found.tiles if tile.label.source == "person" and tile.label.says_what}
        self.add(sorted(named - known))

    def batch(self, found: Found, said: Iterable[Decision]) -> Callable[[], str]:
        """Take the next few; what is returned outlines them in a process of their own, and says what failed.

        Parameters
        ----------
        found : Found
        said : iterable of Decision
            Labels and scales that people gave, this moment's included.
        """
        scans = list(self.waiting)[:BATCH]
        for scan in scans:
            del self.waiting[scan]
        survey, study = found.of(scans, list(said)), self.study

        def outline() -> str:
            if not survey.files:
                return ""
            summary = extract_archive(survey, study, workers=1)
            failed = [reason for _, reason in summary.problems]
            return f"{len(failed)} pictures gave no outline: {failed[0]}" if failed else ""

        return outline
