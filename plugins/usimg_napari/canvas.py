"""What the review holds, on the screen, and what the mouse does to it, back to the review. No Qt.

Works on napari's `ViewerModel`, so it is tested without a display.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from usimg import Frame, Roi, UsimgError, anatomy
from usimg.errors import OutlineRefused, PixelsRefused
from usimg.measurement.borders import follow
from usimg_napari.convert import Part, parts, redrawn, same_shapes
from usimg_napari.drag import Drag, Wanted
from usimg_napari.guides import EARLIER_COLOUR, ECHO_COLOUR, Guide
from usimg_napari.handles import all_handles
from usimg_napari.live import Meter, Numbers, echo_outline
from usimg_napari.prompt import outline_at
from usimg_napari.review import Page, Review, Status, named
from usimg_napari.screen import Screen
from usimg_napari.writer import WHOLE


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
    carried : callable
        Gives the lines to draw on a frame of a clip that is not the page's.
    ghost : callable
        Gives the polygons of a visit before for an outline and frame, and what to call them.
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
        self._another = False
        self.carried: Callable[[int], list[Guide]] = lambda index: []
        self.ghost: Callable[[Roi, Frame], tuple[tuple[Any, ...], str]] = lambda roi, frame: ((), "")
        self._busy = 0
        self._after: Callable[[], None] | None = None
        self.screen = Screen(viewer)
        self.image, self.outlines = self.screen.image, self.screen.outlines
        self.drag = Drag(viewer, self.outlines)
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

    @property
    def frame(self) -> Frame | None:
        """The page's frame with the scale that its numbers are made with; None when it cannot be shown."""
        return None if self._meter is None else self._meter.frame

    @property
    def scale_source(self) -> str:
        """Where the page's scale comes from; empty without one."""
        frame = self.frame
        scales = [] if frame is None else [frame.calibration, *(r.calibration for r in frame.tissue_regions)]
        return next((scale.source for scale in scales if scale is not None), "")

    # From the review to the screen

    def paint(self) -> None:
        """Make the screen show what the review holds."""
        with self._painting():
            fresh = self.review.page is not self._page
            if fresh:
                before, self._page = self._page, self.review.page
                # The same frame with other numbers: who looks at another frame of the clip stays there.
                same = (before.scan, before.frame) == (self._page.scan, self._page.frame)
                self._open(int(self.viewer.dims.current_step[0]) if same else self._page.frame)
            rois = tuple(held.roi for held in self.review.held)
            if fresh or rois != self._rois:
                self._rois, self._moving = rois, {}
                self.outlines.metadata[WHOLE] = (self._page.frame, rois)
                self._shown = [] if self.problem else self._parts()
                if fresh or not same_shapes(self.outlines.data, [part.vertices for part in self._shown]):
                    self._draw(self._shown)
            self._measure()
            self._select()
            self._on_step()
        self.show_guides()
        self._tell()

    @contextmanager
    def _painting(self) -> Iterator[None]:
        """While the screen is filled, the layers' events are our own doing."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    def _open(self, at: int) -> None:
        stack: Any = None
        try:
            frame, stack = self.review.open()
            frame.gray  # noqa: B018  decoded here, where a failure becomes a sentence, not in the drawing
            self.problem, self._meter = "", Meter(frame, self.review.desk.definitions)
        except UsimgError as error:
            self.problem, self._meter = str(error), None
        self.drag.forget()
        self.screen.show(stack, self.frame, at)

    def zoom_to_tissue(self) -> None:
        """Show the field of the scan, not the screen furniture around it."""
        self.screen.zoom_to_tissue(self.frame)

    def _parts(self) -> list[Part]:
        """Shapes of the page's outlines; one that was edited here keeps the handles it was left with."""
        shown: list[Part] = []
        for owner, roi in enumerate(self._rois):
            if roi not in self._layouts:
                self._layouts[roi] = parts(owner, roi)
            shown += self._layouts[roi]
        return shown

    def _draw(self, shown: list[Part]) -> None:
        self.screen.draw(shown, [roi.structure for roi in self._rois])

    def _select(self) -> None:
        self.screen.select(i for i, part in enumerate(self._shown) if part.owner == self.review.selected)

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
            self._moving, _ = self._with_neighbours(moving)
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
            self._after = lambda: self._gone(now)

    def _settle(self, now: list[Any]) -> None:
        for owner in self._changed_owners(now):
            before, after = self._own(owner), self._bent(owner, now)
            more = sum(len(p.vertices) for p in after) - sum(len(p.vertices) for p in before)
            verb = "move" if more == 0 else "insert" if more > 0 else "remove"
            self._edit(owner, self._rois[owner], after, f"{verb} a vertex")

    def _drawn_anew(self, vertices: Any) -> None:
        another, self._another = self._another, False
        self.outlines.mode = "direct"
        owner = self.review.selected
        drawn = [Part(owner, all_handles(vertices))]
        if another:
            own = self._own(owner)
            shapes = [p for p in own if p.kind != "line"] + drawn + [p for p in own if p.kind == "line"]
            self._edit(owner, self._rois[owner], shapes, "add a part")
        else:
            drawn += [part for part in self._own(owner) if part.kind == "line"]
            self._edit(owner, self._rois[owner].with_polygons(), drawn, "draw anew the outline")
        self._fill()

    def _gone(self, now: list[Any]) -> None:
        """A shape lost its last vertices: one part of several goes, a whole outline comes back."""
        kept = list(self._shown)
        for vertices in now:
            at = next((i for i, p in enumerate(kept) if np.array_equal(p.vertices, vertices)), None)
            if at is not None:
                kept.pop(at)
        if len(kept) == 1 and len(self._own(kept[0].owner)) > 1:
            self.without_part(kept[0])
        else:
            self._put_back()

    def without_part(self, part: Part) -> None:
        """Take one part of an outline, or its caliper, away; the outline stays."""
        rest = [one for one in self._own(part.owner) if one is not part]
        if not any(one.kind != "line" for one in rest) and part.kind != "line":
            self._put_back()
            return
        what = "caliper" if part.kind == "line" else "part"
        with self._painting():
            self._draw([])  # napari keeps a colour too many when a vertex takes its shape along
        self._edit(part.owner, self._rois[part.owner], rest, f"take away a {what}")
        self._fill()

    def part_at(self, point: Any) -> Part | None:
        """The shape of the selected outline nearest to a place, (row, col) px."""
        own = self._own(self.review.selected)
        far = [float(np.hypot(*(part.handled.ring - point).T).min()) for part in own]
        return own[int(np.argmin(far))] if own else None

    def _prompted(self, corners: Any) -> None:
        self.outlines.mode = "direct"
        owner = self.review.selected
        frame = self.shown_frame()
        found = outline_at(frame, self._rois[owner], corners, author=self.review.author)
        self.change({owner: found}, "outline anew")
        self.say("")

    def shown_frame(self) -> Frame:
        """The page's frame; raises `PixelsRefused` where it cannot be shown."""
        if self._meter is None:
            raise PixelsRefused(self.problem)
        return self._meter.frame

    def preview(self, owner: int, roi: Roi) -> None:
        """Show an outline, and what goes along with it, while the button is down; nothing is settled."""
        with self._painting():
            self._moving, _ = self._with_neighbours({owner: roi})
            shapes = [
                part
                for at, settled in enumerate(self._rois)
                for part in (parts(at, self._moving[at]) if at in self._moving else self._layouts[settled])
            ]
            self._draw(shapes)
            if len(shapes) == len(self._shown):
                self._measure()
            self._select()
        self._tell()

    def change(self, changed: Mapping[int, Roi], sentence: str) -> None:
        """Let outlines hold, and what shares a border with them, as one step."""
        first = self.review.selected if self.review.selected in changed else next(iter(changed))
        every, refused = self._with_neighbours(changed)
        along = {at: roi for at, roi in every.items() if at != first}
        try:
            self.review.edit(first, every[first], sentence, along=along)
        except UsimgError:
            self._fill()
            raise
        if refused:
            stayed = ", ".join(named(self._rois[at]) for at in refused)
            self.say(f"{stayed} stays as it was: the border would cross its other edge")

    def _edit(self, owner: int, roi: Roi, shapes: list[Part], sentence: str) -> None:
        try:
            drawn = redrawn(roi, shapes, author=self.review.author)
            self._layouts[drawn] = shapes
            self.change({owner: drawn}, sentence)
        except UsimgError as error:
            self.say(str(error))
            self._after = self._fill

    def _with_neighbours(self, changed: Mapping[int, Roi]) -> tuple[dict[int, Roi], tuple[int, ...]]:
        """Changed outlines with those that share a border; and those that could not go along."""
        if self._meter is None or not changed:
            return dict(changed), ()
        followed = follow(self._rois, changed, self._meter.depth_px)
        held = self.review.held
        free = {at for at in range(len(held)) if held[at].status is not Status.REJECTED}
        method = f"border moved along by {self.review.author}"
        along = {at: replace(roi, method=method) for at, roi in followed.rois.items() if at in free}
        return {**changed, **along}, tuple(at for at in followed.refused if at in free)

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
        self.show_guides()
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
        own = self._is_own_frame
        self.screen.show_outlines(shown=own and not self.problem)
        if event is not None:
            self.show_guides()

    @property
    def _is_own_frame(self) -> bool:
        return bool(self.viewer.dims.current_step[0] == self._page.frame)

    def show_guides(self) -> None:
        """Draw the region whose grey levels count, of the selected outline, and the visit before."""
        guides: list[Guide] = []
        if not self._is_own_frame:
            guides = self.carried(int(self.viewer.dims.current_step[0]))
        elif self._meter is not None and self.review.selected < len(self._rois):
            frame, roi = self._meter.frame, self.rois[self.review.selected]
            region = echo_outline(frame, roi, self._meter.definitions)
            guides += [Guide(ring, ECHO_COLOUR) for ring in region]
            polygons, name = self.ghost(roi, frame)
            guides += [
                Guide(polygon, EARLIER_COLOUR, text="" if i else name) for i, polygon in enumerate(polygons)
            ]
        self.screen.guides.show(guides)

    # Numbers

    def _measure(self) -> None:
        if self._meter is None:
            self.numbers = [Numbers(reason=self.problem) for _ in self._rois]
            return
        self.numbers = self._meter.numbers(self.rois)
        texts = [self._beside(i) for i in range(len(self._shown))]
        with self._painting():
            self.screen.write(texts)

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
        self.drag.disarm()
        self._another = False
        if not self._is_own_frame:  # what is corrected is the frame that is measured
            self.viewer.dims.set_current_step(0, self._page.frame)
        self.viewer.layers.selection.active = self.outlines
        self.outlines.mode = name
        self._select()

    def ask_for_box(self) -> str:
        """The next drag is a box round the selected structure, the next click inside it."""
        self.mode("pan_zoom")
        self.drag.arm(Wanted("rectangle", self.saying(self._prompted)))
        return f"Drag a box round {named(self._rois[self.review.selected])}, or click inside it"

    def draw_another(self) -> str:
        """The next polygon is one more part of the selected outline, as of a nerve that divides."""
        self.mode("add_polygon")
        self._another = True
        return f"Click round another part of {named(self._rois[self.review.selected])}; Enter ends"

    def saying(self, verb: Callable[[Any], None]) -> Callable[[Any], None]:
        """What a user can mend becomes a sentence, also from the mouse."""

        def call(value: Any) -> None:
            try:
                verb(value)
            except UsimgError as error:
                self.say(str(error))

        return call
