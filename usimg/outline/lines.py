"""Bright lines across a layered picture: fasciae, aponeuroses, cortex.

Evidence is the second derivative across the line, averaged along it, for slopes up to 20 degrees; a line
is a path of most evidence from the left border to the right one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.field import WORKING_ROWS, Working
from usimg.vision import cv2

FloatArray = NDArray[np.float32]

# All of these were chosen on dltrack_apo train (share of images whose two expert bands are both among the
# lines found); lengths are working rows.
SLOPES = np.tan(np.radians(np.linspace(-20.0, 20.0, 11)))
WIDTHS = (2.0, 4.0)
LENGTH = 7  # blocks of `COLUMN_STEP` columns
COLUMN_STEP = 4
STEEPEST = 2  # rows per column step: 27 degrees
BEND_COST = 0.05
OFF_ARC_COST = 0.1
ARC_SLOPES = np.tan(np.radians(np.linspace(-20.0, 20.0, 27)))
ARC_SAGS = np.linspace(-0.05, 0.05, 5)
CORRIDOR = 9
LINES = 12
RIM = 13  # chosen on phantoms of curved arrays
SEEN, SEEN_IN_SECTOR = 0.6, 0.4  # share of the columns a line is seen in; the second chosen on phantoms
APART = 9


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines found in a working picture, top to bottom.

    Attributes
    ----------
    rows : (lines, steps) float32 array
        Working row of each line at ``cols``.
    cols : (steps,) float array
        Working columns, the middle of every `COLUMN_STEP`.
    usable : (rows, steps) bool array
        Where there is picture.
    evidence : (rows, steps) float32 array
        0..1, what the lines were found on.
    strength : (lines, steps) float32 array
        Evidence under each line.
    """

    rows: FloatArray
    cols: NDArray[np.float64]
    usable: NDArray[np.bool_]
    evidence: FloatArray
    strength: FloatArray


def ridge(even: FloatArray) -> FloatArray:
    """Bright-line response of an evened picture in blocks of `COLUMN_STEP` columns; 0 where there is none.

    A line's slope moves it by at most 1.5 rows within a block, less than it is wide.
    """
    high, wide = even.shape
    blocks = np.asarray(even.reshape(high, wide // COLUMN_STEP, COLUMN_STEP).mean(axis=2), np.float32)
    best: FloatArray = np.zeros_like(blocks)
    for width in WIDTHS:
        across = _second_derivative(width)
        bent = cv2.sepFilter2D(
            blocks, cv2.CV_32F, np.ones((1, 1), np.float32), across, borderType=cv2.BORDER_REFLECT
        )
        for slope in SLOPES:
            along = _line_kernel(float(slope) * COLUMN_STEP)
            np.maximum(best, cv2.filter2D(bent, cv2.CV_32F, along, borderType=cv2.BORDER_REFLECT), out=best)
    return np.asarray(best, np.float32)


def _second_derivative(sigma: float) -> FloatArray:
    y = np.arange(-math.ceil(4 * sigma), math.ceil(4 * sigma) + 1, dtype=np.float64)
    gauss = np.exp(-0.5 * (y / sigma) ** 2)
    kernel = (1.0 - (y / sigma) ** 2) * gauss
    kernel -= kernel.mean()
    # A bar of contrast 1 and the matching width then answers with 1.
    kernel /= kernel[kernel > 0].sum()
    return kernel.astype(np.float32)


def _line_kernel(slope: float) -> FloatArray:
    half = LENGTH // 2
    x = np.arange(-half, half + 1)
    y = x * slope
    tall = math.ceil(abs(slope) * half) + 1
    kernel = np.zeros((2 * tall + 1, LENGTH), np.float32)
    low = np.floor(y).astype(int)
    kernel[low + tall, x + half] += 1 - (y - low)
    kernel[low + 1 + tall, x + half] += y - low
    return np.asarray(kernel / LENGTH, dtype=np.float32)


def evidence(picture: Working) -> tuple[FloatArray, NDArray[np.float64]]:
    """Line evidence 0..1 in blocks of `COLUMN_STEP` columns, and the middles of these."""
    response = ridge(picture.even)
    height, steps = response.shape
    # The rim of a sector is a line too; the border of a plain rectangle shows nothing beyond itself.
    inside = cv2.erode(picture.usable.astype(np.uint8), np.ones((RIM, RIM), np.uint8)) > 0
    response *= inside.reshape(height, steps, COLUMN_STEP).mean(axis=2)
    cols = (np.arange(steps, dtype=np.float64) + 0.5) * COLUMN_STEP - 0.5
    # 0.6 local standard deviations of contrast, averaged over the line's length, is half certain.
    return np.asarray(response / (response + 0.6), np.float32), np.asarray(cols, np.float64)


def find(picture: Working) -> Lines:
    """The `LINES` best lines across the picture.

    First whole arcs (straight or evenly bent) are scored by their mean evidence: fascicles rise out of an
    arc and count little. Each of the best then bends to the evidence within `CORRIDOR` rows.
    """
    score, cols = evidence(picture)
    usable = np.asarray(picture.usable.reshape(WORKING_ROWS, len(cols), COLUMN_STEP).all(axis=2), dtype=bool)
    arcs = _best_arcs(score, usable)
    rows = _bend(score, arcs)
    order = np.argsort(rows.mean(axis=1), kind="stable")
    rows = rows[order]
    strength = score[np.round(rows).astype(np.intp), np.arange(len(cols))]
    return Lines(rows.astype(np.float32), cols, usable, score, strength)


def _best_arcs(score: FloatArray, usable: NDArray[np.bool_]) -> FloatArray:
    """(lines, steps) rows of the arcs of most mean evidence, no two nearer than `APART` on average."""
    height, steps = score.shape
    x = np.linspace(-1.0, 1.0, steps, dtype=np.float32)
    pairs = x.reshape(-1, 2).mean(axis=1)  # two steps at a time halve the work
    half_width = 0.5 * steps * COLUMN_STEP
    slope, sag = np.meshgrid(ARC_SLOPES * half_width, ARC_SAGS * height, indexing="ij")
    # (arcs, steps) offsets from the arc's mean row
    slope, sag = slope.reshape(-1, 1), sag.reshape(-1, 1)
    offsets = slope * x + sag * (x**2 - 1 / 3)
    paired = slope * pairs + sag * (pairs**2 - 1 / 3)
    pad = int(np.ceil(np.abs(offsets).max())) + 1
    smooth = cv2.GaussianBlur(score, (1, 0), sigmaX=1e-6, sigmaY=1.5)
    total = _along(_paired(np.where(usable, smooth, 0.0), pad), paired, pad)
    seen = _along(_paired(usable, pad), paired, pad)
    # A sector is narrow at the top: whole lines cover less of its widest part.
    least = SEEN if usable.mean() > 0.9 else SEEN_IN_SECTOR
    mean = np.where(seen >= least * len(pairs), total / np.maximum(seen, 1.0), 0.0)
    probe = np.linspace(-1.0, 1.0, 5, dtype=np.float32)
    probed = slope * probe + sag * (probe**2 - 1 / 3)
    places = (np.arange(height, dtype=np.float32)[None, :, None] + probed[:, None]).reshape(-1, 5)
    left = mean.reshape(-1).copy()
    found = []
    for _ in range(LINES):
        k = int(left.argmax())
        if left[k] <= 0.0:
            break
        arc, centre = divmod(k, height)
        found.append(centre + offsets[arc])
        left[np.abs(places - places[k]).mean(axis=1) < APART] = 0.0
    return np.array(found, dtype=np.float32).reshape(-1, steps)


def _along(values: FloatArray, arcs: FloatArray, pad: int) -> FloatArray:
    """Sums of padded values (rows, pairs) along arcs (n, pairs) of row offsets, from every row: (n, rows)."""
    height = values.shape[0] - 2 * pad
    first = np.round(arcs).astype(np.intp) + pad
    # A row of the transposed values is one column of the picture, so that every slice lies together.
    columns = np.ascontiguousarray(values.T)
    total = np.zeros((len(arcs), height), np.float32)
    for k, column in enumerate(columns):
        windows = np.lib.stride_tricks.sliding_window_view(column, height)
        total += windows[first[:, k]]
    return total


def _paired(values: NDArray[np.generic], pad: int) -> FloatArray:
    """Means of neighbouring steps, padded above and below with nothing."""
    halved = np.asarray(values, np.float32).reshape(values.shape[0], -1, 2).mean(axis=2)
    return np.pad(halved, ((pad, pad), (0, 0)))


def _bend(score: FloatArray, arcs: FloatArray) -> FloatArray:
    """Arcs drawn to the evidence: the best path within `CORRIDOR` rows of each."""
    height, steps = score.shape
    if not len(arcs):
        return arcs
    reach = np.arange(-CORRIDOR, CORRIDOR + 1)[:, None]
    row = np.round(arcs).astype(np.intp)[:, None, :] + reach
    column = np.arange(steps)
    inside = (row >= 0) & (row < height)
    band = np.where(inside, score[np.clip(row, 0, height - 1), column], -1.0)
    band = band - OFF_ARC_COST * (reach / CORRIDOR) ** 2
    path = best_paths(band.astype(np.float32), steepest=1, bend_cost=BEND_COST)
    bent = np.take_along_axis(row, path[:, None, :], axis=1)[:, 0]
    return np.asarray(np.clip(bent, 0, height - 1), np.float32)


def best_path(score: FloatArray, steepest: int = STEEPEST, bend_cost: float = BEND_COST) -> NDArray[np.intp]:
    """Rows of the path of greatest summed ``score`` (rows, steps) from the first to the last column."""
    path: NDArray[np.intp] = best_paths(score[None], steepest, bend_cost)[0]
    return path


def best_paths(score: FloatArray, steepest: int = STEEPEST, bend_cost: float = BEND_COST) -> NDArray[np.intp]:
    """`best_path` in each of several scores (n, rows, steps): (n, steps).

    Dynamic programming over columns, all rows of all scores at once; ties go to the smaller step.
    """
    count, rows, steps = score.shape
    shifts = sorted(range(-steepest, steepest + 1), key=lambda s: (abs(s), s))
    columns = np.ascontiguousarray(np.moveaxis(score, 2, 0), np.float32)
    total = np.full((count, rows + 2 * steepest), -np.inf, np.float32)
    inner = total[:, steepest : steepest + rows]
    inner[:] = columns[0]
    came = np.empty((steps, count, rows), np.int8)
    windows = [total[:, steepest + shift : steepest + shift + rows] for shift in shifts]
    costs = [np.float32(bend_cost * abs(shift)) for shift in shifts]
    best, option = np.empty((count, rows), np.float32), np.empty((count, rows), np.float32)
    better = np.empty((count, rows), bool)
    for step in range(1, steps):
        np.subtract(windows[0], costs[0], out=best)
        chosen = came[step]
        chosen[:] = 0
        for k in range(1, len(shifts)):
            np.subtract(windows[k], costs[k], out=option)
            np.greater(option, best, out=better)
            np.copyto(chosen, k, where=better)
            np.maximum(best, option, out=best)
        np.add(best, columns[step], out=inner)
    path = np.empty((count, steps), np.intp)
    path[:, -1] = inner.argmax(axis=1)
    moved, each = np.array(shifts, np.intp), np.arange(count)
    for step in range(steps - 1, 0, -1):
        path[:, step - 1] = path[:, step] + moved[came[step, each, path[:, step]]]
    return path
