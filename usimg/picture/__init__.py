"""What one frame shows: kind of picture, where tissue is, what is drawn over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usimg.picture.overlays import coloured
from usimg.picture.scan_area import find_scan_area
from usimg.scan import Kind, Picture

if TYPE_CHECKING:
    from usimg.scan import Frame, Region


def _fits(region: Region) -> bool:
    return region.declared[2] - region.box[2] <= 1 and region.declared[3] - region.box[3] <= 1


def describe(frame: Frame) -> Picture:
    """Kind of picture, scan area and overlays of one frame.

    Returns
    -------
    Picture
        Both masks (rows, cols) bool, read-only.
    """
    pixels = frame.pixels
    # a region that reaches outside belongs to a picture of another size
    boxes = tuple(r.box for r in frame.tissue_regions if _fits(r))
    area = find_scan_area(pixels.gray, boxes)
    overlays = coloured(pixels.rgb, frame.shape)
    area.setflags(write=False)
    overlays.setflags(write=False)
    return Picture(Kind("b_mode"), area, overlays)
