"""Nerves that nobody pointed at: suggestions, from windows without a prompt.

The networks have learnt to tell nerves and vessels in windows without a prompt too. Windows of two sizes
cover the picture; where their mean says nerve there is a candidate, and its bounding box is asked for an
outline. On pictures not learnt from more than half of the nerves are missed and a third of the candidates are
none (the model card), so a suggestion waits for a person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from usimg.outline.nerve_network import GRID, OTHER_NERVE, Window, cut, shifted, shown
from usimg.outline.nerve_prompts import Answers, Constants, Seen, look_in_box, mean_shares, outlined
from usimg.outline.segmenter import Box
from usimg.vision import cv2

FloatArray = NDArray[np.float32]

# Rows or columns, whichever are fewer, of the map in which candidates are sought.
MAP = 192
# Sides of windows, shares of the picture's shorter side, and by how much of a side they are set apart.
SIDES, APART = (1.0, 0.55), 0.5


# A candidate is a piece of at least this share of "nerve", with a peak and an area (share of the picture) of
# at least these, and its box grows by a share of its sides. Chosen on nerve_vessel train and val, pictures
# left out: at most 0.3 candidates a picture that are none.
LEVEL, PEAK, LEAST, GROWN = 0.8, 0.94, 0.0012, 0.08


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that looks like a nerve: its box (px), and the greatest share of "nerve" in it."""

    box: Box
    peak: float


def suggestions(gray: FloatArray, answers: Answers, constants: Constants) -> list[tuple[Candidate, Seen]]:
    """Nerves that a picture seems to show, most likely first, with their outlines.

    Parameters
    ----------
    gray : (rows, cols) array
        Grey levels 0-255; 0 where there is no tissue.
    constants : mapping
        As `nerve_prompts.outlined` wants them.
    """
    found = []
    for candidate in candidates(likeness(gray, answers), (gray.shape[0], gray.shape[1])):
        look = look_in_box(gray, candidate.box, answers, vessel=False)
        middle = ((candidate.box[0] + candidate.box[2]) / 2, (candidate.box[1] + candidate.box[3]) / 2)
        seen = outlined(look, constants, inside=middle)
        if seen is not None:
            found.append((candidate, seen))
    return found


def candidates(shares: FloatArray, shape: tuple[int, int]) -> list[Candidate]:
    """Pieces of a map of "nerve" over a picture of some shape, the surest first."""
    pieces, _ = ndimage.label(shares >= LEVEL)
    scale_r, scale_c = shape[0] / shares.shape[0], shape[1] / shares.shape[1]
    found = []
    for k, where in enumerate(ndimage.find_objects(pieces), start=1):
        here = pieces[where] == k
        peak = float(shares[where][here].max())
        if peak < PEAK or here.sum() < LEAST * shares.size:
            continue
        rows, cols = where
        box = (
            rows.start * scale_r - 0.5,
            cols.start * scale_c - 0.5,
            rows.stop * scale_r - 0.5,
            cols.stop * scale_c - 0.5,
        )
        found.append(Candidate(shifted(box, (-GROWN, -GROWN, GROWN, GROWN)), peak))
    return sorted(found, key=lambda one: -one.peak)


def windows_over(shape: tuple[int, int]) -> list[Window]:
    """Windows that cover a picture."""
    found = []
    for share in SIDES:
        side = share * min(shape)
        rows, cols = (_middles(length, side) for length in shape)
        found += [Window(row, col, side, side) for row in rows for col in cols]
    return found


def _middles(length: int, side: float) -> list[float]:
    count = 1 + int(np.ceil(max(0.0, length - side) / (APART * side) - 1e-6))
    return [float(v) for v in np.linspace(side / 2, length - side / 2, count) - 0.5]


def likeness(gray: FloatArray, answers: Answers) -> FloatArray:
    """Shares of "nerve" over a picture, its shorter side in `MAP` places."""
    step = min(gray.shape) / MAP
    size = (max(1, round(gray.shape[0] / step)), max(1, round(gray.shape[1] / step)))
    total, weight = np.zeros(size, np.float32), np.full(size, 1e-6, np.float32)
    windows = windows_over((gray.shape[0], gray.shape[1]))
    shares = mean_shares(answers, [shown(*cut(gray, window), window) for window in windows])
    # The middle of a window is seen best.
    ramp = 1 - np.abs((np.arange(GRID) + 0.5) / GRID * 2 - 1)
    trust = np.minimum(ramp[:, None], ramp[None]).astype(np.float32) + 0.05
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for window, share in zip(windows, shares[:, OTHER_NERVE], strict=True):
        # From places of the map to places of the window.
        off_r = (step / 2 - 0.5 - window.row) / window.rows * GRID + GRID / 2 - 0.5
        off_c = (step / 2 - 0.5 - window.col) / window.cols * GRID + GRID / 2 - 0.5
        matrix = np.array([[GRID / window.cols * step, 0, off_c], [0, GRID / window.rows * step, off_r]])
        total += cv2.warpAffine(np.ascontiguousarray(share * trust), matrix, size[::-1], flags=way)
        weight += cv2.warpAffine(trust, matrix, size[::-1], flags=way)
    return np.asarray(total / weight, np.float32)
