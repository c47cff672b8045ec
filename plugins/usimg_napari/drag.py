"""Follow one drag over the picture: a box, a caliper line, the ruler, a stroke of the brush. No Qt.

napari's own rectangle and line tools add their shape when the button goes down, before there is one; so the
drag is followed here, and what it shows on the way lies in a layer of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Shown = Literal["rectangle", "line", "nothing"]


@dataclass(frozen=True)
class Wanted:
    """What the next drag is for.

    Attributes
    ----------
    shown : str
        What is drawn from where the drag began to the mouse.
    done : callable
        Gets the (2, 2) corners (row, col), px of the frame, when the button is released.
    moved : callable or None
        Gets the places before and now, (2, 2), for each move of the mouse.
    again : bool
        Whether the drag after it is wanted too, as for strokes of a brush.
    """

    shown: Shown
    done: Callable[[Any], None]
    moved: Callable[[Any], None] | None = None
    again: bool = False


class Drag:
    """Waits for a drag over the outlines' layer, which then does not move the picture.

    Parameters
    ----------
    viewer : napari Viewer or ViewerModel
    outlines : Shapes layer
        Its scale is that of the picture.
    """

    def __init__(self, viewer: Any, outlines: Any) -> None:
        self.viewer = viewer
        self.outlines = outlines
        self.wanted: Wanted | None = None
        self.box: Any = None
        outlines.mouse_drag_callbacks.append(self._drag)

    @property
    def armed(self) -> bool:
        """Whether the next drag is followed here."""
        return self.wanted is not None

    def arm(self, wanted: Wanted) -> None:
        """The next drag or click is for this."""
        self.wanted = wanted
        self.outlines.mode = "pan_zoom"
        self.outlines.mouse_pan = False

    def disarm(self) -> None:
        """Drags are napari's again."""
        if self.armed:
            self.wanted = None
            self.outlines.mouse_pan = True
            self._show(None, "nothing")

    def forget(self) -> None:
        """Take the layer of what was dragged away: another picture has another scale."""
        if self.box is not None:
            self.viewer.layers.remove(self.box)
            self.box = None

    def _drag(self, layer: Any, event: Any) -> Iterator[None]:
        del layer
        wanted = self.wanted
        if wanted is None:
            return
        start = last = self._at(event)
        yield
        while event.type == "mouse_move":
            now = self._at(event)
            if wanted.moved is not None:
                wanted.moved(np.array([last, now]))
            self._show(np.array([start, now]), wanted.shown)
            last = now
            yield
        corners = np.array([start, self._at(event)])
        if not wanted.again:
            self.disarm()
        wanted.done(corners)

    def _at(self, event: Any) -> Any:
        return np.array(self.outlines.world_to_data(event.position))[-2:]

    def _show(self, corners: Any, shown: Shown) -> None:
        if shown == "nothing" and self.box is None:
            return
        if self.box is None:
            active = self.viewer.layers.selection.active
            # From the start with the picture's units: napari warns of layers that differ in them.
            look = {"scale": self.outlines.scale, "units": self.outlines.units}
            self.box = self.viewer.add_shapes(ndim=2, name="box", edge_width=1.0, **look)
            self.viewer.layers.selection.active = active
        self.box.scale, self.box.units = self.outlines.scale, self.outlines.units
        self.box.data = [] if corners is None or shown == "nothing" else [(corners, shown)]
        self.box.edge_color, self.box.face_color = "white", "transparent"
