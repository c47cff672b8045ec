"""A study as the review's desk: rows of the fold in, decisions of a sitting out. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

import pandas as pd

import usimg
from usimg import Calibration, Frame, Roi, anatomy
from usimg.errors import AnatomyUnknown, StudyRefused, UsimgError
from usimg.scan import Header
from usimg.study import Study
from usimg.study.days import VisitNames
from usimg.study.decisions import Decision, Sitting, Target, read_decisions
from usimg.study.fold import Fold
from usimg.study.labelled import decided
from usimg.study.manifest import Label
from usimg.study.pixels import open_scan
from usimg.study.rulings import Rulings
from usimg.study.schema import outline_of, roi_of
from usimg_napari.labelling import fields_of
from usimg_napari.lazy import FrameStack
from usimg_napari.live import to_store
from usimg_napari.marks import Marks
from usimg_napari.outlines import Outlines
from usimg_napari.pages import Brief, Held, Page, Status, Values, in_words
from usimg_napari.tiles import Tile

# The fold's words for a state, and what the person at the screen has to do about it.
_STATUS = {
    "failed": Status.TO_LABEL,
    "draft": Status.CORRECTED,
    "accepted": Status.ACCEPTED,
    "corrected": Status.ACCEPTED,
    "rejected": Status.REJECTED,
    "moved": Status.MOVED,
}
# What a run says of a picture that a person excluded.
LEFT_OUT = "left out by a person"
# Scales that the file itself does not state, so that a row has to bring them.
_BROUGHT = ("given", "sidecar", "ruler", "person")
# Of a row, all that is needed before its page is shown: taking only these opens thousands in a second.
_COLUMNS = (
    "scan", "frame", "region", "structure", "site", "side", "repeat", "subject", "visit", "view", "plane",
    "day", "muscle_state", "outline", "state", "reader", "heads", "reason", "flags", "confidence",
    "validated", "method", "trace_rule", "thickness_mm", "csa_mm2", "echo_intensity", "calibration_source",
    "row_mm", "col_mm", "kind", "device",
)  # fmt: skip
_SAID_MOVED = (
    "the picture's label was changed after this was decided: decide on the new outline, or label it back"
)
Row = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where one target stands: the outline that holds, the heads of the next line, the numbers."""

    target: Target
    outline: str
    heads: tuple[str, ...]
    numbers: Values


class StudyDesk:
    """Reads a study once, and appends to one sitting per author.

    Parameters
    ----------
    study : Study

    Attributes
    ----------
    problems : list of str
        Torn lines and damaged parts that were skipped.
    fold : Fold
        What held when the study was opened.
    rulings : Rulings
        What people said beside outlines, this sitting included.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.fold: Fold = study.fold(geometry=False)
        self.problems = self.fold.problems
        self.rulings = Rulings(self.fold.others)
        self._scales = decided(self.fold.others)
        self._visits = VisitNames(self.fold.rows)
        decisions, _ = read_decisions(study.people)
        self._outlines = Outlines(study.automatic, decisions)
        self._rows: dict[Page, list[Row]] = {}
        self._briefs: dict[str, Brief] = {}
        self._places: dict[str, Place] = {}
        self._written: dict[str, Callable[[str], Decision]] = {}
        self._paths: dict[str, str] = {}
        self._sitting: Sitting | None = None
        self._open: tuple[Page, Frame, FrameStack, Header] | None = None
        self._take(self.fold.rows)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """The desk of the study in a folder; raises `StudyRefused`."""
        return cls(Study.open(path))

    def refresh(self) -> None:
        """Fold the study again: rows of the background, or of another person, come in."""
        self.fold = self.study.fold(geometry=False)
        self.problems = self.fold.problems
        self.rulings = Rulings(self.fold.others)
        self._scales = decided(self.fold.others)
        self._visits = VisitNames(self.fold.rows)
        self._rows, self._briefs, self._places, self._open = {}, {}, {}, None
        self._take(self.fold.rows)

    def _take(self, rows: pd.DataFrame) -> None:
        rows = rows[(rows["arm"] == "") & self._shown(rows)]
        frames: dict[tuple[str, int], list[Row]] = {}
        for row in records(rows):
            row["frame"] = row["frame"] or 0
            row["target"] = Target(
                row["scan"], row["frame"], row["region"], row["structure"] or "", row["site"] or "",
                row["side"] or "", row["repeat"],
            )  # fmt: skip
            row["key"] = key_of(row["target"])
            frames.setdefault((row["scan"], row["frame"]), []).append(row)
        grades = {
            (d.target, d.reader): d.content for d in self.fold.others if d.kind == "grade" and not d.arm
        }
        for own in sorted(frames.values(), key=_order):
            shown = sorted(_one_reading_each(own), key=_as_listed)
            page = _page(shown)
            self._rows[page] = shown
            for row in shown:
                target, key = row["target"], row["key"]
                brief = _brief(key, row)
                said = grades.get((target, row["reader"]))
                if said is not None:
                    brief = replace(brief, grade=said.get("grade"), fasciculations=said.get("fasciculations"))
                self._briefs[key] = brief
                self._places[key] = Place(target, row["outline"] or "", tuple(row["heads"]), brief.values)

    def _shown(self, rows: pd.DataFrame) -> Any:
        """Rows that a person can do something about: of failed scans those that only lack their label."""
        unlabelled = (rows["structure"].fillna("") == "") & (rows["view"].fillna("") == "")
        failed = rows["state"] == "failed"
        left_out = rows["reason"].fillna("").str.startswith(LEFT_OUT) & (rows["state"] == "empty")
        return ((~failed | unlabelled) & ~left_out).astype(bool)

    # Looking

    @property
    def definitions(self) -> anatomy.Protocol:
        """What numbers are measured by: the study protocol's definitions, as in a run."""
        return self.study.protocol.recipe.definitions

    def pages(self) -> tuple[Page, ...]:
        """Every frame that has outlines, or where some were looked for; by subject, visit and view."""
        return tuple(self._rows)

    def briefs(self, page: Page) -> tuple[Brief, ...]:
        """What holds on a page."""
        return tuple(self._briefs[row["key"]] for row in self._rows[page])

    def rows_of(self, page: Page) -> list[Row]:
        """The rows of a page, as the fold had them."""
        return self._rows[page]

    def roi(self, page: Page, target: str) -> Roi:
        """The outline of one target, read from its part or line."""
        row = next(row for row in self._rows[page] if row["key"] == target)
        if self._briefs[target].status is Status.MOVED:
            return roi_of(row)  # no outline: under the new label the picture has another, at the same place
        return roi_of(row | self._outlines.of(self._places[target].outline))

    def values(self, target: str) -> Values:
        """The numbers of a target."""
        return self._places[target].numbers

    def open_page(self, page: Page) -> tuple[Frame, FrameStack]:
        """The page's frame with the scale its numbers were made with, and all frames of its file.

        Of a file that is gone, what the study kept of it.

        Raises
        ------
        StudyRefused
            The file moved and nothing of it was kept, or it is not the one that was measured.
        """
        if self._open is None or self._open[0] != page:
            scan = open_scan(self.study, page.scan)
            if scan.id != page.scan:
                raise StudyRefused(f"{scan.name} has changed since it was measured; run usimg extract again")
            frame = scan.frames[page.frame]
            for row in self._rows[page]:
                if row["calibration_source"] in _BROUGHT:
                    frame = frame.with_calibration(_calibration(row))
                by_hand = self._scales.scale(page.scan, row["region"])
                if by_hand is not None:
                    frame = frame.with_calibration(Calibration(*by_hand, "person", region=row["region"]))
            self._open = (page, frame, FrameStack(scan.frames), scan.header)
        return self._open[1], self._open[2]

    def patient(self, page: Page) -> str:
        """Name and number in the header of a page's file: for the screen, never written.

        Empty where the file cannot be opened or says neither.
        """
        if self._open is None or self._open[0] != page:
            return ""
        return _who(self._open[3])

    def patient_of(self, path: str) -> str:
        """Name and number in a file's header: for the screen, never written; empty where it says neither."""
        try:
            header = usimg.read(path).header
        except UsimgError:
            return ""
        return _who(header)

    def path_of(self, scan: str) -> str:
        """Where a scan lies; raises `StudyRefused` when it is not there any more."""
        if scan not in self._paths or not Path(self._paths[scan]).is_file():
            self._paths = {source.scan: source.path for source in self.study.sources.all()}
        return str(self.study.source_path(scan)) if scan not in self._paths else self._paths[scan]

    def labels_of(self, page: Page) -> list[Label]:
        """What a page's picture shows, as the protocol counts it; what was rejected does not count."""
        labels = [
            Label(
                view=row["view"] or "",
                structure="" if row["view"] else row["structure"] or "",
                site="" if row["view"] else row["site"] or "",
                side=row["side"] or "",
                state=row["muscle_state"] or "",
                repeat=row["repeat"],
            )
            for row in self._rows[page]
        ]
        return list(dict.fromkeys(labels))

    def said_not_done(self, subject: str, visit: str, what: Label) -> str:
        """Why something of the protocol was not scanned at a visit; empty when nobody said so."""
        target = Target("", structure=what.view or what.structure, site=what.site, side=what.side)
        for line in self.rulings.of("not_done", target):
            if self._visits.of(line) == (subject, visit):
                return str(line.content["reason"])
        return ""

    # Deciding

    def write(self, author: str, verb: str, page: Page, held: Held) -> str:
        """Append a decision that makes ``held`` hold; its id."""
        sitting, place, brief = self.sitting(author), self._places[held.target], self._briefs[held.target]
        if verb == "outline":
            frame, _ = self.open_page(page)
            values = to_store(frame, held.roi, self.definitions)
            decision = sitting.outline(place.target, outline_of(held.roi), values, parents=place.heads)
            self._outlines.add(decision)
            after = Place(place.target, decision.id, (decision.id,), _values(values))
            status = Status.CORRECTED
        elif verb == "accept":
            decision = sitting.accept(place.target, place.outline, parents=place.heads)
            after, status = replace(place, heads=(decision.id,)), Status.ACCEPTED
        else:
            decision = sitting.reject(place.target, held.reason, parents=place.heads)
            after, status = replace(place, heads=(decision.id,)), Status.REJECTED
        drawn = brief.drawn if verb != "outline" else bool(len(held.roi.points))
        now = replace(
            brief, status=status, reason=held.reason, outline=after.outline, values=after.numbers, drawn=drawn
        )
        self._hold(held.target, after, now)
        key = held.target
        self._written[decision.id] = lambda author: self._take_back(author, decision, key, place, brief)
        return decision.id

    def say(self, author: str, kind: str, page: Page, target: str, said: Mapping[str, Any]) -> str:
        """Append what a person says beside outlines; its id."""
        del page
        if kind != "grade":
            raise StudyRefused(f"{kind!r} is not said of an outline")
        sitting, brief = self.sitting(author), self._briefs[target]
        decision = self.rulings.grade(sitting, self._places[target].target, **said)
        self._briefs[target] = replace(brief, **said)
        return self._keep_said(decision, target, brief)

    def label(self, author: str, tile: Tile, label: Label) -> str:
        """Append what a person says a picture shows; its id."""
        decision = self.rulings.label(self.sitting(author), tile.target, fields_of(label))
        return self._keep_said(decision)

    def not_done(self, author: str, page: Page, what: Label, reason: str) -> str:
        """Append that something of the protocol was not scanned at a page's visit; its id."""
        decision = self.rulings.not_done(
            self.sitting(author), page.subject, page.visit, what.view or what.structure, reason,
            site=what.site, side=what.side, day=self._rows[page][0]["day"],
        )  # fmt: skip
        return self._keep_said(decision)

    def calibrate(self, author: str, scales: Mapping[Page, Calibration]) -> list[str]:
        """Append a scale for each of some scans and measure them again with it; the lines' ids.

        The new numbers are rows of the study as a run's are: what counts them finds them.
        """
        lines = [
            self.rulings.calibrate(
                self.sitting(author), Target(page.scan, region=scale.region), *scale.spacing, how=scale.detail
            )
            for page, scale in scales.items()
        ]
        self._measure_again({page.scan for page in scales})
        return [self._keep_scale(line) for line in lines]

    def has_scale(self, page: Page) -> bool:
        """Whether the numbers of a page are in mm."""
        return any(row["calibration_source"] for row in self._rows[page])

    def device_of(self, page: Page) -> str:
        """Maker, model and probe; empty where they are not known."""
        return next((row["device"] for row in self._rows[page] if row["device"]), "")

    def _measure_again(self, scans: Collection[str]) -> None:
        from usimg.extract import measure_again  # noqa: PLC0415  a second, when a scale is given

        measure_again(self.study, scans=scans)
        self.refresh()

    @property
    def marks(self) -> Marks:
        """Writes outlines of further frames of a clip."""
        return Marks(self)

    def row_of(self, page: Page, target: str) -> Row:
        """The row of one target, as the fold had it."""
        return next(row for row in self._rows[page] if row["key"] == target)

    def keep_undo(self, decision: Decision, take_back: Callable[[str], Decision]) -> None:
        """Let a line that was written beside this desk be undone through it."""
        self._written[decision.id] = take_back

    def _keep_scale(self, decision: Decision) -> str:
        self._written[decision.id] = lambda author: self._unscale(author, decision)
        return decision.id

    def _unscale(self, author: str, decision: Decision) -> Decision:
        line = self.rulings.undo(self.sitting(author), decision)
        self._measure_again({decision.target.scan})
        self._keep_scale(line)
        return line

    def undo(self, author: str, decision: str) -> str:
        """Append a line that takes a decision of this sitting back; its id."""
        return self._written[decision](author).id

    def close(self) -> None:
        """End the sitting; every line of it is on the disk already."""
        if self._sitting is not None:
            self._sitting.close()
            self._sitting = None

    def sitting(self, author: str) -> Sitting:
        """The file that this author's lines go to."""
        if self._sitting is None or self._sitting.author != author:
            self.close()
            self._sitting = self.study.sitting(author)
        return self._sitting

    def _hold(self, key: str, place: Place, brief: Brief) -> None:
        self._places[key], self._briefs[key] = place, brief

    def _take_back(self, author: str, decision: Decision, key: str, before: Place, brief: Brief) -> Decision:
        now, undone = self._places[key], self._briefs[key]
        line = self.sitting(author).undo(decision, parents=now.heads)
        self._hold(key, replace(before, heads=(line.id,)), brief)
        self._written[line.id] = lambda author: self._take_back(author, line, key, now, undone)
        return line

    def keep(self, decision: Decision) -> str:
        """Let a line that was written beside this desk (a signature) be undone here; its id."""
        return self._keep_said(decision)

    def _keep_said(self, decision: Decision, key: str = "", brief: Brief | None = None) -> str:
        """Let a line beside outlines be taken back; ``brief`` holds of its target then."""
        self._written[decision.id] = lambda author: self._unsay(author, decision, key, brief)
        return decision.id

    def _unsay(self, author: str, decision: Decision, key: str, brief: Brief | None) -> Decision:
        now = self._briefs.get(key)
        line = self.rulings.undo(self.sitting(author), decision)
        if brief is not None:
            self._briefs[key] = brief
        self._keep_said(line, key, now)
        return line


def _who(header: Header) -> str:
    name = " ".join((header.patient_name or "").replace("^", " ").split())
    return " · ".join(word for word in (name, (header.patient_id or "").strip()) if word)


def records(rows: pd.DataFrame, columns: Iterable[str] = _COLUMNS) -> list[Row]:
    """Rows as dictionaries of plain values, by column: pandas' own way takes ten times as long."""
    names = list(columns)
    plainly = [_plain_column(rows[name]) for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*plainly, strict=True)]


def _plain_column(column: pd.Series[Any]) -> list[Any]:
    if column.name in ("flags", "heads"):
        return [list(value) if isinstance(value, Iterable) else [] for value in column]
    values = column.astype(object)
    return [None if missing else value for value, missing in zip(values, column.isna(), strict=True)]


def key_of(target: Target) -> str:
    """The target as the review names it."""
    t = target
    return f"{t.scan}/{t.frame}/{t.region}/{t.structure}/{t.site}/{t.side}/{t.repeat}"


def _brief(key: str, row: Row) -> Brief:
    status = _STATUS.get(row["state"], Status.TO_DO)
    return Brief(
        target=key,
        structure=row["structure"] or "",
        side=row["side"] or "",
        status=status,
        reason=_SAID_MOVED if status is Status.MOVED else row["reason"] or "",
        flags=tuple(row["flags"]),
        confidence=row["confidence"] or 0.0,
        validated=row["validated"] is True,
        outline=row["outline"] or "",
        drawn=row["state"] not in ("empty", "failed", "conflict"),
        values=_values(row),
    )


def _values(row: Mapping[str, Any]) -> Values:
    return Values(row.get("thickness_mm"), row.get("csa_mm2"), row.get("echo_intensity"))


def _order(rows: list[Row]) -> tuple[str, ...]:
    first = rows[0]
    names = ("subject", "visit", "view", "structure", "side", "repeat", "scan", "frame")
    return tuple(str(first[name] if first[name] is not None else "") for name in names)


def _page(rows: list[Row]) -> Page:
    first = rows[0]
    side, what = _each(rows, "side"), _each(rows, "view") or _each(rows, "structure") or "not labelled"
    state = first["muscle_state"] if first["muscle_state"] not in (None, "relaxed") else ""
    shows = " ".join(word for word in (side, what, state.replace("_", " ")) if word)
    words = [
        first["subject"] or f"scan {first['scan'][:12]}",
        first["visit"] or "",
        shows,
        f"no. {first['repeat']}" if first["repeat"] is not None else "",
    ]
    return Page(
        scan=first["scan"],
        frame=first["frame"],
        title=" · ".join(word for word in words if word),
        subject=first["subject"] or "",
        visit=first["visit"] or "",
        row=shows,
        repeat=first["repeat"],
    )


def _each(rows: list[Row], name: str) -> str:
    """The different values of a column, in words."""
    return " and ".join(dict.fromkeys(word.replace("_", " ") for row in rows if (word := row[name])))


def _one_reading_each(rows: list[Row]) -> list[Row]:
    """One row a target: where two people read the same picture, the reader first by name is shown."""
    if len({row["key"] for row in rows}) == len(rows):
        return rows
    first: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: str(row["reader"] or "")):
        first.setdefault(row["key"], row)
    return list(first.values())


def _as_listed(row: Row) -> tuple[bool, int, str]:
    """From the skin down, as the view lists its structures; what several make together comes after them."""
    combined, place = _place_in_view(row["view"] or "", row["structure"] or "")
    return combined, place, in_words(row["side"] or "", row["structure"] or "")


@cache
def _place_in_view(view: str, structure: str) -> tuple[bool, int]:
    try:
        structures = anatomy.view(view).structures if view else ()
        combined = anatomy.structure(structure).kind == "combined"
    except AnatomyUnknown:
        structures, combined = (), False
    return combined, structures.index(structure) if structure in structures else len(structures)


def _calibration(row: Row) -> Calibration:
    return Calibration(
        float(row["row_mm"]), float(row["col_mm"]), str(row["calibration_source"]), region=row["region"]
    )
