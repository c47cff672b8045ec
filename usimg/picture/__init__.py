"""What one frame shows: kind of picture, where tissue is, what is drawn over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usimg.picture.kind import find_kind
from usimg.picture.overlays import find_overlays
from usimg.picture.scan_area import find_scan_area
from usimg.scan import Picture

if TYPE_CHECKING:
    from usimg.scan import Frame, Region


def describe(frame: Frame) -> Picture:
    """Kind of picture, scan area and overlays of one frame.

    Returns
    -------
    Picture
        Both masks (rows, cols) bool, read-only.
    """
    pixels = frame.pixels
    area = find_scan_area(pixels.gray, tuple(r.box for r in frame.tissue_regions if _fits(r)))
    coloured, drawn = find_overlays(pixels.gray, pixels.rgb, area)
    kind = find_kind(frame.regions, area, coloured)
    overlays = coloured | drawn
    area.setflags(write=False)
    overlays.setflags(write=False)
    return Picture(kind, area, overlays)


def _fits(region: Region) -> bool:
    """Whether the region was written for a picture of this size: one that reaches outside was not."""
    return region.declared[2] - region.box[2] <= 1 and region.declared[3] - region.box[3] <= 1
