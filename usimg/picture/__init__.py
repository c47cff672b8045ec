"""What one frame shows: kind of picture, where tissue is, what is drawn over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usimg.picture.overlays import coloured
from usimg.picture.scan_area import find_scan_area
from usimg.scan import Kind, Picture

if TYPE_CHECKING:
    from usimg.scan import Frame


def describe(frame: Frame) -> Picture:
    """Kind of picture, scan area and overlays of one frame.

    Returns
    -------
    Picture
        Both masks (rows, cols) bool, read-only.
    """
    pixels = frame.pixels
    area = find_scan_area(pixels.gray, tuple(region.box for region in frame.tissue_regions))
    overlays = coloured(pixels.rgb, frame.shape)
    area.setflags(write=False)
    overlays.setflags(write=False)
    return Picture(Kind("b_mode"), area, overlays)
