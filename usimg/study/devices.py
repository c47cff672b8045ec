"""With which device and settings a picture was taken, and which pictures' grey levels may be compared.

The key gates echo intensity only; for lengths and areas it is a covariate. What is unknown equals
nothing, not even what is unknown elsewhere.

``devices.csv`` in the study, columns besides ``model`` optional:

============== =====================================================================================
maker, model   as ``usimg index`` shows them
probe          empty: any
from, to       days on which the line holds, both included; empty: always
preset         what the sonographers use by agreement, and as far as it is fixed
gain_db, depth_mm, dynamic_range_db, map
by             who says so
============== =====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from usimg.errors import StudyRefused
from usimg.study.delimited import day, number, read_table

if TYPE_CHECKING:
    from usimg.scan import Frame, Header

# Depths that differ by less are one setting (chosen here: a region's box is whole pixels, 0.04 to 0.2 mm,
# and wheels step by 5 mm or more).
DEPTH_TOLERANCE_MM = 1.0
FIELDS = ("maker", "model", "probe", "preset", "gain_db", "depth_mm", "dynamic_range_db", "map")
_NUMBERS = ("gain_db", "depth_mm", "dynamic_range_db")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it is from: ``"tag"``, ``"picture"`` or ``"declared"``; None is not known."""

    value: str | float | None = None
    source: str = ""

    def __str__(self) -> str:
        """In words; what was declared is marked so."""
        if self.value is None:
            return "?"
        text = f"{self.value:.4g}" if isinstance(self.value, float) else self.value
        return f"{text} (declared)" if self.source == "declared" else text


UNKNOWN = Setting()


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings key of one picture."""

    maker: Setting = UNKNOWN
    model: Setting = UNKNOWN
    probe: Setting = UNKNOWN
    preset: Setting = UNKNOWN
    gain_db: Setting = UNKNOWN
    depth_mm: Setting = UNKNOWN
    dynamic_range_db: Setting = UNKNOWN
    map: Setting = UNKNOWN

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of what is not known."""
        return tuple(name for name in FIELDS if getattr(self, name).value is None)

    def differences(self, other: Settings) -> list[str]:
        """Why grey levels of two pictures may not be compared; empty when they may.

        Examples
        --------
        >>> nothing = Settings()
        >>> nothing.differences(nothing)[0]
        'maker is not known'
        """
        reasons: list[str] = []
        for name in FIELDS:
            mine, theirs = getattr(self, name).value, getattr(other, name).value
            if mine is None or theirs is None:
                reasons.append(f"{name} is not known")
            elif not _same(name, mine, theirs):
                reasons.append(f"{name} differs: {getattr(self, name)} and {getattr(other, name)}")
        return reasons


def _same(name: str, mine: str | float, theirs: str | float) -> bool:
    if isinstance(mine, float) and isinstance(theirs, float):
        return abs(mine - theirs) <= (DEPTH_TOLERANCE_MM if name == "depth_mm" else 0.0)
    return mine == theirs


@dataclass(frozen=True, slots=True)
class Declared:
    """One line of ``devices.csv``."""

    line: int
    maker: str
    model: str
    probe: str
    first: date | None
    last: date | None
    by: str
    settings: dict[str, str | float] = field(default_factory=dict)

    def is_about(self, settings: Settings, when: date | None) -> bool:
        """Whether the line holds for a picture of that device on that day."""
        for name in ("maker", "model", "probe"):
            stated, seen = getattr(self, name), getattr(settings, name).value
            if stated and (seen is None or stated.casefold() != str(seen).casefold()):
                return False
        if self.first is None and self.last is None:
            return True
        # A picture without a date may be of any day: nothing is declared of it.
        return when is not None and (self.first or date.min) <= when <= (self.last or date.max)


def read_devices(path: Path) -> tuple[Declared, ...]:
    """The lines of ``devices.csv``; a missing file declares nothing.

    Raises
    ------
    StudyRefused
        A cell is not understood; the message names line and column.
    """
    if not path.exists():
        return ()
    optional = ("maker", "probe", "from", "to", "preset", *_NUMBERS, "map", "by")
    return tuple(
        _declared(line, row, f"{path.name} line {line}")
        for line, row in read_table(path, required=("model",), optional=optional).rows
    )


def _declared(line: int, row: dict[str, str], where: str) -> Declared:
    days: dict[str, date | None] = {"from": None, "to": None}
    settings: dict[str, str | float] = {}
    for column, text in row.items():
        if not text:
            continue
        try:
            if column in days:
                days[column] = day(text)
            elif column in _NUMBERS:
                settings[column] = number(text)
            elif column in ("preset", "map"):
                settings[column] = text
        except ValueError as error:
            raise StudyRefused(f"{where}, column {column}: {error}") from None
    if not row["model"]:
        raise StudyRefused(f"{where}, column model: empty; write it as usimg index shows it")
    first, last = days["from"], days["to"]
    if first is not None and last is not None and first > last:
        raise StudyRefused(f"{where}, column to: {last.isoformat()} lies before {first.isoformat()}")
    if settings and not row.get("by"):
        raise StudyRefused(f"{where}, column by: who declares these settings?")
    maker, probe = row.get("maker", ""), row.get("probe", "")
    return Declared(line, maker, row["model"], probe, first, last, row.get("by", ""), settings)


def settings_of(
    header: Header, frame: Frame | None, declared: Sequence[Declared] = (), when: date | None = None
) -> Settings:
    """The settings key of a picture, as far as it is known.

    Parameters
    ----------
    header : Header
    frame : Frame or None
        Its largest calibrated tissue region gives the depth.
    declared : sequence of Declared
        Fills in what neither tags nor picture say; it never replaces what they do.
    when : date or None
        Day of the scan.

    Raises
    ------
    StudyRefused
        Two lines of ``devices.csv`` declare different values of one picture.
    """
    tags = {
        "maker": header.manufacturer,
        "model": header.model,
        "probe": header.probe,
        "preset": header.protocol_name,
    }
    known = {
        name: Setting(" ".join(text.split()), "tag") for name, text in tags.items() if text and text.strip()
    }
    depth = depth_of(frame)
    if depth is not None:
        known["depth_mm"] = Setting(depth, "picture")
    return filled_in(known, declared, when)


def filled_in(known: dict[str, Setting], declared: Sequence[Declared], when: date | None) -> Settings:
    """What is known by name, and what ``devices.csv`` declares of the rest; raises as `settings_of` does."""
    known = dict(known)
    settings = Settings(**known)
    for line in declared:
        if not line.is_about(settings, when):
            continue
        for name, value in line.settings.items():
            before = known.get(name, UNKNOWN)
            if before.source == "declared" and before.value != value:
                raise StudyRefused(
                    f"devices.csv line {line.line}, column {name}: another line says {before.value}"
                )
            known.setdefault(name, Setting(value, "declared"))
    return Settings(**known)


def settings_columns(header: Header, frame: Frame | None) -> dict[str, str | float | None]:
    """What tags and picture say of the settings, by the columns of a study's rows."""
    known = settings_of(header, frame)
    return {("grey_map" if name == "map" else name): getattr(known, name).value for name in FIELDS}


def depth_of(frame: Frame | None) -> float | None:
    """Depth of the largest tissue region in mm, its rows times their size; None without a scale."""
    if frame is None or not frame.tissue_regions:
        return None
    region = frame.tissue_regions[0]
    scale = region.calibration or frame.calibration
    if scale is None:
        return None
    r0, _, r1, _ = region.box
    return round((r1 - r0) * scale.row_mm, 2)


@dataclass(frozen=True, slots=True)
class Combination:
    """Settings that occur, and in how many pictures."""

    settings: Settings
    count: int

    @property
    def comparable(self) -> bool:
        """Whether the grey levels of its own pictures may be compared: everything is known."""
        return not self.settings.unknown


def combinations(found: Iterable[Settings]) -> list[Combination]:
    """What occurs, most frequent first.

    Depths that differ by less than the tolerance from the first of their group are one combination.
    What is unknown is written alike and therefore listed together, and is comparable with nothing.
    """
    groups: list[tuple[Settings, int]] = []
    # Depth last: neighbours in this order differ in nothing else.
    names = sorted(FIELDS, key=lambda name: name == "depth_mm")
    ordered = sorted(found, key=lambda s: tuple(_sortable(getattr(s, name)) for name in names))
    for settings in ordered:
        if groups and _listed_with(groups[-1][0], settings):
            groups[-1] = (groups[-1][0], groups[-1][1] + 1)
        else:
            groups.append((settings, 1))
    return sorted((Combination(s, n) for s, n in groups), key=lambda c: -c.count)


def _sortable(setting: Setting) -> tuple[bool, float, str]:
    value = setting.value
    return (
        value is not None,
        value if isinstance(value, float) else 0.0,
        "" if value is None else str(value),
    )


def _listed_with(one: Settings, other: Settings) -> bool:
    for name in FIELDS:
        mine, theirs = getattr(one, name).value, getattr(other, name).value
        if (mine is None) != (theirs is None):
            return False
        if mine is not None and theirs is not None and not _same(name, mine, theirs):
            return False
    return True
