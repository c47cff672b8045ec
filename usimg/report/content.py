"""What an extract report says, as plain values: no study, no files, no pixels are touched here."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from usimg.report.drawing import Shape

# Design: trusted is a probability of at least one half, and validated.
TRUSTED = 0.5
# Of an archive larger than the limit, one picture in four shown is drawn at random: the worst alone
# would say nothing about the rest.
SAMPLE_SHARE = 0.25
SAMPLE_SEED = 0
# A word of a reason -> what to do; any other failure is one of the file.
ADVICE = {
    "manifest": (
        "usimg info STUDY --scan HASH shows which file this is; correct its line in the manifest and run"
        " usimg extract again: only what is new is done."
    ),
    "not a B-mode picture": "Nothing, when the picture shows no tissue; else label another frame of it.",
}


@dataclass(frozen=True)
class Remark:
    """A sentence under a measurement: why a value is missing, or (``doubt``) a reason to look again."""

    text: str
    doubt: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurement:
    """One structure in one picture. Missing numbers are None, and ``reason`` says why.

    Attributes
    ----------
    row : int
        Its place in the study's table.
    state : str
        ``"automatic"``, ``"accepted"``, ``"corrected"``, ``"draft"``, ``"rejected"``, ``"empty"``, ...
    """

    structure: str
    label: str
    kind: str = ""
    site: str = ""
    side: str = ""
    thickness_mm: float | None = None
    thickness_px: float | None = None
    thickness_rule: str = ""
    csa_mm2: float | None = None
    csa_px2: float | None = None
    trace_rule: str = ""
    echo_intensity: float | None = None
    echo_intensity_sd: float | None = None
    echo_intensity_protocol: float | None = None
    confidence: float | None = None
    validated: bool = False
    state: str = "automatic"
    author: str = ""
    flags: tuple[str, ...] = ()
    reason: str = ""
    shape: Shape | None = None
    row: int = -1

    @property
    def thickness(self) -> float | None:
        """In mm, else in px."""
        return self.thickness_px if self.thickness_mm is None else self.thickness_mm

    @property
    def area(self) -> float | None:
        """In square mm, else in square px."""
        return self.csa_px2 if self.csa_mm2 is None else self.csa_mm2

    @property
    def measured(self) -> bool:
        """Whether there is a number to show."""
        return any(value is not None for value in (self.thickness, self.area, self.echo_intensity))

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """Why values are missing, and what made usimg doubt."""
        # measure() joins "no area: ...; no echo intensity: ..."; a reason may hold a semicolon of its own.
        reasons = [Remark(said, doubt=False) for said in re.split(r"; (?=no )", self.reason) if said]
        return tuple(reasons) + tuple(Remark(flag, doubt=True) for flag in self.flags)

    @property
    def decided(self) -> bool:
        """Whether a person stands behind it."""
        return self.state in ("accepted", "corrected", "rejected")

    @property
    def urgency(self) -> float:
        """Sorts the contact sheet: what was not found first, then by confidence; people's last."""
        if self.decided:
            return 2.0
        return -1.0 if self.confidence is None or not self.measured else self.confidence


@dataclass(frozen=True, eq=False, kw_only=True)
class Tile:
    """One picture of the contact sheet and what was measured in it.

    Attributes
    ----------
    scan : str
        Short hash.
    frame : int
        0-based.
    region : int or None
        Of a frame with several pictures.
    place : str
        Subject and visit, as the study names them.
    measurements : tuple of Measurement
        Top to bottom as they lie, sums last; drawn in the opposite order, so that a sum lies below its parts.
    scale : str
        Where millimetres come from; empty without a scale (each measurement says why).
    """

    scan: str
    frame: int = 0
    region: int | None = None
    place: str = ""
    scale: str = ""
    device: str = ""
    measurements: tuple[Measurement, ...]

    @property
    def urgency(self) -> float:
        """That of its worst measurement."""
        return min((m.urgency for m in self.measurements), default=-1.0)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of its table: those with a value."""
        ms = self.measurements
        filled = {
            "thickness": any(m.thickness is not None for m in ms),
            "area": any(m.area is not None for m in ms),
            "echo intensity": any(m.echo_intensity is not None for m in ms),
            "confidence": any(m.measured or m.decided for m in ms),
        }
        return tuple(name for name, any_value in filled.items() if any_value)

    @property
    def shared_remarks(self) -> tuple[Remark, ...]:
        """What holds for each of several measurements, to be said once."""
        if len(self.measurements) < 2:
            return ()
        first, *others = self.measurements
        return tuple(r for r in first.remarks if all(r in m.remarks for m in others))

    def remarks(self, measurement: Measurement) -> tuple[Remark, ...]:
        """What holds for this measurement alone."""
        return tuple(r for r in measurement.remarks if r not in self.shared_remarks)

    @property
    def order(self) -> tuple[float, str, int, int]:
        """Worst first; ties by name, so that a report is the same twice."""
        return (self.urgency, self.scan, self.frame, -1 if self.region is None else self.region)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A scan or a structure without a result, and why."""

    scan: str
    reason: str
    what: str = ""


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Everything that failed for one reason."""

    reason: str
    advice: str
    scans: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """How one structure was measured."""

    label: str
    sites: tuple[str, ...] = ()
    thickness_rules: tuple[str, ...] = ()
    borders: str = ""
    trace_rules: tuple[str, ...] = ()
    echo_rules: tuple[str, ...] = ()
    source: str = ""
    verified: bool = False


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """One run: name and what it noted, in the order to be shown."""

    name: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VisitLine:
    """What a visit lacks of the protocol, and who signed it."""

    subject: str
    visit: str
    pictures: int
    complete: str
    missing: str
    not_done: str
    signed: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """All of a report but its pictures.

    Attributes
    ----------
    protocol : str
        Its name, when it asks for something.
    visits : tuple of VisitLine
    settings : tuple of int
        How many settings keys the grey levels were taken under, and of how many not all is known.
    """

    tiles: tuple[Tile, ...]
    failures: tuple[Failure, ...] = ()
    definitions: tuple[Definition, ...] = ()
    runs: tuple[RunInfo, ...] = ()
    synthetic: int = 0
    problems: tuple[str, ...] = ()
    failed: frozenset[str] = frozenset()
    protocol: str = ""
    visits: tuple[VisitLine, ...] = ()
    settings: tuple[int, int] = (0, 0)

    @property
    def measurements(self) -> list[Measurement]:
        """Of all tiles."""
        return [m for tile in self.tiles for m in tile.measurements]

    @property
    def scans(self) -> int:
        """Scans that were looked at, failed ones too."""
        return len({tile.scan for tile in self.tiles} | self.failed)

    @property
    def measured_scans(self) -> int:
        """Scans with at least one number."""
        return len({tile.scan for tile in self.tiles if any(m.measured for m in tile.measurements)})


def headline(contents: Contents) -> str:
    """The answer in a sentence or two."""
    scans, measured = contents.scans, contents.measured_scans
    if not scans:
        return "No scan was found, so nothing was measured."
    failed = len(contents.failed)
    silent = scans - measured - failed
    parts = [f"{_count(scans, 'scan')}: {measured} measured"]
    if silent:
        parts.append(f"{silent} without a number")
    if failed:
        parts.append(f"{failed} failed")
    outlines = [m for m in contents.measurements if m.measured]
    sentence = ", ".join(parts) + "."
    if not outlines:
        return sentence
    people = sum(m.decided for m in outlines)
    doubtful = sum(not m.decided and (m.confidence or 0.0) < TRUSTED for m in outlines)
    sentence += f" Of {_count(len(outlines), 'outline')}, a person has decided on {people or 'none'}"
    return sentence + (f", and {doubtful} {_has(doubtful)} low confidence." if doubtful else ".")


def cautions(contents: Contents) -> list[str]:
    """What a reader must keep in mind, as sentences; the most serious first."""
    outlines = [m for m in contents.measurements if m.measured]
    said = []
    if contents.synthetic:
        said.append(
            f"{_count(contents.synthetic, 'scan')} of {contents.scans} {_is(contents.synthetic)} synthetic,"
            " made by usimg simulate: these numbers are about phantoms, not about people."
        )
    unvalidated = sum(not m.validated and not m.decided for m in outlines)
    if unvalidated:
        said.append(
            f"{_count(unvalidated, 'automatic outline')} of {len(outlines)} {_is(unvalidated)} not validated:"
            " for this structure, plane and kind of device nobody has compared usimg with people's outlines."
            " Such numbers stay out of averages until a person has accepted them (usimg review)."
        )
    pixels = sum(m.thickness_mm is None and m.csa_mm2 is None for m in outlines)
    if pixels:
        said.append(f"{_count(pixels, 'outline')} {_has(pixels)} no length or area in mm; each says why.")
    doubtful = [d.label for d in contents.definitions if not d.verified]
    if doubtful:
        named = ", ".join(doubtful) if len(doubtful) <= 3 else f"{len(doubtful)} of the structures"
        said.append(
            f"The source of the definition is not verified for {named}: see the table of definitions."
        )
    keys, unknown = contents.settings
    if keys > 1:
        said.append(
            f"Grey levels were taken under {keys} combinations of device and settings: echo intensity"
            " compares within one of them only (visits.csv says which visit has which)."
        )
    if unknown:
        said.append(
            f"Of {unknown} of {_count(keys, 'combination')} of device and settings not all is known, such as"
            " gain or map: between patients their echo intensity is not comparable until devices.csv"
            " declares it."
        )
    said.extend(contents.problems)
    return said


def chosen(tiles: Iterable[Tile], limit: int) -> tuple[list[Tile], list[Tile]]:
    """The tiles to show, worst first: all, or the worst ``limit`` and a random sample of the others.

    The sample is the same for the same scans (seed `SAMPLE_SEED`).
    """
    ordered = sorted(tiles, key=lambda tile: tile.order)
    worst, others = ordered[:limit], ordered[limit:]
    size = min(len(others), round(limit * SAMPLE_SHARE))
    sample = random.Random(SAMPLE_SEED).sample(others, size)  # noqa: S311  a sample to look at, not a secret
    return worst, sorted(sample, key=lambda tile: tile.order)


def grouped(failures: Iterable[Failure]) -> list[FailureGroup]:
    """Failures by reason, the commonest first; reasons that differ in a figure only are one."""
    groups: dict[str, list[Failure]] = defaultdict(list)
    for failure in failures:
        groups[re.sub(r"\d+(\.\d+)?", "#", failure.reason)].append(failure)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group[0].reason))
    return [
        FailureGroup(
            reason=min(f.reason for f in group),
            advice=advice(group[0]),
            scans=tuple(sorted({f.scan for f in group})),
        )
        for group in ordered
    ]


def advice(failure: Failure) -> str:
    """What to do next."""
    if failure.what:
        return f"Open the study with usimg review and outline the {failure.what}, or mark it as not shown."
    for sign, what_to_do in ADVICE.items():
        if sign in failure.reason:
            return what_to_do
    return (
        "usimg info STUDY --scan HASH shows which file this is; export it again from the scanner or PACS,"
        " then run usimg extract again: only what is new is done."
    )


def structures_of(tiles: Sequence[Tile]) -> list[tuple[str, str, int]]:
    """(name, label, pictures) of every structure on the sheet, by label."""
    labels = {m.structure: m.label for tile in tiles for m in tile.measurements}
    counts = {name: sum(any(m.structure == name for m in t.measurements) for t in tiles) for name in labels}
    return sorted(((name, label, counts[name]) for name, label in labels.items()), key=lambda s: s[1])


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def _has(n: int) -> str:
    return "has" if n == 1 else "have"
