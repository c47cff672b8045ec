"""The layers of the viewer: the scan, the guides, the outlines. Made once and refilled. No Qt.

napari takes 0.1 s to remove and add a layer, 0.03 s for new data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from napari.layers import LayerLock

from usimg import Frame
from usimg_napari.convert import Part
from usimg_napari.guides import Guides
from usimg_napari.looks import colour_of
from usimg_napari.reader import look

# Pixels of the scan; thin enough to see which side of a fascia's edge it runs on.
EDGE_WIDTH_PX = 1.0
CALIPER_COLOUR = "#ffffff"
# Kept free around the field of the scan, as napari keeps it around a layer.
MARGIN = 0.05
# In these modes napari shows handles on the selected shape and acts on it alone.
VERTEX_MODES = ("direct", "vertex_insert", "vertex_remove")


class Screen:
    """One image layer, one of guides, one of outlines.

    Parameters
    ----------
    viewer : napari Viewer or ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.image = viewer.add_image(
            np.zeros((1, 2, 2), np.uint8), name="scan", contrast_limits=(0, 255), colormap="gray"
        )
        self.guides = Guides(viewer)
        self.outlines = viewer.add_shapes(
            ndim=2,
            name="outlines",
            opacity=1.0,
            face_color="transparent",
            features={"text": np.array([], dtype=object)},
            text={"string": "{text}", "anchor": "upper_left", "size": 10, "color": "white"},
        )
        self._mode = "direct"
        self._units: tuple[str, ...] = ()
        viewer.canvas.overlays.scale_bar.visible = True
        self.image.locked = self.outlines.locked = LayerLock.ALL

    def show(self, stack: Any, frame: Frame | None, at: int) -> None:
        """Show frame ``at`` of a stack, in mm where it has a scale; None where it cannot be opened."""
        self.image.visible = False  # so that no frame but the page's is decoded on the way
        data: Any = np.zeros(self.image.data.shape, np.uint8) if frame is None else stack
        before = self.image.data.shape, tuple(self.image.scale)
        self.image.data = data
        if frame is not None:
            self.scale(frame)
        self.image.contrast_limits = (0, 255)
        self.image.reset_contrast_limits_range()
        self.viewer.dims.set_current_step(0, min(at, len(data) - 1))
        self.image.visible = True
        if before != (self.image.data.shape, tuple(self.image.scale)):
            self.zoom_to_tissue(frame)

    def scale(self, frame: Frame) -> None:
        """Let the layers lie in the frame's millimetres, or in pixels."""
        for_image = look(frame)
        if tuple(self.image.scale) == for_image["scale"] and self._units == for_image["units"]:
            return  # setting them redraws, changed or not
        self._units = for_image["units"]
        self.image.scale, self.image.units = for_image["scale"], for_image["units"]
        self.outlines.scale, self.outlines.units = for_image["scale"][1:], for_image["units"][1:]
        self.guides.match(self.outlines)

    def zoom_to_tissue(self, frame: Frame | None) -> None:
        """Show the field of the scan, not the screen furniture around it."""
        self.viewer.reset_view()
        if frame is None:
            return
        rows, cols = (np.flatnonzero(frame.scan_area.any(axis=axis)) for axis in (1, 0))
        if len(rows) and len(cols):
            first, last = (self.outlines.data_to_world((rows[i], cols[i])) for i in (0, -1))
            shown = np.maximum(np.subtract(last, first), self.outlines.scale)
            camera = self.viewer.scene.camera
            camera.center = (camera.center[0], *np.add(first, last) / 2)
            camera.zoom = float((np.array(self.viewer.canvas.size) / shown).min()) * (1 - MARGIN)

    def draw(self, shown: Sequence[Part], structures: Sequence[str]) -> None:
        """Draw these shapes; ``structures`` by owner give their colours."""
        self.outlines.data = [(part.vertices.copy(), part.kind) for part in shown]
        if shown:
            self.outlines.edge_color = [
                CALIPER_COLOUR if part.kind == "line" else colour_of(structures[part.owner]) for part in shown
            ]
            self.outlines.face_color = "transparent"
            self.outlines.edge_width = EDGE_WIDTH_PX

    def write(self, texts: Sequence[str]) -> None:
        """Write a text beside each shape."""
        if len(texts) == self.outlines.nshapes and list(texts) != list(self.outlines.features["text"]):
            self.outlines.features = {"text": np.array(texts, dtype=object)}

    def select(self, shapes: Iterable[int]) -> None:
        """Give these shapes their handles."""
        chosen = set(shapes)
        if set(self.outlines.selected_data) != chosen and self.outlines.mode in VERTEX_MODES:
            self.outlines.selected_data = chosen

    def show_outlines(self, *, shown: bool) -> None:
        """Show the outlines, or put them where neither eye nor mouse finds them.

        Not by the layer's own ``visible``: made visible again under the mouse, napari 0.9 raises.
        """
        if shown == self.outlines_shown:  # setting these redraws, changed or not
            return
        if not shown:
            self._mode = str(self.outlines.mode)
            self.outlines.mode = "pan_zoom"
        self.outlines.opacity = 1.0 if shown else 0.0
        self.outlines.text.visible = shown
        if shown:
            self.outlines.mode = self._mode

    @property
    def outlines_shown(self) -> bool:
        """Whether the outlines are to be seen."""
        return bool(self.outlines.opacity > 0.0)
