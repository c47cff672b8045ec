"""Which two lines bound the muscle: every pair is described by numbers and scored by a small model.

Finding lines is the easy part; choosing two is what errors come from. A pair is described by the lines
themselves, by where they lie, by what lies between, above and below, and by the lines passed over. The
weights are in ``layers.toml``, fitted by ``benchmarks/fit_layers.py`` on human-labelled images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.field import WORKING_ROWS, Working
from usimg.outline.lines import COLUMN_STEP, Lines
from usimg.vision import cv2

Array = NDArray[np.float64]

# A compartment thinner than this share of the depth is a split fascia (thinnest labelled one: 7 %).
THINNEST = 0.045
# Rows next to a line that belong to it, left out of what lies between.
MARGIN = 5
# Rows that "just above" and "just below" a line reach.
BESIDE = 14
# Rows of the layer above and below that are compared with what lies between.
NEIGHBOUR = 60


@dataclass(frozen=True, eq=False)
class Pairs:
    """All admissible pairs of lines.

    Attributes
    ----------
    upper, lower : (pairs,) int array
        Index into the lines.
    features : (pairs, len(FEATURES)) float array
    """

    upper: NDArray[np.intp]
    lower: NDArray[np.intp]
    features: Array


class _Depths:
    """Means of maps between two row profiles, from running sums over depth."""

    def __init__(self, maps: dict[str, Array], usable: NDArray[np.bool_]) -> None:
        self.names = list(maps)
        stack = np.stack(
            [np.where(usable, maps[name], 0.0) for name in self.names] + [usable.astype(np.float64)]
        )
        self.sums = np.concatenate([np.zeros_like(stack[:, :1]), np.cumsum(stack, axis=1)], axis=1)

    def mean(self, top: Array, bottom: Array) -> dict[str, Array]:
        """Mean of each map over rows top..bottom; (n, steps) profiles in, (n,) out; 0 where nothing is."""
        height = self.sums.shape[1] - 1
        low = np.clip(np.round(top), 0, height).astype(np.intp)
        high = np.clip(np.round(bottom), 0, height).astype(np.intp)
        high = np.maximum(low, high)
        step = np.arange(self.sums.shape[2])
        total = (self.sums[:, high, step] - self.sums[:, low, step]).sum(axis=2)
        count = np.maximum(total[-1], 1.0)
        return {name: total[k] / count for k, name in enumerate(self.names)}


def texture_maps(picture: Working) -> dict[str, Array]:
    """Maps whose means describe a layer, (rows, steps), in blocks of `COLUMN_STEP` columns."""
    even = picture.even
    across = cv2.Sobel(even, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(even, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    bright = float(picture.gray[picture.usable].mean()) if picture.usable.any() else 1.0
    maps = {
        "even": even,
        "gray": picture.gray / max(bright, 1.0),
        "black": (picture.gray < 0.15 * bright).astype(np.float32),
        "difference": across**2 - down**2,
        "product": 2 * across * down,
        "energy": across**2 + down**2,
    }
    height, width = even.shape
    blocks = (height, width // COLUMN_STEP, COLUMN_STEP)
    return {name: values.reshape(blocks).mean(axis=2).astype(np.float64) for name, values in maps.items()}


def _grain(layer: dict[str, Array]) -> tuple[Array, Array]:
    """How much of a layer's texture runs one way (0..1), and that slope in radians (0 = along the rows)."""
    strength = np.hypot(layer["difference"], layer["product"]) / np.maximum(layer["energy"], 1e-9)
    # The gradient stands across the grain.
    angle = 0.5 * np.arctan2(-layer["product"], -layer["difference"])
    return strength, -angle


def describe(picture: Working, lines: Lines) -> Pairs:
    """Numbers for every pair of lines that could bound a layer."""
    n = len(lines.rows)
    upper, lower = np.triu_indices(n, k=1)
    rows = lines.rows.astype(np.float64)
    gap = (rows[lower] - rows[upper]).mean(axis=1) if n > 1 else np.empty(0)
    keep = gap > THINNEST * WORKING_ROWS
    upper, lower = upper[keep], lower[keep]
    if not len(upper):
        return Pairs(upper, lower, np.empty((0, len(FEATURES))))
    depths = _Depths(texture_maps(picture), lines.usable)
    features = np.stack(list(_features(rows, lines, upper, lower, depths).values()), axis=1)
    return Pairs(upper, lower, features)


def _features(
    rows: Array, lines: Lines, upper: NDArray[np.intp], lower: NDArray[np.intp], depths: _Depths
) -> dict[str, Array]:
    strength = lines.strength.astype(np.float64)
    mean_strength = strength.mean(axis=1)
    weak_strength = np.quantile(strength, 0.2, axis=1)
    depth = rows.mean(axis=1) / WORKING_ROWS
    steps = rows.shape[1]
    x = np.linspace(-1.0, 1.0, steps)
    slope = (rows @ x) / (x @ x) / (0.5 * steps * COLUMN_STEP)
    just_above = depths.mean(rows - MARGIN - BESIDE, rows - MARGIN)
    just_below = depths.mean(rows + MARGIN, rows + MARGIN + BESIDE)
    on = depths.mean(rows - 2, rows + 3)
    a, b = rows[upper], rows[lower]
    between = depths.mean(a + MARGIN, b - MARGIN + 1)
    above = depths.mean(np.maximum(a - MARGIN - NEIGHBOUR, 0), a - MARGIN)
    below = depths.mean(b + MARGIN, b + MARGIN + NEIGHBOUR)
    grain, angle = _grain(between)
    grain_above, _ = _grain(above)
    grain_below, angle_below = _grain(below)
    gap = depth[lower] - depth[upper]
    # Lines passed over: between the two, above the upper one, below the lower one.
    index = np.arange(len(rows))
    inside = (index > upper[:, None]) & (index < lower[:, None])
    over = index < upper[:, None]
    under = index > lower[:, None]
    strongest_inside = (inside * mean_strength).max(axis=1)
    strongest_over = (over * mean_strength).max(axis=1)
    strongest_under = (under * mean_strength).max(axis=1)
    pinch = (b - a).min(axis=1) / np.maximum((b - a).mean(axis=1), 1.0)
    return {
        "upper_strength": mean_strength[upper],
        "lower_strength": mean_strength[lower],
        "upper_weak": weak_strength[upper],
        "lower_weak": weak_strength[lower],
        "upper_on": on["even"][upper],
        "lower_on": on["even"][lower],
        "upper_gray": np.log1p(on["gray"][upper]),
        "lower_gray": np.log1p(on["gray"][lower]),
        "upper_depth": depth[upper],
        "upper_depth_2": depth[upper] ** 2,
        "lower_depth": depth[lower],
        "lower_depth_2": depth[lower] ** 2,
        "thickness_log": np.log(gap),
        "thickness_log_2": np.log(gap / 0.3) ** 2,
        "upper_slope": np.abs(slope[upper]),
        "lower_slope": np.abs(slope[lower]),
        "slope_apart": np.abs(slope[upper] - slope[lower]),
        "pinch": pinch,
        "strongest_inside": strongest_inside,
        "inside_over_lower": np.maximum(strongest_inside - mean_strength[lower], 0.0),
        "inside_count": inside.sum(axis=1) * 1.0,
        "strongest_over": strongest_over,
        "over_count": over.sum(axis=1) * 1.0,
        "strongest_under": strongest_under,
        "under_over_lower": np.maximum(strongest_under - mean_strength[lower], 0.0),
        "step_upper": just_below["even"][upper] - just_above["even"][upper],
        "step_lower": just_below["even"][lower] - just_above["even"][lower],
        "above_lower": just_above["even"][lower],
        "below_upper": just_below["even"][upper],
        "gray_between": np.log1p(between["gray"]),
        "gray_above": np.log1p(above["gray"]) - np.log1p(between["gray"]),
        "gray_below": np.log1p(below["gray"]) - np.log1p(between["gray"]),
        "black_between": between["black"],
        "black_below": below["black"] - between["black"],
        "energy_below": np.log(below["energy"] + 1e-3) - np.log(between["energy"] + 1e-3),
        "energy_above": np.log(above["energy"] + 1e-3) - np.log(between["energy"] + 1e-3),
        "grain": grain,
        "grain_above": grain_above,
        "grain_below": grain_below,
        # Fascicles run at an angle to the aponeurosis; fat lobules and the deep line's neighbours along it.
        "grain_tilt": np.abs(np.sin(2 * (angle - np.arctan(slope[upper])))) * grain,
        "grain_tilt_lower": np.abs(np.sin(2 * (angle - np.arctan(slope[lower])))) * grain,
        "grain_turn": np.abs(np.sin(angle - angle_below)) * np.minimum(grain, grain_below),
        "thickness": gap,
    }


FEATURES = (
    "upper_strength", "lower_strength", "upper_weak", "lower_weak", "upper_on", "lower_on", "upper_gray",
    "lower_gray", "upper_depth", "upper_depth_2", "lower_depth", "lower_depth_2", "thickness_log",
    "thickness_log_2", "upper_slope", "lower_slope", "slope_apart", "pinch", "strongest_inside",
    "inside_over_lower", "inside_count", "strongest_over", "over_count", "strongest_under",
    "under_over_lower", "step_upper", "step_lower", "above_lower", "below_upper", "gray_between",
    "gray_above", "gray_below", "black_between", "black_below", "energy_below", "energy_above", "grain",
    "grain_above", "grain_below", "grain_tilt", "grain_tilt_lower", "grain_turn", "thickness",
)  # fmt: skip
