"""Grey levels inside outlines: echo intensity and what goes with it, for all outlines of a frame at once.

An outline's grey levels are kept as a histogram of its 256 possible values, from which mean, spread and
percentiles follow exactly. Pixels drawn over (calipers, text, colour) are left out; black ones stay in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.measurement.raster import Runs, runs

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PERCENTILES = (5, 25, 50, 75, 95)
# Outlines and pixels taken in one go: some 100 MB at most, however many outlines a frame has.
_OUTLINES_AT_ONCE = 4096
_PIXELS_AT_ONCE = 2_000_000
_LEVELS = np.arange(256, dtype=np.float64)


@dataclass(frozen=True)
class Grey:
    """Grey levels of n outlines; every array is (n,), NaN where an outline has no pixel to count.

    Attributes
    ----------
    pixel_count : int array
        Pixels counted.
    mean, sd : float arrays
        ``sd`` with n - 1, as ImageJ's StdDev; NaN for a single pixel.
    percentiles : mapping of int to float array
        5, 25, 50, 75, 95; linear between grey levels, as `numpy.percentile`.
    black_fraction, saturated_fraction : float arrays
        Share of counted pixels at 0 and at 255.
    overlay_fraction : float array
        Share of the outline's pixels left out because something is drawn over them.
    outside_fraction : float array
        Share of the outline's pixels outside the scan area (counted nonetheless).
    doubtful : float array
        Share of the outline's area that it winds about twice or backwards (`usimg.measurement.raster`).
    """

    pixel_count: IntArray
    mean: FloatArray
    sd: FloatArray
    percentiles: dict[int, FloatArray]
    black_fraction: FloatArray
    saturated_fraction: FloatArray
    overlay_fraction: FloatArray
    outside_fraction: FloatArray
    doubtful: FloatArray


def grey_levels(
    gray: NDArray[np.uint8],
    outlines: Sequence[Sequence[FloatArray]],
    *,
    overlays: NDArray[np.bool_] | None = None,
    scan_area: NDArray[np.bool_] | None = None,
) -> Grey:
    """Grey levels inside each outline.

    Parameters
    ----------
    gray : (rows, cols) uint8 array
    outlines : sequence of sequences of (N, 2) arrays
        The parts of each outline, (row, col) in px.
    overlays, scan_area : (rows, cols) bool arrays, optional
    """
    shape = (gray.shape[0], gray.shape[1])
    inside = runs(outlines, shape)
    n = len(outlines)
    histogram = np.zeros((n, 256), dtype=np.int64)
    overlaid = np.zeros(n, dtype=np.int64)
    outside = np.zeros(n, dtype=np.int64)
    for first, chosen in _portions(inside, n):
        owner, index = chosen.pixels(shape[1])
        size = len(chosen.doubtful)
        here = slice(first, first + size)
        if scan_area is not None:
            outside[here] += np.bincount(owner[~scan_area.ravel()[index]], minlength=size)
        if overlays is not None:
            drawn = overlays.ravel()[index]
            overlaid[here] += np.bincount(owner[drawn], minlength=size)
            owner, index = owner[~drawn], index[~drawn]
        levels = owner * 256 + gray.ravel()[index]
        histogram[here] += np.bincount(levels, minlength=size * 256).reshape(size, 256)
    return _from_histogram(histogram, overlaid, outside, inside.doubtful)


def _portions(inside: Runs, n: int) -> list[tuple[int, Runs]]:
    """Outlines cut into portions of bounded size: number of the first, and their runs."""
    pixels = np.bincount(inside.owner, weights=inside.stop - inside.start, minlength=n)
    portions = []
    first, held = 0, 0.0
    for i in range(n):
        if i > first and (i - first >= _OUTLINES_AT_ONCE or held + pixels[i] > _PIXELS_AT_ONCE):
            portions.append((first, inside.between(first, i)))
            first, held = i, 0.0
        held += pixels[i]
    if n:
        portions.append((first, inside.between(first, n)))
    return portions


def _from_histogram(histogram: IntArray, overlaid: IntArray, outside: IntArray, doubtful: FloatArray) -> Grey:
    count = histogram.sum(axis=1)
    mean = _ratio(histogram @ _LEVELS, count)
    # About each outline's own mean: no cancellation for a bright, even region.
    squares = np.einsum("ij,ij->i", histogram, (_LEVELS - np.nan_to_num(mean)[:, None]) ** 2)
    total = count + overlaid
    return Grey(
        pixel_count=count,
        mean=mean,
        sd=np.sqrt(_ratio(squares, count - 1)),
        percentiles={p: _percentile(histogram, count, p) for p in PERCENTILES},
        black_fraction=_ratio(histogram[:, 0], count),
        saturated_fraction=_ratio(histogram[:, 255], count),
        overlay_fraction=_ratio(overlaid, total),
        outside_fraction=_ratio(outside, total),
        doubtful=doubtful,
    )


def _percentile(histogram: IntArray, count: IntArray, percent: int) -> FloatArray:
    """numpy.percentile's linear rule, read off the cumulated histogram."""
    cumulated = np.cumsum(histogram, axis=1)
    rank = (count - 1) * (percent / 100.0)
    low = np.floor(rank)
    value_low = (cumulated <= low[:, None]).sum(axis=1)
    value_high = (cumulated <= np.ceil(rank)[:, None]).sum(axis=1)
    value = value_low + (rank - low) * (value_high - value_low)
    return np.where(count > 0, value, np.nan)


def _ratio(part: NDArray[np.generic], whole: IntArray) -> FloatArray:
    share: FloatArray = np.full(len(whole), np.nan)
    np.divide(part, whole, out=share, where=whole > 0, casting="unsafe")
    return share
