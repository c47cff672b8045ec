"""What the network should answer for a placed picture, with edges between pixels kept sub-pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.network import INPUT_SHAPE, LAYERS, OUTPUT_COLS

FloatArray = NDArray[np.float32]

# Spread of the target round an edge, rows: experts' own edges wander by about a pixel.
EDGE_SPREAD = 0.8


@dataclass(frozen=True, eq=False)
class Target:
    """Truth at the network's output resolution.

    Attributes
    ----------
    layers : (5, rows, cols) float32 array
        Share of each pixel in each layer.
    begins, ends : (rows, cols) float32 array
        Sum to 1 down each column.
    band_known : (rows, cols) float32 array
        1 where "any band" can be taught: experts leave deeper fasciae undrawn, so nothing below band 2.
    columns : (cols,) float32 array
        1 where both bands are drawn.
    """

    layers: FloatArray
    begins: FloatArray
    ends: FloatArray
    band_known: FloatArray
    columns: FloatArray


def output_columns(edges: FloatArray) -> FloatArray:
    """Edges (k, input cols) at the output's columns: the mean of the columns each stands for."""
    pairs = edges.reshape(len(edges), OUTPUT_COLS, INPUT_SHAPE[1] // OUTPUT_COLS)
    return np.asarray(pairs.mean(axis=2), np.float32)


def target(edges: FloatArray) -> Target:
    """From edges (4, input cols) in rows of the input, NaN where unknown."""
    rows = INPUT_SHAPE[0]
    curves = output_columns(edges)
    known = np.asarray(np.isfinite(curves).all(axis=0))
    curves = np.where(known, curves, [[0.2 * rows], [0.22 * rows], [0.5 * rows], [0.52 * rows]])
    row = np.arange(rows, dtype=np.float32)[:, None]
    # (4, rows, cols): how much of the pixel lies below each edge
    past = np.clip(row[None] + 0.5 - curves[:, None, :], 0.0, 1.0)
    layers = np.empty((LAYERS, rows, OUTPUT_COLS), np.float32)
    layers[0] = 1.0 - past[0]
    layers[1:4] = past[:3] - past[1:]
    layers[4] = past[3]
    near = [np.exp(-0.5 * ((row - curve) / EDGE_SPREAD) ** 2) + 1e-12 for curve in curves[1:3]]
    begins, ends = (n / n.sum(axis=0, keepdims=True) for n in near)
    taught = (row < curves[3] + 2) & known
    return Target(
        np.clip(layers, 0.0, 1.0),
        begins.astype(np.float32),
        ends.astype(np.float32),
        taught.astype(np.float32),
        known.astype(np.float32),
    )
