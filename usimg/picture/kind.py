"""What kind of picture a frame is, with the evidence.

Tags come first: a region table says what each rectangle shows (PS3.3 C.8.5.5), Image Type what the whole is
(C.8.5.6.1.1; makers differ, so it only adds caution). Then pixels: colour with a body, panes, an arch, a page
of writing. An M-mode trace that fills the frame looks like level layers, and without tags counts as such.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usimg.picture.colour import Tint
from usimg.picture.scan_area import Box, is_written, large_parts
from usimg.scan import Kind, Region
from usimg.vision import cv2

BoolArray = NDArray[np.bool_]
UInt8 = NDArray[np.uint8]

# Kind and whether it is outlined and measured without a person.
KINDS = {
    "b_mode": True,
    "panoramic": True,
    "split": True,
    "colour_doppler": False,
    "elastography": False,
    "m_mode": False,
    "spectral_doppler": False,
    "report_page": False,
    "other": False,
}
# Painted flow has bodies, marks and calipers have strokes: what an opening of this size leaves is flow.
_BODY_PX = 7
# Chosen here: the real colour pictures have 2 % and more of the field in colour, others under 0.1 %.
_FLOW_SHARE = 0.004
# Elastograms fill their box, with the whole rainbow; flow fills vessels (an oval fills pi/4 of its box), with
# the two ends of it (chosen here on the simulated ones and the real flow).
_BOX_FILL, _BOX_SHARE = 0.88, 0.02
_GREENS, _GREEN_SHARE = (35, 85), 0.1  # OpenCV's hues, 0..179
# Grey maps of makers make up to 16 levels of difference (reference 4.1); from here on it is a colour map.
_MAPPED = 20
_TIMELINES = {"m_mode": "m_mode", "spectral": "spectral_doppler"}
# Image Type, value 4 (PS3.3 C.8.5.6.1.1): bits of what was acquired.
_BIT_2D, _BIT_M, _BIT_CW, _BIT_PW, _BIT_COLOUR_M = 0x1, 0x2, 0x4, 0x8, 0x20
# The hollow under an arch, as a share of its height: 6 % and more on the 17 real sweeps, under 5 % elsewhere.
_ARCH = 0.05
# Linear muscle and nerve probes are up to 65 mm wide (reference, users_and_peers); twice as wide is a sweep.
_SWEPT_MM, _LEVEL_TOP = 90.0, 0.8
# Pictures side by side are of one size, about; the picture over a trace may be much smaller than it, and a
# spectrum falls into parts (chosen here on the simulated ones; no real B-mode picture here has such a strip).
_PANE_SHARE, _STACKED_SHARE, _SCRAP_SHARE, _SAME_WIDTH = 0.3, 0.1, 0.03, 0.1
# A spectrum is mostly black, depth over time is not.
_BLACK, _BLACK_SHARE = 8, 0.3


def find_kind(
    gray: UInt8,
    rgb: UInt8 | None,
    area: BoolArray,
    coloured: BoolArray,
    *,
    regions: tuple[Region, ...] = (),
    image_type: tuple[str, ...] = (),
    col_mm: float | None = None,
    tint: Tint | None = None,
) -> Kind:
    """Kind of picture, from tags and pixels.

    Parameters
    ----------
    gray : (rows, cols) uint8 array
    rgb : (rows, cols, 3) uint8 array or None
    area, coloured : (rows, cols) bool arrays
        Scan area, and what is in colour.
    regions : tuple of Region
    image_type : tuple of str
        DICOM Image Type.
    col_mm : float or None
        Millimetres per column where known: a sweep is wider than any probe.
    tint : Tint or None
    """
    found = (
        _of_tags(regions, image_type)
        or _of_nothing(gray, area)
        or _of_colour(rgb, area, coloured)
        or _of_panes(gray, regions)
        or _of_sweep(area, col_mm)
        or ("b_mode", f"field of {100 * area.mean():.0f} % of the frame")
    )
    name, why = found
    evidence = tuple(f"region {r.index}: {r.kind}, {r.content}" for r in regions if r.kind != "none")
    # of panes that the file does not state nobody can say which is which
    automatic = KINDS[name] and (name != "split" or len(_tissue(regions)) > 1)
    flags: tuple[str, ...] = ()
    if automatic and tint is not None and tint.strength > _MAPPED:
        map_ = f"a colour map tints the picture (channels differ by up to {tint.strength})"
        flags = (f"{map_}: grey is its luminance",)
    return Kind(name, (*evidence, why), automatic, flags)


def _tissue(regions: tuple[Region, ...]) -> list[Region]:
    return [r for r in regions if r.is_tissue]


def _of_nothing(gray: UInt8, area: BoolArray) -> tuple[str, str] | None:
    if area.any():
        return None
    if is_written(gray):
        return "report_page", "writing, and no field of tissue"
    return "other", "no field of tissue seen"


def _of_tags(regions: tuple[Region, ...], image_type: tuple[str, ...]) -> tuple[str, str] | None:
    shown = [r for r in regions if r.area_px]
    for region in shown:
        if region.kind in _TIMELINES:
            beside = ", beside a B-mode picture" if any(r.is_tissue for r in shown) else ""
            return _TIMELINES[region.kind], f"region {region.index} runs over time{beside}"
    if any(r.content == "colour_flow" and r.is_tissue for r in shown):
        return "colour_doppler", "the file states a colour flow region"
    try:
        bits = int(image_type[3], 16)
    except (IndexError, ValueError):
        return None
    said = f"Image Type {image_type[3]}"
    if bits & (_BIT_M | _BIT_COLOUR_M):
        return "m_mode", f"{said} says M-mode"
    if bits & (_BIT_CW | _BIT_PW):
        return "spectral_doppler", f"{said} says spectral Doppler"
    return None


def _of_colour(rgb: UInt8 | None, area: BoolArray, coloured: BoolArray) -> tuple[str, str] | None:
    body = cv2.morphologyEx(
        (coloured & area).astype(np.uint8), cv2.MORPH_OPEN, np.ones((_BODY_PX, _BODY_PX), np.uint8)
    )
    field = int(area.sum())
    share = float(body.sum()) / field
    if share <= _FLOW_SHARE or rgb is None:
        return None
    said = f"{100 * share:.1f} % of the field is in colour"
    contours, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea)
    (_, (width, height), _), size = cv2.minAreaRect(largest), cv2.contourArea(largest)
    if size >= _BOX_FILL * width * height and size >= _BOX_SHARE * field:
        hue, saturation, _ = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
        painted = body.astype(bool) & (saturation > 64)
        greens = (hue >= _GREENS[0]) & (hue <= _GREENS[1])
        if greens[painted].mean() >= _GREEN_SHARE:
            return "elastography", f"{said}: a filled box with the colours of a rainbow"
    return "colour_doppler", said


def _of_panes(gray: UInt8, regions: tuple[Region, ...]) -> tuple[str, str] | None:
    stated = _tissue(regions)
    apart = [r for r in stated if not any(_overlap(r.box, other.box) for other in stated if other is not r)]
    if len(apart) > 1:
        return "split", f"{len(apart)} regions of tissue side by side"
    if stated:
        return None
    (largest, _), *others = large_parts(gray, _SCRAP_SHARE) or [((0, 0, 0, 0), 0.0)]
    for other, share in others:
        rows = min(largest[2], other[2]) - max(largest[0], other[0])
        apart_cols = min(largest[3], other[3]) <= max(largest[1], other[1])
        if share > _PANE_SHARE and apart_cols and rows > 0.5 * (other[2] - other[0]):
            return "split", "two pictures side by side that the file does not state"
    upper = min([largest, *(other for other, share in others if share > _STACKED_SHARE)])
    below = [box for box in (largest, *(other for other, _ in others)) if box[0] >= upper[2]]
    if not below:
        return None
    left, right = min(box[1] for box in below), max(box[3] for box in below)
    if right - left <= (1.0 + _SAME_WIDTH) * (upper[3] - upper[1]):
        return None
    strip = gray[min(box[0] for box in below) : max(box[2] for box in below), left:right]
    name = "spectral_doppler" if np.mean(strip < _BLACK) > _BLACK_SHARE else "m_mode"
    return name, "a strip wider than the picture lies under it: a trace over time"


def _of_sweep(area: BoolArray, col_mm: float | None) -> tuple[str, str] | None:
    cols = np.flatnonzero(area.any(axis=0))
    rows = np.flatnonzero(area.any(axis=1))
    height, width = int(rows[-1] - rows[0]) + 1, int(cols[-1] - cols[0]) + 1
    lowest = area.shape[0] - 1 - area[::-1][:, cols].argmax(axis=0)
    ends = np.stack([cols, lowest], axis=1).astype(np.int32)
    hull = cv2.convexHull(ends)[:, 0, :]
    left, right = int(np.argmin(hull[:, 0])), int(np.argmax(hull[:, 0]))
    # the hull's lower chain, which runs from the leftmost to the rightmost point below the line between them
    order = np.argsort(hull[:, 0])
    line = np.interp(hull[order, 0], hull[[left, right], 0], hull[[left, right], 1])
    chain = hull[order][hull[order, 1] >= line - 0.5]
    hollow = float(np.max(np.interp(cols, chain[:, 0], chain[:, 1]) - lowest)) / height
    if hollow > _ARCH:
        return (
            "panoramic",
            f"the field is an arch (its lower border is hollow by {100 * hollow:.0f} % of its height)",
        )
    first = area[rows[0] : rows[0] + 3].any(axis=0).sum()
    if col_mm is not None and width * col_mm > _SWEPT_MM and first > _LEVEL_TOP * width:
        return "panoramic", f"a straight field {width * col_mm:.0f} mm wide, wider than probes are"
    return None


def _overlap(one: Box, other: Box) -> bool:
    return min(one[2], other[2]) > max(one[0], other[0]) and min(one[3], other[3]) > max(one[1], other[1])
