"""The tools that correct an outline: push, snap, next best, caliper, further parts. No Qt.

Each is a verb of the key table; what it changes goes through the canvas to the review, as one step that can
be undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from usimg import Roi, anatomy
from usimg.errors import OutlineRefused
from usimg.measurement import edges_of
from usimg.outline.snap import snap
from usimg.study.roifiles import read_rois
from usimg_napari.alternatives import Alternatives
from usimg_napari.brush import push
from usimg_napari.canvas import Canvas
from usimg_napari.drag import Wanted
from usimg_napari.review import Page, named

# Radius of the brush on the screen, in its pixels: zooming in makes it finer on the picture.
BRUSH_SCREEN_PX = 28.0


class Tools:
    """Corrects the selected outline of a canvas.

    Parameters
    ----------
    canvas : Canvas
    """

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.review = canvas.review
        self._page: Page | None = None
        self._alternatives: Alternatives | None = None
        self._pushed: Roi | None = None

    def verbs(self) -> dict[str, Callable[[], object]]:
        """By the names of the key table."""
        return {
            "push": self.push,
            "snap": self.snap,
            "second_best": self.second_best,
            "caliper": self.caliper,
            "no_caliper": self.no_caliper,
            "add_part": self.canvas.draw_another,
            "remove_part": self.remove_part,
        }

    @property
    def roi(self) -> Roi:
        """The selected outline."""
        return self.canvas.rois[self.review.selected]

    def push(self) -> str:
        """Drags move the border like a brush from now on."""
        self._need_outline()
        canvas = self.canvas
        canvas.mode("pan_zoom")
        canvas.drag.arm(Wanted("nothing", canvas.saying(self._settle), canvas.saying(self._push), again=True))
        canvas.outlines.cursor = "circle"
        canvas.outlines.cursor_size = (
            2.0 * self.radius * float(canvas.outlines.scale[0])
        )  # in mm, as the view
        return "Drag over the border: it goes along. Zoom in for a finer brush; V ends"

    @property
    def radius(self) -> float:
        """Of the brush, px of the picture."""
        zoom = float(self.canvas.viewer.scene.camera.zoom)
        return BRUSH_SCREEN_PX / max(zoom * float(self.canvas.outlines.scale[0]), 1e-6)

    def _push(self, places: Any) -> None:
        roi = self.roi if self._pushed is None else self._pushed
        start, stop = places
        rings = tuple(push(ring, start, stop, self.radius) for ring in roi.polygons)
        if all(new is old for new, old in zip(rings, roi.polygons, strict=True)):
            return
        self._pushed = self._by_hand(roi.with_polygons(*rings, line=roi.line), "pushed")
        self.canvas.preview(self.review.selected, self._pushed)

    def _settle(self, corners: Any) -> None:
        del corners
        pushed, self._pushed = self._pushed, None
        if pushed is not None:
            self.canvas.change({self.review.selected: pushed}, "push the border")

    def snap(self) -> str:
        """Move the border onto the edge beside it."""
        self._need_outline()
        frame, roi = self.canvas.shown_frame(), self.roi
        if roi.upper is None and len(roi.polygons) == 1 and _is_layer(roi):
            upper, lower = edges_of(roi.polygons[0])
            roi = replace(roi, upper=upper, lower=lower)
        snapped = self._by_hand(snap(frame, roi), "snapped to the edge")
        self.canvas.change({self.review.selected: snapped}, "snap to the edge the border")
        return ""

    def second_best(self) -> str:
        """Take the next best outline; pressed again, the one after it."""
        frame, rois = self.canvas.shown_frame(), self.canvas.rois
        if self._alternatives is None or self._page is not self.review.page:
            self._page, self._alternatives = self.review.page, Alternatives(frame, rois)
        taken = self._alternatives.next(rois, self.review.selected)
        author = self.review.author
        self.canvas.change(
            {at: replace(roi, method=f"{roi.method} by {author}") for at, roi in taken.items()},
            "take the next best outline",
        )
        return "The next best outline; A shows the one after it, Ctrl-Z the one before"

    def caliper(self) -> str:
        """The next drag is a caliper line: its length is the thickness."""
        canvas = self.canvas
        canvas.mode("pan_zoom")
        canvas.drag.arm(Wanted("line", canvas.saying(self._calipered)))
        return f"Drag a caliper across {named(self.roi)}: its length is the thickness"

    def _calipered(self, corners: Any) -> None:
        self.canvas.outlines.mode = "direct"
        if not np.hypot(*(corners[1] - corners[0])) >= 1.0:
            raise OutlineRefused("a caliper needs two places: drag from one border to the other")
        line = replace(self.roi, line=corners, flags=(), confidence=1.0)
        drawn = replace(line, method=f"caliper by {self.review.author}")
        self.canvas.change({self.review.selected: drawn}, "draw a caliper line")

    def no_caliper(self) -> str:
        """Take the caliper away: thickness is the outline's own again."""
        if self.roi.line is None:
            raise OutlineRefused("there is no caliper line here; L draws one")
        if not self.roi.polygons:
            raise OutlineRefused("there is nothing but the caliper: reject it (R), or draw the outline (D)")
        self.canvas.change({self.review.selected: replace(self.roi, line=None)}, "take away the caliper line")
        return ""

    def remove_part(self) -> str:
        """Take the part under the mouse away; the last one stays."""
        position = self.canvas.viewer.cursor.position
        place = np.array(self.canvas.outlines.world_to_data(position))[-2:]
        part = self.canvas.part_at(place)
        if part is None or len(self.roi.polygons) + (self.roi.line is not None) < 2:
            raise OutlineRefused(
                "an outline's only part is not taken away: reject it (R) or draw it anew (D)"
            )
        self.canvas.without_part(part)
        return ""

    def bring_in(self, path: str | Path) -> str:
        """Take outlines of this frame from a file of ImageJ or GeoJSON, as one step.

        An outline goes where the page has its structure and side; one whose name is no structure goes to
        the selected one.
        """
        page, rois = self.review.page, self.canvas.rois
        saved = [
            one.roi
            for one in read_rois(path, structure=self.roi.structure)
            if one.frame in (None, page.frame) and len(one.roi.points)
        ]
        order = [self.review.selected, *(at for at in range(len(rois)) if at != self.review.selected)]
        taken: dict[int, Roi] = {}
        for roi in saved:
            at = next((at for at in order if at not in taken and _is_of(roi, rois[at])), None)
            if at is not None:
                taken[at] = self._by_hand(
                    rois[at].with_polygons(*roi.polygons, line=roi.line, upper=roi.upper, lower=roi.lower),
                    "brought in from a file",
                )
        if not taken:
            raise OutlineRefused("none of the file's outlines shows a structure and side of this frame")
        self.canvas.change(taken, "bring in the outline")
        left = len(saved) - len(taken)
        return f"{len(taken)} outlines brought in" + (f"; {left} show nothing of this frame" if left else "")

    def _need_outline(self) -> None:
        if not self.roi.polygons:
            raise OutlineRefused(f"{named(self.roi)} has no outline yet: box it (O) or draw it (D)")

    def _by_hand(self, roi: Roi, how: str) -> Roi:
        method = f"{how} by {self.review.author}"
        return replace(roi, method=method, confidence=1.0, flags=(), alternatives=())


def _is_of(roi: Roi, place: Roi) -> bool:
    """Whether an outline of a file is that of a place on the page; a file may say no side."""
    return roi.structure == place.structure and roi.side in ("", place.side)


def _is_layer(roi: Roi) -> bool:
    return anatomy.structure(roi.structure).outline == "layer"
