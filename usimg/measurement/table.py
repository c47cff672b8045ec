"""`measure`: one row of numbers for each outline of a frame, and a reason for each that is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from usimg import anatomy
from usimg.anatomy import Protocol, Structure
from usimg.errors import CalibrationRefused, OutlineRefused
from usimg.measurement import field as edges
from usimg.measurement.columns import BLANK, as_table
from usimg.measurement.echo_roi import echo_region
from usimg.measurement.geometry import area, clip_to_frame, leaves_frame, length, perimeter, roundness
from usimg.measurement.grey import Grey, grey_levels
from usimg.measurement.raster import overlap_each_other
from usimg.measurement.thickness import edges_of, is_folded, is_open, thickness, thicknesses
from usimg.roi import Roi
from usimg.scan import Calibration, Frame

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

# The contour of a layer between two edges, and of one that was closed at its ends.
FOLLOWED, CLOSED = "inner_edges", "inner_edges_closed"
# An outline that winds about more of its area than this twice or backwards has no area worth the name.
_MOST_DOUBTFUL = 0.01
# An outline that loses more of its area than this at the picture's border is not all there.
_MOST_CLIPPED = 0.005
# Where flags are raised; chosen here, none of them changes a number.
_SATURATED = 0.01  # share of pixels at 255
_FEW_PIXELS = 50
_LOW_CONTRAST = 10  # grey levels from the 5th to the 95th percentile


@dataclass
class _Item:
    """One outline on its way into a row."""

    roi: Roi
    structure: Structure
    row: dict[str, Any]
    polygons: list[FloatArray]
    calibration: Calibration | None = None
    no_scale: str = ""
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    layer: tuple[FloatArray, FloatArray] | None = None
    echo: tuple[FloatArray, ...] = ()
    reasons: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was drawn."""
        return not len(self.roi.points) and self.roi.upper is None


def measure(frame: Frame, rois: Sequence[Roi], *, protocol: Protocol | None = None) -> pd.DataFrame:
    """Thickness, area and echo intensity of each outline.

    Parameters
    ----------
    frame : Frame
        Its own scale counts, or that of the region that holds the outline.
    rois : sequence of Roi
        Anyone's outlines and caliper lines; their structure is a name of the anatomy list.
    protocol : Protocol, optional
        A laboratory's definitions of thickness and of the region for echo intensity; else the list's.

    Returns
    -------
    DataFrame
        One row for each Roi, in order; columns and dtypes as in `usimg.measurement.COLUMNS`, for an empty
        list too. A number that cannot be had is NaN, and ``reason`` says why; without a scale that is
        every one in mm. ``flags`` are reasons to look again, joined by ``"; "``.

    Raises
    ------
    AnatomyUnknown
        A structure that the list does not hold.
    PixelsRefused
        The frame cannot be decoded.

    Examples
    --------
    >>> import usimg
    >>> frame = usimg.read("scan.dcm").frames[0]                       # doctest: +SKIP
    >>> usimg.measure(frame, usimg.segment(frame, "biceps_brachii"))   # doctest: +SKIP
    """
    return as_table(measured_rows(frame, rois, protocol=protocol))


def measured_rows(
    frame: Frame, rois: Sequence[Roi], *, protocol: Protocol | None = None
) -> list[dict[str, Any]]:
    """Rows of `measure` as plain dictionaries: for a moving mouse a table takes longer than measuring."""
    protocol = protocol if protocol is not None else anatomy.generic_protocol()
    picture = frame.picture
    scan_area = picture.scan_area if picture.scan_area.any() else np.ones(frame.shape, dtype=bool)
    known = {name: anatomy.structure(name) for name in {roi.structure for roi in rois}}
    items = [_begin(frame, roi, known[roi.structure]) for roi in rois]
    tops: dict[tuple[int, int, int, int], float] = {}
    for item in items:
        if item.is_empty:
            continue
        _measure_thickness(item, protocol)
        if not item.polygons:
            if item.roi.line is None:
                item.reasons.append("no closed outline, so no area and no grey levels")
            continue
        _measure_area(item, scan_area)
        _find_echo_region(item, protocol)
        if item.box not in tops:
            tops[item.box] = edges.top_row(scan_area, item.box)
        _measure_depth(item, tops[item.box])
    _measure_grey(frame, items, picture.overlays, scan_area)
    return [_finish(item) for item in items]


def _begin(frame: Frame, roi: Roi, structure: Structure) -> _Item:
    evidence = structure.sites.get(roi.site, structure)
    row: dict[str, Any] = BLANK | {
        "structure": structure.name,
        "site": roi.site,
        "side": roi.side,
        "plane": roi.plane,
        "region": roi.region,
        "trace_rule": _traced(roi, structure),
        "definition_verified": evidence.verified,
        "definition_source": evidence.source,
        "method": roi.method,
        "confidence": roi.confidence,
        "validated": roi.validated,
    }
    item = _Item(roi, structure, row, list(roi.polygons), flags=list(roi.flags))
    points = _points(roi)
    if not len(points):
        item.reasons.append(f"nothing was drawn ({'; '.join(roi.flags) or 'no outline, no line'})")
        return item
    region = frame.region_at(points)
    item.box = region.box if region is not None else (0, 0, *frame.shape)
    if roi.region is None and region is not None:
        row["region"] = region.index
    try:
        item.calibration = frame.calibration_at(points)
    except CalibrationRefused as refusal:
        # Tables reach reports; a file's name may be a patient's.
        item.no_scale = str(refusal).removeprefix(f"{frame.name}: ")
        item.reasons.append(f"no length in mm: {item.no_scale}")
    else:
        row |= {
            "row_mm": item.calibration.row_mm,
            "col_mm": item.calibration.col_mm,
            "scale_source": item.calibration.source,
        }
        item.flags += item.calibration.flags
    _clip(item, frame.shape)
    row["n_parts"] = len(item.polygons)
    return item


def _traced(roi: Roi, structure: Structure) -> str:
    """Which contour it is. A layer that somebody closed is another than one between followed edges.

    The first is a section with an area wherever it ends; the second ends where its edges were no longer
    seen. Whoever reads the outline back tells them apart by this rule.
    """
    if not roi.polygons:
        return ""
    closed = structure.trace_rule == FOLLOWED and roi.upper is None
    return roi.trace_rule or (CLOSED if closed else structure.trace_rule)


def _points(roi: Roi) -> FloatArray:
    if len(roi.points) or roi.upper is None or roi.lower is None:
        return roi.points
    return np.concatenate([roi.upper, roi.lower])


def _clip(item: _Item, shape: tuple[int, int]) -> None:
    """Leave out what lies beyond the picture; more than a sliver, and the area is not to be had."""
    if not any(leaves_frame(p, shape) for p in item.polygons):
        return
    drawn = area(item.polygons)
    clipped = [clip_to_frame(p, shape) for p in item.polygons]
    item.polygons = [p for p in clipped if len(p)]
    if not item.polygons:
        item.reasons.append("the outline lies outside the picture")
    elif area(item.polygons) < (1.0 - _MOST_CLIPPED) * drawn:
        item.flags.append("reaches beyond the picture")


def _measure_caliper(item: _Item, line: FloatArray) -> None:
    item.row |= {"thickness_rule": "caliper", "thickness_px": length(line)}
    if item.calibration is not None:
        item.row["thickness_mm"] = length(line, item.calibration.spacing)
    if item.polygons:
        item.reasons.append("no thickness by other rules: a caliper line was drawn")
    else:
        item.reasons.append("a caliper line gives a thickness only")


def _measure_thickness(item: _Item, protocol: Protocol) -> None:
    """The primary thickness and every other, in mm where there is a scale; a caliper's where one is drawn."""
    if item.roi.line is not None:
        _measure_caliper(item, item.roi.line)
        if item.polygons and item.structure.outline == "layer":
            with suppress(OutlineRefused):
                item.layer = _layer(item)  # whether it is cut or open does not depend on a caliper
        return
    definition = protocol.thickness_of(item.structure, item.roi.site)
    if definition is None:
        item.reasons.append(f"no thickness: a {item.structure.kind} is not measured by it")
        return
    item.row["thickness_rule"] = definition.rule
    if definition is not item.structure.thickness_at(item.roi.site):
        item.row |= {"definition_verified": definition.verified, "definition_source": definition.source}
    spacing = item.calibration.spacing if item.calibration is not None else (1.0, 1.0)
    try:
        item.layer = _layer(item)
        every = thicknesses(*item.layer, spacing)
    except OutlineRefused as refusal:
        item.reasons.append(f"no thickness: {refusal}")
        return
    if item.calibration is not None:
        item.row |= {f"thickness_{rule}_mm": value for rule, value in every.items()}
        item.row["thickness_mm"] = every[definition.rule]
    # What stands upright on a layer in mm does not in px where pixels are not square: taken again.
    square = definition.line == "vertical" or spacing[0] == spacing[1]
    in_px = (
        every[definition.rule] / spacing[0] if square else thickness(*item.layer, (1.0, 1.0), definition.rule)
    )
    item.row["thickness_px"] = in_px
    if any(is_folded(edge) for edge in item.layer):
        item.flags.append("an edge runs back over itself")
    if not all(math.isfinite(value) for value in (*every.values(), in_px)):
        item.reasons.append("no perpendicular thickness: the layer is too steep or too short for it")


def _layer(item: _Item) -> tuple[FloatArray, FloatArray]:
    roi = item.roi
    if roi.upper is not None and roi.lower is not None:
        return roi.upper, roi.lower
    if len(item.polygons) > 1:
        raise OutlineRefused(f"it is drawn in {len(item.polygons)} parts")
    if not item.polygons:
        raise OutlineRefused("there is no outline")
    return edges_of(item.polygons[0])


def _measure_area(item: _Item, scan_area: Mask) -> None:
    """Area and perimeter; an outline that is not a whole cross-section has no area."""
    row, polygons = item.row, item.polygons
    in_px2, in_px = area(polygons), perimeter(polygons)
    row["perimeter_px"] = in_px
    if item.calibration is not None:
        row["perimeter_mm"] = perimeter(polygons, item.calibration.spacing)
    refused = _no_cross_section(item, scan_area)
    if refused:
        item.reasons.append(f"no cross-sectional area: {refused}")
        return
    row["csa_px2"] = in_px2
    if item.calibration is not None:
        row["csa_mm2"] = in_px2 * item.calibration.row_mm * item.calibration.col_mm
        row["roundness"] = roundness(row["csa_mm2"], row["perimeter_mm"])


def _no_cross_section(item: _Item, scan_area: Mask) -> str:
    if item.roi.plane == "longitudinal":
        return "a longitudinal picture shows none"
    if "reaches beyond the picture" in item.flags:
        return "the outline reaches beyond the picture"
    if item.structure.outline == "layer":
        refused = _open_layer(item, scan_area)
        if refused:
            return refused
    if overlap_each_other(item.polygons, (scan_area.shape[0], scan_area.shape[1])):
        return "its parts overlap"
    return ""


def _open_layer(item: _Item, scan_area: Mask) -> str:
    """Why a layer's outline is no whole cross-section; a closed drawing is one, away from the borders."""
    if item.layer is None:
        return ""
    if edges.is_cut(*item.layer, scan_area, item.box):
        return "the layer is cut by the edge of the field"
    # Between edges that were followed as far as they were seen, the ends are no border of the muscle.
    followed = item.roi.upper is not None or item.roi.trace_rule == FOLLOWED
    if followed and is_open(*item.layer):
        return "the layer is open at its ends, where its edges were no longer seen"
    return ""


def _find_echo_region(item: _Item, protocol: Protocol) -> None:
    region = protocol.echo_roi_of(item.structure, item.roi.site)
    item.row["echo_rule"] = region.rule
    if item.structure.kind == "combined":
        item.row["echo_rule"] = ""
        item.reasons.append(
            "no echo intensity by protocol: fascia lies between its parts; measure them apart"
        )
        return
    spacing = item.calibration.spacing if item.calibration is not None else None
    if region.margin_mm > 0.0 and spacing is None:
        item.reasons.append(
            f"no echo intensity by protocol: its region keeps {region.margin_mm:g} mm from the fascia,"
            " which needs a scale"
        )
        return
    try:
        item.echo = echo_region(item.polygons, region, spacing, edges=item.layer)
    except OutlineRefused as refusal:
        item.reasons.append(f"no echo intensity by protocol: {refusal}")
        return
    if not item.echo:
        item.reasons.append("no echo intensity by protocol: the structure is thinner than its margin allows")


def _measure_depth(item: _Item, top: float) -> None:
    if item.calibration is None:
        return
    rows = np.concatenate(item.polygons)[:, 0]
    item.row["depth_min_mm"] = max(0.0, rows.min() - top) * item.calibration.row_mm
    item.row["depth_max_mm"] = max(0.0, rows.max() - top) * item.calibration.row_mm


def _measure_grey(frame: Frame, items: list[_Item], overlays: Mask, scan_area: Mask) -> None:
    drawn = [item for item in items if item.polygons]
    if not drawn:
        return
    gray = frame.gray
    whole = grey_levels(gray, [i.polygons for i in drawn], overlays=overlays, scan_area=scan_area)
    # A region that is the whole outline has its numbers already.
    apart = [i for i in drawn if i.echo and i.row["echo_rule"] != "whole_outline"]
    part = grey_levels(gray, [i.echo for i in apart], overlays=overlays)
    number = {id(item): n for n, item in enumerate(apart)}
    outlines = [np.concatenate(i.polygons) for i in drawn]
    on_border = edges.touching(outlines, scan_area)
    for n, item in enumerate(drawn):
        _write_grey(item, whole, n)
        if item.echo:
            _write_protocol(item, *((part, number[id(item)]) if id(item) in number else (whole, n)))
        _refuse_area_that_crosses_itself(item, float(whole.doubtful[n]))
        if item.structure.outline != "layer" and (on_border[n] or whole.outside_fraction[n] > 0.0):
            item.flags.append("touches the edge of the field")
        if edges.touches_bottom(outlines[n], scan_area):
            item.flags.append("picture too shallow")


def _write_grey(item: _Item, grey: Grey, n: int) -> None:
    row = item.row
    count = int(grey.pixel_count[n])
    row["pixel_count"] = count
    row["overlay_fraction"] = grey.overlay_fraction[n]
    if not count:
        covered = grey.overlay_fraction[n] == 1.0
        item.reasons.append(
            "no echo intensity: "
            + ("the whole outline is drawn over" if covered else "no pixel centre lies inside the outline")
        )
        return
    mean, sd = float(grey.mean[n]), float(grey.sd[n])
    row |= {
        "echo_intensity": mean,
        "echo_intensity_sd": sd,
        "echo_intensity_median": grey.percentiles[50][n],
        **{f"echo_intensity_p{p}": grey.percentiles[p][n] for p in (5, 25, 75, 95)},
        "echovariation": sd / mean if mean > 0.0 else math.nan,
        "black_fraction": grey.black_fraction[n],
        "saturated_fraction": grey.saturated_fraction[n],
    }
    if count == 1:
        item.reasons.append("no spread of grey levels: one pixel")
    if mean == 0.0:
        item.reasons.append("no echovariation: the outline is black")
    if row["saturated_fraction"] > _SATURATED:
        item.flags.append("saturated")
    if row["overlay_fraction"] > 0.0:
        item.flags.append("overlay in the outline")
    if row["echo_intensity_p95"] - row["echo_intensity_p5"] < _LOW_CONTRAST:
        item.flags.append("low contrast")
    if count < _FEW_PIXELS:
        item.flags.append("few pixels")


def _write_protocol(item: _Item, grey: Grey, n: int) -> None:
    item.row |= {
        "echo_intensity_protocol": grey.mean[n],
        "echo_intensity_protocol_sd": grey.sd[n],
        "echo_pixel_count": int(grey.pixel_count[n]),
    }
    if grey.pixel_count[n] < 2:
        item.reasons.append(f"echo intensity by protocol: {int(grey.pixel_count[n])} pixels in its region")


def _refuse_area_that_crosses_itself(item: _Item, doubtful: float) -> None:
    if doubtful > 0.0:
        item.flags.append("the outline crosses itself")
    if doubtful > _MOST_DOUBTFUL:
        item.row |= {"csa_mm2": math.nan, "csa_px2": math.nan, "roundness": math.nan}
        item.reasons.append("no cross-sectional area: the outline crosses itself; redraw it")


def _finish(item: _Item) -> dict[str, Any]:
    # whoever splits the flags again finds as many as there were
    item.row["flags"] = "; ".join(flag.replace("; ", ", ") for flag in dict.fromkeys(item.flags))
    item.row["reason"] = "; ".join(dict.fromkeys(item.reasons))
    return item.row
