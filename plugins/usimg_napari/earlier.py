"""The same place at the visit before: its outlines as a ghost, and what was set otherwise then. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from usimg import Frame, Roi, UsimgError
from usimg.scan import Scan
from usimg.study.devices import FIELDS, settings_of
from usimg.study.pixels import open_scan
from usimg_napari.pages import Page, Status

_WORDS = {"depth_mm": "depth", "gain_db": "gain", "dynamic_range_db": "dynamic range"}
_UNITS = {"depth_mm": " mm", "gain_db": " dB", "dynamic_range_db": " dB"}


class Source(Protocol):
    """What of a desk is looked at; `usimg_napari.desk.StudyDesk` is one."""

    study: Any

    def pages(self) -> tuple[Page, ...]:
        """Every frame."""

    def briefs(self, page: Page) -> tuple[Any, ...]:
        """What holds on a page."""

    def roi(self, page: Page, target: str) -> Roi:
        """One outline."""


@dataclass(frozen=True)
class Earlier:
    """What the visit before holds of the same place.

    Attributes
    ----------
    visit : str
    rois : mapping of (structure, side) to Roi
        In px of that visit's frame.
    differences : tuple of str
        Depth and settings that are not the same now; empty when all known ones are.
    """

    visit: str
    rois: Mapping[tuple[str, str], Roi] = field(default_factory=dict)
    differences: tuple[str, ...] = ()
    frame: Frame | None = None

    def ghost(self, roi: Roi, frame: Frame) -> tuple[Any, ...]:
        """Polygons of the earlier outline where they would lie in this frame.

        Depth below the probe and distance from the picture's middle are kept in mm: patients are scanned
        at one place, not at one pixel. Empty where either picture has no scale.
        """
        then = self.rois.get((roi.structure, roi.side))
        if then is None or self.frame is None or frame.calibration is None or self.frame.calibration is None:
            return ()
        here, there = _origin(frame), _origin(self.frame)
        size = np.array(self.frame.calibration.spacing) / np.array(frame.calibration.spacing)
        return tuple((polygon - there) * size + here for polygon in then.polygons)


class EarlierVisits:
    """The visit before each page, looked up once a page.

    Parameters
    ----------
    desk : Source
        One without a study (in memory) has no visit before.

    Attributes
    ----------
    shown : bool
        Whether the ghost is drawn.
    """

    def __init__(self, desk: Any) -> None:
        self.desk = desk if hasattr(desk, "study") else None
        self.shown = True
        self._last: tuple[Page, Earlier | None] | None = None

    def of(self, page: Page) -> Earlier | None:
        """What the visit before holds; None where there is none, or it is not to be shown."""
        if self.desk is None or not self.shown:
            return None
        if self._last is None or self._last[0] != page:
            self._last = (page, earlier_of(self.desk, page))
        return self._last[1]

    def warning(self, page: Page) -> str:
        """What was set otherwise at the visit before, in words; empty when nothing is known to be."""
        before = self.of(page)
        if before is None or not before.differences:
            return ""
        return f"Not as at visit {before.visit}: {'; '.join(before.differences)}"


def earlier_of(desk: Source, page: Page) -> Earlier | None:
    """The last visit before this one that shows the same; None when there is none.

    Visits are told apart and ordered as people number them: 2 comes before 10.
    """
    if not page.subject or not page.visit:
        return None
    before = [
        other
        for other in desk.pages()
        if (other.subject, other.row) == (page.subject, page.row) and _order(other.visit) < _order(page.visit)
    ]
    if not before:
        return None
    last = max(_order(other.visit) for other in before)
    # Of its repeats the one of the same number, else the first.
    same = [other for other in before if _order(other.visit) == last]
    chosen = min(same, key=lambda other: (other.repeat != page.repeat, other.repeat or 0))
    rois = {
        (brief.structure, brief.side): desk.roi(chosen, brief.target)
        for brief in desk.briefs(chosen)
        if brief.drawn and brief.status not in (Status.REJECTED, Status.MOVED)
    }
    scans = [_scan(desk, one) for one in (page, chosen)]
    now, then = scans
    if now is None or then is None:
        return Earlier(chosen.visit, rois)
    frames = now.frames[page.frame], then.frames[chosen.frame]
    return Earlier(chosen.visit, rois, _differences(now, then, frames), frames[1])


def _differences(now: Scan, then: Scan, frames: tuple[Frame, Frame]) -> tuple[str, ...]:
    mine, theirs = settings_of(now.header, frames[0]), settings_of(then.header, frames[1])
    # What is known of both and not the same; what is unknown says nothing here.
    said = {line.partition(" differs")[0] for line in mine.differences(theirs) if " differs" in line}
    return tuple(
        f"{_WORDS.get(name, name)} {getattr(mine, name)}{_UNITS.get(name, '')},"
        f" then {getattr(theirs, name)}{_UNITS.get(name, '')}"
        for name in FIELDS
        if name in said
    )


def _scan(desk: Source, page: Page) -> Scan | None:
    try:
        return open_scan(desk.study, page.scan)
    except UsimgError:
        return None


def _order(visit: str) -> tuple[tuple[bool, float, str], ...]:
    """A visit's name so that numbers in it count as numbers."""
    words: list[tuple[bool, float, str]] = []
    number = ""
    for sign in f"{visit} ":
        if sign.isdigit():
            number += sign
            continue
        if number:
            words.append((False, float(number), ""))
            number = ""
        if sign.strip():
            words.append((True, 0.0, sign.casefold()))
    return tuple(words)


def _origin(frame: Frame) -> Any:
    """Top of the tissue and middle of its width, (row, col) px; from the region where the file has one."""
    if frame.tissue_regions:
        r0, c0, _, c1 = frame.tissue_regions[0].box
        return np.array([r0, 0.5 * (c0 + c1 - 1)])
    area = frame.scan_area
    rows, cols = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    if not len(rows):
        return np.zeros(2)
    return np.array([rows[0], 0.5 * (cols[0] + cols[-1])])
