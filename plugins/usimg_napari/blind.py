"""Reader studies: blind sittings over a sample with hidden duplicates, and a third person who settles. No Qt.

Each picture of the sample is read from scratch, then once more starting from the automatic outline; a tenth
of them a second time in each way, unannounced. What is written carries reader and arm (``scratch-1``,
``scratch-2``, ``automatic-1``, ...): it counts for nothing unless adjudicated.
`usimg.agreement` reads it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from usimg import Calibration, Frame, Roi, anatomy
from usimg.errors import StudyRefused
from usimg.study import Study
from usimg.study.decisions import ADJUDICATED, Decision, Sitting, Target, read_decisions
from usimg.study.fold import automatic_rows, newest
from usimg.study.schema import outline_of, roi_of, target_of
from usimg_napari.desk import Place, Row, StudyDesk, key_of, records
from usimg_napari.lazy import FrameStack
from usimg_napari.live import to_store
from usimg_napari.outlines import Outlines
from usimg_napari.pages import Brief, Held, Page, Status, Values
from usimg_napari.review import Review, Step

SCRATCH, AUTOMATIC = "scratch", "automatic"
# A tenth of the sample is read twice in each way: enough pairs for a reader's own error in a sample of 60
# (6 pictures with their structures, 2 readings each), without doubling the work. Chosen here.
TWICE = 0.1
FINISHED = ("accepted", "corrected", "rejected")


@dataclass(frozen=True)
class Reading:
    """One picture to read, in one arm."""

    page: Page
    arm: str

    @property
    def from_scratch(self) -> bool:
        """Whether the reader starts without an outline."""
        return self.arm.startswith(SCRATCH)


def plan(pages: Sequence[Page], sample: int, seed: int) -> list[Reading]:
    """Which pictures are read in which order; the same for the same study, sample and seed.

    Parameters
    ----------
    pages : sequence of Page
        All that could be read.
    sample : int
        How many pictures.
    seed : int

    Returns
    -------
    list of Reading
        From scratch first, so that no automatic outline was seen before; duplicates lie in the second half
        of their arm, as far from the first reading as the order allows.
    """
    chance = random.Random(seed)  # noqa: S311  a sample, no secret
    ordered = sorted(pages, key=lambda page: (page.scan, page.frame))
    chosen = chance.sample(ordered, min(sample, len(ordered)))
    twice = chosen[: max(round(TWICE * len(chosen)), 1)] if len(chosen) > 1 else []
    readings: list[Reading] = []
    for arm in (SCRATCH, AUTOMATIC):
        first = chosen.copy()
        chance.shuffle(first)
        half = [page for page in first if page in twice] + [page for page in first if page not in twice]
        middle = len(half) // 2
        early, late = half[:middle], half[middle:]
        chance.shuffle(early)
        again = [*(Reading(page, f"{arm}-1") for page in late), *(Reading(p, f"{arm}-2") for p in twice)]
        chance.shuffle(again)
        readings += [*(Reading(page, f"{arm}-1") for page in early), *again]
    return readings


@dataclass(frozen=True)
class _Place:
    target: Target
    outline: str
    heads: tuple[str, ...]


class BlindDesk:
    """A reader's pages: nameless, in a drawn order, each with the outline of its arm or with none.

    Parameters
    ----------
    study : Study
    reader : str
    sample, seed : int
    """

    def __init__(self, study: Study, reader: str, *, sample: int, seed: int) -> None:
        self.study = study
        self.reader = reader.strip()
        self._source = StudyDesk(study)
        rows, self.problems = automatic_rows(study, geometry=False)
        held = newest(rows, self._source.fold.method)
        self._automatic = _by_picture(held[held["status"] == "measured"])
        pages = [page for page in self._source.pages() if (page.scan, page.frame) in self._automatic]
        decisions, _ = read_decisions(study.people)
        self._outlines = Outlines(study.automatic, decisions)
        self._readings: dict[Page, Reading] = {}
        for number, reading in enumerate(plan(pages, sample, seed), start=1):
            # Without the scan's hash: it would tell that a picture comes back.
            shown = Page("", reading.page.frame, f"{number} · {reading.page.row}", row=reading.page.row)
            self._readings[shown] = reading
        self._briefs: dict[str, Brief] = {}
        self._rows: dict[str, Row] = {}
        self._places: dict[str, _Place] = {}
        self._order: dict[Page, list[str]] = {}
        self._written: dict[str, Callable[[str], Decision]] = {}
        self._sittings: dict[str, Sitting] = {}
        self._take()

    def _take(self) -> None:
        rows = self._source.fold.rows
        own = rows[(rows["reader"] == self.reader) & (rows["arm"] != "")]
        states = {(target_of(row), row["arm"]): row for row in records(own, _OWN)}
        for page, reading in self._readings.items():
            self._order[page] = []
            for row in self._automatic[(reading.page.scan, reading.page.frame)]:
                target = target_of(row)
                key = f"{reading.arm}/{key_of(target)}"
                read = states.get((target, reading.arm))
                state = "" if read is None else read["state"]
                automatic = row["outline"]
                outline = (read["outline"] if read else None) or ("" if reading.from_scratch else automatic)
                heads = tuple(read["heads"]) if read else (() if reading.from_scratch else (automatic,))
                self._rows[key] = row
                self._places[key] = _Place(target, outline, heads)
                self._briefs[key] = Brief(
                    key, row["structure"], row["side"] or "", status=_STATUS.get(state, Status.TO_DO),
                    confidence=1.0, validated=True, outline=outline,
                    drawn=bool(outline) and state != "rejected",
                )  # fmt: skip
                self._order[page].append(key)

    @property
    def definitions(self) -> anatomy.Protocol:
        """Those of the study's protocol."""
        return self._source.definitions

    def pages(self) -> tuple[Page, ...]:
        """Readings in their order; titles say what to outline, and nothing of whom."""
        return tuple(self._readings)

    def briefs(self, page: Page) -> tuple[Brief, ...]:
        """What the reader decided so far; no numbers."""
        return tuple(self._briefs[key] for key in self._order[page])

    def roi(self, page: Page, target: str) -> Roi:
        """The reader's own outline, else the automatic one, or an empty one from scratch."""
        row, place = self._rows[target], self._places[target]
        if not place.outline:
            return replace(roi_of(row), confidence=1.0, flags=(), method="not drawn yet")
        return replace(roi_of(row | self._outlines.of(place.outline)), flags=())

    def values(self, target: str) -> Values:
        """None: numbers would tell the reader what was read before."""
        return Values()

    def open_page(self, page: Page) -> tuple[Frame, FrameStack]:
        """The frame of the picture that is read."""
        return self._source.open_page(self._readings[page].page)

    def write(self, author: str, verb: str, page: Page, held: Held) -> str:
        """Append a line in the reading's arm; its id."""
        sitting, place = self._sitting(author, self._readings[page].arm), self._places[held.target]
        brief = self._briefs[held.target]
        outline, drawn = place.outline, brief.drawn
        if verb == "outline":
            frame, _ = self.open_page(page)
            values = to_store(frame, held.roi, self.definitions)
            decision = sitting.outline(place.target, outline_of(held.roi), values, parents=place.heads)
            self._outlines.add(decision)
            outline, drawn, status = decision.id, True, Status.CORRECTED
        elif verb == "accept":
            decision = sitting.accept(place.target, place.outline, parents=place.heads)
            status = Status.ACCEPTED
        else:
            decision = sitting.reject(place.target, held.reason, parents=place.heads)
            status = Status.REJECTED
        self._places[held.target] = _Place(place.target, outline, (decision.id,))
        self._briefs[held.target] = replace(
            brief, status=status, reason=held.reason, drawn=drawn, outline=outline
        )
        self._keep(decision, held.target, place, brief)
        return decision.id

    def say(self, author: str, kind: str, page: Page, target: str, said: Mapping[str, object]) -> str:
        """Grades are given in the review, not in a reader study of outlines."""
        raise StudyRefused("grades are not part of a blind sitting")

    def calibrate(self, author: str, scales: Mapping[Page, Calibration]) -> list[str]:
        """A scale is set before a reader study, not in it."""
        raise StudyRefused(
            "a scale is given in the review, not in a blind sitting: all readers need the same"
        )

    def undo(self, author: str, decision: str) -> str:
        """Take a line of this sitting back."""
        return self._written[decision](author).id

    def close(self) -> None:
        """End the sitting."""
        for sitting in self._sittings.values():
            sitting.close()
        self._sittings.clear()

    def _sitting(self, author: str, arm: str) -> Sitting:
        if arm not in self._sittings:
            self._sittings[arm] = self.study.sitting(author, reader=self.reader, arm=arm)
        return self._sittings[arm]

    def _keep(self, decision: Decision, key: str, place: _Place, brief: Brief) -> None:
        def take_back(author: str) -> Decision:
            now, undone = self._places[key], self._briefs[key]
            line = self._sitting(author, decision.arm).undo(decision, parents=now.heads)
            self._places[key], self._briefs[key] = replace(place, heads=(line.id,)), brief
            self._keep(line, key, now, undone)
            return line

        self._written[decision.id] = take_back


class AdjudicationDesk(StudyDesk):
    """Pictures that readers read differently: every reading of one picture on one page, without names.

    What is accepted counts before all readings (`usimg.study.tables.RULE`).
    """

    def _take(self, rows: pd.DataFrame) -> None:
        finished = rows[(rows["reader"] != "") & rows["state"].isin(FINISHED)]
        settled = {target_of(row) for row in records(finished[finished["arm"] == ADJUDICATED])}
        read: dict[Target, list[Row]] = defaultdict(list)
        for row in records(finished[finished["arm"] != ADJUDICATED]):
            read[target_of(row)].append(row)
        for target, readings in read.items():
            outlines = {row["outline"] for row in readings} | {row["state"] == "rejected" for row in readings}
            if target in settled or len(outlines) < 3:
                continue
            drawn = [row for row in readings if row["state"] != "rejected"]
            first = readings[0]
            shows = " ".join(w.replace("_", " ") for w in (first["side"], first["structure"]) if w)
            rejected = len(readings) - len(drawn)
            title = f"{len(self._rows) + 1} · {shows} · {len(drawn)} outlines"
            page = Page(target.scan, target.frame, title + (f", {rejected} rejections" if rejected else ""))
            self._rows[page] = drawn
            for number, row in enumerate(drawn):
                self._add_reading(page, number, row, target)

    def _add_reading(self, page: Page, number: int, row: Row, target: Target) -> None:
        key = f"{number}#{key_of(target)}"
        row["key"] = key
        values = Values(row["thickness_mm"], row["csa_mm2"], row["echo_intensity"])
        self._briefs[key] = Brief(
            key, row["structure"], row["side"] or "", confidence=1.0, validated=True, outline=row["outline"],
            values=values,
        )  # fmt: skip
        self._places[key] = Place(target, row["outline"], self.fold.seen(target), values)

    def briefs(self, page: Page) -> tuple[Brief, ...]:
        """One for each reading."""
        return tuple(self._briefs[row["key"]] for row in self._rows[page])

    def roi(self, page: Page, target: str) -> Roi:
        """The outline of one reading."""
        row = next(row for row in self._rows[page] if row["key"] == target)
        return replace(roi_of(row | self._outlines.of(self._places[target].outline)), flags=())

    def sitting(self, author: str) -> Sitting:
        """All adjudications are one reading, whoever makes them."""
        if self._sitting is None or self._sitting.author != author:
            self.close()
            self._sitting = self.study.adjudication(author)
        return self._sitting


class Adjudication(Review):
    """Enter takes the selected reading; the others of the page are settled with it."""

    def accept(self) -> None:
        """Let the selected reading count."""
        briefs = self.briefs_on(self.at)
        chosen = briefs[self.selected]
        author = self._decider()
        line = self._writes("accept", self.at, chosen)(author)
        after = tuple(
            replace(one, status=Status.ACCEPTED)
            if one is chosen
            else replace(one, status=Status.REJECTED, reason="another reading was taken")
            for one in briefs
        )
        self._done.append(Step(f"settle {chosen.named}", self.at, briefs, after, (line,)))
        self._undone.clear()
        self._show(self.at, after, {})


_OWN = ("scan", "frame", "region", "structure", "site", "side", "repeat", "arm", "state", "outline", "heads")
_STATUS = {
    "draft": Status.CORRECTED,
    "accepted": Status.ACCEPTED,
    "corrected": Status.ACCEPTED,
    "rejected": Status.REJECTED,
}
_AUTOMATIC = (
    "scan", "frame", "region", "structure", "site", "side", "repeat", "view", "plane", "outline", "flags",
    "confidence", "validated", "method", "trace_rule",
)  # fmt: skip


def _by_picture(rows: pd.DataFrame) -> dict[tuple[str, int], list[Row]]:
    found: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in records(rows, _AUTOMATIC):
        if anatomy.structure(row["structure"]).kind != "combined":
            found[(row["scan"], row["frame"] or 0)].append(row)
    return found
