"""Labelling the pictures of a visit, many at a time: what a key does to which tiles, and undo. No Qt.

What is proposed (by file names, by the protocol's order) is shown and counts for nothing until a person
takes it over; what a person touches is theirs and is written at once, as one `label` line a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from usimg import anatomy
from usimg.errors import StudyRefused
from usimg.study.manifest import STATES, Label
from usimg.study.protocol import StudyProtocol
from usimg_napari.tiles import Tile

SWAPPED = {"left": "right", "right": "left"}
NOT_OF_PROTOCOL = "not of the protocol"
RETAKEN = "taken again"
# Fields of a label that this screen sets; whose the picture is stays as the tags or the manifest say.
FIELDS = ("view", "structure", "site", "side", "state", "repeat", "exclude", "reason")
Key = tuple[str, int | None]


class Writer(Protocol):
    """Where labels go: lines of a sitting."""

    def label(self, author: str, tile: Tile, label: Label) -> str:
        """Append one; its id."""

    def undo(self, author: str, decision: str) -> str:
        """Append a line that takes one back; its id."""


@dataclass(frozen=True)
class Step:
    """One thing a person did to tiles."""

    sentence: str
    visit: int
    before: tuple[Tile, ...]
    after: tuple[Tile, ...]
    decisions: tuple[str, ...]
    undos: tuple[str, ...] = ()


class Sheet:
    """A sitting over the tiles of all visits, one visit on the screen.

    Parameters
    ----------
    tiles : iterable of Tile
    protocol : StudyProtocol
    writer : Writer
    author : callable
        The name of who decides, now.
    """

    def __init__(
        self, tiles: Iterable[Tile], protocol: StudyProtocol, writer: Writer, author: Callable[[], str]
    ) -> None:
        self.protocol = protocol
        self.writer = writer
        self.author = author
        self.visits: list[tuple[str, str]] = []
        self._tiles: list[list[Tile]] = []
        for tile in tiles:
            if not self.visits or self.visits[-1] != tile.visit:
                self.visits.append(tile.visit)
                self._tiles.append([])
            self._tiles[-1].append(tile)
        self.at = next((v for v in range(len(self.visits)) if self.to_label(v)), 0)
        self.cursor = 0
        self.chosen: set[int] = set()
        self._laid: dict[int, int] = {}
        self._gaps: dict[Key, int] = {}
        self._by_order: set[Key] = set()
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._listeners: list[Callable[[], None]] = []
        self._labelled: list[Callable[[Sequence[Tile]], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change."""
        self._listeners.append(listener)

    def on_labelled(self, listener: Callable[[Sequence[Tile]], None]) -> None:
        """Call ``listener`` with the tiles whose labels were written."""
        self._labelled.append(listener)

    # Looking

    @property
    def tiles(self) -> list[Tile]:
        """Those of the visit on the screen."""
        return self._tiles[self.at] if self._tiles else []

    def to_label(self, visit: int) -> int:
        """How many tiles of a visit nobody has named or left out."""
        return sum(not (tile.label.says_what or tile.label.exclude) for tile in self._tiles[visit])

    @property
    def anything_to_label(self) -> bool:
        """Whether some visit has a tile that nobody named or left out."""
        return any(map(self.to_label, range(len(self.visits))))

    @property
    def left(self) -> str:
        """What is left to label, in words."""
        here = self.to_label(self.at) if self.visits else 0
        all_ = sum(map(self.to_label, range(len(self.visits))))
        if not all_:
            return "every picture is labelled"
        elsewhere = f", {all_ - here} in other visits" if all_ > here else ""
        return f"{here} of {len(self.tiles)} pictures of this visit to label{elsewhere}"

    @property
    def selection(self) -> list[int]:
        """Places of the tiles that a key is about: the chosen ones, else the one under the cursor."""
        return sorted(self.chosen | {self.cursor}) if self.tiles else []

    def go(self, visit: int) -> None:
        """Show another visit."""
        self.at = min(max(visit, 0), max(len(self.visits) - 1, 0))
        self.cursor, self.chosen = 0, set()
        self._tell()

    def go_to(self, scan: str) -> None:
        """Show the visit that a scan is of, the cursor on it; of one that is not there, nothing changes."""
        for visit, tiles in enumerate(self._tiles):
            for place, tile in enumerate(tiles):
                if tile.scan == scan:
                    self.go(visit)
                    self.choose(place)
                    return

    def choose(self, cursor: int, chosen: Iterable[int] = ()) -> None:
        """Take the selection of the screen."""
        self.cursor, self.chosen = cursor, set(chosen)

    # The protocol's order

    def lay(self) -> str:
        """Propose the protocol's steps for the tiles from the cursor on; what was done, in words."""
        if not self.steps():
            raise StudyRefused(
                f"the protocol {self.protocol.name!r} says nothing of an order: choose another above the"
                " tiles, or name each picture (V)"
            )
        self._laid[self.at] = self.cursor
        self._gaps = {key: gap for key, gap in self._gaps.items() if key not in self._keys()}
        self._by_order |= {tile.key for tile in self.tiles[self.cursor :] if tile.label.source != "person"}
        self._change("lay the order", self._relaid(self.tiles))
        steps, tiles = len(self.steps()), len([t for t in self.tiles[self.cursor :] if not t.label.exclude])
        compared = f"{tiles} pictures for {steps} steps of {self.protocol.name}"
        return f"{compared}. Find the first that does not fit: K skip, I insert, T retake. Enter takes over."

    def skip(self) -> None:
        """Leave the selected tiles out: they are not of the protocol, and the rest moves up."""
        chosen = self.selection
        tiles = [
            self._written(tile, replace(tile.label, exclude=True, reason=NOT_OF_PROTOCOL))
            if i in chosen
            else tile
            for i, tile in enumerate(self.tiles)
        ]
        self._change(f"leave out {len(chosen)} picture(s)", self._relaid(tiles))

    def insert(self) -> None:
        """The step at the cursor was not scanned: this tile and the rest move on to the next."""
        if self.at not in self._laid:
            raise StudyRefused("lay the protocol's order first (P): there is nothing to move yet")
        key = self.tiles[self.cursor].key
        self._gaps[key] = self._gaps.get(key, 0) + 1
        self._change("move on by a step", self._relaid(self.tiles))

    def retake(self) -> None:
        """The tile at the cursor repeats the one before, which is left out; the rest moves up."""
        before = next((i for i in range(self.cursor - 1, -1, -1) if not self.tiles[i].label.exclude), None)
        if before is None:
            raise StudyRefused("there is no picture before this one that it could repeat")
        old = self.tiles[before]
        taken = self._written(old, replace(old.label, exclude=True, reason=RETAKEN))
        tiles = [taken if i == before else tile for i, tile in enumerate(self.tiles)]
        if self.at not in self._laid or self.tiles[self.cursor].key not in self._by_order:
            this = tiles[self.cursor]
            shown = replace(old.shows, region=this.region, frame=this.label.frame)
            tiles[self.cursor] = self._written(this, _taken(this, shown))
        self._change("take again", self._relaid(tiles))

    def steps(self) -> list[Label]:
        """The pictures of a visit in the protocol's order: its own, else entries by side and repeat."""
        if self.protocol.order:
            return [
                Label(view=step.view, structure=step.structure, side=step.side, repeat=step.repeat)
                for step in self.protocol.order
            ]
        return [
            Label(
                view=entry.view, structure=entry.structure, site=entry.site, side=side, repeat=repeat,
                state=entry.state if entry.state != "relaxed" else "",
            )
            for entry in self.protocol.entries
            for side in entry.sides or ("",)
            for repeat in range(1, entry.repeats + 1)
        ]  # fmt: skip

    def _relaid(self, tiles: Sequence[Tile]) -> list[Tile]:
        """The order laid again over the visit, where it was laid before."""
        start = self._laid.get(self.at)
        if start is None:
            return list(tiles)
        steps, at, laid = self.steps(), 0, list(tiles)
        for i in range(start, len(tiles)):
            tile = tiles[i]
            at += self._gaps.get(tile.key, 0)
            if tile.label.exclude:
                continue
            step = steps[at] if at < len(steps) else None
            at += 1
            if tile.key not in self._by_order:
                continue  # named by a person: it stays, and is taken for its step
            if tile.label.source == "person" and step is not None:
                laid[i] = self._written(tile, _taken(tile, step))
            elif tile.label.source != "person":
                laid[i] = replace(
                    tile, proposal=step and _taken(tile, step), evidence=f"step {at} of the order"
                )
        return laid

    # Single tiles, or many

    def set_what(self, name: str) -> None:
        """The selected tiles show this view or structure; raises `AnatomyUnknown`."""
        found = anatomy.find(name)
        is_view = isinstance(found, anatomy.View)
        fields = {
            "view": found.name if is_view else "",
            "structure": "" if is_view else found.name,
            "site": "",
        }
        self._set(f"name {found.label}", own=True, **fields)

    def set_site(self, name: str) -> None:
        """The selected tiles, which show a structure, show it at this site."""
        self._set(f"site {name}", site=name.strip().replace(" ", "_").casefold())

    def set_side(self, side: str) -> None:
        """The selected tiles are of this side."""
        self._set(f"side {side}", side=side)

    def swap_side(self) -> None:
        """Left for right, and right for left."""
        shown = [self.tiles[i].shows for i in self.selection]
        if not any(label.side in SWAPPED for label in shown):
            raise StudyRefused("no side to swap: give one (L, R or M)")
        self._map(
            "swap the side", lambda label: replace(label, side=SWAPPED.get(label.side, label.side)), own=False
        )

    def set_repeat(self, repeat: int) -> None:
        """The selected tiles are this repeat; of several it counts on from the first."""
        first = {place: repeat + n for n, place in enumerate(self.selection)}
        tiles = [
            self._written(tile, replace(tile.shows, repeat=first[i])) if i in first else tile
            for i, tile in enumerate(self.tiles)
        ]
        self._change(f"repeat {repeat}", tiles)

    def next_state(self) -> str:
        """The selected tiles are in the next state of the list; its name."""
        states = [state for state in STATES if state]
        now = self.tiles[self.cursor].shows.state or states[0]
        state = states[(states.index(now) + 1) % len(states)]
        self._set(state.replace("_", " "), state=state)
        return state.replace("_", " ")

    def confirm(self) -> str:
        """Take over what is proposed: for the chosen tiles, or for all of the visit when one is chosen."""
        places = self.selection if len(self.selection) > 1 else range(len(self.tiles))
        taken = {
            i for i in places if self.tiles[i].proposal is not None and not self._is_named(self.tiles[i])
        }
        if not taken:
            raise StudyRefused("nothing is proposed here: lay the order (P), or name the picture (V)")
        tiles = [self._written(tile, tile.shows) if i in taken else tile for i, tile in enumerate(self.tiles)]
        return self._change(f"label {len(taken)} pictures", tiles)

    def _is_named(self, tile: Tile) -> bool:
        return tile.label.says_what or tile.label.exclude

    def _set(self, sentence: str, *, own: bool = False, **fields: str) -> None:
        self._map(sentence, lambda label: replace(label, **fields), own=own)  # type: ignore[arg-type]

    def _map(self, sentence: str, change: Callable[[Label], Label], *, own: bool) -> None:
        chosen = self.selection
        tiles = []
        for i, tile in enumerate(self.tiles):
            if i not in chosen:
                tiles.append(tile)
                continue
            if own:
                self._by_order.discard(tile.key)
            label = replace(change(tile.shows), exclude=False, reason="")
            tiles.append(self._written(tile, label))
        self._change(sentence, tiles)

    # Writing

    def _written(self, tile: Tile, label: Label) -> Tile:
        return replace(tile, label=replace(label, source="person"), proposal=None)

    def _change(self, sentence: str, tiles: Sequence[Tile]) -> str:
        """Let these tiles hold; those whose label changed are written."""
        tiles = _numbered(tiles)
        before = self._tiles[self.at]
        changed = [
            (old, new)
            for old, new in zip(before, tiles, strict=True)
            if new.label.source == "person" and _said(new.label) != _said(old.label)
        ]
        decisions: list[str] = []
        if changed:
            author = self.author().strip()
            if not author:
                raise StudyRefused("say who is reading first: every label carries its author")
            for _, new in changed:
                decisions.append(self.writer.label(author, new, new.label))
        self._tiles[self.at] = list(tiles)
        if decisions:
            self._done.append(Step(sentence, self.at, tuple(before), tuple(tiles), tuple(decisions)))
            self._undone.clear()
            for listener in self._labelled:
                listener([new for _, new in changed])
        self._tell()
        return f"{sentence}: {len(decisions)} written" if decisions else sentence

    def undo(self) -> str:
        """Take the last step back; its sentence."""
        return self._turn(self._done, self._undone, "Undone")

    def redo(self) -> str:
        """Do again what was undone last; its sentence."""
        return self._turn(self._undone, self._done, "Done again")

    def _turn(self, source: list[Step], sink: list[Step], word: str) -> str:
        if not source:
            raise StudyRefused(
                "no label to take back in this sitting" if word == "Undone" else "nothing to redo"
            )
        step = source[-1]
        lines = step.decisions if word == "Undone" else step.undos
        author = self.author().strip()
        undos = tuple(self.writer.undo(author, one) for one in reversed(lines))
        source.pop()
        sink.append(replace(step, undos=undos))
        now, then = (step.before, step.after) if word == "Undone" else (step.after, step.before)
        self.at, self._tiles[step.visit] = step.visit, list(now)
        changed = [a for a, b in zip(now, then, strict=True) if a.label != b.label]
        for listener in self._labelled:
            listener(changed)
        self._tell()
        return f"{word}: {step.sentence}"

    def _keys(self) -> set[Key]:
        return {tile.key for tile in self.tiles}

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def fields_of(label: Label) -> Mapping[str, object]:
    """What a line says of a label: only what is said."""
    said = {name: getattr(label, name) for name in FIELDS}
    return {name: value for name, value in said.items() if value not in ("", None, False)}


def in_words(label: Label) -> str:
    """What a label says, as it stands under a tile; empty when it says nothing."""
    name = label.view or label.structure
    if not name:
        return ""
    known = anatomy.find(name)
    state = "" if label.state in ("", "relaxed") else label.state.replace("_", " ")
    words = (known.label, label.site.replace("_", " "), label.side, state)
    number = f" · {label.repeat}" if label.repeat is not None else ""
    return " · ".join(word for word in words if word) + number


def _said(label: Label) -> tuple[object, ...]:
    return tuple(getattr(label, name) for name in FIELDS)


def _taken(tile: Tile, step: Label) -> Label:
    """A tile's label with what a step says; whose it is stays."""
    return replace(
        tile.label, view=step.view, structure=step.structure, site=step.site, side=step.side,
        state=step.state, repeat=step.repeat, exclude=False, reason="",
    )  # fmt: skip


def _numbered(tiles: Sequence[Tile]) -> list[Tile]:
    """A person's labels without a repeat get the next number of what they show."""
    used: dict[tuple[str, ...], set[int]] = {}

    def place(label: Label) -> tuple[str, ...]:
        return (label.view, label.structure, label.site, label.side, label.state)

    for tile in tiles:
        if tile.label.says_what and tile.label.repeat is not None and not tile.label.exclude:
            used.setdefault(place(tile.label), set()).add(tile.label.repeat)
    numbered = []
    for tile in tiles:
        label = tile.label
        if label.source == "person" and label.says_what and label.repeat is None and not label.exclude:
            taken = used.setdefault(place(label), set())
            repeat = next(n for n in range(1, len(tiles) + 2) if n not in taken)
            taken.add(repeat)
            tile = replace(tile, label=replace(label, repeat=repeat))  # noqa: PLW2901  the same tile, numbered
        numbered.append(tile)
    return numbered
