"""A clip: an outline carried along it, its numbers over time, breaths marked, the frame chosen. No Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import usimg
from usimg import Frame, Roi, UsimgError, anatomy
from usimg.errors import OutlineRefused
from usimg.outline.carry import carry
from usimg_napari.canvas import Canvas
from usimg_napari.guides import Guide
from usimg_napari.looks import colour_of
from usimg_napari.pages import Held, Page, Status, named

# Of a manifest's states those that a breath has.
EXPIRATION, INSPIRATION, DEEPEST = "end_expiration", "end_inspiration", "max_inspiration"
WORDS = {
    EXPIRATION: "end of expiration",
    INSPIRATION: "end of inspiration",
    DEEPEST: "maximal inspiration",
}
ANOTHER_FRAME = "another frame of the clip was chosen"


@dataclass(frozen=True)
class Sample:
    """Numbers of one frame of a clip.

    Attributes
    ----------
    frame : int
    size : float
        Thickness where the structure has one, else area; NaN where there is none.
    unit : str
        ``"mm"``, ``"px"``, ``"mm²"`` or ``"px²"``.
    echo : float
        Echo intensity.
    """

    frame: int
    size: float
    unit: str
    echo: float


class Cine:
    """The clip of the page on the screen.

    Parameters
    ----------
    canvas : Canvas
    """

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.review = canvas.review
        self.samples: dict[int, Sample] = {}
        self.rois: dict[int, Roi] = {}
        self._of: tuple[Page, int] | None = None
        self._listeners: list[Callable[[], None]] = []
        canvas.carried = self._guides
        canvas.viewer.dims.events.current_step.connect(self._on_step)
        self.review.listen(self._on_review)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` whenever the samples, the marks or the slider changed."""
        self._listeners.append(listener)

    def verbs(self) -> dict[str, Callable[[], object]]:
        """By the names of the key table, those that need no clock."""
        return {
            "next_frame": lambda: self.step(1),
            "previous_frame": lambda: self.step(-1),
            "use_frame": self.use_frame,
            "end_expiration": lambda: self.mark(EXPIRATION),
            "end_inspiration": lambda: self.mark(INSPIRATION),
            "max_inspiration": lambda: self.mark(DEEPEST),
        }

    @property
    def count(self) -> int:
        """Frames of the clip; 1 for a still."""
        return int(self.canvas.image.data.shape[0])

    @property
    def at(self) -> int:
        """The frame that the slider is on."""
        return int(self.canvas.viewer.dims.current_step[0])

    @property
    def marks(self) -> dict[int, str]:
        """Frames of this clip that have a state of breathing, and which."""
        page = self.review.page
        return {
            other.frame: state
            for other in self.review.pages
            if other.scan == page.scan
            for state in WORDS
            if other.row.endswith(state.replace("_", " "))
        }

    def step(self, by: int) -> None:
        """Show another frame of the clip."""
        self.canvas.viewer.dims.set_current_step(0, min(max(self.at + by, 0), self.count - 1))

    # Carrying along

    def carry(self) -> Iterator[int]:
        """Carry the selected outline from its frame to both ends; yields each frame that was done.

        Raises
        ------
        OutlineRefused
            A still, or no outline.
        """
        if self.count < 2:
            raise OutlineRefused("this is a still: there is nothing to carry an outline along")
        frames = self._frames()
        page, selected = self.review.page, self.review.selected
        start, roi = page.frame, self.canvas.rois[selected]
        if not len(roi.points):
            raise OutlineRefused(f"{named(roi)} has no outline on frame {start + 1}: outline it there first")
        self._of = (page, selected)
        self.samples, self.rois = {}, {}
        self._keep(start, frames[start], roi)
        yield start
        for stretch in (range(start + 1, len(frames)), range(start - 1, -1, -1)):
            before, now = frames[start], roi
            for index in stretch:
                now = carry(before, frames[index], now)
                before = frames[index]
                self._keep(index, before, now)
                yield index

    def _frames(self) -> tuple[Frame, ...]:
        shown = self.canvas.shown_frame()
        frames: tuple[Frame, ...] = self.canvas.image.data.frames
        scale = shown.calibration
        if scale is None:
            return frames
        return tuple(f if f.calibration is not None else f.with_calibration(scale) for f in frames)

    def _keep(self, index: int, frame: Frame, roi: Roi) -> None:
        self.rois[index] = roi
        self.samples[index] = sample(index, frame, roi, self.review.desk.definitions)
        self._tell()

    # Marking

    def mark(self, state: str) -> str:
        """Keep the outline of the frame on the slider as the end of a breath's phase; it counts at once."""
        roi, at = self._roi_here(), self.at
        page, frame = self.review.page, self._frames()[at]
        brief = self.review.briefs_on(self.review.at)[self.review.selected]
        desk: Any = self.review.desk
        breath = desk.marks.next_breath(page, brief.target, state, at)
        self.review.anew(
            f"mark {WORDS[state]} of breath {breath} for {named(roi)}",
            lambda author: desk.marks.mark(author, page, brief.target, at, frame, roi, state, breath),
        )
        self._tell()
        found = sample(at, frame, roi, desk.definitions)
        size = "" if math.isnan(found.size) else f": {found.size:.1f} {found.unit}"
        return f"Breath {breath}, {WORDS[state]} at frame {at + 1}{size}"

    def use_frame(self) -> str:
        """Measure the frame on the slider in the place of the page's own."""
        page, at = self.review.page, self.at
        if at == page.frame:
            raise OutlineRefused("this is the frame that is measured: move to another one first (, and .)")
        roi, frame = self._roi_here(), self._frames()[at]
        brief = self.review.briefs_on(self.review.at)[self.review.selected]
        desk: Any = self.review.desk
        old = Held(brief.target, self.canvas.rois[self.review.selected], Status.REJECTED, ANOTHER_FRAME)

        def write(author: str) -> list[str]:
            lines: list[str] = desk.marks.mark(author, page, brief.target, at, frame, roi, None, None)
            return [*lines, desk.write(author, "reject", page, old)]

        self.review.anew(f"choose frame {at + 1} for {named(roi)}", write)
        return f"Frame {at + 1} is measured now"

    def _roi_here(self) -> Roi:
        """The outline on the frame of the slider: the page's own, or carried there."""
        own = self.canvas.rois[self.review.selected]
        if self.at == self.review.page.frame:
            roi = own
        elif self._is_current and self.at in self.rois:
            roi = self.rois[self.at]
        else:
            raise OutlineRefused("carry the outline along the clip first (J): this frame has none yet")
        if not len(roi.points):
            raise OutlineRefused(f"{named(roi)} has no outline here: outline it first (O)")
        method = f"carried along by {self.review.author}"
        return replace(roi, flags=(), confidence=1.0, alternatives=(), method=method)

    @property
    def _is_current(self) -> bool:
        return self._of is not None and self._of == (self.review.page, self.review.selected)

    # Showing

    def _guides(self, index: int) -> list[Guide]:
        """The carried outline on a frame that is not the page's."""
        roi = self.rois.get(index) if self._is_current else None
        if roi is None:
            return []
        colour = colour_of(roi.structure)
        lines = [] if roi.line is None else [Guide(roi.line, colour, closed=False)]
        return [Guide(polygon, colour) for polygon in roi.polygons] + lines

    def _on_step(self, event: Any = None) -> None:
        self._tell()

    def _on_review(self) -> None:
        if self._of is not None and self._of[0] != self.review.page:
            self._of, self.samples, self.rois = None, {}, {}
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def sample(index: int, frame: Frame, roi: Roi, definitions: anatomy.Protocol) -> Sample:
    """Thickness or area, and echo intensity, of an outline on a frame; NaN for what cannot be had."""
    try:
        row = usimg.measure(frame, [roi], protocol=definitions).iloc[0]
    except UsimgError:
        return Sample(index, math.nan, "mm", math.nan)
    columns = (("thickness_mm", "mm"), ("thickness_px", "px"), ("csa_mm2", "mm²"), ("csa_px2", "px²"))
    for column, unit in columns:
        value = float(row[column])
        if not math.isnan(value):
            return Sample(index, value, unit, float(row["echo_intensity"]))
    return Sample(index, math.nan, "mm", float(row["echo_intensity"]))
