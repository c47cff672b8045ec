"""What a person does to a study's outlines, step by step: edit, accept, reject, grade, undo, move on. No Qt.

The viewer shows what is here and calls what is here. Every step is written when it happens, through a
`Desk`, so there is no Save and a crash loses nothing that was settled. Undoing appends a line too;
nothing is rewritten. napari's shapes have no undo (napari issue 1382); this is it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from usimg import Calibration, Frame, Roi, anatomy
from usimg.errors import StudyRefused
from usimg_napari.lazy import FrameStack
from usimg_napari.pages import OPEN as OPEN
from usimg_napari.pages import Brief, Desk
from usimg_napari.pages import Held as Held
from usimg_napari.pages import Page as Page
from usimg_napari.pages import Status as Status
from usimg_napari.pages import named as named


@dataclass(frozen=True)
class Step:
    """One thing a person did, and how to take it back.

    Attributes
    ----------
    page : int
        Where it happened: undo goes back there.
    before, after : tuple of Brief
        What held of each target, without the outlines.
    outlines : tuple of (str, Roi, Roi)
        Target, outline before, outline after: of those that changed.
    anew : bool
        Whether the desk has other pages after it, as when a scan gets its scale.
    """

    sentence: str
    page: int
    before: tuple[Brief, ...]
    after: tuple[Brief, ...]
    decisions: tuple[str, ...]
    outlines: tuple[tuple[str, Roi, Roi], ...] = ()
    undos: tuple[str, ...] = ()
    anew: bool = False


@dataclass
class _Writing:
    """Lines of a step while they are written; a full disk may stop it half-way."""

    decisions: list[str] = field(default_factory=list)
    before: list[Brief] = field(default_factory=list)
    after: list[Brief] = field(default_factory=list)


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
        self.pages: tuple[Page, ...] = ()
        self._briefs: dict[str, Brief] = {}
        self._targets: list[tuple[str, ...]] = []
        self._page_of: dict[str, int] = {}
        self._rois: dict[str, Roi] = {}
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._been: list[int] = []
        self._listeners: list[Callable[[], None]] = []
        self._told: set[str] = set()
        self._words: dict[int, str] = {}
        self.selected = 0
        self.at = 0
        if not self.reload():
            raise StudyRefused("this study holds no outlines yet; run: usimg extract ARCHIVE --study STUDY")
        self.at = len(self.pages) - 1  # so that the search below starts with the first page
        self.at = self._first(lambda held: held.status in OPEN) or 0

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change of page, selection, outline or status."""
        self._listeners.append(listener)

    def reload(self) -> bool:
        """Take the desk's pages anew, as when outlines came in from the background; whether there are any."""
        here = self.pages[self.at] if self.pages else None
        self.pages = self.desk.pages()
        self._targets, self._page_of, self._words = [], {}, {}
        for index, page in enumerate(self.pages):
            briefs = self.desk.briefs(page)
            self._targets.append(tuple(one.target for one in briefs))
            for one in briefs:
                self._page_of[one.target] = index
                known = self._briefs.get(one.target)
                if known is not None and known.outline != one.outline:
                    self._rois.pop(one.target, None)
                self._briefs[one.target] = one
        if here is not None:
            place = {(page.scan, page.frame): index for index, page in enumerate(self.pages)}
            self.at = place.get((here.scan, here.frame), 0)
            self._been.clear()
            self._tell()
        return bool(self.pages)

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
        """What holds on page ``index``, with the outlines."""
        return tuple(self._held(index, target) for target in self._targets[index])

    def briefs_on(self, index: int) -> tuple[Brief, ...]:
        """What holds on page ``index``, without the outlines."""
        return tuple(self._briefs[target] for target in self._targets[index])

    def outline(self, index: int, target: str) -> Roi:
        """The outline of a target of page ``index``."""
        if target not in self._rois:
            self._rois[target] = self.desk.roi(self.pages[index], target)
        return self._rois[target]

    def _held(self, index: int, target: str) -> Held:
        brief = self._briefs[target]
        return Held(target, self.outline(index, target), brief.status, brief.reason)

    def status_of(self, index: int) -> str:
        """One word for page ``index``; the word of its least settled outline."""
        if index not in self._words:
            self._words[index] = self._word(index)
        return self._words[index]

    def _word(self, index: int) -> str:
        briefs = self.briefs_on(index)
        if any(one.doubtful for one in briefs):
            return "look"
        statuses = {one.status for one in briefs}
        order = (Status.TO_LABEL, Status.MOVED, *OPEN, Status.ACCEPTED, Status.REJECTED)
        return next((status.value for status in order if status in statuses), Status.TO_DO.value)

    def counts(self) -> Counter[str]:
        """How many pages are in which state."""
        return Counter(self.status_of(index) for index in range(len(self.pages)))

    def open(self) -> tuple[Frame, FrameStack]:
        """The page's frame, and all frames of its file."""
        return self.desk.open_page(self.page)

    def notice(self) -> str:
        """What is not validated on this page, said once for each structure in a sitting; empty else."""
        new = [
            one.structure
            for one in self.briefs_on(self.at)
            if one.drawn and not one.validated and one.structure not in self._told
        ]
        self._told.update(new)
        names = ", ".join(dict.fromkeys(name.replace("_", " ") for name in new))
        return names and (
            f"Not validated against experts: {names}. Look closely; this is said once for each structure."
        )

    # Moving

    def go(self, index: int) -> None:
        """Show page ``index``."""
        index = min(max(index, 0), len(self.pages) - 1)
        if index != self.at:
            self._been.append(self.at)
        self.at = index
        self.selected = 0
        self._tell()

    def next(self) -> None:
        """Show the next page."""
        self.go(self.at + 1)

    def previous(self) -> None:
        """Show the page before."""
        self.go(self.at - 1)

    def back(self) -> None:
        """Show the page that was on the screen before this one; raises when there is none."""
        if not self._been:
            raise StudyRefused("this is where you began")
        at = self._been.pop()
        self.go(at)
        self._been.pop()

    def next_flagged(self) -> None:
        """Show the next page, from here and round, with something to look at; raises when there is none."""
        found = self._first(lambda held: held.doubtful)
        if found is None:
            raise StudyRefused("nothing is left that asks for a second look")
        self.go(found)

    def select(self, index: int) -> None:
        """Make outline ``index`` of this page the one that Reject, Draw and the grades mean."""
        if index != self.selected and 0 <= index < len(self._targets[self.at]):
            self.selected = index
            self._tell()

    def select_next(self) -> None:
        """Make the next outline of this page the one that Reject, Draw and the grades mean."""
        self.select((self.selected + 1) % len(self._targets[self.at]))

    # Deciding

    def edit(
        self,
        index: int,
        roi: Roi,
        sentence: str = "change the outline",
        *,
        along: Mapping[int, Roi] | None = None,
    ) -> None:
        """Set outline ``index`` of this page to what a person drew.

        Parameters
        ----------
        along : mapping of int to Roi, optional
            Outlines whose shared borders went along: one step, a line for each.
        """
        drawn = {index: roi, **(along or {})}
        held = {at: self.held[at] for at in drawn}
        self._do(
            f"{sentence} of {named(held[index].roi)}",
            [
                (_redrawn(self._briefs[held[at].target], one), self._draws(held[at].target, one))
                for at, one in drawn.items()
            ],
            outlines=tuple((held[at].target, held[at].roi, one) for at, one in drawn.items()),
        )

    def _draws(self, target: str, roi: Roi) -> Callable[[str], str]:
        page, new = self.page, Held(target, roi, Status.CORRECTED)
        return lambda author: self.desk.write(author, "outline", page, new)

    def accept(self) -> None:
        """Accept every outline of this page that is not rejected; they count from now on."""
        self.accept_pages((self.at,))

    def accept_pages(self, indices: Iterable[int]) -> None:
        """Accept every outline of several pages that is open, as one step; none when one has no outline."""
        open_ = [(index, one) for index in indices for one in self.briefs_on(index) if one.status in OPEN]
        empty = [one for _, one in open_ if not one.drawn]
        if empty:
            raise StudyRefused(f"{empty[0].named} has no outline: box it (O), draw it (D) or reject it (R)")
        if open_:
            self._do(
                f"accept {_listed([one for _, one in open_])}",
                [
                    (replace(one, status=Status.ACCEPTED), self._writes("accept", index, one))
                    for index, one in open_
                ],
            )

    def _writes(self, verb: str, index: int, brief: Brief, reason: str = "") -> Callable[[str], str]:
        # An outline that was not looked at is accepted by its id: it is not read for that.
        roi = self._rois.get(brief.target) or Roi(structure=brief.structure, side=brief.side)
        held = Held(brief.target, roi, brief.status, reason)
        page = self.pages[index]
        return lambda author: self.desk.write(author, verb, page, held)

    def reject(self, reason: str) -> None:
        """Reject the selected outline; it counts no more, and the reason stays with it."""
        self._reject(reason, [(self.at, self.briefs_on(self.at)[self.selected])])

    def reject_pages(self, indices: Iterable[int], reason: str) -> None:
        """Reject every outline of several pages, as one step."""
        self._reject(reason, [(index, one) for index in indices for one in self.briefs_on(index)])

    def _reject(self, reason: str, targets: Sequence[tuple[int, Brief]]) -> None:
        reason = reason.strip()
        if not reason:
            raise StudyRefused("a rejection needs a reason: what is wrong with this picture or outline?")
        self._do(
            f"reject {_listed([one for _, one in targets])}",
            [
                (
                    replace(one, status=Status.REJECTED, reason=reason),
                    self._writes("reject", index, one, reason),
                )
                for index, one in targets
            ],
        )

    def grade(self, grade: int) -> None:
        """Give the selected muscle a Heckmatt grade, 1 to 4."""
        brief = self._selected
        if anatomy.structure(brief.structure).kind not in ("muscle", "combined"):
            raise StudyRefused(
                f"{brief.named} is no muscle: the Heckmatt grade is for muscles (S selects one)"
            )
        self._say(f"grade {grade} for {brief.named}", replace(brief, grade=grade), {"grade": grade})

    def fasciculate(self) -> None:
        """Say that the selected muscle fasciculates; said already, that it does not."""
        brief = self._selected
        seen = not brief.fasciculations
        sentence = f"{'fasciculations' if seen else 'no fasciculations'} in {brief.named}"
        self._say(sentence, replace(brief, fasciculations=seen), {"fasciculations": seen})

    @property
    def _selected(self) -> Brief:
        return self.briefs_on(self.at)[self.selected]

    def _say(self, sentence: str, after: Brief, said: dict[str, int | bool]) -> None:
        page = self.page
        self._do(sentence, [(after, lambda author: self.desk.say(author, "grade", page, after.target, said))])

    def note(self, sentence: str, write: Callable[[str], str]) -> None:
        """Write a line that is about no outline (a signature, what was not done); it can be undone too."""
        author = self._decider()
        self._done.append(Step(sentence, self.at, (), (), (write(author),)))
        self._undone.clear()
        self._tell()

    def calibrate(self, scales: Mapping[Page, Calibration]) -> None:
        """Give scans their scale, as one step; their numbers are in mm from then on."""
        count = f" of {len(scales)} scans" if len(scales) > 1 else ""
        self.anew(f"calibrate by hand{count}", lambda author: self.desk.calibrate(author, scales))

    def anew(self, sentence: str, write: Callable[[str], list[str]]) -> None:
        """Write lines after which the desk has other pages or numbers, as one step."""
        decisions = tuple(write(self._decider()))
        self._done.append(Step(sentence, self.at, (), (), decisions, anew=True))
        self._undone.clear()
        self.reload()

    # Taking back

    def _reload_after(self, step: Step) -> None:
        if step.anew:
            self.reload()

    def undo(self) -> str:
        """Take the last step back, on whatever page it was; the sentence of what was undone."""
        if not self._done:
            raise StudyRefused("nothing to undo in this sitting")
        step = self._done[-1]
        undos = tuple(self.desk.undo(self._decider(), one) for one in reversed(step.decisions))
        self._done.pop()
        self._undone.append(replace(step, undos=undos))
        self._reload_after(step)
        self._show(step.page, step.before, {target: roi for target, roi, _ in step.outlines})
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
        self._reload_after(step)
        self._show(step.page, step.after, {target: roi for target, _, roi in step.outlines})
        return f"Done again: {step.sentence}"

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps were done and how many of them undone: other after every change."""
        return (len(self._done), len(self._undone))

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether a step was undone and nothing done since."""
        return bool(self._undone)

    def _do(
        self,
        sentence: str,
        lines: Sequence[tuple[Brief, Callable[[str], str]]],
        outlines: tuple[tuple[str, Roi, Roi], ...] = (),
    ) -> None:
        """Write lines, and let what each of them makes hold."""
        author = self._decider()
        done = _Writing()
        try:
            for after, write in lines:
                done.decisions.append(write(author))
                done.before.append(self._briefs[after.target])
                done.after.append(replace(after, values=self.desk.values(after.target)))
        finally:  # a full disk half-way: what was written holds, and can be undone
            if done.decisions:
                kept = tuple(done.after)
                written = {one.target for one in kept}
                outlines = tuple(one for one in outlines if one[0] in written)
                step = Step(sentence, self.at, tuple(done.before), kept, tuple(done.decisions), outlines)
                self._done.append(step)
                self._undone.clear()
                self._show(self.at, kept, {target: roi for target, _, roi in outlines})

    def _decider(self) -> str:
        if not self.author.strip():
            raise StudyRefused("type your name first: every decision carries who made it")
        return self.author.strip()

    def _show(self, page: int, briefs: tuple[Brief, ...], outlines: dict[str, Roi]) -> None:
        for one in briefs:
            self._briefs[one.target] = one
            self._words.pop(self._page_of.get(one.target, -1), None)
        self._rois.update(outlines)
        if page != self.at:
            self.at, self.selected = page, 0
        self._tell()

    def _first(self, wanted: Callable[[Brief], bool]) -> int | None:
        order = [*range(self.at + 1, len(self.pages)), *range(self.at + 1)]
        return next((i for i in order if any(wanted(one) for one in self.briefs_on(i))), None)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def _redrawn(brief: Brief, roi: Roi) -> Brief:
    return replace(
        brief, status=Status.CORRECTED, reason="", flags=roi.flags, confidence=roi.confidence,
        validated=roi.validated, drawn=bool(len(roi.points)),
    )  # fmt: skip


def _listed(briefs: Sequence[Brief]) -> str:
    names = list(dict.fromkeys(one.named for one in briefs))
    return ", ".join(names)
