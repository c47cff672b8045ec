"""Outlines to and from the data of one napari Shapes layer. No Qt.

An outline of several parts is several shapes that share an owner; a caliper is a line. Vertices stay
in (row, col) px of the frame, as in a `Roi`; the layer's scale makes them millimetres on the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg import Roi
from usimg_napari.handles import Handled, all_handles, with_handles


@dataclass(frozen=True, eq=False)
class Part:
    """One shape of the layer: which outline it belongs to, and one of its polygons with its handles.

    Attributes
    ----------
    owner : int
        Place of the outline in the list that was drawn.
    handled : Handled
    kind : str
        napari's shape type, ``"polygon"`` or ``"line"``.
    """

    owner: int
    handled: Handled
    kind: str = "polygon"

    @property
    def vertices(self) -> NDArray[np.float32]:
        """(N, 2) (row, col) px, as the layer holds them."""
        return self.handled.vertices


def parts(owner: int, roi: Roi) -> list[Part]:
    """The shapes that show an outline and its caliper; none for one without either."""
    drawn = [Part(owner, with_handles(polygon)) for polygon in roi.polygons]
    return drawn if roi.line is None else [*drawn, Part(owner, all_handles(roi.line), "line")]


def redrawn(roi: Roi, shapes: Sequence[Part], *, author: str) -> Roi:
    """``roi`` as a person left it on the screen.

    Parameters
    ----------
    roi : Roi
        The outline that was shown.
    shapes : sequence of Part
        What it is now.
    author : str
        Who moved them; a person's outline has confidence 1 and none of the machine's flags.

    Raises
    ------
    OutlineRefused
        A part is left with fewer than three vertices.
    """
    by_hand: dict[str, Any] = {"method": f"drawn by {author}", "confidence": 1.0, "flags": ()}
    line = next((part.handled.ring for part in shapes if part.kind == "line"), None)
    polygons = (part.handled.ring for part in shapes if part.kind != "line")
    return roi.with_polygons(*polygons, line=line, **by_hand)


def same_shapes(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether two lists of vertex arrays are equal to the last bit."""
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
