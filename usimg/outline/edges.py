"""Where a bright line ends and the muscle begins, at full resolution and below one pixel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from usimg.outline.field import Pane
from usimg.outline.lines import best_paths
from usimg.vision import cv2

Array = NDArray[np.float64]
Side = Literal["below", "above"]

# Shares of the picture's depth; chosen on dltrack_apo train among right pairs of lines.
REACH = 0.04
SMOOTH_ACROSS = 0.006
SMOOTH_ALONG = 0.015
# Rows between samples of a profile.
FINE = 0.5
# Columns between profiles.
STRIDE = 2
# How strongly an edge is held to the middle of its line, per squared share of `REACH`.
NEARNESS = 0.25


def inner_edge(pane: Pane, cols: Array, rows: Array, muscle: Side) -> Array:
    """`inner_edges` of one line, (cols of the pane,)."""
    return inner_edges(pane, [(cols, rows)], muscle)[0]


def inner_edges(pane: Pane, lines: Sequence[tuple[Array, Array]], muscle: Side) -> list[Array]:
    """Row of the edge between lines and the muscle beside them, at every column of the pane.

    Parameters
    ----------
    pane : Pane
    lines : sequence of (cols, rows)
        Px of the pane, (steps,) each.
    muscle : str
        On which side of the lines the muscle lies.

    Returns
    -------
    list of (cols of the pane,) arrays
        Rows in px of the pane. The edge is where brightness falls fastest from the line to the muscle:
        half-way between the last pixel of fascia and the first of muscle.
    """
    depth, width = pane.gray.shape
    every = _columns(width)
    reach = max(4.0, REACH * depth)
    away = 1.0 if muscle == "below" else -1.0
    offset = np.arange(-0.25 * reach, reach + FINE, FINE)
    along = SMOOTH_ALONG * depth / STRIDE
    centres = [np.interp(every, cols, rows) for cols, rows in lines]
    scores = [_scores(pane, every, centre, away * offset, along, reach) for centre in centres]
    if not scores:
        return []
    paths = best_paths(np.stack(scores), steepest=1, bend_cost=0.1)
    found = []
    for centre, score, path in zip(centres, scores, paths, strict=True):
        edge = centre + away * _peak(score, path, offset)
        edge = ndimage.gaussian_filter1d(edge, 1.5 * along, mode="nearest")
        found.append(np.clip(np.interp(np.arange(width), every, edge), 0.0, depth - 1.0))
    return found


def _scores(
    pane: Pane, every: Array, centre: Array, offset: Array, along: float, reach: float
) -> NDArray[np.float32]:
    """How much each row beside a line looks like the edge, (offsets, columns)."""
    depth = pane.gray.shape[0]
    row_at = centre[None, :] + offset[:, None]
    profiles = cv2.remap(
        _smoothed(pane),
        np.broadcast_to(every, row_at.shape).astype(np.float32),
        row_at.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    profiles = ndimage.gaussian_filter1d(profiles, along, axis=1, mode="nearest")
    fall = -np.gradient(profiles, FINE, axis=0)
    scale = np.maximum(np.quantile(np.maximum(fall, 0.0), 0.95, axis=0), 1e-3)
    score = np.clip(fall / scale, -0.5, 1.5) - NEARNESS * (offset[:, None] / reach) ** 2
    inside = (row_at >= 0) & (row_at <= depth - 1)
    return np.where(inside, score, -1.0).astype(np.float32)


# Every edge of a pane is looked for in the same smoothed picture.
@lru_cache(maxsize=2)
def _smoothed(pane: Pane) -> NDArray[np.float32]:
    sigma = max(0.5, SMOOTH_ACROSS * pane.gray.shape[0])
    smooth: NDArray[np.float32] = cv2.GaussianBlur(pane.gray, (0, 0), sigmaX=sigma, sigmaY=sigma)
    return smooth


def _columns(width: int) -> Array:
    """Every `STRIDE`-th column, the same from the left as from the right."""
    count = max(2, width // STRIDE)
    return np.linspace(0.0, width - 1.0, count)


def _peak(score: NDArray[np.float32], path: NDArray[np.intp], offset: Array) -> Array:
    """Offset of the maximum near ``path``, by a parabola through three samples of each column."""
    column = np.arange(score.shape[1])
    middle = np.clip(path, 1, len(offset) - 2)
    before, at, after = (score[middle + k, column].astype(np.float64) for k in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend < -1e-6, 0.5 * (before - after) / np.where(bend < -1e-6, bend, -1.0), 0.0)
    return offset[middle] + FINE * np.clip(shift, -0.5, 0.5)
