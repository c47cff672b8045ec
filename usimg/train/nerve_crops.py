"""Windows as a network in training sees them: bent, drawn anew, and prompted clumsily or not at all.

The picture is bent first, then the part's bounding box is taken from the bent mask and its sides moved as a
hand would, then the window is cut from the original in one resampling. A window without a prompt shows some
stretch of a picture, in which nothing is "this".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.outline.nerve_network import (
    BACKGROUND,
    CLASSES,
    GRID,
    OTHER_NERVE,
    OTHER_VESSEL,
    SIDE,
    THIS,
    Window,
    blur_of,
    shifted,
    shown,
)
from usimg.outline.segmenter import Box, Seed
from usimg.train.nerve_dataset import NERVE, VESSEL, Labelled, Part
from usimg.vision import cv2

FloatArray = NDArray[np.float32]

# Places along each side of the square in which a bent part's box is sought.
SCOUT = 160


@dataclass(frozen=True, slots=True)
class Clumsiness:
    """How prompts differ from the expert's outline.

    Attributes
    ----------
    box_sides : (low, high)
        Range of the spread of each side of a box, shares of its length.
    click : float
        Spread of a click about the centroid, shares of the box.
    window : (low, high)
        A click's window over the larger side of the box.
    clicks : float
        Share of clicks among windows.
    nothing : float
        Share of windows without a prompt.
    stretch : (low, high)
        Sides of these, px.
    """

    box_sides: tuple[float, float] = (0.0, 0.10)
    click: float = 0.06
    window: tuple[float, float] = (1.15, 3.6)
    clicks: float = 0.25
    nothing: float = 0.2
    stretch: tuple[float, float] = (150.0, 620.0)


@dataclass(frozen=True, eq=False)
class _Bend:
    """From the bent picture's coordinates (about 0) to the original's."""

    matrix: NDArray[np.float64]
    middle: NDArray[np.float64]
    # Displacements (2, k, k) over +-reach, px.
    knots: FloatArray
    reach: float

    def __call__(self, rows: FloatArray, cols: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n,) rows and (m,) columns of a grid to original (rows, cols), (n, m) each."""
        down, right = np.meshgrid(rows, cols, indexing="ij")
        m, mid = self.matrix, self.middle
        out_r = mid[0] + m[0, 0] * down + m[0, 1] * right
        out_c = mid[1] + m[1, 0] * down + m[1, 1] * right
        count = self.knots.shape[-1]
        at_r = ((down / self.reach + 1) / 2 * (count - 1)).astype(np.float32)
        at_c = ((right / self.reach + 1) / 2 * (count - 1)).astype(np.float32)
        moved_r, moved_c = (
            cv2.remap(knots, at_c, at_r, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
            for knots in self.knots
        )
        return (out_r + moved_r).astype(np.float32), (out_c + moved_c).astype(np.float32)


def _bend(part: Part, rng: np.random.Generator) -> _Bend:
    r0, c0, r1, c1 = part.box
    size = max(r1 - r0, c1 - c0)
    turn = np.deg2rad(rng.normal(0, 13))
    stretch = np.exp(rng.normal(0, 0.14, 2))
    shear = rng.normal(0, 0.13)
    mirror = rng.choice([-1.0, 1.0])
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array([[stretch[0], shear], [0, stretch[1]]]) @ np.diag([1.0, mirror])
    knots = rng.normal(0, 0.03 * size * (rng.random() < 0.6), (2, 10, 10)).astype(np.float32)
    middle = np.array([(r0 + r1) / 2, (c0 + c1) / 2])
    return _Bend(matrix, middle, knots, 2.0 * size)


def _scouted(picture: Labelled, part: Part, bend: _Bend) -> tuple[Box, Seed] | None:
    """Bounding box and centroid of the part in bent coordinates."""
    r0, c0, r1, c1 = part.box
    reach = 0.95 * max(r1 - r0, c1 - c0) + 4
    at = (((np.arange(SCOUT) + 0.5) / SCOUT - 0.5) * 2 * reach).astype(np.float32)
    rows, cols = bend(at, at)
    mask = (picture.parts == part.number).astype(np.float32)
    here = cv2.remap(mask, cols, rows, cv2.INTER_LINEAR, borderValue=0) > 0.5
    if here.sum() < 40:
        return None
    down, right = np.flatnonzero(here.any(axis=1)), np.flatnonzero(here.any(axis=0))
    half = reach / SCOUT
    box = (at[down[0]] - half, at[right[0]] - half, at[down[-1]] + half, at[right[-1]] + half)
    where = np.argwhere(here).mean(axis=0)
    step = 2 * reach / SCOUT
    seed = tuple((where + 0.5) * step - reach)
    return tuple(float(v) for v in box), (float(seed[0]), float(seed[1]))  # type: ignore[return-value]


def moved(box: Box, spread: float, rng: np.random.Generator) -> Box:
    """A box with each side moved by N(0, ``spread`` of the box)."""
    top, left, bottom, right = np.clip(rng.normal(0, spread, 4), -0.25, 0.25)
    return shifted(box, (float(top), float(left), float(bottom), float(right)))


def drawn(
    picture: Labelled, part: Part, rng: np.random.Generator, clumsy: Clumsiness
) -> tuple[FloatArray, FloatArray] | None:
    """One bent window with a prompt: input (CHANNELS, SIDE, SIDE), answer (CLASSES, GRID, GRID)."""
    bend = _bend(part, rng)
    found = _scouted(picture, part, bend)
    if found is None:
        return None
    box, seed = found
    high, wide = box[2] - box[0], box[3] - box[1]
    kind = rng.random()
    prompt: dict[str, Any] = {}
    if kind < clumsy.nothing:
        side = float(np.exp(rng.uniform(*np.log(clumsy.stretch))))
        row, col = np.array(seed) + rng.uniform(-0.45, 0.45, 2) * side
        window = Window(float(row), float(col), side, side)
    elif kind < clumsy.nothing + clumsy.clicks:
        click = (seed[0] + rng.normal(0, clumsy.click) * high, seed[1] + rng.normal(0, clumsy.click) * wide)
        side = max(high, wide) * float(np.exp(rng.uniform(*np.log(clumsy.window))))
        window = Window(click[0], click[1], side, side)
        prompt = {"seed": click}
    else:
        box = moved(box, rng.uniform(*clumsy.box_sides), rng)
        window = Window.of_box(box)
        prompt = {"box": box}
    rows, cols = bend(*window.places(SIDE))
    level, there = sampled(picture, rows, cols, window.step)
    inputs = shown(changed(level, rng), there, window, vessel=part.vessel and bool(prompt), **prompt)
    return inputs, answer(picture, part.number if prompt else None, rows, cols)


def sampled(
    picture: Labelled, rows: FloatArray, cols: FloatArray, step: float
) -> tuple[FloatArray, FloatArray]:
    """Grey levels at places, and where there is picture."""
    high, wide = picture.gray.shape
    source = picture.blurred(blur_of(step))
    level = cv2.remap(source, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    there = (rows >= -0.5) & (rows <= high - 0.5) & (cols >= -0.5) & (cols <= wide - 0.5)
    return level, there.astype(np.float32)


def answer(picture: Labelled, this: int | None, rows: FloatArray, cols: FloatArray) -> FloatArray:
    """Shares of each class in the places of the answer, (CLASSES, GRID, GRID).

    ``this`` is the number of the part that is meant, None where none is.
    """
    kinds = picture.kinds.copy()
    table = np.zeros((CLASSES, len(kinds)), np.float32)
    table[BACKGROUND, kinds == 0] = 1
    table[OTHER_NERVE, kinds == NERVE] = 1
    table[OTHER_VESSEL, kinds == VESSEL] = 1
    if this is not None:
        table[:, this] = 0
        table[THIS, this] = 1
    out = np.zeros((CLASSES, GRID, GRID), np.float32)
    for k in range(1, CLASSES):
        mask = table[k][picture.parts]
        if mask.any():
            fine = cv2.remap(mask, cols, rows, cv2.INTER_LINEAR, borderValue=0)
            out[k] = cv2.resize(fine, (GRID, GRID), interpolation=cv2.INTER_AREA)
    out[BACKGROUND] = 1 - out[1:].sum(axis=0)
    return out


def changed(level: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Another machine's grey levels of the same tissue."""
    gray = level / 255.0
    if rng.random() < 0.5:
        ends = rng.normal(0, 0.25, (2, 2)).astype(np.float32)
        gray = gray * np.exp(cv2.resize(ends, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR))
    if rng.random() < 0.25:
        gray = gray * _shadow(rng)
    if rng.random() < 0.5:
        spread, px = rng.uniform(0.05, 0.35), rng.uniform(1.0, 3.0)
        small = max(8, round(SIDE / px))
        noise = rng.standard_normal((small, max(8, round(small / rng.uniform(1, 2)))), dtype=np.float32)
        gray = gray * np.clip(1 + spread * cv2.resize(noise, (SIDE, SIDE)), 0, None)
    if rng.random() < 0.35:
        gray = cv2.GaussianBlur(gray, (0, 0), rng.uniform(0.4, 1.6))
    elif rng.random() < 0.25:
        soft = cv2.GaussianBlur(gray, (0, 0), rng.uniform(0.8, 2.0))
        gray = gray + rng.uniform(0.3, 1.2) * (gray - soft)
    gray = np.clip(gray, 0, None) ** float(np.exp(rng.normal(0, 0.25)))
    gray = gray * (float(np.exp(rng.normal(0, 0.3))))
    return np.asarray(255.0 * np.clip(gray, 0.0, 1.0), np.float32)


def _shadow(rng: np.random.Generator) -> FloatArray:
    """A dark column with soft sides, from some depth down."""
    at = (np.arange(SIDE) + 0.5) / SIDE
    centre, half = rng.uniform(0, 1), rng.uniform(0.04, 0.15)
    side = 1 / (1 + np.exp(np.clip((np.abs(at - centre) - half) / 0.03, -30, 30)))
    below = 1 / (1 + np.exp(np.clip((rng.uniform(-0.3, 0.7) - at) / 0.04, -30, 30)))
    return np.asarray(1 - rng.uniform(0.3, 0.85) * side[None] * below[:, None], np.float32)
