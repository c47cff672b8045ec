"""An outline that somebody drew by eye, moved onto the edge beside it.

For a layer the edges are looked for as for the machine's own (`usimg.outline.edges`); for a closed outline
along its normals, where brightness changes fastest the way its trace rule says.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from usimg import anatomy
from usimg.errors import OutlineRefused
from usimg.outline import layers
from usimg.outline.edges import FINE, REACH
from usimg.outline.field import Pane, panes
from usimg.outline.lines import best_path
from usimg.roi import Roi
from usimg.scan import Frame
from usimg.vision import cv2

Array = NDArray[np.float64]

# An edge is looked for from the line of a fascia into the muscle. A drawn edge lies somewhere on the fall
# of brightness, not on the line: the search starts so far before it (share of `REACH`) that it reaches
# equally far to both sides.
_BEFORE = 0.375
# A closed outline moves by at most this share of its size, and by at least so many px. Chosen here: an
# expert's contours of one nerve lie within a tenth of its diameter of each other.
_CLOSED_REACH = 0.12
_LEAST_REACH_PX = 3.0
_NEARNESS = 0.5
# Places on a closed outline; its normals are smoothed over a few of them.
_PLACES = 96
# Edges of a layer do not cross.
LEAST_PX = 1.0


def snap(frame: Frame, roi: Roi) -> Roi:
    """``roi`` on the nearest edge; what has no edge near stays where it is.

    Parameters
    ----------
    frame : Frame
    roi : Roi
        A layer, or closed outlines of any number of parts.

    Returns
    -------
    Roi
        Of the same structure and parts; a layer's ``upper`` and ``lower`` are set.

    Raises
    ------
    OutlineRefused
        There is nothing to move, or it lies outside the picture.
    """
    if not roi.polygons:
        raise OutlineRefused("nothing to snap: there is no outline, or it is a caliper line")
    middle = np.concatenate(roi.polygons).mean(axis=0)
    pane = next((pane for pane in panes(frame) if pane.holds(float(middle[0]), float(middle[1]))), None)
    if pane is None:
        raise OutlineRefused("nothing to snap to: the outline lies outside the picture of the tissue")
    if roi.upper is not None and roi.lower is not None:
        return _layer(pane, roi, roi.upper, roi.lower)
    rule = roi.trace_rule or anatomy.structure(roi.structure).trace_rule
    outward = -1.0 if rule == "outside_rim" else 1.0
    moved = [_closed(pane, polygon, outward) for polygon in roi.polygons]
    return roi.with_polygons(*moved, line=roi.line)


def _layer(pane: Pane, roi: Roi, upper: Array, lower: Array) -> Roi:
    before = _BEFORE * max(4.0, REACH * pane.gray.shape[0])
    upper = _moved(pane, upper, layers.edge_below, -before)
    lower = _moved(pane, lower, layers.edge_above, before)
    lower[:, 0] = np.maximum(lower[:, 0], np.interp(lower[:, 1], upper[:, 1], upper[:, 0]) + LEAST_PX)
    return roi.with_polygons(np.concatenate([upper, lower[::-1]]), line=roi.line, upper=upper, lower=lower)


def _moved(
    pane: Pane, edge: Array, edge_at: Callable[[Pane, tuple[Array, Array]], Array], before: float
) -> Array:
    """An edge, px of the frame, on the fall of brightness beside it; beyond the pane it stays."""
    r0, c0, _, c1 = pane.box
    order = np.argsort(edge[:, 1], kind="stable")
    line = edge[order, 1] - c0, edge[order, 0] - r0 + before
    found = edge_at(pane, line) + r0
    inside = (edge[:, 1] >= c0) & (edge[:, 1] <= c1 - 1)
    rows = np.where(inside, np.interp(edge[:, 1], np.arange(c0, c1), found), edge[:, 0])
    return np.column_stack([rows, edge[:, 1]])


def _closed(pane: Pane, polygon: Array, outward: float) -> Array:
    """A closed outline moved along its normals, a smooth way round."""
    ring, normal, size = _even(polygon)
    reach = max(_LEAST_REACH_PX, _CLOSED_REACH * size)
    offset = np.arange(-reach, reach + FINE, FINE)
    at = ring[None] + offset[:, None, None] * normal[None] - np.array(pane.box[:2])
    smooth = cv2.GaussianBlur(pane.gray, (0, 0), max(0.7, 0.03 * size))
    profiles = cv2.remap(
        smooth,
        at[..., 1].astype(np.float32),
        at[..., 0].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    rise = outward * np.gradient(profiles, FINE, axis=0)
    scale = max(float(np.quantile(np.maximum(rise, 0.0), 0.95)), 1e-3)
    score = np.clip(rise / scale, -0.5, 1.5) - _NEARNESS * (offset[:, None] / reach) ** 2
    # Three turns, the middle one kept: its ends meet.
    path = best_path(np.concatenate([score] * 3, axis=1).astype(np.float32), steepest=1, bend_cost=0.1)
    moved = offset[path[_PLACES : 2 * _PLACES]]
    moved = ndimage.gaussian_filter1d(moved, 1.5, mode="wrap")
    return ring + moved[:, None] * normal


def _even(polygon: Array) -> tuple[Array, Array, float]:
    """Places in even steps along an outline, the normals pointing out of it, and its size."""
    closed = np.concatenate([polygon, polygon[:1]])
    step = np.hypot(*np.diff(closed, axis=0).T)
    along = np.r_[0.0, np.cumsum(step)]
    wanted = np.arange(_PLACES) * (along[-1] / _PLACES)
    ring = np.column_stack([np.interp(wanted, along, closed[:, axis]) for axis in (0, 1)])
    tangent = np.roll(ring, -1, axis=0) - np.roll(ring, 1, axis=0)
    tangent = ndimage.gaussian_filter1d(tangent, 2.0, axis=0, mode="wrap")
    rows, cols = ring.T
    signed = 0.5 * float(cols @ np.roll(rows, -1) - rows @ np.roll(cols, -1))
    length = np.maximum(np.hypot(*tangent.T), 1e-9)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]]) / length[:, None]
    return ring, normal * (1.0 if signed > 0 else -1.0), float(np.sqrt(abs(signed)))
