"""Who and what is shown in which file: the table a person writes beside an archive.

Columns, all but ``file`` optional, in any order:

=========== ========================================================================================
file        name or pattern (``*``, ``?``, ``[...]``), with ``/`` for folders below the archive's;
            a line that names a file outright stands before those that match it by pattern
frame       number of the frame from 0, or ``middle``; empty: the only or the middle one
region      number of the panel of a dual image from 0; empty: wherever the structure is found
subject     study id of the person (never a name)
visit       any label: ``1``, ``baseline``, a date
view        a view of the anatomy list, which yields several structures; or
structure   one structure of the anatomy list
site, side  side is left, right or midline
plane       transverse or longitudinal; empty: the usual one
repeat      1, 2, 3: captures of the same thing, which are averaged
state       relaxed, contracted, end_expiration, end_inspiration or max_inspiration
posture     how the person lay or sat
session     which of several sittings of one visit
operator    code of who scanned, never a name
kind        of picture, mostly b_mode, where usimg takes it for one that it does not measure
row_mm      millimetres per pixel down, for files without a scale, and
col_mm      across (left out: the same)
exclude     yes: not measured, and listed as left out, with the
reason      that is given; reports show it, so it names nobody
=========== ========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TypeVar

from usimg import anatomy
from usimg.errors import AnatomyUnknown, StudyRefused
from usimg.study.delimited import number, read_table

T = TypeVar("T")
COLUMNS = (
    "frame",
    "region",
    "subject",
    "visit",
    "view",
    "structure",
    "site",
    "side",
    "plane",
    "repeat",
    "state",
    "posture",
    "session",
    "operator",
    "kind",
    "row_mm",
    "col_mm",
    "exclude",
    "reason",
)
# What a labelling sheet shows beside what is to be filled in: for people, not read.
SHOWN = ("picture", "patient", "taken", "evidence")
STATES = ("", "relaxed", "contracted", "end_expiration", "end_inspiration", "max_inspiration")
YES = {"yes": True, "ja": True, "x": True, "1": True, "true": True}
NO = {"": False, "no": False, "nein": False, "0": False, "false": False}
SIDES = {"left": "left", "l": "left", "right": "right", "r": "right", "midline": "midline", "": ""}
# difflib's ratio from which a site is taken for a misspelt one of the list: one wrong letter in seven.
MISSPELT = 0.85
PLANES = ("", "transverse", "longitudinal", "coronal", "sagittal")


@dataclass(frozen=True, slots=True)
class Label:
    """What one picture shows, and whose it is.

    Attributes
    ----------
    frame : int or None
        0-based; None for the middle frame.
    region : int or None
        Panel; None for wherever the structure is found.
    view, structure : str
        Names of the anatomy list; one of them is empty.
    spacing : tuple of float or None
        (row_mm, col_mm) where a person gave it.
    state : str
        Of the muscle or of breathing; one of `STATES`.
    operator : str
        A code, never a name.
    kind : str
        What a person says the picture is (one of `usimg.picture.KINDS`); empty: as usimg sees it.
    exclude : bool
        Not to be measured; ``reason`` says why.
    source : str
        ``"person"`` (in the viewer), ``"manifest"``, ``"structure"`` (the command line),
        ``"labels.toml"`` or ``"tags"``.
    scale_source : str
        Who gave ``spacing``: ``"given"`` in a manifest, or a ``"person"`` in the viewer.
    """

    subject: str = ""
    visit: str = ""
    view: str = ""
    structure: str = ""
    site: str = ""
    side: str = ""
    plane: str = ""
    repeat: int | None = None
    frame: int | None = None
    region: int | None = None
    spacing: tuple[float, float] | None = None
    state: str = ""
    posture: str = ""
    session: str = ""
    operator: str = ""
    exclude: bool = False
    reason: str = ""
    source: str = ""
    scale_source: str = "given"
    kind: str = ""

    @property
    def says_what(self) -> bool:
        """Whether it names a view or a structure."""
        return bool(self.view or self.structure)


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One line: a file pattern and its label."""

    line: int
    pattern: str
    label: Label

    @property
    def names_a_file(self) -> bool:
        """Whether the pattern is a plain name."""
        return not any(c in self.pattern for c in "*?[")

    def matches(self, relative: str) -> bool:
        """Whether the line is about this path (with ``/``, below the archive); case is ignored."""
        pattern, path = self.pattern.casefold(), relative.casefold()
        if "/" not in pattern:
            path = path.rpartition("/")[2]
        return path == pattern or fnmatchcase(path, pattern)


@dataclass(frozen=True, slots=True)
class Manifest:
    """All lines of one manifest; ``took`` says how its file was understood."""

    name: str
    lines: tuple[ManifestLine, ...]
    took: str = ""

    def labels(self, relative: str | PurePath) -> tuple[Label, ...]:
        """Labels of the file with this path below the archive; empty when no line matches.

        Raises
        ------
        StudyRefused
            Two lines give one picture two persons, or the same label twice.
        """
        path = PurePath(relative).as_posix()
        found = [line for line in self.lines if line.matches(path)]
        found = [line for line in found if line.names_a_file] or found
        for index, one in enumerate(found):
            for other in found[index + 1 :]:
                self._check_pair(one, other)
        return tuple(line.label for line in found)

    def unmatched(self, relatives: Iterable[str]) -> list[ManifestLine]:
        """Lines that are about none of these files: usually a misspelt name."""
        paths = list(relatives)
        return [line for line in self.lines if not any(line.matches(path) for path in paths)]

    def _check_pair(self, one: ManifestLine, other: ManifestLine) -> None:
        a, b = one.label, other.label
        if (a.subject, a.visit) != (b.subject, b.visit) and a.frame == b.frame and a.region == b.region:
            raise StudyRefused(
                f"{self.name} lines {one.line} and {other.line} give one picture to two persons or visits"
            )
        if replace(a, spacing=None, kind="") == replace(b, spacing=None, kind=""):
            raise StudyRefused(f"{self.name} lines {one.line} and {other.line} say the same of one file")


def own_manifest(private: Path) -> Path | None:
    """The study's own manifest, ``private/manifest.csv`` or ``.xlsx``; None when it has none.

    Raises
    ------
    StudyRefused
        There are both.
    """
    found = [path for path in (private / "manifest.csv", private / "manifest.xlsx") if path.is_file()]
    if len(found) > 1:
        raise StudyRefused(f"{private} holds manifest.csv and manifest.xlsx; keep one of them")
    return found[0] if found else None


def read_manifest(path: str | Path) -> Manifest:
    """Read and check a manifest: CSV (``,`` ``;`` or tab, decimal comma, UTF-8 or cp1252) or ``.xlsx``.

    Raises
    ------
    StudyRefused
        A column, name, number or side that is not understood; the message names line and column.
    """
    path = Path(path)
    lines: list[ManifestLine] = []
    table = read_table(path, required=("file",), optional=(*COLUMNS, *SHOWN))
    for line, row in table.rows:
        where = f"{path.name} line {line}"
        pattern = row["file"].replace("\\", "/").removeprefix("./")
        if not pattern:
            raise StudyRefused(f"{where}, column file: empty; give a file name or a pattern such as *.dcm")
        lines.append(ManifestLine(line, pattern, label_of(row, where)))
    if not lines:
        raise StudyRefused(f"{path.name} names its columns and has no lines")
    return Manifest(path.name, tuple(lines), table.took)


def label_of(row: dict[str, str], where: str) -> Label:
    """The label that the cells of one line say; ``where`` is for messages.

    Raises
    ------
    StudyRefused
        A cell is not understood; the message names the column.
    """
    if row.get("view") and row.get("structure"):
        raise StudyRefused(f"{where}, columns view and structure: give one of them, not both")
    frame = row.get("frame", "").casefold()
    return Label(
        subject=row.get("subject", ""),
        visit=row.get("visit", ""),
        view=_name(row, "view", where),
        structure=_name(row, "structure", where),
        site=_site(row, where),
        side=_choice(row, "side", where, SIDES),
        plane=_choice(row, "plane", where, {name: name for name in PLANES}),
        repeat=_count(row.get("repeat", ""), "repeat", where),
        frame=None if frame == "middle" else _count(frame, "frame", where),
        region=_count(row.get("region", ""), "region", where),
        spacing=_spacing(row, where),
        state=_choice(row, "state", where, {name: name for name in STATES}),
        posture=row.get("posture", ""),
        session=row.get("session", ""),
        operator=row.get("operator", ""),
        exclude=_choice(row, "exclude", where, YES | NO),
        reason=row.get("reason", ""),
        source="manifest",
        kind=_kind(row, where),
    )


def _name(row: dict[str, str], column: str, where: str) -> str:
    text = row.get(column, "")
    if not text:
        return ""
    try:
        return (anatomy.view(text) if column == "view" else anatomy.structure(text)).name
    except AnatomyUnknown as error:
        raise StudyRefused(f"{where}, column {column}: {error}") from None


def _site(row: dict[str, str], where: str) -> str:
    text = row.get("site", "")
    # A laboratory may have sites of its own; in the form of a column name: "Mid arm" is mid_arm.
    own = "_".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
    if not own or not row.get("structure"):
        return own
    known = anatomy.structure(row["structure"])
    try:
        return known.site(text).name
    except AnatomyUnknown as error:
        if get_close_matches(own, known.sites, n=1, cutoff=MISSPELT):
            raise StudyRefused(f"{where}, column site: {error}") from None
        return own


def _kind(row: dict[str, str], where: str) -> str:
    if not row.get("kind"):
        return ""
    from usimg.picture import KINDS  # noqa: PLC0415  loads OpenCV, which other labels do not need

    named = row | {"kind": "_".join(row["kind"].replace("-", " ").split())}
    return _choice(named, "kind", where, {name: name for name in KINDS})


def _choice(row: dict[str, str], column: str, where: str, known: Mapping[str, T]) -> T:
    text = row.get(column, "").casefold()
    if text not in known:
        raise StudyRefused(
            f"{where}, column {column}: {row[column]!r} is not one of {', '.join(filter(None, known))}"
        )
    return known[text]


def _count(text: str, column: str, where: str) -> int | None:
    if not text:
        return None
    try:
        value = number(text)
    except ValueError:
        value = -1.0
    if value != int(value) or value < 0:
        raise StudyRefused(f"{where}, column {column}: {text!r} is not a whole number from 0 upwards")
    return int(value)


def _spacing(row: dict[str, str], where: str) -> tuple[float, float] | None:
    down, across = row.get("row_mm", ""), row.get("col_mm", "")
    if not down:
        if across:
            raise StudyRefused(f"{where}, column row_mm: empty although col_mm is given; give both")
        return None
    sizes: list[float] = []
    for column, text in (("row_mm", down), ("col_mm", across or down)):
        try:
            size = number(text)
        except ValueError:
            size = 0.0
        if not size > 0.0:
            raise StudyRefused(
                f"{where}, column {column}: {text!r} is no size of a pixel in mm (such as 0.0592)"
            )
        sizes.append(size)
    return (sizes[0], sizes[1])
