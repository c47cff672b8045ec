"""Drag a box round a structure, or click inside it: the short way to an outline. No Qt.

napari's own rectangle tool adds its shape when the button goes down, before there is a box; so the drag is
followed here, and the box lies in a layer of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import usimg
from usimg import Frame, Roi
from usimg.errors import OutlineRefused

# A drag shorter than this on either side, in px of the scan, is a click.
LEAST_BOX_PX = 6.0


class Prompt:
    """Follows one drag over the picture and hands on its two corners.

    Parameters
    ----------
    viewer : napari Viewer or ViewerModel
    outlines : Shapes layer
        Its scale is that of the picture.
    done : callable
        Gets the (2, 2) corners (row, col), px of the frame, when the button is released.
    """

    def __init__(self, viewer: Any, outlines: Any, done: Callable[[Any], None]) -> None:
        self.viewer = viewer
        self.outlines = outlines
        self.done = done
        self.armed = False
        self.box: Any = None
        outlines.mouse_drag_callbacks.append(self._drag)

    def arm(self) -> None:
        """The next drag or click is a prompt."""
        self.armed = True
        self.outlines.mode = "pan_zoom"
        self.outlines.mouse_pan = False

    def disarm(self) -> None:
        """Drags are napari's again."""
        if self.armed:
            self.armed = False
            self.outlines.mouse_pan = True
            self._show(None)

    def _drag(self, layer: Any, event: Any) -> Iterator[None]:
        del layer
        if not self.armed:
            return
        start = self._at(event)
        yield
        while event.type == "mouse_move":
            self._show(np.array([start, self._at(event)]))
            yield
        corners = np.array([start, self._at(event)])
        self.disarm()
        self.done(corners)

    def _at(self, event: Any) -> Any:
        return np.array(self.outlines.world_to_data(event.position))[-2:]

    def _show(self, corners: Any) -> None:
        if self.box is None:
            if corners is None:
                return
            active = self.viewer.layers.selection.active
            # From the start with the picture's units: napari warns of layers that differ in them.
            look = {"scale": self.outlines.scale, "units": self.outlines.units}
            self.box = self.viewer.add_shapes(ndim=2, name="box", edge_width=1.0, **look)
            self.viewer.layers.selection.active = active
        self.box.scale, self.box.units = self.outlines.scale, self.outlines.units
        self.box.data = [] if corners is None else [(corners, "rectangle")]
        self.box.edge_color, self.box.face_color = "white", "transparent"


def outline_at(frame: Frame, roi: Roi, corners: Any, *, author: str) -> Roi:
    """``roi`` outlined anew inside a box, or around a click where the box is next to nothing.

    Parameters
    ----------
    frame : Frame
    roi : Roi
        What is to be outlined: structure, site, side and plane are kept.
    corners : (2, 2) array
        (row, col) px where the drag began and ended.
    author : str

    Raises
    ------
    OutlineRefused
        Nothing was found there; the message says why and what to do.
    """
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    small = bool((high - low < LEAST_BOX_PX).any())
    (found,) = usimg.segment(
        frame,
        roi.structure,
        plane=roi.plane or None,
        site=roi.site or None,
        seeds=[tuple(low)] if small else None,
        boxes=None if small else [(*low, *high)],
    )
    if not found.polygons:
        raise OutlineRefused(f"{'; '.join(found.flags)}; draw it by hand (D)")
    return roi.with_polygons(
        *found.polygons,
        upper=found.upper,
        lower=found.lower,
        alternatives=found.alternatives,
        trace_rule=found.trace_rule,
        confidence=found.confidence,
        validated=found.validated,
        flags=found.flags,
        region=found.region,
        method=f"{found.method}, {'click' if small else 'box'} by {author}",
    )
