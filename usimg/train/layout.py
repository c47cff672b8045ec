"""Augmentation of anatomy: other thicknesses, tilts and widths of the layers, truth moved with them.

A picture is cut along its four band edges into five pieces (above, band 1, muscle, band 2, below), and
each piece is stretched in depth, column by column, to where a drawn layout wants it. The same
piecewise-linear map moves the pixels and the edges, so they cannot part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.network import INPUT_SHAPE
from usimg.train.dataset import SOURCE_SHAPE, Example
from usimg.train.recipe import Recipe
from usimg.vision import cv2

FloatArray = NDArray[np.float32]
FloatArray64 = NDArray[np.float64]

# Thinnest piece, share of depth: the map must stay one to one.
THINNEST = 0.004


@dataclass(frozen=True, eq=False)
class Placed:
    """A picture at the network's input resolution with its edges in the same pixels.

    Attributes
    ----------
    gray : (rows, cols) float32 array
        0-255.
    usable : (rows, cols) bool array
    edges : (4, cols) float32 array
        Rows, pixel centres at integers; NaN where unknown.
    """

    gray: FloatArray
    usable: NDArray[np.bool_]
    edges: FloatArray


def place(example: Example, recipe: Recipe, rng: np.random.Generator) -> Placed:
    """One random layout of a picture."""
    start, width = _window(recipe, rng)
    columns = start + width * (np.arange(INPUT_SHAPE[1]) + 0.5) / INPUT_SHAPE[1]
    if rng.random() < 0.5:
        columns = columns[::-1]
    source = _source_knots(example, columns)
    target = _target_knots(source, recipe, rng)
    top, bottom = _ends(source, target, rng)
    return warp(example, columns, source, target, top, bottom)


def as_it_is(example: Example) -> Placed:
    """The picture at the network's input resolution, nothing changed."""
    columns = (np.arange(INPUT_SHAPE[1]) + 0.5) / INPUT_SHAPE[1]
    knots = _source_knots(example, columns)
    zero = np.zeros(len(columns))
    return warp(example, columns, knots, knots, zero, zero + 1.0)


def warp(
    example: Example,
    columns: FloatArray64,
    source: FloatArray64,
    target: FloatArray64,
    top: FloatArray64,
    bottom: FloatArray64,
) -> Placed:
    """Move the pieces between ``source`` knots to lie between ``target`` knots.

    Parameters
    ----------
    columns : (cols,) array
        Where in the source's width (0..1) each column is taken from.
    source, target : (4, cols) arrays
        Band edges as shares of depth (0 the upper border, 1 the lower one), increasing downwards.
    top, bottom : (cols,) arrays
        Depth of the source shown at the upper and lower border.
    """
    rows, cols = INPUT_SHAPE
    depth = (np.arange(rows) + 0.5) / rows
    ends = np.zeros((1, cols))
    from_knots = np.concatenate([top[None], source, bottom[None]])
    to_knots = np.concatenate([ends, target, ends + 1.0])
    shown = piecewise(depth, to_knots, from_knots)
    # Sampled at twice the resolution and averaged, as a finer picture would be shrunk.
    high, wide = SOURCE_SHAPE
    map_rows = cv2.resize(
        (shown * high - 0.5).astype(np.float32), (wide, high), interpolation=cv2.INTER_LINEAR
    )
    map_cols = cv2.resize((columns * wide - 0.5).astype(np.float32)[None], (wide, 1))
    map_cols = np.ascontiguousarray(np.broadcast_to(map_cols, map_rows.shape))
    fine = cv2.remap(
        example.gray.astype(np.float32), map_cols, map_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    gray = cv2.resize(fine, (cols, rows), interpolation=cv2.INTER_AREA)
    usable = np.ones((rows, cols), bool)
    if not example.usable.all():
        there = example.usable.astype(np.uint8)
        usable = cv2.resize(cv2.remap(there, map_cols, map_rows, cv2.INTER_NEAREST), (cols, rows)) > 0
    known = _known(example.edges, columns)
    moved = np.empty((4, cols))
    exact = _curves(example, columns)
    for k in range(4):
        moved[k] = piecewise(exact[k][None], from_knots, to_knots)[0]
    edges = np.where(known, moved * rows - 0.5, np.nan).astype(np.float32)
    edges[:, ~np.isfinite(edges).all(axis=0)] = np.nan
    return Placed(gray, usable, edges)


def piecewise(x: FloatArray64, knots: FloatArray64, values: FloatArray64) -> FloatArray64:
    """Piecewise-linear map, one per column: ``knots[:, c]`` go to ``values[:, c]``; straight on outside.

    ``x`` is (rows,) for all columns or (rows, cols); the result is (rows, cols).
    """
    x = x[:, None] if x.ndim == 1 else x
    slopes = np.diff(values, axis=0) / np.maximum(np.diff(knots, axis=0), 1e-9)
    out: FloatArray64 = values[0] + slopes[0] * (x - knots[0])
    for k in range(1, len(slopes)):
        # (rows, cols): what the k-th piece adds beyond its knot
        out += (slopes[k] - slopes[k - 1]) * np.maximum(x - knots[k], 0.0)
    return out


def _window(recipe: Recipe, rng: np.random.Generator) -> tuple[float, float]:
    width = rng.uniform(*recipe.width)
    return rng.uniform(0.0, 1.0 - width), width


def _known(edges: FloatArray, columns: FloatArray64) -> NDArray[np.bool_]:
    nearest = np.clip((columns * edges.shape[1]).astype(np.intp), 0, edges.shape[1] - 1)
    known = np.asarray(np.isfinite(edges).all(axis=0))
    return np.asarray(known[nearest])


def _curves(example: Example, columns: FloatArray64) -> FloatArray64:
    """Edges as shares of depth at ``columns``."""
    at = columns * SOURCE_SHAPE[1] - 0.5
    cols = np.arange(SOURCE_SHAPE[1])
    return (np.stack([np.interp(at, cols, curve) for curve in example.curves]) + 0.5) / SOURCE_SHAPE[0]


def _source_knots(example: Example, columns: FloatArray64) -> FloatArray64:
    """Smoothed edges, increasing and inside the picture: the cuts between the pieces."""
    curves = _curves(example, columns)
    smooth = cv2.GaussianBlur(curves, (0, 0), sigmaX=4.0, sigmaY=1e-6, borderType=cv2.BORDER_REPLICATE)
    return _increasing(smooth)


def _increasing(knots: FloatArray64) -> FloatArray64:
    """Knots at least `THINNEST` apart and off the borders; the band moves before the muscle's edges do."""
    out = np.clip(knots, 2 * THINNEST, 1 - 2 * THINNEST)
    out[1] = np.minimum(out[1], 1 - 5 * THINNEST)
    out[2] = np.clip(out[2], out[1] + THINNEST, 1 - 3 * THINNEST)
    out[0] = np.clip(out[0], THINNEST, np.maximum(out[1] - THINNEST, THINNEST))
    out[1] = np.maximum(out[1], out[0] + THINNEST)
    out[2] = np.maximum(out[2], out[1] + THINNEST)
    out[3] = np.clip(np.maximum(out[3], out[2] + THINNEST), None, 1 - THINNEST)
    return out


def _target_knots(source: FloatArray64, recipe: Recipe, rng: np.random.Generator) -> FloatArray64:
    """Where the four edges shall lie, (4, cols), shares of depth."""
    mean = source.mean(axis=1)
    if rng.random() < recipe.free_layout:
        filling = rng.random() < recipe.filling
        # The layer above is more often thin than thick, as in people.
        low, high = recipe.above
        above = low + (high - low) * rng.random() ** (3.0 if filling else 1.6)
        room = 0.97 - above
        muscle = rng.uniform(0.7, 1.0) * room if filling else min(rng.uniform(*recipe.muscle), room)
        muscle = max(muscle, recipe.muscle[0])
        stretch = muscle / max(mean[2] - mean[1], 1e-3)
    else:
        stretch = rng.uniform(*recipe.depth_stretch)
        muscle = (mean[2] - mean[1]) * stretch * rng.uniform(0.8, 1.25)
        above = mean[1] * stretch * rng.uniform(0.8, 1.25)
        muscle = min(muscle, 0.97 - above) if above < 0.85 else muscle
    upper, lower = above, above + muscle
    x = np.linspace(-1.0, 1.0, source.shape[1])
    shape = (source - mean[:, None]) * np.clip(stretch, 0.5, 1.6) * rng.uniform(0.4, 1.2)
    tilt = rng.normal(0.0, recipe.tilt / 2) * x
    bend = rng.normal(0.0, recipe.bend / 2) * (x**2 - 1 / 3)
    own = rng.normal(0.0, recipe.tilt / 4, 2)[:, None] * x
    thick = (mean[[1, 3]] - mean[[0, 2]]) * rng.uniform(*recipe.bands, 2)
    thick = np.clip(thick, 0.008, 0.09)
    mid = np.stack([upper - thick[0], np.float64(upper), np.float64(lower), lower + thick[1]])
    target = mid[:, None] + shape + tilt + bend
    target[:2] += own[0]
    target[2:] += own[1]
    return _increasing(target)


def _ends(
    source: FloatArray64, target: FloatArray64, rng: np.random.Generator
) -> tuple[FloatArray64, FloatArray64]:
    """Depth of the source shown at the upper and the lower border.

    A layer that must become thinner may be squeezed or cut off; one that must become thicker is stretched.
    """
    squeeze_top, squeeze_bottom = rng.uniform(0.5, 1.0), rng.uniform(0.5, 1.2)
    top = np.maximum(source[0] - target[0] / squeeze_top, 0.0)
    bottom = np.minimum(source[3] + (1.0 - target[3]) / squeeze_bottom, 1.0)
    # One number a side: a slanting cut would slant everything drawn there.
    return (
        np.minimum(np.full_like(top, np.median(top)), source[0] - THINNEST / 2),
        np.maximum(np.full_like(bottom, np.median(bottom)), source[3] + THINNEST / 2),
    )
