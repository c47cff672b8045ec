"""One image layer and one Shapes layer, kept and refilled as the review moves on. No Qt.

Works on napari's `ViewerModel`, so it is tested without a display. Layers are never removed and added
again: napari takes 0.1 s for that, 0.03 s for new data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import LayerLock

from usimg import Frame, Roi, UsimgError, anatomy
from usimg.errors import OutlineRefused, PixelsRefused
from usimg_napari.convert import Part, parts, redrawn, same_shapes
from usimg_napari.handles import all_handles
from usimg_napari.live import Meter, Numbers
from usimg_napari.looks import colour_of
from usimg_napari.prompt import Prompt, outline_at
from usimg_napari.reader import look
from usimg_napari.review import Page, Review, named

# Pixels of the scan; thin enough to see which side of a fascia's edge it runs on.
EDGE_WIDTH_PX = 1.0


# Kept free around the field of the scan, as napari keeps it around a layer.
MARGIN = 0.05
# In these modes napari shows handles on the selected shape and acts on it alone.
_VERTEX_MODES = ("direct", "vertex_insert", "vertex_remove")


class Canvas:
    """Shows a review's page in a viewer and brings what the mouse does to its outlines back.

    Parameters
    ----------
    viewer : napari Viewer or ViewerModel
    review : Review
    say : callable
        Shows a sentence to the person.

    Attributes
    ----------
    numbers : list of Numbers
        Of the page's outlines as they are on the screen this moment, mid-drag included.
    problem : str
        Why this page's picture cannot be shown; empty when it is.
    """

    def __init__(self, viewer: Any, review: Review, say: Callable[[str], None]) -> None:
        self.viewer = viewer
        self.review = review
        self.say = say
        self.numbers: list[Numbers] = []
        self.problem = ""
        self._listeners: list[Callable[[], None]] = []
        self._page = Page("", 0, "")  # none yet
        self._rois: tuple[Roi, ...] = ()
        self._shown: list[Part] = []
        self._layouts: WeakKeyDictionary[Roi, list[Part]] = WeakKeyDictionary()
        self._moving: dict[int, Roi] = {}
        self._meter: Meter | None = None
        self._busy = 0
        self._after: Callable[[], None] | None = None
        self.image = viewer.add_image(
            np.zeros((1, 2, 2), np.uint8), name="scan", contrast_limits=(0, 255), colormap="gray"
        )
        self.outlines = viewer.add_shapes(
            ndim=2,
            name="outlines",
            opacity=1.0,
            face_color="transparent",
            features={"text": np.array([], dtype=object)},
            text={"string": "{text}", "anchor": "upper_left", "size": 10, "color": "white"},
        )
        viewer.canvas.overlays.scale_bar.visible = True
        self.image.locked = self.outlines.locked = LayerLock.ALL
        self.prompt = Prompt(viewer, self.outlines, self._prompted)
        self.outlines.events.data.connect(self._on_data)
        self.outlines.events.set_data.connect(self._on_refresh)
        self.outlines.selected_data.events.items_changed.connect(self._on_selection)
        viewer.dims.events.current_step.connect(self._on_step)
        review.listen(self.paint)
        self.paint()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` whenever the numbers or the page changed."""
        self._listeners.append(listener)

    @property
    def rois(self) -> tuple[Roi, ...]:
        """The page's outlines as they are on the screen this moment."""
        return tuple(self._moving.get(owner, roi) for owner, roi in enumerate(self._rois))

    # From the review to the screen

    def paint(self) -> None:
        """Make the screen show what the review holds."""
        with self._painting():
            fresh = self.review.page is not self._page
            if fresh:
                self._page = self.review.page
                self._open()
            rois = tuple(held.roi for held in self.review.held)
            if fresh or rois != self._rois:
                self._rois, self._moving = rois, {}
                self._shown = [] if self.problem else self._parts()
                if fresh or not same_shapes(self.outlines.data, [part.vertices for part in self._shown]):
                    self._draw(self._shown)
            self._measure()
            self._select()
            self._on_step()
        self._tell()

    @contextmanager
    def _painting(self) -> Iterator[None]:
        """While the screen is filled, the layers' events are our own doing."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    def _open(self) -> None:
        self.image.visible = False  # so that no frame but the page's is decoded on the way
        data: Any
        try:
            frame, data = self.review.open()
            frame.gray  # noqa: B018  decoded here, where a failure becomes a sentence, not in the drawing
            self.problem, self._meter = "", Meter(frame)
        except UsimgError as error:
            data = np.zeros(self.image.data.shape, np.uint8)
            self.problem, self._meter = str(error), None
        before = self.image.data.shape, tuple(self.image.scale)
        self.image.data = data
        if self._meter is not None:
            self._scale(self._meter.frame)
        self.image.contrast_limits = (0, 255)
        self.image.reset_contrast_limits_range()
        self.viewer.dims.set_current_step(0, min(self._page.frame, len(data) - 1))
        self.image.visible = True
        if before != (self.image.data.shape, tuple(self.image.scale)):
            self.zoom_to_tissue()

    def zoom_to_tissue(self) -> None:
        """Show the field of the scan, not the screen furniture around it."""
        self.viewer.reset_view()
        if self._meter is None:
            return
        area = self._meter.frame.scan_area
        rows, cols = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
        if len(rows) and len(cols):
            first, last = (self.outlines.data_to_world((rows[i], cols[i])) for i in (0, -1))
            shown = np.maximum(np.subtract(last, first), self.outlines.scale)
            camera = self.viewer.scene.camera
            camera.center = (camera.center[0], *np.add(first, last) / 2)
            camera.zoom = float((np.array(self.viewer.canvas.size) / shown).min()) * (1 - MARGIN)

    def _scale(self, frame: Frame) -> None:
        for_image = look(frame)
        self.image.scale, self.image.units = for_image["scale"], for_image["units"]
        self.outlines.scale, self.outlines.units = for_image["scale"][1:], for_image["units"][1:]

    def _parts(self) -> list[Part]:
        """Shapes of the page's outlines; one that was edited here keeps the handles it was left with."""
        shown: list[Part] = []
        for owner, roi in enumerate(self._rois):
            if roi not in self._layouts:
                self._layouts[roi] = parts(owner, roi)
            shown += self._layouts[roi]
        return shown

    def _draw(self, shown: list[Part]) -> None:
        self.outlines.data = [(part.vertices.copy(), part.kind) for part in shown]
        if shown:
            colours = [colour_of(self._rois[part.owner].structure) for part in shown]
            self.outlines.edge_color = colours
            self.outlines.face_color = "transparent"
            self.outlines.edge_width = EDGE_WIDTH_PX

    def _select(self) -> None:
        chosen = {i for i, part in enumerate(self._shown) if part.owner == self.review.selected}
        if set(self.outlines.selected_data) != chosen and self.outlines.mode in _VERTEX_MODES:
            self.outlines.selected_data = chosen

    # From the screen to the review

    def _on_refresh(self, event: Any = None) -> None:
        """Emitted on each redraw of the layer, so also for every mouse move that drags a vertex."""
        if self._busy:
            return
        if self._after is not None:
            after, self._after = self._after, None
            after()
            return
        self._follow()

    def _follow(self) -> None:
        now = self.outlines.data
        if len(now) != len(self._shown):
            return
        moving: dict[int, Roi] = {}
        for owner in self._changed_owners(now):
            # An outline that is none for a moment keeps its last numbers until it is settled.
            with suppress(OutlineRefused):
                shapes = self._bent(owner, now)
                moving[owner] = redrawn(self._rois[owner], shapes, author=self.review.author)
        if moving or self._moving:
            self._moving = moving
            self._measure()
            self._tell()

    def _on_data(self, event: Any) -> None:
        """Emitted when a change is settled: the mouse was released, a vertex came or went."""
        if self._busy or str(getattr(event.action, "value", event.action)) not in (
            "changed",
            "added",
            "removed",
        ):
            return
        now = [np.array(vertices) for vertices in self.outlines.data]
        if len(now) == len(self._shown):
            self._settle(now)
            return
        # A shape came or went. napari is in the middle of its own change now, and redraws at its end;
        # then the review decides, and the layer is filled again with what it holds.
        if len(now) == len(self._shown) + 1:
            self._after = lambda: self._drawn_anew(now[-1])
        else:
            self._after = self._put_back

    def _settle(self, now: list[Any]) -> None:
        for owner in self._changed_owners(now):
            before, after = self._own(owner), self._bent(owner, now)
            more = sum(len(p.vertices) for p in after) - sum(len(p.vertices) for p in before)
            verb = "move" if more == 0 else "insert" if more > 0 else "remove"
            self._edit(owner, self._rois[owner], after, f"{verb} a vertex")

    def _drawn_anew(self, vertices: Any) -> None:
        self.outlines.mode = "direct"
        owner = self.review.selected
        blank = self._rois[owner].with_polygons()
        self._edit(owner, blank, [Part(owner, all_handles(vertices))], "draw anew the outline")
        self._fill()

    def _prompted(self, corners: Any) -> None:
        self.outlines.mode = "direct"
        owner = self.review.selected
        if self._meter is None:
            self.say(self.problem)
            return
        try:
            found = outline_at(self._meter.frame, self._rois[owner], corners, author=self.review.author)
            self.review.edit(owner, found, "outline anew")
            self.say("")
        except UsimgError as error:
            self.say(str(error))

    def _edit(self, owner: int, roi: Roi, shapes: list[Part], sentence: str) -> None:
        try:
            drawn = redrawn(roi, shapes, author=self.review.author)
            self._layouts[drawn] = shapes
            self.review.edit(owner, drawn, sentence)
        except UsimgError as error:
            self.say(str(error))
            self._after = self._fill

    def _put_back(self) -> None:
        self.say("An outline is not deleted here: reject it with a reason (R), or draw it anew (D)")
        with self._painting():
            self._draw([])  # napari keeps a colour too many when a vertex takes its shape along
        self._fill()

    def _fill(self) -> None:
        """Draw what the review holds, whatever the layer shows."""
        with self._painting():
            self._moving = {}
            self._draw(self._shown)
            self._measure()
            self._select()
        self._tell()

    def _changed_owners(self, now: list[Any]) -> list[int]:
        changed = [
            part.owner
            for part, vertices in zip(self._shown, now, strict=True)
            if not np.array_equal(part.vertices, vertices)
        ]
        return list(dict.fromkeys(changed))

    def _own(self, owner: int) -> list[Part]:
        return [part for part in self._shown if part.owner == owner]

    def _bent(self, owner: int, now: list[Any]) -> list[Part]:
        return [
            replace(part, handled=part.handled.bent(vertices))
            for part, vertices in zip(self._shown, now, strict=True)
            if part.owner == owner
        ]

    def _on_selection(self, added: Any = None, removed: Any = None) -> None:
        """A click on an outline selects it in the review too; one beside them changes nothing there."""
        if self._busy or len(self.outlines.data) != len(self._shown):
            return
        owners = {self._shown[i].owner for i in self.outlines.selected_data}
        if len(owners) == 1:
            self.review.select(owners.pop())

    def _on_step(self, event: Any = None) -> None:
        """An outline belongs to one frame of a clip: on the others it is not shown."""
        shown = self.viewer.dims.current_step[0] == self._page.frame and not self.problem
        if self.outlines.visible != shown:  # setting it redraws, changed or not
            self.outlines.visible = shown

    # Numbers

    def _measure(self) -> None:
        if self._meter is None:
            self.numbers = [Numbers(reason=self.problem) for _ in self._rois]
            return
        self.numbers = self._meter.numbers(self.rois)
        texts = [self._beside(i) for i in range(len(self._shown))]
        if len(texts) == self.outlines.nshapes and texts != list(self.outlines.features["text"]):
            with self._painting():
                self.outlines.features = {"text": np.array(texts, dtype=object)}

    def _beside(self, i: int) -> str:
        """What stands beside a shape: all numbers of the selected outline, of the others the first one."""
        owner = self._shown[i].owner
        if i > 0 and self._shown[i - 1].owner == owner:
            return ""  # one text for an outline in several parts
        if owner == self.review.selected:
            return self.numbers[owner].short
        # What is made of several structures begins where the first of them does, and would hide its text.
        combined = anatomy.structure(self._rois[owner].structure).kind == "combined"
        return "" if combined else self.numbers[owner].short.split("   ")[0]

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    # Verbs that the keys and buttons share

    def accept(self) -> None:
        """Accept this page's outlines and go on; refused where the picture cannot be seen."""
        if self.problem:
            raise PixelsRefused(f"what cannot be seen cannot be accepted: {self.problem}")
        if self.outlines.mode == "add_polygon":  # Enter ends the drawing first
            self.outlines.mode = "direct"
            return
        self.review.accept()
        self.review.next()

    def mode(self, name: str) -> None:
        """What a click on the outlines does: ``"direct"``, ``"vertex_insert"``, ... (napari's names)."""
        self.prompt.disarm()
        self.viewer.layers.selection.active = self.outlines
        self.outlines.mode = name
        self._select()

    def ask_for_box(self) -> str:
        """The next drag is a box round the selected structure, the next click inside it."""
        self.mode("pan_zoom")
        self.prompt.arm()
        return f"Drag a box round {named(self._rois[self.review.selected])}, or click inside it"
