"""Augmentation of what the machine does: gain, compression, speckle, blur, shadows, field, overlays.

Order follows the physics: tissue is painted, sound is attenuated and speckled, the scanner compresses and
clips, the screen draws over it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usimg.train.layout import Placed
from usimg.train.recipe import Range, Recipe
from usimg.vision import cv2

FloatArray = NDArray[np.float32]


def change(placed: Placed, recipe: Recipe, rng: np.random.Generator) -> Placed:
    """Another machine's, or another person's, picture of the same layers."""
    gray = placed.gray / 255.0
    usable = placed.usable
    edges = placed.edges
    lines = _everywhere(edges, gray.shape[1])
    if lines is not None:
        gray = _paint_tissue(gray, lines, recipe, rng)
    gray = gray * _gain(gray.shape, recipe, rng)
    if rng.random() < recipe.shadow:
        gray = gray * _shadow(gray.shape, rng)
    gray = _speckled(gray, rng.uniform(*recipe.speckle), rng)
    if rng.random() < recipe.sharp:
        gray = _sharpened(gray, rng)
    gray = _blurred(gray, recipe.blur * rng.random() ** 2, rng)
    gray = np.clip(gray, 0.0, None) ** _log_uniform(recipe.gamma, rng)
    if rng.random() < 0.7:
        gray = gray * (_log_uniform(recipe.level, rng) / max(float(gray.mean()), 0.01))
    if rng.random() < 0.3:
        # A raised black level, and scanner noise in it.
        gray = gray + rng.uniform(0.0, 0.15) * (1 + 0.3 * _noise(gray.shape, 1.0, 1.0, rng))
    gray = np.clip(gray, 0.0, 1.0)
    if rng.random() < recipe.sector:
        usable = usable & _sector(gray.shape, rng)
    if rng.random() < recipe.crop:
        gray, edges = _misjudged_border(gray, edges, rng)
    if rng.random() < recipe.overlay:
        gray = _drawn_over(gray, rng)
    gray = np.where(usable, gray, 0.0)
    return Placed((255.0 * gray).astype(np.float32), usable, _seen(edges, usable))


def _log_uniform(limits: Range, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))


def _noise(shape: tuple[int, ...], row_px: float, col_px: float, rng: np.random.Generator) -> FloatArray:
    """Gaussian noise of spread 1, correlated over ``row_px`` and ``col_px``."""
    high, wide = shape
    small = (max(2, round(wide / max(1.0, col_px))), max(2, round(high / max(1.0, row_px))))
    coarse = rng.standard_normal((small[1], small[0]), dtype=np.float32)
    fine: FloatArray = cv2.resize(coarse, (wide, high), interpolation=cv2.INTER_CUBIC)
    return fine / max(float(fine.std()), 1e-6)


def _everywhere(edges: FloatArray, cols: int) -> FloatArray | None:
    """Edges continued level over columns where they are unknown; None when unknown everywhere."""
    known = np.isfinite(edges[0])
    if known.sum() < 4:
        return None
    at = np.arange(cols)
    return np.stack([np.interp(at, at[known], e[known]) for e in edges]).astype(np.float32)


def _paint_tissue(
    gray: FloatArray, lines: FloatArray, recipe: Recipe, rng: np.random.Generator
) -> FloatArray:
    high, wide = gray.shape
    row = np.arange(high, dtype=np.float32)[:, None]
    first, inner, outer, last = (line[None] for line in lines)
    # Soft masks of the layers, two rows wide.
    above = np.clip((first - row) / 2 + 0.5, 0, 1)
    below = np.clip((row - last) / 2 + 0.5, 0, 1)
    muscle = np.clip((row - inner) / 2 + 0.5, 0, 1) * np.clip((outer - row) / 2 + 0.5, 0, 1)
    if rng.random() < recipe.subcutis and float(np.median(first)) > 0.1 * high:
        fat = _subcutis(gray.shape, float(np.median(first)), lines[0], rng)
        gray = gray * (1 - above) + fat * above
    if rng.random() < recipe.streaks:
        # Fascicles stand at an angle; a level stroke across the muscle would be a fascia. 0.3 rows a column
        # is 9 degrees in a square field.
        way = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.3))
        fascicles = _streaks(gray.shape, rng, number=int(rng.integers(2, 10)), way=way, spread=0.1)
        gray = np.maximum(gray, muscle * fascicles)
    if rng.random() < recipe.deep_lines and float(np.median(last)) < 0.9 * high:
        gray = np.maximum(gray, below * _fasciae(gray.shape, lines[3], rng))
    if rng.random() < 0.6:
        gains = [_log_uniform(recipe.layer_gain, rng) for _ in range(3)]
        # A band stays at least about as bright as what it divides.
        band = max(gains) * rng.uniform(0.6, 1.1)
        bands = np.clip(1 - above - below - muscle, 0, 1)
        gray = gray * (above * gains[0] + muscle * gains[1] + below * gains[2] + bands * band)
    if rng.random() < recipe.faint_band:
        which = inner if rng.random() < 0.3 else outer
        centre, spread = rng.uniform(0, wide), rng.uniform(0.08, 0.35) * wide
        col = np.arange(wide, dtype=np.float32)[None]
        near = np.exp(-0.5 * ((row - which) / (0.02 * high)) ** 2) * np.exp(
            -0.5 * ((col - centre) / spread) ** 2
        )
        gray = gray * (1 - rng.uniform(0.3, 0.75) * near)
    return gray.astype(np.float32)


def _subcutis(
    shape: tuple[int, ...], depth: float, border: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Fat: dim and speckled, crossed by septa and by whole fascia lines."""
    base = rng.uniform(0.06, 0.45)
    fat = base * np.clip(1 + 0.45 * _noise(shape, rng.uniform(1, 3), rng.uniform(1, 5), rng), 0, None)
    fat = fat + 0.15 * base * _noise(shape, rng.uniform(8, 40), rng.uniform(20, 80), rng)
    way = float(rng.normal(0.0, 0.12))
    septa = _streaks(shape, rng, number=int(rng.integers(2, 14)), way=way, spread=0.04)
    fat = np.maximum(fat, rng.uniform(0.3, 1.0) * septa)
    row = np.arange(shape[0], dtype=np.float32)[:, None]
    for _ in range(rng.integers(0, 4)):
        at = rng.uniform(0.15, 0.85)
        line = border[None] * at + depth * 0.03 * _noise((1, shape[1]), 1, rng.uniform(20, 90), rng)
        thick = rng.uniform(0.6, 2.0)
        rough = np.clip(0.8 + 0.35 * _noise((1, shape[1]), 1, rng.uniform(2, 12), rng), 0.1, 1.2)
        fat = np.maximum(fat, rng.uniform(0.4, 1.0) * rough * np.exp(-0.5 * ((row - line) / thick) ** 2))
    skin = rng.uniform(1.0, 0.12 * depth + 1.0)
    bright_skin = rng.uniform(0.2, 1.0) * np.exp(-0.5 * (row / skin) ** 4)
    return np.asarray(np.maximum(fat, bright_skin), np.float32)


def _streaks(
    shape: tuple[int, ...], rng: np.random.Generator, *, number: int, way: float, spread: float
) -> FloatArray:
    """Bright strokes, all about one way (rows per column), as fascicles and septa run."""
    high, wide = shape
    canvas = np.zeros(shape, np.float32)
    for _ in range(number):
        length = rng.uniform(0.15, 0.6) * wide
        row, col = rng.uniform(0, high), rng.uniform(0, wide)
        slope = way + rng.normal(0.0, spread)
        ends = [
            (round(16 * (col + s * length / 2)), round(16 * (row + s * length / 2 * slope))) for s in (-1, 1)
        ]
        cv2.line(
            canvas, ends[0], ends[1], float(rng.uniform(0.3, 0.9)), int(rng.integers(1, 3)), cv2.LINE_AA, 4
        )
    rough = np.clip(0.75 + 0.4 * _noise(shape, 2.0, rng.uniform(3, 12), rng), 0, 1.3)
    soft: FloatArray = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.6, 1.3)) * rough
    return soft


def _fasciae(shape: tuple[int, ...], last: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One to three whole bright lines below band 2, some as bright as it."""
    row = np.arange(shape[0], dtype=np.float32)[:, None]
    canvas = np.zeros(shape, np.float32)
    at = last
    for _ in range(rng.integers(1, 4)):
        tilt = rng.normal(0.0, 0.04) * shape[0] * np.linspace(-1, 1, shape[1], dtype=np.float32)
        at = at + rng.uniform(0.04, 0.3) * shape[0] + tilt
        thick = rng.uniform(0.8, 3.0)
        rough = np.clip(0.8 + 0.35 * _noise((1, shape[1]), 1, rng.uniform(2, 12), rng), 0.1, 1.2)
        canvas = np.maximum(canvas, rng.uniform(0.3, 1.0) * rough * np.exp(-0.5 * ((row - at) / thick) ** 2))
    return canvas


def _gain(shape: tuple[int, ...], recipe: Recipe, rng: np.random.Generator) -> FloatArray:
    """Smooth gain over depth (the slide controls) and over width (contact)."""
    high, wide = shape
    knots = np.cumsum(rng.normal(0.0, recipe.gain_curve / 2, 6)) if rng.random() < 0.5 else np.zeros(6)
    slope = rng.normal(0.0, recipe.gain_curve)
    depth = np.interp(np.linspace(0, 5, high), np.arange(6), knots - knots.mean())
    depth = depth + slope * np.linspace(-1, 1, high)
    side = np.interp(np.linspace(0, 3, wide), np.arange(4), rng.normal(0.0, recipe.gain_curve / 2, 4))
    return np.asarray(np.exp(np.clip(depth[:, None] + side[None], -2.5, 1.5)), np.float32)


def _shadow(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """A dark wedge from some depth down, or poor contact at one side."""
    high, wide = shape
    col = np.arange(wide, dtype=np.float32)[None]
    row = np.linspace(0, 1, high, dtype=np.float32)[:, None]
    centre = rng.uniform(-0.05, 1.05) * wide + rng.normal(0, 0.15) * wide * row
    half = rng.uniform(0.03, 0.15) * wide
    start = rng.uniform(-0.2, 0.6)
    outside = np.clip((np.abs(col - centre) - half) / (0.25 * half + 0.5), -30, 30)
    dark = rng.uniform(0.4, 0.97) / (1 + np.exp(outside))
    below = 1 / (1 + np.exp(-np.clip((row - start) / 0.03, -30, 30)))
    return np.asarray(1 - dark * below, np.float32)


def _speckled(gray: FloatArray, spread: float, rng: np.random.Generator) -> FloatArray:
    if spread < 0.03:
        return gray
    row_px = rng.uniform(1.0, 2.5)
    noise = _noise(gray.shape, row_px, row_px * rng.uniform(0.7, 3.0), rng)
    return np.asarray(gray * np.clip(1 + spread * noise, 0.0, None), np.float32)


def _blurred(gray: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    if sigma < 0.25:
        return gray
    soft: FloatArray = cv2.GaussianBlur(
        gray, (0, 0), sigmaX=sigma * rng.uniform(0.3, 1.5) + 1e-3, sigmaY=sigma
    )
    return soft


def _sharpened(gray: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Edge enhancement, as scanners apply it: thin lines stand out, their sides darken."""
    soft = cv2.GaussianBlur(gray, (0, 0), rng.uniform(0.8, 2.5))
    return np.asarray(np.clip(gray + rng.uniform(0.3, 1.8) * (gray - soft), 0.0, None), np.float32)


def _sector(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A trapezoid, or a sector with a round top and bottom."""
    high, wide = shape
    row = np.linspace(0, 1, high)[:, None]
    col = np.linspace(-1, 1, wide)[None]
    narrow = rng.uniform(0.45, 0.95)
    inside = np.abs(col) < narrow + (1 - narrow) * row
    if rng.random() < 0.5:
        arc = rng.uniform(0.02, 0.12)
        inside = inside & (row > arc * (1 - (col / 1.0) ** 2)) & (row < 1 - arc * col**2)
    return np.asarray(inside)


def _misjudged_border(
    gray: FloatArray, edges: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """The field's border found a little outside or inside the true one, above and below."""
    high, wide = gray.shape
    top, bottom = rng.normal(0, 0.025, 2) * high
    scale = high / (high - top - bottom)
    matrix = np.array([[1, 0, 0], [0, scale, (0.5 - top) * scale - 0.5]], np.float32)
    moved: FloatArray = cv2.warpAffine(
        gray, matrix, (wide, high), borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return moved, ((edges + 0.5 - top) * scale - 0.5).astype(np.float32)


def _drawn_over(gray: FloatArray, rng: np.random.Generator) -> FloatArray:
    """What screens draw inside the field: a mark, a row of dots, a caption."""
    high, wide = gray.shape
    out = gray.copy()
    colour = float(rng.uniform(0.6, 1.0))
    what = rng.integers(3)
    row, col = int(rng.integers(0, high)), int(rng.integers(0, wide))
    if what == 0:
        cv2.circle(out, (col, min(row, high // 6)), int(rng.integers(2, 6)), colour, int(rng.choice([-1, 1])))
    elif what == 1:
        step = int(rng.integers(3, 9))
        column = int(rng.choice([rng.integers(0, 6), wide - 1 - rng.integers(0, 6), col]))
        out[::step, column] = colour
    else:
        ink = np.zeros((high, wide), np.uint8)
        cv2.putText(ink, "L 1 cm"[: rng.integers(1, 7)], (col, row), cv2.FONT_HERSHEY_PLAIN, 0.7, 255, 1)
        out = np.maximum(out, colour * (ink > 0)).astype(np.float32)
    return out


def _seen(edges: FloatArray, usable: NDArray[np.bool_]) -> FloatArray:
    """Edges only in columns where both inner edges lie inside the usable field."""
    high, wide = usable.shape
    known = np.isfinite(edges).all(axis=0)
    inner = np.nan_to_num(edges[1:3])
    inside = (inner > -0.5) & (inner < high - 0.5)
    at = np.clip(np.round(inner), 0, high - 1).astype(np.intp)
    inside &= usable[at, np.arange(wide)]
    out = edges.copy()
    out[:, ~(known & inside.all(axis=0))] = np.nan
    return out
