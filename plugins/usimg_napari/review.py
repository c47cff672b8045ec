"""What a person does to a study's outlines, step by step: edit, accept, reject, undo, redo, move on. No Qt.

The viewer shows what is here and calls what is here. Every step is written when it happens, through a
`Desk`, so there is no Save and a crash loses nothing that was settled. Undoing appends a line too;
nothing is rewritten. napari's shapes have no undo (napari issue 1382); this is it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from usimg import Frame, Roi
from usimg.errors import StudyRefused
from usimg_napari.lazy import FrameStack


class Status(StrEnum):
    """Where one outline stands; the values are the words on the screen."""

    TO_DO = "to do"
    CORRECTED = "corrected"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


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

    A scan's short hash (``scan[:12]``) is what reports and ``usimg info`` call it.
    """

    scan: str
    frame: int
    title: str


class Desk(Protocol):
    """Where pages come from and decisions go to; `usimg_napari.desk.StudyDesk` for a study."""

    def pages(self) -> tuple[Page, ...]:
        """Every frame that has outlines."""

    def held(self, page: Page) -> tuple[Held, ...]:
        """What holds on a page, in the order it is listed; cheap, no pixels are read."""

    def open_page(self, page: Page) -> tuple[Frame, FrameStack]:
        """The page's frame, and all frames of its file."""

    def write(self, author: str, verb: str, page: Page, held: Held) -> str:
        """Append a decision (``"outline"``, ``"accept"``, ``"reject"``) that makes ``held`` hold; its id."""

    def undo(self, author: str, decision: str) -> str:
        """Append a line that takes a decision back; its id. Taking that one back is a redo."""

    def close(self) -> None:
        """Nothing more comes."""


@dataclass(frozen=True)
class Step:
    """One thing a person did, and how to take it back."""

    sentence: str
    page: int
    before: tuple[Held, ...]
    after: tuple[Held, ...]
    decisions: tuple[str, ...]
    undos: tuple[str, ...] = ()


class Review:
    """A sitting over a study's pages.

    Parameters
    ----------
    desk : Desk
    author : str
        Who decides. Without it everything can be looked at and nothing decided.
    """

    def __init__(self, desk: Desk, author: str = "") -> None:
        self.desk = desk
        self.author = author
        self.pages = desk.pages()
        if not self.pages:
            raise StudyRefused("this study holds no outlines yet; run: usimg extract ARCHIVE --study STUDY")
        self._held = {one.target: one for page in self.pages for one in desk.held(page)}
        self._targets = [tuple(one.target for one in desk.held(page)) for page in self.pages]
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._listeners: list[Callable[[], None]] = []
        self.selected = 0
        self.at = len(self.pages) - 1  # so that the search below starts with the first page
        self.at = self._first(lambda held: held.status in OPEN) or 0

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change of page, selection, outline or status."""
        self._listeners.append(listener)

    # Looking

    @property
    def page(self) -> Page:
        """The page on the screen."""
        return self.pages[self.at]

    @property
    def held(self) -> tuple[Held, ...]:
        """What holds on this page."""
        return self.held_on(self.at)

    def held_on(self, index: int) -> tuple[Held, ...]:
        """What holds on page ``index``."""
        return tuple(self._held[target] for target in self._targets[index])

    def status_of(self, index: int) -> str:
        """One word for page ``index``; the word of its least settled outline."""
        statuses = {held.status for held in self.held_on(index)}
        if any(held.doubtful for held in self.held_on(index)):
            return "look"
        return next((status.value for status in Status if status in statuses), Status.TO_DO.value)

    def counts(self) -> Counter[str]:
        """How many pages are in which state."""
        return Counter(self.status_of(index) for index in range(len(self.pages)))

    def open(self) -> tuple[Frame, FrameStack]:
        """The page's frame, and all frames of its file."""
        return self.desk.open_page(self.page)

    # Moving

    def go(self, index: int) -> None:
        """Show page ``index``."""
        self.at = min(max(index, 0), len(self.pages) - 1)
        self.selected = 0
        self._tell()

    def next(self) -> None:
        """Show the next page."""
        self.go(self.at + 1)

    def previous(self) -> None:
        """Show the page before."""
        self.go(self.at - 1)

    def next_flagged(self) -> None:
        """Show the next page, from here and round, with something to look at; raises when there is none."""
        found = self._first(lambda held: held.doubtful)
        if found is None:
            raise StudyRefused("nothing is left that asks for a second look")
        self.go(found)

    def select(self, index: int) -> None:
        """Make outline ``index`` of this page the one that Reject and Draw mean."""
        if index != self.selected and 0 <= index < len(self.held):
            self.selected = index
            self._tell()

    # Deciding

    def edit(self, index: int, roi: Roi, sentence: str = "change the outline") -> None:
        """Set outline ``index`` of this page to what a person drew."""
        held = self.held[index]
        self._do(
            f"{sentence} of {named(held.roi)}",
            [replace(held, roi=roi, status=Status.CORRECTED, reason="")],
            "outline",
        )

    def accept(self) -> None:
        """Accept every outline of this page that is not rejected; they count from now on."""
        open_ = [held for held in self.held if held.status in OPEN]
        empty = [held for held in open_ if not len(held.roi.points)]
        if empty:
            raise StudyRefused(
                f"{named(empty[0].roi)} has no outline: box it (O), draw it (D) or reject it (R)"
            )
        if open_:
            self._do(
                f"accept {_listed(open_)}",
                [replace(held, status=Status.ACCEPTED) for held in open_],
                "accept",
            )

    def reject(self, reason: str) -> None:
        """Reject the selected outline; it counts no more, and the reason stays with it."""
        if not reason.strip():
            raise StudyRefused("a rejection needs a reason: what is wrong with this picture or outline?")
        held = self.held[self.selected]
        self._do(
            f"reject {named(held.roi)}",
            [replace(held, status=Status.REJECTED, reason=reason.strip())],
            "reject",
        )

    def undo(self) -> str:
        """Take the last step back, on whatever page it was; the sentence of what was undone."""
        if not self._done:
            raise StudyRefused("nothing to undo in this sitting")
        step = self._done[-1]
        undos = tuple(self.desk.undo(self._decider(), one) for one in reversed(step.decisions))
        self._done.pop()
        self._undone.append(replace(step, undos=undos))
        self._show(step.page, step.before)
        return f"Undone: {step.sentence}"

    def redo(self) -> str:
        """Do again what was undone last; the sentence of what was done."""
        if not self._undone:
            raise StudyRefused("nothing to redo")
        step = self._undone[-1]
        for undo in reversed(step.undos):
            self.desk.undo(self._decider(), undo)
        self._undone.pop()
        self._done.append(step)
        self._show(step.page, step.after)
        return f"Done again: {step.sentence}"

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether a step was undone and nothing done since."""
        return bool(self._undone)

    def _do(self, sentence: str, after: list[Held], verb: str) -> None:
        author = self._decider()
        before = tuple(self._held[held.target] for held in after)
        decisions: list[str] = []
        try:
            for held in after:
                decisions.append(self.desk.write(author, verb, self.page, held))  # noqa: PERF401  see finally
        finally:  # a full disk half-way: what was written holds, and can be undone
            count = len(decisions)
            if decisions:
                kept = tuple(after[:count])
                self._done.append(Step(sentence, self.at, before[:count], kept, tuple(decisions)))
                self._undone.clear()
                self._show(self.at, kept)

    def _decider(self) -> str:
        if not self.author.strip():
            raise StudyRefused("type your name first: every decision carries who made it")
        return self.author.strip()

    def _show(self, page: int, held: tuple[Held, ...]) -> None:
        self._held.update({one.target: one for one in held})
        if page != self.at:
            self.at, self.selected = page, 0
        self._tell()

    def _first(self, wanted: Callable[[Held], bool]) -> int | None:
        order = [*range(self.at + 1, len(self.pages)), *range(self.at + 1)]
        return next((i for i in order if any(wanted(held) for held in self.held_on(i))), None)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def named(roi: Roi) -> str:
    """Side and structure in words."""
    return " ".join(word for word in (roi.side, roi.structure.replace("_", " ")) if word)


def _listed(held: list[Held]) -> str:
    return ", ".join(named(one.roi) for one in held)
