"""What a review is made of: pages, what holds on them, and where decisions go. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from usimg import Calibration, Frame, Roi, anatomy
from usimg_napari.lazy import FrameStack


class Status(StrEnum):
    """Where one outline stands; the values are the words on the screen."""

    TO_LABEL = "to label"
    TO_DO = "to do"
    CORRECTED = "corrected"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    MOVED = "label changed"


# What somebody still has to decide.
OPEN = (Status.TO_DO, Status.CORRECTED)


@dataclass(frozen=True)
class Held:
    """What holds now for one target: its outline and what people said of it.

    Attributes
    ----------
    target : str
        The study's key of the target (scan, frame, region, structure, site, side, repeat).
    roi : Roi
        The outline.
    status : Status
    reason : str
        Why it was rejected, or why two readings contradict.
    """

    target: str
    roi: Roi
    status: Status = Status.TO_DO
    reason: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether somebody should look first: flagged, unsure or without an outline, and not settled."""
        unsure = bool(self.roi.flags) or self.roi.confidence < 0.5 or not len(self.roi.points)
        return self.status in OPEN and unsure


@dataclass(frozen=True)
class Values:
    """Numbers of one outline as the study holds them; None where there is none."""

    thickness_mm: float | None = None
    csa_mm2: float | None = None
    echo_intensity: float | None = None

    @property
    def short(self) -> str:
        """As it stands under a tile."""
        words = (
            "" if self.thickness_mm is None else f"{self.thickness_mm:.1f} mm",
            "" if self.csa_mm2 is None else f"{self.csa_mm2:.1f} mm²",
            "" if self.echo_intensity is None else f"EI {self.echo_intensity:.0f}",
        )
        return "  ".join(word for word in words if word)

    @property
    def size(self) -> float | None:
        """The number by which repeats are compared: an area where there is one, else the thickness."""
        return self.csa_mm2 if self.csa_mm2 is not None else self.thickness_mm


@dataclass(frozen=True)
class Brief:
    """What holds for one target without its outline: cheap, so that there may be thousands.

    Attributes
    ----------
    outline : str
        Id of the outline that holds.
    drawn : bool
        Whether there is an outline.
    grade : int or None
        Heckmatt grade that this person gave.
    fasciculations : bool or None
        Whether this person saw some; None: not said.
    """

    target: str
    structure: str
    side: str = ""
    status: Status = Status.TO_DO
    reason: str = ""
    flags: tuple[str, ...] = ()
    confidence: float = 0.0
    validated: bool = False
    outline: str = ""
    drawn: bool = True
    values: Values = field(default_factory=Values)
    grade: int | None = None
    fasciculations: bool | None = None

    @property
    def doubtful(self) -> bool:
        """As of `Held`."""
        return self.status in OPEN and (bool(self.flags) or self.confidence < 0.5 or not self.drawn)

    @property
    def named(self) -> str:
        """Side and structure in words."""
        return in_words(self.side, self.structure)


@dataclass(frozen=True)
class Page:
    """One frame with outlines: what the screen shows at a time.

    Attributes
    ----------
    scan : str
        Hash of the file.
    frame : int
        0-based.
    title : str
        Study id, visit and what it shows; never a name or a path.
    subject, visit : str
        Whose it is, and when.
    row : str
        What it shows, with side and state: pages of one row are repeats of each other.
    repeat : int or None

    A scan's short hash (``scan[:12]``) is what reports and ``usimg info`` call it.
    """

    scan: str
    frame: int
    title: str
    subject: str = ""
    visit: str = ""
    row: str = ""
    repeat: int | None = None


class Desk(Protocol):
    """Where pages come from and decisions go to; `usimg_napari.desk.StudyDesk` for a study."""

    @property
    def definitions(self) -> anatomy.Protocol:
        """Whose thickness and region for echo intensity the numbers follow."""

    def pages(self) -> tuple[Page, ...]:
        """Every frame that has outlines, or where some were looked for."""

    def briefs(self, page: Page) -> tuple[Brief, ...]:
        """What holds on a page, in the order it is listed; cheap, nothing is read."""

    def roi(self, page: Page, target: str) -> Roi:
        """The outline of one target."""

    def values(self, target: str) -> Values:
        """The numbers of a target as of the last line that was written of it."""

    def open_page(self, page: Page) -> tuple[Frame, FrameStack]:
        """The page's frame, and all frames of its file."""

    def write(self, author: str, verb: str, page: Page, held: Held) -> str:
        """Append a decision (``"outline"``, ``"accept"``, ``"reject"``) that makes ``held`` hold; its id."""

    def say(self, author: str, kind: str, page: Page, target: str, said: Mapping[str, object]) -> str:
        """Append what a person says beside outlines (``"grade"``); its id."""

    def calibrate(self, author: str, scales: Mapping[Page, Calibration]) -> list[str]:
        """Append a scale for each of some scans, and measure them with it; the lines' ids."""

    def undo(self, author: str, decision: str) -> str:
        """Append a line that takes a decision back; its id. Taking that one back is a redo."""

    def close(self) -> None:
        """Nothing more comes."""


def in_words(side: str, structure: str) -> str:
    """Side and structure in words."""
    return " ".join(word for word in (side, structure.replace("_", " ")) if word)


def named(roi: Roi) -> str:
    """Side and structure of an outline in words."""
    return in_words(roi.side, roi.structure)
