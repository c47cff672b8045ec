"""Pure functions on arrays and polygons to numbers, and the table of one frame."""

from __future__ import annotations

from usimg.measurement.columns import COLUMNS
from usimg.measurement.echo_roi import echo_region
from usimg.measurement.geometry import area, clip_to_frame, perimeter, roundness
from usimg.measurement.grey import grey_levels
from usimg.measurement.table import measure
from usimg.measurement.thickness import edges_of, thickness, thickness_profile, thicknesses

__all__ = [
    "COLUMNS",
    "area",
    "clip_to_frame",
    "echo_region",
    "edges_of",
    "grey_levels",
    "measure",
    "perimeter",
    "roundness",
    "thickness",
    "thickness_profile",
    "thicknesses",
]
