"""What the nerve network is shown, and where its answer lies: a window round a box or a click.

A box's window is 1.6 times the box; row and column scale apart up to twofold, so that shape and size are
mostly taken out and what is left to learn is where the outline leaves the box's ellipse. A click's window has
a size that is tried. `usimg.train` shows the network the same windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.segmenter import Box, Seed
from usimg.vision import cv2

FloatArray = NDArray[np.float32]

SIDE = 128  # px of a window
GRID = 64  # places of an answer along a window's side
CHANNELS = 5  # grey, whether there is picture, box, click, kind
# The answer's classes: this one, another nerve, another vessel; what is left is background.
CLASSES = 4
BACKGROUND, THIS, OTHER_NERVE, OTHER_VESSEL = range(CLASSES)
# Window over box; the pilot's. A nerve's surroundings tell where it ends.
MARGIN = 1.6
# A window's sides, over the box's, differ by this at most: texture stays near what it is.
STRETCH = 2.0
# Of a click's Gaussian, share of the window.
CLICK_SPREAD = 0.04


def shifted(box: Box, shares: tuple[float, float, float, float]) -> Box:
    """A box with its (top, left, bottom, right) moved down or right by shares of its height or width."""
    high, wide = box[2] - box[0], box[3] - box[1]
    return (
        box[0] + shares[0] * high,
        box[1] + shares[1] * wide,
        box[2] + shares[2] * high,
        box[3] + shares[3] * wide,
    )


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a picture, shown as SIDE x SIDE px.

    Attributes
    ----------
    row, col : float
        Middle, px.
    rows, cols : float
        Sides, px.
    """

    row: float
    col: float
    rows: float
    cols: float

    @classmethod
    def of_box(cls, box: Box) -> Window:
        """The window of a box (r0, c0, r1, c1)."""
        high, wide = box[2] - box[0], box[3] - box[1]
        return cls(
            (box[0] + box[2]) / 2,
            (box[1] + box[3]) / 2,
            MARGIN * max(high, wide / STRETCH),
            MARGIN * max(wide, high / STRETCH),
        )

    def places(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Rows (count,) and columns (count,) of the middles of ``count`` x ``count`` places, px."""
        share = (np.arange(count) + 0.5) / count - 0.5
        return (
            (self.row + share * self.rows).astype(np.float32),
            (self.col + share * self.cols).astype(np.float32),
        )

    @property
    def step(self) -> float:
        """Px of the picture in a px of the window (geometric mean)."""
        return float(np.sqrt(self.rows * self.cols)) / SIDE


def blur_of(step: float) -> float:
    """Spread (px of the picture) of the blur before a window of that step is sampled: no aliasing."""
    return 0.0 if step < 1.4 else 0.45 * step


def box_channel(window: Window, box: Box) -> FloatArray:
    """1 in the middle of the box, 0 on its sides, down to -1 outside, (SIDE, SIDE)."""
    rows, cols = window.places(SIDE)
    down = np.abs(rows - (box[0] + box[2]) / 2) / max(1e-3, (box[2] - box[0]) / 2)
    right = np.abs(cols - (box[1] + box[3]) / 2) / max(1e-3, (box[3] - box[1]) / 2)
    return np.asarray(np.maximum(1.0 - np.maximum(down[:, None], right[None]), -1.0), np.float32)


def click_channel(window: Window, seed: Seed) -> FloatArray:
    """A Gaussian at the click, (SIDE, SIDE)."""
    rows, cols = window.places(SIDE)
    down = (rows - seed[0]) / (CLICK_SPREAD * window.rows)
    right = (cols - seed[1]) / (CLICK_SPREAD * window.cols)
    return np.exp(-0.5 * (down[:, None] ** 2 + right[None] ** 2)).astype(np.float32)


def shown(
    gray: FloatArray,
    there: FloatArray,
    window: Window,
    *,
    box: Box | None = None,
    seed: Seed | None = None,
    vessel: bool = False,
) -> FloatArray:
    """The network's input, (CHANNELS, SIDE, SIDE).

    Parameters
    ----------
    gray : (SIDE, SIDE) array
        Grey levels of the window; any gain.
    there : (SIDE, SIDE) array
        1 where there is picture, 0 where there is none.
    box, seed
        The prompt, px of the picture: one of them.
    vessel : bool
        Whether a vessel is meant.
    """
    weight = there.sum() + 1e-6
    mean = float((gray * there).sum() / weight)
    spread = float(np.sqrt((((gray - mean) * there) ** 2).sum() / weight))
    # 2 grey levels: a flat window stays flat.
    level = np.clip((gray - mean) / (spread + 2.0), -4.0, 4.0) * there
    nothing = np.zeros((SIDE, SIDE), np.float32)
    return np.stack(
        [
            level.astype(np.float32),
            there.astype(np.float32),
            nothing if box is None else box_channel(window, box),
            nothing if seed is None else click_channel(window, seed),
            np.full((SIDE, SIDE), 1.0 if vessel else 0.0, np.float32),
        ]
    )


def cut(gray: FloatArray, window: Window) -> tuple[FloatArray, FloatArray]:
    """Grey levels of a window of a picture, and where there is picture, (SIDE, SIDE) each."""
    rows, cols = window.places(SIDE)
    high, wide = gray.shape
    r0, r1 = max(0, int(rows[0]) - 8), min(high, int(rows[-1]) + 9)
    c0, c1 = max(0, int(cols[0]) - 8), min(wide, int(cols[-1]) + 9)
    part = gray[r0:r1, c0:c1]
    spread = blur_of(window.step)
    if spread:
        part = cv2.GaussianBlur(part, (0, 0), spread)
    across = np.broadcast_to((cols - c0)[None], (SIDE, SIDE))
    down = np.broadcast_to((rows - r0)[:, None], (SIDE, SIDE))
    level = cv2.remap(
        part,
        np.ascontiguousarray(across),
        np.ascontiguousarray(down),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    held = ((rows >= -0.5) & (rows <= high - 0.5))[:, None] & ((cols >= -0.5) & (cols <= wide - 0.5))[None]
    return np.asarray(level, np.float32), held.astype(np.float32)
