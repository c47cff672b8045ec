"""The one place that draws an outline on a picture: for the report, the README and any still.

A :class:`Crop` is the part of a frame that is shown, with everything outside the scan area blackened
(text there may name the patient) and pixels made square. Outlines are laid over it either as vector
paths (pages: sharp at any zoom, can be hidden) or painted into the pixels (`paint`). Both take the
full frame's (row, col) px, pixel centres at integers.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from usimg.vision import cv2

FloatArray = NDArray[np.float64]
GreyArray = NDArray[np.uint8]

# Okabe and Ito's colours, told apart by colour-blind people; black is left out, it does not show on tissue.
COLOURS = {
    "muscle": "#56B4E9",
    "combined": "#CC79A7",
    "nerve": "#F0E442",
    "vessel": "#D55E00",
    "fat": "#E69F00",
    "bone": "#009E73",
}
# A caliper line, and whatever has no kind.
OTHER = "#F2F2F2"

# Half a tenth of a pixel is below what is drawn at any zoom, and cuts a layer's outline to a twentieth.
SIMPLIFY_PX = 0.05
# Pixels are called square when height and width differ by less; a picture is then not resampled.
SQUARE = 0.01
# The longest side of a picture in a page: as wide as a column of the contact sheet is at most.
PAGE_SIDE_PX = 640
# Bytes of a page's picture: 200 pictures, as text (4/3), stay under 15 MB with their outlines.
PAGE_BYTES = 48_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Shape:
    """What to draw of one Roi.

    Attributes
    ----------
    polygons : tuple of (N, 2) arrays
        (row, col) px of the full frame.
    line : (2, 2) array or None
        A caliper.
    echo_region : tuple of (N, 2) arrays
        The part that the protocol takes grey levels from, where that is not the whole outline; pages
        draw it dashed.
    colour : str
        ``#RRGGBB``.
    """

    polygons: tuple[FloatArray, ...] = ()
    line: FloatArray | None = None
    echo_region: tuple[FloatArray, ...] = ()
    colour: str = OTHER

    @property
    def chains(self) -> tuple[tuple[FloatArray, bool], ...]:
        """Everything to draw, and whether it closes."""
        closed = tuple((polygon, True) for polygon in self.polygons)
        return closed if self.line is None else (*closed, (self.line, False))


@dataclass(frozen=True, eq=False, kw_only=True)
class Crop:
    """The part of a frame that is shown.

    Attributes
    ----------
    grey : (height, width) uint8 array
        Pixels square; black outside the scan area.
    box : tuple of int
        (r0, c0, r1, c1) of the full frame, half-open, that ``grey`` shows.
    spacing : tuple of float or None
        (row_mm, col_mm) of the frame.
    """

    grey: GreyArray
    box: tuple[int, int, int, int]
    spacing: tuple[float, float] | None = None

    def xy(self, points: FloatArray) -> FloatArray:
        """(row, col) px of the full frame -> (x, y) px of the crop, (N, 2); centres at integers in both."""
        r0, c0, r1, c1 = self.box
        height, width = self.grey.shape
        x = (points[:, 1] - c0 + 0.5) * (width / (c1 - c0)) - 0.5
        y = (points[:, 0] - r0 + 0.5) * (height / (r1 - r0)) - 0.5
        return np.stack([x, y], axis=1)

    @property
    def width_mm(self) -> float | None:
        """Width of what is shown, None without a scale."""
        return None if self.spacing is None else (self.box[3] - self.box[1]) * self.spacing[1]

    @property
    def scale_bar_mm(self) -> float | None:
        """Length of the scale bar: 10 mm, or 5 or 1 mm where 10 would fill over half of the picture."""
        if self.width_mm is None:
            return None
        return next((bar for bar in (10.0, 5.0, 1.0) if bar <= 0.5 * self.width_mm), None)


def crop(
    grey: GreyArray,
    scan_area: NDArray[np.bool_],
    *,
    within: tuple[int, int, int, int] | None = None,
    shapes: Sequence[Shape] = (),
    spacing: tuple[float, float] | None = None,
    longest_side: int | None = None,
    enlarge: bool = False,
) -> Crop | None:
    """Cut a frame to its scan area and black out the rest.

    Parameters
    ----------
    grey : (rows, cols) uint8 array
    scan_area : (rows, cols) bool array
        Where tissue is shown.
    within : tuple of int, optional
        (r0, c0, r1, c1): the region that was measured, where a frame holds several.
    shapes : sequence of Shape
        The cut never loses an outline, even one that leaves the scan area.
    spacing : tuple of float, optional
        (row_mm, col_mm); unequal ones are evened out.
    longest_side : int, optional
        Shrink (or with ``enlarge`` also enlarge) to this many px.

    Returns
    -------
    Crop or None
        None without a scan area: a picture that cannot be masked is not shown.
    """
    area = scan_area
    if within is not None:
        r0, c0, r1, c1 = within
        area = np.zeros_like(scan_area)
        area[r0:r1, c0:c1] = scan_area[r0:r1, c0:c1]
    if not area.any():
        return None
    box = _box(area, shapes)
    r0, c0, r1, c1 = box
    masked = np.where(area[r0:r1, c0:c1], grey[r0:r1, c0:c1], np.uint8(0))
    return Crop(grey=_resized(masked, spacing, longest_side, enlarge=enlarge), box=box, spacing=spacing)


def colour_of(kind: str) -> str:
    """Colour of a kind of structure in the anatomy list."""
    return COLOURS.get(kind, OTHER)


def svg_path(shape: Shape) -> str:
    """``d`` of an SVG path in the frame's own px, (x, y) = (col, row), pixel centres at integers.

    >>> svg_path(Shape(polygons=(np.array([[0.0, 0.0], [0.0, 10.0], [5.25, 10.0]]),)))
    'M0,0L10,0 10,5.25Z'
    """
    commands = []
    for points, closed in shape.chains:
        drawn = _simplified(points, closed=closed)
        first, *rest = [f"{_short(col)},{_short(row)}" for row, col in drawn]
        commands.append(f"M{first}L{' '.join(rest)}" + ("Z" if closed else ""))
    return "".join(commands)


def view_box(shown: Crop) -> str:
    """``viewBox`` that lays `svg_path` over the crop: pixel corners lie half a px from the centres."""
    r0, c0, r1, c1 = shown.box
    return f"{c0 - 0.5:g} {r0 - 0.5:g} {c1 - c0} {r1 - r0}"


def paint(shown: Crop, shapes: Sequence[Shape], *, width: int = 2, scale_bar: bool = True) -> GreyArray:
    """The crop with outlines painted into it.

    Parameters
    ----------
    width : int
        Width of the outlines in px of the crop; a dark rim on each side keeps them visible on bright tissue.
    scale_bar : bool
        Draw 10 mm (5 or 1 in a small picture) at the lower left, where there is a scale.

    Returns
    -------
    (height, width, 3) uint8 array
        RGB, anti-aliased, vertices placed to 1/16 px.
    """
    canvas = np.repeat(shown.grey[:, :, None], 3, axis=2)
    for rim in (True, False):
        for shape in shapes:
            colour = (16, 16, 16) if rim else _rgb(shape.colour)
            for points, closed in shape.chains:
                _polyline(canvas, shown.xy(points), closed, colour, width + 2 if rim else width)
    bar = shown.scale_bar_mm
    if scale_bar and bar is not None and shown.width_mm is not None:
        height, across = shown.grey.shape
        length = bar / shown.width_mm * across
        margin = max(6.0, 0.02 * across)
        y = height - margin
        ends = np.array([[margin, y], [margin + length, y]])
        for rim in (True, False):
            colour = (16, 16, 16) if rim else (255, 255, 255)
            _polyline(canvas, ends, False, colour, width + 3 if rim else width + 1)
    return canvas


def data_uri(shown: Crop) -> str:
    """The crop as a WebP data URI of at most `PAGE_BYTES` before its encoding as text.

    Speckle is noise to a compressor: quality falls step by step until the picture fits, then size.
    """
    image = Image.fromarray(shown.grey)
    while True:
        for quality in (82, 70, 55, 40):
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=quality, method=2)
            if buffer.tell() <= PAGE_BYTES:
                return "data:image/webp;base64," + b64encode(buffer.getvalue()).decode("ascii")
        image = image.resize(
            (max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)), Image.Resampling.BOX
        )


def _box(area: NDArray[np.bool_], shapes: Sequence[Shape]) -> tuple[int, int, int, int]:
    rows, cols = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    low = np.array([rows[0], cols[0]], dtype=np.float64)
    high = np.array([rows[-1], cols[-1]], dtype=np.float64)
    for points, _ in (chain for shape in shapes for chain in shape.chains):
        low, high = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
    r0, c0 = np.maximum(np.floor(low), 0).astype(int)
    r1, c1 = np.minimum(np.ceil(high) + 1, area.shape).astype(int)
    return int(r0), int(c0), int(r1), int(c1)


def _resized(
    grey: GreyArray, spacing: tuple[float, float] | None, longest_side: int | None, *, enlarge: bool
) -> GreyArray:
    height, width = grey.shape
    across, down = float(width), float(height)
    if spacing is not None and abs(spacing[0] / spacing[1] - 1.0) > SQUARE:
        finest = min(spacing)
        across, down = width * spacing[1] / finest, height * spacing[0] / finest
    if longest_side is not None:
        factor = longest_side / max(across, down)
        if factor < 1.0 or enlarge:
            across, down = across * factor, down * factor
    size = (max(1, round(across)), max(1, round(down)))
    if size == (width, height):
        return np.ascontiguousarray(grey)
    shrinks = size[0] * size[1] < width * height
    method: Any = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized: GreyArray = cv2.resize(np.ascontiguousarray(grey), size, interpolation=method)
    return resized


def _simplified(points: FloatArray, *, closed: bool) -> FloatArray:
    """Vertices (M, 2) of a line within `SIMPLIFY_PX` of the given one (Douglas-Peucker)."""
    if len(points) < 4:
        return points
    kept: FloatArray = cv2.approxPolyDP(points.astype(np.float32)[:, None, :], SIMPLIFY_PX, closed)[:, 0, :]
    return kept.astype(np.float64) if len(kept) >= 3 else points


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _polyline(
    canvas: GreyArray, xy: FloatArray, closed: bool, colour: tuple[int, int, int], width: int
) -> None:
    """Draw in place, coordinates to 1/16 px (OpenCV's ``shift``)."""
    fixed = np.rint(xy * 16).astype(np.int32)[:, None, :]
    cv2.polylines(canvas, [fixed], closed, colour, width, cv2.LINE_AA, 4)
