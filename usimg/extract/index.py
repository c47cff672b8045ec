"""What an archive holds: who, when, with what, which pictures; from headers, nothing is decoded.

A person reads it before anything is measured: what will be recognised and on what evidence, what lacks a
scale, whose ids look alike, what a visit lacks of its protocol. Nothing is merged or named silently.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from pathlib import Path

from usimg.extract.labels import Labelling
from usimg.extract.surveying import Survey, SurveyedFile, survey
from usimg.scan import Header, Scan
from usimg.study.alike import Alike, Patient, alike
from usimg.study.delimited import day
from usimg.study.devices import Combination, Declared, Settings, combinations, settings_of
from usimg.study.manifest import Label
from usimg.study.protocol import StudyProtocol
from usimg.study.protocol_file import load
from usimg.study.recognition import Proposal, by_file_name, by_order

# Visits of one patient that lie closer are shown: one visit over two days, or a date typed wrongly.
GAP_DAYS = 14


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: a file, or one panel of it that a label names.

    Attributes
    ----------
    file : str
        Path below the archive.
    label : Label
        What a person or the tags say; proposals are not in it.
    proposal : Proposal or None
        What file name or order suggest where the label says nothing.
    kind : str
        In words, from the regions of the header.
    panels : tuple of int
        Numbers of the regions that show tissue: several are pictures beside each other.
    scale_reason : str
        Why it has no scale; empty when it has one.
    order : tuple
        Sorts pictures as they were taken.
    """

    file: str
    label: Label
    proposal: Proposal | None
    kind: str
    panels: tuple[int, ...]
    frames: int
    scale_reason: str
    settings: Settings
    order: tuple[str, str]

    @property
    def recognised_by(self) -> str:
        """Who or what says what it shows; empty when nothing does."""
        if self.label.says_what:
            return self.label.source
        return self.proposal.by if self.proposal is not None and self.proposal.what else ""

    @property
    def shows(self) -> Label:
        """The label, filled in from the proposal."""
        if self.label.says_what or self.proposal is None:
            return self.label
        return replace(
            self.label,
            view=self.proposal.view,
            structure=self.proposal.structure,
            side=self.label.side or self.proposal.side,
            repeat=self.proposal.repeat if self.label.repeat is None else self.label.repeat,
        )


@dataclass(frozen=True, slots=True)
class Visit:
    """One subject on one day.

    Attributes
    ----------
    missing : tuple of str
        What the protocol asks for and is not there, proposals counted as there.
    why_no_order : str
        Why the protocol's order did not say what the pictures show.
    """

    subject: str
    visit: str
    pictures: int
    recognised: int
    proposed: int
    complete: bool
    missing: tuple[str, ...]
    why_no_order: str


@dataclass(frozen=True)
class Index:
    """What an archive holds.

    Attributes
    ----------
    patients : dict
        Study id to the patients' ids in its scans: for the screen and ``private/`` alone.
    alike : list of Alike
        Its ids are the patients' own: for the screen and ``private/`` alone.
    close : list of (str, str, str, int)
        Subject, visit, next visit, days between.
    gap_days : int
        What counts as close.
    """

    survey: Survey
    protocol: StudyProtocol
    pictures: list[Picture]
    visits: list[Visit]
    patients: dict[str, list[str]]
    alike: list[Alike]
    close: list[tuple[str, str, str, int]]
    gap_days: int
    devices: list[Combination] = field(default_factory=list)

    @property
    def kinds(self) -> Counter[str]:
        """Kinds of picture."""
        return Counter(picture.kind for picture in self.pictures)

    @property
    def uncalibrated(self) -> Counter[str]:
        """Reasons why pictures have no scale."""
        return Counter(picture.scale_reason for picture in self.pictures if picture.scale_reason)

    @property
    def recognised(self) -> Counter[tuple[str, str, str]]:
        """(view or structure, side, by what) of the pictures that are recognised."""
        return Counter(
            (picture.shows.view or picture.shows.structure, picture.shows.side, picture.recognised_by)
            for picture in self.pictures
            if picture.recognised_by
        )

    @property
    def unrecognised(self) -> list[Picture]:
        """Pictures that nothing names."""
        return [picture for picture in self.pictures if not picture.recognised_by]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of a header: little, for archives are large."""

    patient_id: str
    patient_name: str
    device: str
    study_date: str
    acquired_at: str
    kind: str
    panels: tuple[int, ...]
    scale_reason: str
    settings: Settings


def index(
    archive: str | Path,
    labelling: Labelling | None = None,
    *,
    protocol: StudyProtocol | None = None,
    declared: Sequence[Declared] = (),
    gap_days: int = GAP_DAYS,
    read_text: bool = False,
    on_file: Callable[[int], None] | None = None,
    on_text: Callable[[int], None] | None = None,
) -> Index:
    """Look at every header of an archive.

    Parameters
    ----------
    archive : path
    labelling : Labelling, optional
        With ``subjects``, or patients cannot be told apart.
    protocol : StudyProtocol, optional
        What a visit should hold; the generic one, which asks for nothing, when left out.
    declared : sequence of Declared
        Lines of ``devices.csv``.
    gap_days : int
        Visits that lie closer are listed.
    read_text : bool
        Also read text in the pictures that no label names (`usimg.extract.burned`); decodes them.
    on_file, on_text : callable, optional
        Told the number of files looked at, and of pictures read, so far.

    Raises
    ------
    DependencyMissing
        ``read_text`` without the extra ``ocr`` or Tesseract.
    FileRefused
        No such folder.
    StudyRefused
        The manifest or ``devices.csv`` contradicts itself.
    """
    protocol = protocol or load("generic")
    labelling = labelling or Labelling()
    seen: dict[str, _Seen] = {}

    def keep(relative: str, scan: Scan) -> None:
        seen[relative] = _seen(scan, declared)

    surveyed = survey(archive, labelling, on_file=on_file, on_scan=keep)
    pictures = [
        _picture(file, label, seen[file.relative], labelling)
        for file in surveyed.readable
        for label in file.labels
        if not label.exclude
    ]
    if read_text:
        from usimg.extract.burned import with_text  # noqa: PLC0415  wants an extra

        pictures = with_text(pictures, surveyed, labelling, on_text)
    pictures, visits = _visits(pictures, protocol)
    patients, alike_ids = _patients(surveyed, seen)
    return Index(
        survey=surveyed,
        protocol=protocol,
        pictures=pictures,
        visits=visits,
        patients=patients,
        alike=alike_ids,
        close=_close(visits, gap_days),
        gap_days=gap_days,
        devices=combinations(picture.settings for picture in pictures),
    )


def kind_of(scan: Scan) -> str:
    """Kind of picture in words, from the regions of its header."""
    frame = scan.frames[0] if scan.frames else None
    if frame is None or not frame.regions:
        return "no regions: seen only in its pixels"
    shown = {(region.kind, region.content) for region in frame.regions}
    kinds = {kind for kind, _ in shown}
    if not frame.tissue_regions:
        only = sorted(kinds - {"2d", "none", "graphics"})
        return f"{only[0].replace('_', ' ')} alone" if only else "no tissue"
    words = ["B-mode"]
    if ("2d", "colour_flow") in shown:
        words.append("colour Doppler")
    words += [f"with {kind.replace('_', ' ')}" for kind in ("m_mode", "spectral") if kind in kinds]
    if len(frame.tissue_regions) > 1:
        words.append(f"{len(frame.tissue_regions)} panels")
    if len(scan.frames) > 1:
        words.append("clip")
    return ", ".join(words)


def _seen(scan: Scan, declared: Sequence[Declared]) -> _Seen:
    header, first = scan.header, scan.frames[0] if scan.frames else None
    return _Seen(
        patient_id=(header.patient_id or "").strip(),
        patient_name=header.patient_name or "",
        device=f"{header.manufacturer} {header.model}",
        study_date=header.study_date or "",
        acquired_at=header.acquired_at or "",
        kind=kind_of(scan),
        panels=tuple(sorted(r.index for r in first.tissue_regions)) if first is not None else (),
        scale_reason=first.calibration_reason if first is not None else "",
        settings=settings_of(header, first, declared, _date(header)),
    )


def _picture(file: SurveyedFile, label: Label, seen: _Seen, labelling: Labelling) -> Picture:
    return Picture(
        file=file.relative,
        label=label,
        proposal=None if label.says_what else by_file_name(file.relative, labelling.words),
        kind=seen.kind,
        panels=seen.panels,
        frames=file.frames,
        scale_reason="" if file.calibrated else seen.scale_reason or "the file states no scale",
        settings=seen.settings,
        order=(seen.acquired_at, file.relative),
    )


def _date(header: Header) -> date | None:
    try:
        return day(header.study_date or "")
    except ValueError:
        return None


def _visits(pictures: list[Picture], protocol: StudyProtocol) -> tuple[list[Picture], list[Visit]]:
    """Pictures with what their place in the order says, and one line a visit."""
    grouped: dict[tuple[str, str], list[Picture]] = defaultdict(list)
    for picture in pictures:
        grouped[(picture.label.subject, picture.label.visit)].append(picture)
    placed: list[Picture] = []
    visits: list[Visit] = []
    for (subject, visit), group in sorted(grouped.items()):
        taken = sorted(group, key=lambda picture: picture.order)
        known = [_known(picture) for picture in taken]
        proposals, why_not = by_order(known, protocol.order)
        taken = [
            replace(picture, proposal=proposal) if proposal is not None else picture
            for picture, proposal in zip(taken, proposals, strict=True)
        ]
        placed += taken
        shown = [picture.shows for picture in taken]
        visits.append(
            Visit(
                subject=subject,
                visit=visit,
                pictures=len(taken),
                recognised=sum(picture.label.says_what for picture in taken),
                proposed=sum(bool(p.recognised_by) and not p.label.says_what for p in taken),
                complete=protocol.complete(shown),
                missing=tuple(map(str, protocol.missing(shown))),
                why_no_order=why_not if protocol.order else "",
            )
        )
    return placed, visits


def _known(picture: Picture) -> Proposal | None:
    shows = picture.shows
    if not (shows.says_what or shows.side):
        return None
    return Proposal(view=shows.view, structure=shows.structure, side=shows.side)


def _patients(surveyed: Survey, seen: dict[str, _Seen]) -> tuple[dict[str, list[str]], list[Alike]]:
    """Patients' own ids by study id, and those that look alike."""
    ids: dict[str, set[str]] = defaultdict(set)
    names: dict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    times: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for file in surveyed.readable:
        facts = seen[file.relative]
        patient = facts.patient_id
        for label in file.labels:
            ids[label.subject].add(patient)
        counts[patient] += 1
        if facts.patient_name:
            names[patient].add(facts.patient_name)
        if facts.acquired_at and facts.study_date:
            times[patient][(facts.device, facts.study_date)].append(facts.acquired_at)
    listed = [
        Patient(
            id=patient,
            names=frozenset(names[patient]),
            sessions={place: (min(at), max(at)) for place, at in times[patient].items()},
            pictures=count,
        )
        for patient, count in counts.items()
    ]
    settled = {frozenset(group) for group in ids.values()}
    found = [
        pair
        for pair in alike(listed)
        # Two ids that subjects.csv or a manifest gives to one subject are settled.
        if not (pair.other and any({pair.one, pair.other} <= group for group in settled))
    ]
    return {subject: sorted(filter(None, group)) for subject, group in sorted(ids.items())}, found


def _close(visits: list[Visit], gap_days: int) -> list[tuple[str, str, str, int]]:
    dated: dict[str, list[tuple[date, str]]] = defaultdict(list)
    for visit in visits:
        try:
            dated[visit.subject].append((day(visit.visit), visit.visit))
        except ValueError:
            continue
    return [
        (subject, first, second, (b - a).days)
        for subject, days in dated.items()
        if subject
        for (a, first), (b, second) in pairwise(sorted(days))
        if (b - a).days < gap_days
    ]
