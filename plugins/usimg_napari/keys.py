"""The one table of keys: key, verb, sentence. The bindings and the help on the screen come from it. No Qt.

napari gives digits, Delete and Backspace to its Shapes layer, where 3 deletes the selected shape
beside 2, which adds a vertex (napari issue 1382). Here they do nothing, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Key:
    """One key: how napari writes it, the verb it does, and what the help says."""

    key: str
    verb: str
    sentence: str


KEYS = (
    Key("Enter", "accept", "Accept the outlines of this frame and go to the next"),
    Key("R", "reject", "Reject the selected outline, with a reason"),
    Key("Control-Z", "undo", "Undo the last step, an acceptance included"),
    Key("Control-Shift-Z", "redo", "Redo what was undone"),
    Key("N", "next", "Next frame"),
    Key("B", "previous", "Frame before"),
    Key("F", "next_flagged", "Next frame with something to look at"),
    Key("S", "select_next", "Select the next outline of this frame"),
    Key("V", "move_vertices", "Move vertices: drag one"),
    Key("I", "insert_vertex", "Insert a vertex: click on the border"),
    Key("X", "remove_vertex", "Remove a vertex: click on it"),
    Key("O", "outline", "Outline the selected structure: drag a box round it, or click inside it"),
    Key("D", "draw", "Draw the selected outline anew: click round it, Enter ends"),
    Key("Z", "pan", "Move and zoom the picture"),
    Key("Escape", "stop", "Stop drawing"),
    Key("H", "help", "Show or hide these keys"),
)

# Keys that napari's layers would act on, and that must not touch an outline.
SILENCED = (
    "1", "2", "3", "4", "5", "6", "7", "Delete", "Backspace",
    "A", "C", "E", "L", "P", "T", "Shift-L", "Shift-P", "Control-V", "Control-A",
)  # fmt: skip

SILENCE = "This key changes nothing here; H shows the keys that do"


def help_lines() -> list[tuple[str, str]]:
    """(key, sentence) for the screen, in the order of the table."""
    return [(entry.key.replace("Control", "Ctrl"), entry.sentence) for entry in KEYS]


def bind(keyed: Any, verbs: Mapping[str, Callable[[], None]], say: Callable[[str], None]) -> None:
    """Give a viewer's or layer's keys their verbs.

    Parameters
    ----------
    keyed : napari viewer or layer
        Anything with napari's ``bind_key``; a layer's keys come before the viewer's.
    verbs : mapping
        One callable for each verb of the table.
    say : callable
        Shows a sentence to the person.
    """

    def doing(verb: Callable[[], None]) -> Callable[[Any], None]:
        def press(_: Any) -> None:
            verb()

        return press

    for entry in KEYS:
        keyed.bind_key(entry.key, doing(verbs[entry.verb]), overwrite=True)
    for key in SILENCED:
        keyed.bind_key(key, doing(lambda: say(SILENCE)), overwrite=True)
