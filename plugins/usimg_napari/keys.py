"""The one table of keys: key, verb, sentence, screen. The bindings and the help come from it. No Qt.

napari gives digits, Delete and Backspace to its Shapes layer, where 3 deletes the selected shape
beside 2, which adds a vertex (napari issue 1382). Here digits grade, and the others do nothing and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# The three screens: one frame in napari; a patient's grid with outlines; the same grid while it is labelled.
PICTURE, GRID, LABELS = "picture", "grid", "labels"
_BOTH = (PICTURE, GRID)
_ALL = (PICTURE, GRID, LABELS)


@dataclass(frozen=True)
class Key:
    """One key: how napari writes it, the verb it does, what the help says, and on which screens."""

    key: str
    verb: str
    sentence: str
    where: tuple[str, ...] = (PICTURE,)


KEYS = (
    Key("Enter", "accept", "Accept the outlines of this frame and go to the next"),
    Key("Enter", "accept_row", "Accept: the row of repeats when nothing is flagged, else this tile", (GRID,)),
    Key("Enter", "confirm", "Take over what is proposed: of the selected tiles, of one: all", (LABELS,)),
    Key("R", "reject", "Reject the selected outline, with a reason", _BOTH),
    Key("1", "grade_1", "Heckmatt grade 1 for the selected muscle", _BOTH),
    Key("2", "grade_2", "Heckmatt grade 2", _BOTH),
    Key("3", "grade_3", "Heckmatt grade 3", _BOTH),
    Key("4", "grade_4", "Heckmatt grade 4", _BOTH),
    Key("F", "fasciculations", "Fasciculations seen in the selected muscle, or not", _BOTH),
    Key("Control-Z", "undo", "Undo the last step, an acceptance included", _ALL),
    Key("Control-Shift-Z", "redo", "Redo what was undone", _ALL),
    Key("N", "next", "Next frame"),
    Key("B", "previous", "Frame before"),
    Key("Shift-N", "next_flagged", "Next with something to look at", _BOTH),
    Key("Shift-B", "back", "Back to where you were", _BOTH),
    Key("G", "grid", "The grid of this patient's visit"),
    Key("O", "open", "Open this tile to mend it", (GRID,)),
    Key("S", "select_next", "Select the next outline of this frame", _BOTH),
    Key("U", "not_done", "Not done, and why: the place of the protocol, or this tile", (GRID,)),
    Key("PageDown", "next_visit", "Next visit", (GRID, LABELS)),
    Key("PageUp", "previous_visit", "Visit before", (GRID, LABELS)),
    Key("Control-L", "labels", "Label the pictures of this visit, or back to their values", (GRID, LABELS)),
    Key("Control-S", "sign", "Sign this visit", _BOTH),
    Key("Control-F", "find", "Type to find a patient, a muscle, a state", _ALL),
    Key("P", "lay", "Lay the protocol's order over the visit, from this tile on", (LABELS,)),
    Key("K", "skip", "Skip: this picture is not of the protocol; the rest moves up", (LABELS,)),
    Key("I", "insert", "Insert: a step was not scanned; the rest moves down", (LABELS,)),
    Key("T", "retake", "Retake: this repeats the picture before, which is left out", (LABELS,)),
    Key("X", "swap_side", "Swap left and right", (LABELS,)),
    Key("V", "what", "View or structure: type its name", (LABELS,)),
    Key("L", "left", "Left side", (LABELS,)),
    Key("R", "right", "Right side", (LABELS,)),
    Key("M", "midline", "Midline", (LABELS,)),
    Key("S", "state", "Relaxed, contracted, end of expiration …", (LABELS,)),
    Key("W", "site", "Site: type its name", (LABELS,)),
    Key("1", "repeat_1", "Repeat 1", (LABELS,)),
    Key("2", "repeat_2", "Repeat 2", (LABELS,)),
    Key("3", "repeat_3", "Repeat 3", (LABELS,)),
    Key("4", "repeat_4", "Repeat 4", (LABELS,)),
    Key("V", "move_vertices", "Move vertices: drag one"),
    Key("I", "insert_vertex", "Insert a vertex: click on the border"),
    Key("X", "remove_vertex", "Remove a vertex: click on it"),
    Key("O", "outline", "Outline the selected structure: drag a box round it, or click inside it"),
    Key("D", "draw", "Draw the selected outline anew: click round it, Enter ends"),
    Key("P", "push", "Push the border: drag over it like a brush; zoom in for a finer one"),
    Key("E", "snap", "Snap the border to the edge beside it"),
    Key("A", "second_best", "Another outline: the second-best lines, and the next after them"),
    Key("L", "caliper", "Caliper: drag a line, its length is the thickness"),
    Key("Shift-L", "no_caliper", "Take the caliper away"),
    Key("M", "add_part", "More than one part: click round another part of the nerve, Enter ends"),
    Key("Shift-M", "remove_part", "Take the part under the mouse away"),
    Key("C", "calibrate", "Calibrate by hand: drag along the ruler, type the distance"),
    Key("Shift-C", "calibrate_others", "Offer that scale to the device's other scans without one"),
    Key("Control-I", "bring_in", "Bring in outlines from a file of ImageJ (.roi, .zip) or GeoJSON"),
    Key("K", "ghost", "Show or hide the outline of the visit before"),
    Key(".", "next_frame", "Clip: one frame on"),
    Key(",", "previous_frame", "Clip: one frame back"),
    Key("J", "carry", "Clip: carry the outline along to both ends, or stop that"),
    Key("Q", "end_expiration", "Clip: this frame is the end of an expiration"),
    Key("W", "end_inspiration", "Clip: this frame is the end of an inspiration"),
    Key("Shift-W", "max_inspiration", "Clip: this frame is a maximal inspiration"),
    Key("U", "use_frame", "Clip: measure this frame in the place of the other"),
    Key("Z", "pan", "Move and zoom the picture"),
    Key("Escape", "stop", "Stop drawing"),
    Key("H", "help", "Show or hide these keys", _ALL),
)  # fmt: skip

# Keys that napari's layers would act on, and that must not touch an outline.
SILENCED = (
    "5", "6", "7", "Delete", "Backspace",
    "T", "Shift-P", "Control-V", "Control-A",
)  # fmt: skip

SILENCE = "This key changes nothing here; H shows the keys that do"


def on(where: str) -> tuple[Key, ...]:
    """The keys of one screen, in the order of the table."""
    return tuple(entry for entry in KEYS if where in entry.where)


def help_lines(where: str = PICTURE) -> list[tuple[str, str]]:
    """(key, sentence) of one screen, in the order of the table."""
    return [(shown(entry.key), entry.sentence) for entry in on(where)]


def shown(key: str) -> str:
    """A key as it is printed on keyboards."""
    return key.replace("Control", "Ctrl").replace("PageDown", "Page ↓").replace("PageUp", "Page ↑")


def bind(keyed: Any, verbs: Mapping[str, Callable[[], None]], say: Callable[[str], None]) -> None:
    """Give a viewer's or layer's keys their verbs.

    Parameters
    ----------
    keyed : napari viewer or layer
        Anything with napari's ``bind_key``; a layer's keys come before the viewer's.
    verbs : mapping
        One callable for each verb of the picture's keys that this viewer has.
    say : callable
        Shows a sentence to the person.
    """

    def doing(verb: Callable[[], None]) -> Callable[[Any], None]:
        def press(_: Any) -> None:
            verb()

        return press

    unused = [entry.key for entry in on(PICTURE) if entry.verb not in verbs]
    for entry in on(PICTURE):
        if entry.verb in verbs:
            keyed.bind_key(entry.key, doing(verbs[entry.verb]), overwrite=True)
    for key in (*SILENCED, *unused):
        keyed.bind_key(key, doing(lambda: say(SILENCE)), overwrite=True)
