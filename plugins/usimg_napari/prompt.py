"""Drag a box round a structure, or click inside it: the short way to an outline. No Qt."""

from __future__ import annotations

from typing import Any

import numpy as np

import usimg
from usimg import Frame, Roi
from usimg.errors import OutlineRefused

# A drag shorter than this on either side, in px of the scan, is a click.
LEAST_BOX_PX = 6.0


def outline_at(frame: Frame, roi: Roi, corners: Any, *, author: str) -> Roi:
    """``roi`` outlined anew inside a box, or around a click where the box is next to nothing.

    Parameters
    ----------
    frame : Frame
    roi : Roi
        What is to be outlined: structure, site, side and plane are kept.
    corners : (2, 2) array
        (row, col) px where the drag began and ended.
    author : str

    Raises
    ------
    OutlineRefused
        Nothing was found there; the message says why and what to do.
    """
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    small = bool((high - low < LEAST_BOX_PX).any())
    (found,) = usimg.segment(
        frame,
        roi.structure,
        plane=roi.plane or None,
        site=roi.site or None,
        seeds=[tuple(low)] if small else None,
        boxes=None if small else [(*low, *high)],
    )
    if not found.polygons:
        raise OutlineRefused(f"{'; '.join(found.flags)}; draw it by hand (D)")
    return roi.with_polygons(
        *found.polygons,
        line=roi.line,
        upper=found.upper,
        lower=found.lower,
        alternatives=found.alternatives,
        trace_rule=found.trace_rule,
        confidence=found.confidence,
        validated=found.validated,
        flags=found.flags,
        region=found.region,
        method=f"{found.method}, {'click' if small else 'box'} by {author}",
    )
