"""Region table (DICOM PS3.3 C.8.5.5) and Pixel Spacing to a scale, or a reason why there is none.

A region gives a length when it shows 2D tissue, both its units are cm, and nothing about it is
impossible. Every refusal is a sentence for the person at the screen.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from usimg.readers.tags import BAD_VALUE, numbers, value
from usimg.scan import Calibration, Region, Timeline, choose_calibration

# PS3.3 C.8.5.5.1.2, C.8.5.5.1.3 and C.8.5.5.1.15
_FORMATS = {0: "none", 1: "2d", 2: "m_mode", 3: "spectral", 4: "waveform", 5: "graphics"}
_CONTENTS = {
    0x0: "none",
    0x1: "tissue",
    0x2: "colour_flow",
    0x3: "pw_doppler",
    0x4: "cw_doppler",
    0x5: "doppler_mean_trace",
    0x6: "doppler_mode_trace",
    0x7: "doppler_max_trace",
    0x8: "volume_trace",
    0x9: "volume_rate_trace",
    0xA: "ecg",
    0xB: "pulse",
    0xC: "phonocardiogram",
    0xD: "grey_bar",
    0xE: "colour_bar",
    0xF: "integrated_backscatter",
    0x10: "area_trace",
    0x11: "area_rate_trace",
    0x12: "other",
}
_UNITS = {
    0: "none",
    1: "percent",
    2: "dB",
    3: "cm",
    4: "seconds",
    5: "Hz",
    6: "dB/s",
    7: "cm/s",
    8: "cm2",
    9: "cm2/s",
    10: "cm3",
    11: "cm3/s",
    12: "degrees",
}
_CM, _SECONDS = 3, 4

# Vendors write Max X1 = Columns, one past the last pixel; more is a rescaled or cropped export.
_OVERHANG_PX = 1
# Reference: depth of an ultrasound picture, skin to abdomen; nerve and muscle probes 40..400 px/cm.
_DEPTH_CM = (0.5, 35.0)
_PX_PER_CM = (4.0, 2000.0)
# The most unequal real pixels seen are 1.25 : 1 (HP); chosen here: beyond 3 : 1 one delta is wrong.
_MAX_ANISOTROPY = 3.0
# Pixel Spacing is stored rounded; more than 1 % apart is another picture's (reference 2.4 f).
_SPACING_AGREES = 0.01
_VOUCH = "calibrate by the ruler (usimg review, two points) or give the spacing in mm"


def read_regions(ds: Any, shape: tuple[int, int]) -> tuple[tuple[Region, ...], list[str]]:
    """Regions of a data set, each with its scale or the reason why it has none.

    Parameters
    ----------
    ds : pydicom Dataset
    shape : tuple of int
        (rows, cols) of the frame.

    Returns
    -------
    regions : tuple of Region
    notes : list of str
        Oddities that do not forbid use.
    """
    spacing = pixel_spacing(ds)
    notes: list[str] = []
    regions = []
    for index, item in enumerate(_items(ds)):
        region = _region(item, index, shape)
        if region is None:
            notes.append(f"region {index} has no usable rectangle; left out")
            continue
        if region.declared != region.box and region.calibration is not None:
            notes.append(f"region {index} ends one pixel outside the picture; clipped")
        if region.calibration is not None and spacing is not None:
            region = _compare(region, region.calibration, spacing)
        regions.append(region)
    return tuple(regions), notes


def choose(
    ds: Any, regions: tuple[Region, ...], shape: tuple[int, int]
) -> tuple[Calibration | None, str, list[str]]:
    """The frame's scale, or None with the reason; and notes.

    Pixel Spacing is used, flagged, only where no tissue region states centimetres: a region that was refused
    says that the header belongs to another picture, and so does the Pixel Spacing beside it.
    """
    calibration, reason = choose_calibration(regions)
    if calibration is not None:
        equal = [r for r in regions if r.is_tissue and r.calibration is not None]
        notes = (
            [f"{len(equal)} tissue regions of one scale; the largest is region {calibration.region}"]
            if len(equal) > 1
            else []
        )
        return calibration, "", notes
    if not any(r.is_tissue for r in regions):
        # a tissue region may lie wholly outside the picture: its own reason says more
        reason = next((r.reason for r in regions if r.content == "tissue" and r.kind == "2d"), reason)
    spacing = pixel_spacing(ds)
    if spacing is None or any(_states_cm(item) for item in _items(ds)):
        return None, reason, []
    row_mm, col_mm = spacing
    refused = _absurd(row_mm / 10, col_mm / 10, shape[0], "Pixel Spacing")
    if row_mm == col_mm == 1.0:
        refused = "Pixel Spacing is 1 x 1 mm, a placeholder"
    if refused:
        return None, f"{refused}; {_VOUCH}", []
    flag = "scale from Pixel Spacing, no region states it"
    return (
        Calibration(row_mm, col_mm, "pixel_spacing", detail="Pixel Spacing (0028,0030)", flags=(flag,)),
        "",
        [flag],
    )


def pixel_spacing(ds: Any) -> tuple[float, float] | None:
    """(row_mm, col_mm) of Pixel Spacing (0028,0030), or None.

    Imager Pixel Spacing and Nominal Scanned Pixel Spacing belong to capture devices and are never used.
    """
    given = numbers(ds, "PixelSpacing")
    if given is None or len(given) != 2 or not all(math.isfinite(v) and v > 0 for v in given):
        return None
    return given[0], given[1]


def _region(item: Any, index: int, shape: tuple[int, int]) -> Region | None:
    corners = [numbers(item, f"RegionLocation{name}") for name in ("MinY0", "MinX0", "MaxY1", "MaxX1")]
    if any(corner is None or len(corner) != 1 for corner in corners):
        return None
    r0, c0, r1, c1 = (int(corner[0]) for corner in corners if corner)
    if not (0 <= r0 <= r1 and 0 <= c0 <= c1):
        return None
    declared = (r0, c0, r1 + 1, c1 + 1)
    rows, cols = shape
    top, left = min(r0, rows), min(c0, cols)
    box = (top, left, max(top, min(r1 + 1, rows)), max(left, min(c1 + 1, cols)))
    region = Region(
        index=index,
        kind=_FORMATS.get(_code(item, "RegionSpatialFormat"), "none"),
        content=_CONTENTS.get(_code(item, "RegionDataType"), "other"),
        box=box,
        declared=declared,
    )
    scale, reason = _scale(item, region, shape)
    return replace(region, calibration=scale, reason=reason, timeline=_timeline(item, region))


def _timeline(item: Any, region: Region) -> Timeline | None:
    """Millimetres down and seconds across of an M-mode that lies inside the picture and can be real."""
    units = (_code(item, "PhysicalUnitsYDirection"), _code(item, "PhysicalUnitsXDirection"))
    if region.kind != "m_mode" or units != (_CM, _SECONDS) or region.area_px == 0:
        return None
    sizes = [numbers(item, f"PhysicalDelta{axis}") for axis in "YX"]
    row_cm, col_s = (abs(size[0]) if size else math.nan for size in sizes)
    if not all(math.isfinite(size) and size > 0 for size in (row_cm, col_s)):
        return None
    if _absurd(row_cm, row_cm, region.declared[2] - region.declared[0], f"region {region.index}"):
        return None
    return Timeline(10 * row_cm, col_s)


def _scale(item: Any, region: Region, shape: tuple[int, int]) -> tuple[Calibration | None, str]:
    where = f"region {region.index}"
    if region.kind != "2d" or region.content not in ("tissue", "colour_flow"):
        return None, f"{where} shows {region.content.replace('_', ' ')} ({region.kind}), not 2D tissue"
    unit_y, unit_x = _code(item, "PhysicalUnitsYDirection"), _code(item, "PhysicalUnitsXDirection")
    if unit_y != _CM or unit_x != _CM:
        names = " x ".join(_UNITS.get(unit, f"code {unit}") for unit in (unit_y, unit_x))
        return None, f"{where} is measured in {names}, not in cm; {_VOUCH}"
    deltas = [numbers(item, f"PhysicalDelta{axis}") for axis in "YX"]
    # A negative delta states the direction, which a length does not have.
    row_cm, col_cm = (abs(delta[0]) if delta else math.nan for delta in deltas)
    if not all(math.isfinite(cm) and cm > 0 for cm in (row_cm, col_cm)):
        return None, f"{where} states no size of a pixel (delta 0 or missing); {_VOUCH}"
    outside = max(region.declared[2] - shape[0], region.declared[3] - shape[1])
    if outside > _OVERHANG_PX or region.area_px == 0:
        return None, (
            f"{where} reaches {outside} px outside the picture, so the picture was rescaled or cropped after"
            f" the scale was written; {_VOUCH}"
        )
    refused = _absurd(row_cm, col_cm, region.declared[2] - region.declared[0], where)
    if refused:
        return None, f"{refused}; {_VOUCH}"
    detail = f"US Region Calibration (0018,6011), item {region.index}"
    return Calibration(10 * row_cm, 10 * col_cm, "region", region=region.index, detail=detail), ""


def _absurd(row_cm: float, col_cm: float, rows: int, where: str) -> str:
    """Why these sizes cannot be a picture's, or an empty string."""
    depth = rows * row_cm
    if not _DEPTH_CM[0] <= depth <= _DEPTH_CM[1]:
        return f"{where} would be {depth:.3g} cm deep ({row_cm:.4g} cm a pixel), which cannot be"
    for cm in (row_cm, col_cm):
        if not _PX_PER_CM[0] <= 1 / cm <= _PX_PER_CM[1]:
            return f"{where} would have {1 / cm:.3g} px per cm, which cannot be"
    ratio = max(row_cm / col_cm, col_cm / row_cm)
    if ratio > _MAX_ANISOTROPY:
        return f"{where} has pixels {ratio:.3g} times longer than wide, which cannot be"
    return ""


def _compare(region: Region, scale: Calibration, spacing: tuple[float, float]) -> Region:
    if all(abs(mm / given - 1) <= _SPACING_AGREES for mm, given in zip(scale.spacing, spacing, strict=True)):
        return region
    return replace(
        region,
        calibration=None,
        reason=(
            f"region {region.index} says {scale.row_mm:.4g} x {scale.col_mm:.4g} mm a pixel, Pixel Spacing"
            f" {spacing[0]:.4g} x {spacing[1]:.4g}; {_VOUCH}"
        ),
    )


def _items(ds: Any) -> list[Any]:
    sequence = value(ds, "SequenceOfUltrasoundRegions")
    try:
        return [] if sequence is None else list(sequence)
    except BAD_VALUE:
        return []


def _states_cm(item: Any) -> bool:
    return _CM in (_code(item, "PhysicalUnitsXDirection"), _code(item, "PhysicalUnitsYDirection"))


def _code(item: Any, keyword: str) -> int:
    found = numbers(item, keyword)
    return int(found[0]) if found and math.isfinite(found[0]) else 0
