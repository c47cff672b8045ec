"""How a laboratory's protocol is written: TOML, read with messages that name the line.

Shipped are ``generic``, which asks for nothing, and ``als-nmus``. A study names one of them, or a file of
its own beside ``study.toml``::

    name = "my-protocol"
    segmenter = "network"        # which outliner; left out: the usual one
    frame = "middle"             # of a clip: middle, sharpest, or a number from 0
    spread = 0.2                 # repeats that lie further apart, (max - min) / mean, are flagged

    [echo_roi]                   # of muscles; left out: that of the anatomy list
    margin_mm = 0.5
    central_width = 0.5
    depth = [0.0, 1.0]
    source = "our manual, 2025"

    [thickness."biceps_brachii@mid_arm"]      # structure, or structure@site
    rule = "mid_vertical"        # mean, mid or max; vertical or perpendicular
    source = "our manual, 2025"

    [[measure]]                  # once for each view, or structure with its site
    view = "upper_arm"
    sides = ["left", "right"]
    repeats = 3                  # least number of captures a side
    state = "relaxed"
    essential = true             # a visit without it is not complete
    frame = "sharpest"
    spread = 0.1
    source = "..."
    verified = false

    [[order]]                    # as pictures are taken, once for each
    show = "upper_arm"
    side = "left"
    repeat = 1
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, cast, get_args

from usimg import anatomy
from usimg.anatomy.structures import Line, Position
from usimg.errors import AnatomyUnknown, StudyRefused
from usimg.study.manifest import STATES
from usimg.study.protocol import FRAME_RULES, Entry, FrameRule, Recipe, StudyProtocol
from usimg.study.recognition import Step

SIDES = ("left", "right", "midline")
_TOP_KEYS = (
    *("name", "label", "source", "segmenter", "frame", "spread", "echo_roi", "thickness"),
    *("measure", "order"),
)
_MEASURE_KEYS = (
    *("view", "structure", "site", "sides", "repeats", "state", "essential", "frame", "spread", "source"),
    "verified",
)
_ORDER_KEYS = ("show", "side", "repeat")
_ECHO_KEYS = ("margin_mm", "central_width", "depth", "source", "verified")
_THICKNESS_KEYS = ("rule", "source", "verified")
_SHIPPED = ("generic", "als-nmus")
# What the anatomy list takes: a margin is millimetres of muscle, the rest shares.
_MOST_MARGIN_MM = 20.0
_LEAST_WIDTH = 0.01


def load(name: str, *, beside: Path | None = None) -> StudyProtocol:
    """The shipped protocol of that name, or the TOML file with that path.

    Parameters
    ----------
    name : str
        ``"generic"``, ``"als-nmus"``, or a path.
    beside : Path, optional
        Folder that a relative path starts from.

    Raises
    ------
    StudyRefused
        No such protocol, or something in it is not understood; the message names the line.
    """
    if name in _SHIPPED:
        file = files("usimg.study") / "protocols" / f"{name}.toml"
        return parse(file.read_text(encoding="utf-8"), f"{name}.toml")
    path = (beside or Path()) / name
    try:
        return parse(path.read_text(encoding="utf-8-sig"), path.name)
    except (OSError, UnicodeDecodeError):
        raise StudyRefused(
            f"no protocol {name!r}: give one of {', '.join(_SHIPPED)}, or a TOML file (looked for {path})"
        ) from None


def parse(text: str, name: str) -> StudyProtocol:
    """The protocol in a TOML text; ``name`` is the file's, for messages.

    Raises
    ------
    StudyRefused
        Naming the line.
    """
    return _Parser(text, name).protocol()


class _Parser:
    """Knows where in the text a key stands: tomllib forgets it."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.lines = text.splitlines()
        try:
            self.said = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise StudyRefused(f"{name}: {error}") from None

    def protocol(self) -> StudyProtocol:
        self._only(self.said, _TOP_KEYS, "", 0)
        name = self._text(self.said, "name", "", 0)
        if not name:
            raise StudyRefused(f"{self.name} line 1: a protocol needs a name")
        entries = tuple(self._entry(row, n) for n, row in enumerate(self._rows("measure")))
        seen: set[tuple[str, str, str, str]] = set()
        for number, entry in enumerate(entries):
            asked = {(entry.what, entry.site, side, entry.state) for side in entry.sides or ("",)}
            if asked & seen:
                raise self._wrong("measure", number, "", f"{entry.what} is asked for twice")
            seen |= asked
        frames = {e.what: e.frame for e in entries if e.frame is not None}
        recipe = Recipe(
            definitions=self._definitions(name),
            segmenter=self._text(self.said, "segmenter", "", 0),
            frame=self._frame(self.said, "", 0) or "middle",
            frames=frames,
        )
        return StudyProtocol(
            name=name,
            label=self._text(self.said, "label", "", 0),
            source=self._text(self.said, "source", "", 0),
            entries=entries,
            order=tuple(self._step(row, n) for n, row in enumerate(self._rows("order"))),
            recipe=recipe,
            spread=self._spread(self.said, "", 0),
        )

    def _definitions(self, name: str) -> anatomy.Protocol:
        """Primary thickness and region for echo intensity, where they are others than the list's."""
        tables = self._table(self.said, "thickness", "")
        thickness = {}
        for place, table in tables.items():
            where = f"thickness.{place}"
            key, definition = self._thickness(place, self._table(tables, place, "thickness"), where)
            if key in thickness:
                raise self._wrong(where, 0, "", f"{key} is defined twice")
            thickness[key] = definition
            self._only(table, _THICKNESS_KEYS, where, 0)
        echo_roi = self._echo_roi(self.said["echo_roi"]) if "echo_roi" in self.said else None
        if echo_roi is None and not thickness:
            return anatomy.Protocol(name)
        return anatomy.Protocol(name, echo_roi, thickness)

    def _thickness(
        self, place: str, table: dict[str, Any], where: str
    ) -> tuple[str, anatomy.ThicknessDefinition]:
        structure, at, site = place.partition("@")
        try:
            known = anatomy.structure(structure)
            site = known.site(site).name if at else ""
        except AnatomyUnknown as error:
            raise self._wrong(where, 0, "", str(error)) from None
        usual = known.thickness_at(site)
        if usual is None:
            raise self._wrong(where, 0, "", f"a {known.kind} is measured by area, not by thickness")
        rule = self._text(table, "rule", where, 0)
        position, _, line = rule.partition("_")
        if position not in get_args(Position) or line not in get_args(Line):
            raise self._wrong(
                where, 0, "rule",
                f"{rule!r} is not {', '.join(get_args(Position))}, then _{' or _'.join(get_args(Line))}",
            )  # fmt: skip
        source, verified = self._evidence(table, where, 0)
        # The borders are those that outlines follow: a protocol changes where between them it is taken.
        definition = anatomy.ThicknessDefinition(
            cast("Position", position), cast("Line", line), usual.borders, source, verified
        )
        return known.name + (f"@{site}" if site else ""), definition

    def _echo_roi(self, table: Any) -> anatomy.EchoRoi:
        table = self._table(self.said, "echo_roi", "")
        self._only(table, _ECHO_KEYS, "echo_roi", 0)
        depth = table.get("depth", [0.0, 1.0])
        if not isinstance(depth, list) or len(depth) != 2:
            raise self._wrong("echo_roi", 0, "depth", f"{depth!r} is not [from, to], shares of the thickness")
        start, stop = (self._share(value, "depth", "echo_roi", 0, 0.0, 1.0) for value in depth)
        if not start < stop:
            raise self._wrong("echo_roi", 0, "depth", f"runs from {start:g} to {stop:g}")
        margin = self._share(table.get("margin_mm", 0.0), "margin_mm", "echo_roi", 0, 0.0, _MOST_MARGIN_MM)
        width = self._share(
            table.get("central_width", 1.0), "central_width", "echo_roi", 0, _LEAST_WIDTH, 1.0
        )
        return anatomy.EchoRoi(margin, width, (start, stop), *self._evidence(table, "echo_roi", 0))

    def _frame(self, row: dict[str, Any], table: str, n: int) -> FrameRule | None:
        rule = row.get("frame")
        if rule is None or rule in FRAME_RULES:
            return cast("FrameRule | None", rule)
        if isinstance(rule, bool) or not isinstance(rule, int) or rule < 0:
            known = ", ".join(FRAME_RULES)
            raise self._wrong(table, n, "frame", f"{rule!r} is not {known} or a number from 0")
        return rule

    def _spread(self, row: dict[str, Any], table: str, n: int) -> float | None:
        if "spread" not in row:
            return None
        return self._share(row["spread"], "spread", table, n, 0.0, 10.0)

    def _share(self, value: Any, key: str, table: str, n: int, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._wrong(table, n, key, f"{value!r} is not a number from {low:g} to {high:g}")
        return float(value)

    def _evidence(self, row: dict[str, Any], table: str, n: int) -> tuple[str, bool]:
        source = self._text(row, "source", table, n)
        verified = self._truth(row, "verified", table, n, default=False)
        if verified and not source:
            raise self._wrong(table, n, "verified", "verified without a source")
        return source, verified

    def _table(self, parent: dict[str, Any], key: str, above: str) -> dict[str, Any]:
        table = parent.get(key, {})
        if not isinstance(table, dict):
            raise self._wrong(
                above, 0, key, "write it as a table: [" + ".".join(filter(None, (above, key))) + "]"
            )
        return table

    def _entry(self, row: dict[str, Any], n: int) -> Entry:
        self._only(row, _MEASURE_KEYS, "measure", n)
        view, structure = (self._text(row, key, "measure", n) for key in ("view", "structure"))
        if bool(view) == bool(structure):
            raise self._wrong("measure", n, "view", "give a view or a structure, one of them")
        try:
            view = anatomy.view(view).name if view else ""
            structure = anatomy.structure(structure).name if structure else ""
        except AnatomyUnknown as error:
            raise self._wrong("measure", n, "view" if view else "structure", str(error)) from None
        site = self._text(row, "site", "measure", n)
        if site and view:
            raise self._wrong(
                "measure", n, "site", "a view has its sites already; give site with a structure"
            )
        if site:
            try:
                site = anatomy.structure(structure).site(site).name
            except AnatomyUnknown as error:
                raise self._wrong("measure", n, "site", str(error)) from None
        sides = row.get("sides", [])
        if not isinstance(sides, list) or any(side not in SIDES for side in sides):
            raise self._wrong("measure", n, "sides", f"{sides!r} is no list of {', '.join(SIDES)}")
        repeats = row.get("repeats", 1)
        if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
            raise self._wrong("measure", n, "repeats", f"{repeats!r} is not a whole number from 1 upwards")
        state = self._text(row, "state", "measure", n)
        if state not in STATES:
            raise self._wrong("measure", n, "state", f"{state!r} is not one of {', '.join(STATES[1:])}")
        source, verified = self._evidence(row, "measure", n)
        return Entry(
            view=view,
            structure=structure,
            site=site,
            sides=tuple(sides),
            repeats=repeats,
            state=state,
            essential=self._truth(row, "essential", "measure", n, default=True),
            frame=self._frame(row, "measure", n),
            spread=self._spread(row, "measure", n),
            source=source,
            verified=verified,
        )

    def _step(self, row: dict[str, Any], n: int) -> Step:
        self._only(row, _ORDER_KEYS, "order", n)
        show, side = (self._text(row, key, "order", n) for key in ("show", "side"))
        try:
            found = anatomy.find(show)
        except AnatomyUnknown as error:
            raise self._wrong("order", n, "show", str(error)) from None
        if side not in ("", *SIDES):
            raise self._wrong("order", n, "side", f"{side!r} is not one of {', '.join(SIDES)}")
        repeat = row.get("repeat")
        if repeat is not None and (isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1):
            raise self._wrong("order", n, "repeat", f"{repeat!r} is not a whole number from 1 upwards")
        is_view = isinstance(found, anatomy.View)
        return Step(found.name if is_view else "", "" if is_view else found.name, side, repeat)

    def _rows(self, table: str) -> list[dict[str, Any]]:
        rows = self.said.get(table, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise StudyRefused(
                f"{self.name} line {self._line('', 0, table)}: write [[{table}]] for each entry"
            )
        return rows

    def _only(self, row: dict[str, Any], known: tuple[str, ...], table: str, n: int) -> None:
        for key in row:
            if key not in known:
                raise self._wrong(table, n, key, f"not known; known are {', '.join(known)}")

    def _text(self, row: dict[str, Any], key: str, table: str, n: int) -> str:
        value = row.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(table, n, key, f"{value!r} is no text")
        return value

    def _truth(self, row: dict[str, Any], key: str, table: str, n: int, *, default: bool) -> bool:
        value = row.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(table, n, key, f"{value!r} is neither true nor false")
        return value

    def _wrong(self, table: str, n: int, key: str, what: str) -> StudyRefused:
        where = f"{self.name} line {self._line(table, n, key)}"
        return StudyRefused(f"{where}, {key}: {what}" if key else f"{where}: {what}")

    def _line(self, table: str, n: int, key: str) -> int:
        """Where a key of the n-th table of that name stands; the table's own line when the key does not."""
        begins = 0
        if table:
            heads = [i for i, line in enumerate(self.lines) if _head_of(line) == table]
            begins = heads[n] if n < len(heads) else 0
        if key:
            wanted = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[=\].]""")
            for i in range(begins + 1 if table else 0, len(self.lines)):
                if table and self.lines[i].lstrip().startswith("["):
                    break
                if wanted.match(self.lines[i]):
                    return i + 1
        return begins + 1


def _head_of(line: str) -> str:
    """Name of the table that a line opens, without quotes; empty when it opens none."""
    found = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
    return re.sub(r"""\s*["']\s*""", "", found[1]) if found else ""
