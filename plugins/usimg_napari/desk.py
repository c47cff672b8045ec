"""A study as the review's desk: rows of the fold in, decisions of a sitting out. No Qt."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pandas as pd

import usimg
from usimg import Calibration, Frame, anatomy
from usimg.errors import StudyRefused
from usimg.study import Study
from usimg.study.decisions import Decision, Sitting, Target
from usimg.study.schema import features_of, outline_of, plain, roi_of, target_of
from usimg_napari.lazy import FrameStack
from usimg_napari.review import Held, Page, Status

# The fold's words for a state, and what the person at the screen has to do about it.
_STATUS = {
    "draft": Status.CORRECTED,
    "accepted": Status.ACCEPTED,
    "corrected": Status.ACCEPTED,
    "rejected": Status.REJECTED,
}
# Scales that the file itself does not state, so that a row has to bring them.
_BROUGHT = ("given", "sidecar", "ruler", "person")


@dataclass(frozen=True)
class Place:
    """Where one target stands: the outline that holds, and the heads that the next line must name."""

    target: Target
    outline: str
    heads: tuple[str, ...]


class StudyDesk:
    """Reads a study once, and appends to one sitting per author.

    Parameters
    ----------
    study : Study

    Attributes
    ----------
    problems : list of str
        Torn lines and damaged parts that were skipped.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        held = study.fold()
        self.problems = held.problems
        self._rows: dict[Page, list[dict[str, Any]]] = {}
        self._places: dict[str, Place] = {}
        self._written: dict[str, tuple[Decision, str, Place, Place]] = {}
        self._sitting: Sitting | None = None
        self._open: tuple[Page, Frame, FrameStack] | None = None
        rows = held.rows[~held.rows["state"].isin(["failed", "moved"]) & (held.rows["arm"] == "")]
        frames: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for row in _records(rows):
            frames.setdefault((row["scan"], int(row["frame"])), []).append(row)
        for own in sorted(frames.values(), key=_order):
            shown = sorted(_one_reading_each(own), key=_top_to_bottom)
            self._rows[_page(shown)] = shown
        for page, own in self._rows.items():
            for row in own:
                self._places[_key(page, row)] = Place(
                    target_of(row), row["outline"] or "", tuple(row["heads"])
                )

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """The desk of the study in a folder; raises `StudyRefused`."""
        return cls(Study.open(path))

    def pages(self) -> tuple[Page, ...]:
        """Every frame that has outlines, or where some were looked for; by subject, visit and view."""
        return tuple(self._rows)

    def held(self, page: Page) -> tuple[Held, ...]:
        """What holds on a page."""
        return tuple(
            Held(
                _key(page, row),
                roi_of(row),
                _STATUS.get(row["state"], Status.TO_DO),
                plain(row["reason"]) or "",
            )
            for row in self._rows[page]
        )

    def open_page(self, page: Page) -> tuple[Frame, FrameStack]:
        """The page's frame with the scale its numbers were made with, and all frames of its file.

        Raises
        ------
        StudyRefused
            The file moved, or is not the one that was measured.
        """
        if self._open is None or self._open[0] != page:
            path = self.study.source_path(page.scan)
            scan = usimg.read(path)
            if scan.id != page.scan:
                raise StudyRefused(f"{path} has changed since it was measured; run usimg extract again")
            frame = scan.frames[page.frame]
            for row in self._rows[page]:
                if plain(row["calibration_source"]) in _BROUGHT:
                    frame = frame.with_calibration(_calibration(row))
            self._open = (page, frame, FrameStack(scan.frames))
        return self._open[1], self._open[2]

    def write(self, author: str, verb: str, page: Page, held: Held) -> str:
        """Append a decision that makes ``held`` hold; its id."""
        sitting, place = self._at(author), self._places[held.target]
        if verb == "outline":
            frame, _ = self.open_page(page)
            values = features_of(_records(usimg.measure(frame, [held.roi]))[0])
            decision = sitting.outline(place.target, outline_of(held.roi), values, parents=place.heads)
            after = replace(place, outline=decision.id, heads=(decision.id,))
        elif verb == "accept":
            decision = sitting.accept(place.target, place.outline, parents=place.heads)
            after = replace(place, heads=(decision.id,))
        else:
            decision = sitting.reject(place.target, held.reason, parents=place.heads)
            after = replace(place, heads=(decision.id,))
        return self._keep(decision, held.target, place, after)

    def undo(self, author: str, decision: str) -> str:
        """Append a line that takes a decision of this sitting back; its id."""
        undone, key, before, after = self._written[decision]
        now = self._places[key]
        line = self._at(author).undo(undone, parents=now.heads)
        return self._keep(line, key, after, replace(before, heads=(line.id,)))

    def close(self) -> None:
        """End the sitting; every line of it is on the disk already."""
        if self._sitting is not None:
            self._sitting.close()
            self._sitting = None

    def _at(self, author: str) -> Sitting:
        if self._sitting is None or self._sitting.author != author:
            self.close()
            self._sitting = self.study.sitting(author)
        return self._sitting

    def _keep(self, decision: Decision, key: str, before: Place, after: Place) -> str:
        self._places[key] = after
        self._written[decision.id] = (decision, key, before, after)
        return decision.id


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def _order(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    first = rows[0]
    return tuple(str(plain(first[name]) or "") for name in ("subject", "visit", "view", "scan", "frame"))


def _page(rows: list[dict[str, Any]]) -> Page:
    first = rows[0]
    words = [
        plain(first["subject"]) or f"scan {first['scan'][:12]}",
        plain(first["visit"]) or "",
        f"{_each(rows, 'side')} {_each(rows, 'view') or _each(rows, 'structure')}".strip(),
        f"no. {plain(first['repeat'])}" if plain(first["repeat"]) is not None else "",
    ]
    return Page(first["scan"], int(first["frame"]), " · ".join(word for word in words if word))


def _each(rows: list[dict[str, Any]], name: str) -> str:
    """The different values of a column, in words."""
    words = [str(plain(row[name]) or "").replace("_", " ") for row in rows]
    return " and ".join(dict.fromkeys(word for word in words if word))


def _one_reading_each(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a target: where two people read the same picture, the reader first by name is shown."""
    first: dict[Hashable, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: str(row["reader"])):
        first.setdefault(target_of(row), row)
    return [row for row in rows if any(row is one for one in first.values())]


def _top_to_bottom(row: dict[str, Any]) -> tuple[bool, float]:
    """As the eye goes down the picture; what several structures make together comes after them."""
    points = roi_of(row).points
    depth = float(points[:, 0].mean()) if len(points) else float("inf")
    return anatomy.structure(row["structure"]).kind == "combined", depth


def _key(page: Page, row: dict[str, Any]) -> str:
    return f"{page.scan}/{page.frame}/{target_of(row)}"


def _calibration(row: dict[str, Any]) -> Calibration:
    return Calibration(
        float(row["row_mm"]),
        float(row["col_mm"]),
        str(row["calibration_source"]),
        region=plain(row["region"]),
    )
