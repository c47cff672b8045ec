"""What one frame shows: kind of picture, where tissue is, what is drawn over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usimg.picture.colour import find_tint
from usimg.picture.kind import KINDS, find_kind
from usimg.picture.overlays import find_overlays
from usimg.picture.scan_area import find_scan_area
from usimg.scan import Picture

if TYPE_CHECKING:
    from usimg.scan import Frame, Region

__all__ = ["KINDS", "describe", "find_kind", "find_overlays", "find_scan_area"]


def describe(frame: Frame) -> Picture:
    """Kind of picture, scan area and overlays of one frame.

    Returns
    -------
    Picture
        Both masks (rows, cols) bool, read-only.
    """
    pixels = frame.pixels
    area = find_scan_area(pixels.gray, tuple(r.box for r in frame.tissue_regions if _fits(r)))
    tint = find_tint(pixels.gray, pixels.rgb, area)
    coloured, drawn = find_overlays(pixels.gray, pixels.rgb, area, tint)
    kind = find_kind(
        pixels.gray,
        pixels.rgb,
        area,
        coloured,
        regions=frame.regions,
        image_type=frame.image_type,
        col_mm=None if frame.calibration is None else frame.calibration.col_mm,
        tint=tint,
    )
    overlays = coloured | drawn
    area.setflags(write=False)
    overlays.setflags(write=False)
    return Picture(kind, area, overlays)


def _fits(region: Region) -> bool:
    """Whether the region was written for a picture of this size: one that reaches outside was not."""
    return region.declared[2] - region.box[2] <= 1 and region.declared[3] - region.box[3] <= 1
