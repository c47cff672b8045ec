"""One picture of a study for a page: masked, with outlines, lines and the calibrated region over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from usimg.anatomy.structures import echo_roi_of_rule
from usimg.errors import OutlineRefused, UsimgError
from usimg.measurement.echo_roi import echo_region
from usimg.measurement.thickness import edges_of, overlap, rows_at, thickness_profile
from usimg.report.drawing import (
    COLOURS,
    OTHER,
    FloatArray,
    Shape,
    colour_of,
    crop,
    data_uri,
    svg_path,
    view_box,
)
from usimg.report.gather import named
from usimg.study.pixels import open_scan
from usimg.study.private import short
from usimg.study.schema import plain, roi_of

if TYPE_CHECKING:
    from usimg.roi import Roi
    from usimg.scan import Frame
    from usimg.study import Study

Row = dict[str, Any]
Box = tuple[int, int, int, int]
# Lines drawn for a thickness that is a mean over the width.
LINES_OF_A_MEAN = 7
GONE = "The file is not where it was when it was measured, or cannot be read any more."
CHANGED = "The file has changed since it was measured."
UNMASKED = "No scan area was found, so text could not be masked: the picture is withheld."


@dataclass(frozen=True)
class Still:
    """A picture ready for a page (the macro ``still`` of still.html.j2), or why there is none.

    Attributes
    ----------
    paths : list of (d, colour, dashed)
        Of SVG, in the frame's own px.
    """

    uri: str = ""
    width: int = 0
    height: int = 0
    view_box: str = ""
    bar_mm: float | None = None
    bar_share: float = 0.0
    paths: list[tuple[str, str, bool]] = field(default_factory=list)
    withheld: str = ""


def still_of(study: Study, rows: Sequence[Row], *, longest_side: int, with_lines: bool) -> Still:
    """The picture that rows of a fold are about, with their outlines.

    Parameters
    ----------
    rows : sequence of dict
        Of one scan and frame.
    longest_side : int
        px.
    with_lines : bool
        Also the lines of the thickness, and the region whose scale was used.
    """
    first = rows[0]
    try:
        scan = open_scan(study, str(first["scan"]))
        if short(scan.id) != short(str(first["scan"])):
            return Still(withheld=CHANGED)
        frame = scan.frames[int(plain(first.get("frame")) or 0)]
        shapes = [shape for row in rows for shape in _shapes(frame, row, with_lines=with_lines)]
        drawn = crop(
            frame.gray,
            frame.scan_area,
            within=_region_box(frame, first),
            shapes=[shape for shape, _ in shapes],
            spacing=_spacing(first),
            longest_side=longest_side,
        )
    except (UsimgError, IndexError):
        return Still(withheld=GONE)
    if drawn is None:
        return Still(withheld=UNMASKED)
    bar, width_mm = drawn.scale_bar_mm, drawn.width_mm
    height, width = drawn.grey.shape
    return Still(
        uri=data_uri(drawn),
        width=width,
        height=height,
        view_box=view_box(drawn),
        bar_mm=bar,
        bar_share=bar / width_mm if bar is not None and width_mm else 0.0,
        paths=[(svg_path(shape), shape.colour, dashed) for shape, dashed in shapes],
    )


def _shapes(frame: Frame, row: Row, *, with_lines: bool) -> list[tuple[Shape, bool]]:
    roi = _roi(row)
    if roi is None:
        return []
    _, kind = named(roi.structure)
    shapes = [(Shape(polygons=roi.polygons, line=roi.line, colour=colour_of(kind)), False)]
    if with_lines:
        shapes += [(Shape(line=line, colour=OTHER), False) for line in thickness_lines(row, roi)]
        echo = echo_region_of(row, roi)
        if echo:
            shapes.append((Shape(polygons=echo, colour=colour_of(kind)), True))
        box = _region_box(frame, row)
        if box is not None:
            r0, c0, r1, c1 = (float(edge) for edge in box)
            corners = np.array([[r0, c0], [r0, c1 - 1], [r1 - 1, c1 - 1], [r1 - 1, c0]])
            shapes.append((Shape(polygons=(corners,), colour=COLOURS["bone"]), True))
    return shapes


def thickness_lines(row: Row, roi: Roi) -> list[FloatArray]:
    """Lines (2, 2) along which a row's thickness was taken, where they are vertical; of a mean, some.

    Perpendicular lines are not drawn: the page names their rule.
    """
    rule = str(plain(row.get("thickness_rule")) or "")
    if not rule.endswith("_vertical") or len(roi.polygons) != 1:
        return []
    try:
        upper, lower = (roi.upper, roi.lower) if roi.upper is not None else edges_of(roi.polygons[0])
        if upper is None or lower is None:
            return []
        first, last = overlap(upper, lower)
        columns, profile = thickness_profile(upper, lower, (1.0, 1.0))
    except OutlineRefused:
        return []
    if rule == "mid_vertical":
        at = np.array([0.5 * (first + last)])
    elif rule == "max_vertical":
        at = columns[[int(np.argmax(profile))]]
    else:
        at = np.linspace(first, last, LINES_OF_A_MEAN + 2)[1:-1]
    top, bottom = rows_at(upper, at), rows_at(lower, at)
    return [np.array([[t, c], [b, c]]) for t, b, c in zip(top, bottom, at, strict=True)]


def echo_region_of(row: Row, roi: Roi) -> tuple[FloatArray, ...]:
    """The region over which a row's echo intensity by protocol was taken, when it is not the whole outline.

    The row's own rule says which: a protocol may have changed since.
    """
    region, spacing = echo_roi_of_rule(str(plain(row.get("echo_rule")) or "")), _spacing(row)
    if region is None or region.is_whole or (region.margin_mm > 0.0 and spacing is None):
        return ()
    edges = None if roi.upper is None or roi.lower is None else (roi.upper, roi.lower)
    try:
        return echo_region(roi.polygons, region, spacing, edges=edges)
    except OutlineRefused:
        return ()


def _roi(row: Row) -> Roi | None:
    try:
        roi = roi_of(row)
    except OutlineRefused:
        return None
    return roi if len(roi.points) else None


def _region_box(frame: Frame, row: Row) -> Box | None:
    roi = _roi(row)
    held = frame.region_at(roi.points) if roi is not None else None
    return None if held is None else held.box


def _spacing(row: Row) -> tuple[float, float] | None:
    row_mm, col_mm = plain(row.get("row_mm")), plain(row.get("col_mm"))
    return None if row_mm is None or col_mm is None else (row_mm, col_mm)
