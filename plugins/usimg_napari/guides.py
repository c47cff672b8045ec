"""Lines that are looked at and never taken hold of: what counts for grey, the visit before. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import LayerLock
from numpy.typing import NDArray

from usimg_napari.handles import with_handles

# Thin beside the outlines' 1 px; colours that colour-blind people tell from those of the structures.
WIDTH_PX = 0.5
ECHO_COLOUR = "#f5f5f5"
EARLIER_COLOUR = "#e69f00"


@dataclass(frozen=True)
class Guide:
    """One line: (N, 2) (row, col) px of the frame, closed or not, and its colour."""

    points: Any
    colour: str
    closed: bool = True
    text: str = ""


class Guides:
    """One Shapes layer below the outlines, refilled; the mouse never reaches it.

    Parameters
    ----------
    viewer : napari Viewer or ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self.layer = viewer.add_shapes(
            ndim=2,
            name="guides",
            opacity=0.9,
            features={"text": []},
            text={"string": "{text}", "anchor": "lower_left", "size": 9, "color": EARLIER_COLOUR},
        )
        self.layer.locked = LayerLock.ALL
        self._drawn: list[Guide] = []

    def show(self, guides: Sequence[Guide]) -> None:
        """Draw these lines and no others."""
        lines = list(guides)
        if not lines and not self._drawn:
            return
        self._drawn = lines
        self.layer.data = [(_path(guide), "path") for guide in lines]
        if lines:
            self.layer.edge_color = [guide.colour for guide in lines]
            self.layer.edge_width = WIDTH_PX
            self.layer.features = {"text": [guide.text for guide in lines]}

    def match(self, layer: Any) -> None:
        """Lie on the same pixels as another layer."""
        self.layer.scale, self.layer.units = layer.scale, layer.units


def _path(guide: Guide) -> NDArray[Any]:
    points = np.asarray(guide.points, dtype=np.float64)
    # Drawing a line of hundreds of vertices takes longer than measuring it.
    few = with_handles(points).vertices if guide.closed else points
    return np.concatenate([few, few[:1]]) if guide.closed else few
