"""An outline carried from one frame of a clip to the next: moved with the tissue, then snapped to the edge.

Optical flow alone drifts, an edge alone may be another one's: the flow says where to look, the edge where
it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.errors import OutlineRefused
from usimg.outline.snap import snap
from usimg.roi import Roi
from usimg.scan import Frame
from usimg.vision import cv2

Array = NDArray[np.float64]

# Tissue around the outline that the flow sees, as a share of its size, and at least so many px.
_AROUND = 0.3
_LEAST_AROUND_PX = 24
# A vertex whose flow goes astray takes that of its neighbours: median over so many of them.
_NEIGHBOURS = 9
# A carried outline that snapping moves farther than this (share of its height) has lost its edge: the flow's
# place is kept. Chosen here.
_MOST_SNAP = 0.15


def carry(frame: Frame, following: Frame, roi: Roi) -> Roi:
    """``roi`` of one frame where it is in the next.

    Parameters
    ----------
    frame, following : Frame
        Neighbours of one clip, in either order of time; of one shape.
    roi : Roi
        Closed outlines, or a layer with its edges.

    Returns
    -------
    Roi
        The same vertices moved, and snapped where an edge is near.

    Raises
    ------
    OutlineRefused
        Nothing is drawn, or the frames differ in size.
    """
    if not len(roi.points):
        raise OutlineRefused("nothing to carry along: there is no outline on this frame")
    if frame.shape != following.shape:
        raise OutlineRefused("the two frames differ in size")
    flow, corner = _flow(frame.gray, following.gray, roi.points)

    def moved(points: Array) -> Array:
        return points + _smooth(_at(flow, points - corner))

    changes: dict[str, Any] = {}
    if roi.upper is not None and roi.lower is not None and len(roi.polygons) == 1:
        upper, lower = _along_depth(moved(roi.upper), roi.upper), _along_depth(moved(roi.lower), roi.lower)
        changes = {"upper": upper, "lower": lower}
        polygons: list[Array] = [np.concatenate([upper, lower[::-1]])]
    else:
        polygons = [moved(polygon) for polygon in roi.polygons]
    line = None if roi.line is None else moved(roi.line)
    carried = roi.with_polygons(*polygons, line=line, **changes)
    return _snapped(following, carried) if carried.polygons else carried


def _snapped(frame: Frame, roi: Roi) -> Roi:
    """On the edge beside it, unless that is too far to be its own."""
    found = snap(frame, roi)
    height = float(np.ptp(roi.points[:, 0]))
    if roi.upper is not None and found.upper is not None:
        away = [
            np.abs(now[:, 0] - before[:, 0]).mean()
            for now, before in ((found.upper, roi.upper), (found.lower, roi.lower))
            if now is not None and before is not None
        ]
        return found if max(away) <= _MOST_SNAP * height else roi
    return found


def _flow(one: NDArray[np.uint8], other: NDArray[np.uint8], points: Array) -> tuple[Array, Array]:
    """Dense flow (rows, cols, 2) as (row, col) in a window round the points, and the window's corner."""
    low, high = points.min(axis=0), points.max(axis=0)
    around = np.maximum(_AROUND * (high - low), _LEAST_AROUND_PX)
    r0, c0 = np.maximum(low - around, 0).astype(int)
    r1, c1 = np.minimum(high + around + 1, one.shape).astype(int)
    # Dense inverse search (Kroeger 2016, arXiv 1603.03590), the setting between speed and accuracy.
    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    windows = (np.ascontiguousarray(gray[r0:r1, c0:c1]) for gray in (one, other))
    flow = engine.calc(*(cv2.GaussianBlur(window, (0, 0), 1.5) for window in windows), None)
    return np.asarray(flow[..., ::-1], dtype=np.float64), np.array([r0, c0], dtype=np.float64)


def _at(flow: Array, points: Array) -> Array:
    rows, cols = np.rint(points).astype(int).T
    moves: Array = flow[np.clip(rows, 0, flow.shape[0] - 1), np.clip(cols, 0, flow.shape[1] - 1)]
    return moves


def _smooth(moves: Array) -> Array:
    """Each vertex moves as most of its neighbours do."""
    if len(moves) < _NEIGHBOURS:
        return np.broadcast_to(np.median(moves, axis=0), moves.shape)
    half = _NEIGHBOURS // 2
    padded = np.pad(moves, ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS, axis=0)
    middle: Array = np.median(windows, axis=-1)
    return middle


def _along_depth(moved: Array, before: Array) -> Array:
    """Edges of a layer keep their columns: what moves along the layer is the same layer."""
    return np.column_stack([moved[:, 0], before[:, 1]])
