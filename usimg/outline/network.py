"""Muscle layers by a network: what it is shown, what it answers, and the two edges drawn from that.

The network (`usimg.train.net`) sees a field at 256 rows by 128 columns and answers for every row of 64
columns: which of five layers is there (above, band 1, muscle, band 2, below), whether a band of any kind
is, and how likely the muscle begins, and ends, in that row. The edges are the two paths across the columns
of greatest likelihood. Everything here is numpy and OpenCV; torch is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.lines import best_paths
from usimg.vision import cv2

FloatArray = NDArray[np.float32]
# A boundary of each column, and its mean score.
Route = tuple[NDArray[np.intp], float]

# Rows and columns the network sees: thickness is measured down the rows, lines change little along the
# columns (segmentation pilot, 1.2).
INPUT_SHAPE = (256, 128)
OUTPUT_COLS = 64
# Grey scaled to the picture's own white, and grey with local mean and spread removed.
INPUT_CHANNELS = 2
LAYERS = 5
# Five layers, any band, muscle begins, muscle ends.
OUTPUT_CHANNELS = LAYERS + 3
ABOVE, BAND_1, MUSCLE, BAND_2, BELOW = range(LAYERS)
ANY_BAND, BEGINS, ENDS = LAYERS, LAYERS + 1, LAYERS + 2

# Window of the local mean and spread, rows and columns: an eighth of the depth, as for the line search.
_SPREAD_ROWS, _SPREAD_COLS = 16.0, 12.0
# Neighbouring rows tell the same story: the evidence of a whole layer counts this much per row against the
# edge's own. With more, a thick white band far from the edge's place outweighs the edge. This and the bend's
# cost were chosen on machines left out of training (train split).
_ROW_WEIGHT = 0.05
# Rows a path may move from one output column to the next: about 40 degrees in a square field.
_STEEPEST = 4
_BEND_COST = 0.4


def network_input(gray: FloatArray, usable: NDArray[np.bool_]) -> FloatArray:
    """What the network is shown of a field, (2, rows, cols).

    Parameters
    ----------
    gray : (rows, cols) float32 array
        Grey 0-255 at `INPUT_SHAPE`.
    usable : (rows, cols) bool array
        Scan area; 0 is shown elsewhere.
    """
    weight = usable.astype(np.float32)
    values = gray[usable]
    if len(values) == 0:
        return np.zeros((INPUT_CHANNELS, *gray.shape), np.float32)
    place = int(0.99 * (len(values) - 1))
    white = max(float(np.partition(values, place)[place]), 16.0)
    level = 2.0 * np.clip(gray / white, 0.0, 1.25) - 0.5
    norm = np.maximum(_blur(weight), 1e-3)
    mean = _blur(gray * weight) / norm
    power = np.asarray((gray - mean) ** 2 * weight, np.float32)
    spread = np.sqrt(np.maximum(_blur(power) / norm, 0.0))
    # Four grey levels are noise in a black depth, not contrast.
    even = np.clip((gray - mean) / (spread + 4.0), -3.0, 4.0) / 2.0
    return (np.stack([level, even]) * weight).astype(np.float32)


def _blur(image: FloatArray) -> FloatArray:
    blurred: FloatArray = cv2.GaussianBlur(
        image, (0, 0), sigmaX=_SPREAD_COLS, sigmaY=_SPREAD_ROWS, borderType=cv2.BORDER_REFLECT
    )
    return blurred


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network says of one field, as probabilities.

    Attributes
    ----------
    layers : (5, rows, cols) float32 array
        Sums to 1 over the layers.
    any_band : (rows, cols) float32 array
    begins, ends : (rows, cols) float32 array
        Sum to 1 down each column.
    """

    layers: FloatArray
    any_band: FloatArray
    begins: FloatArray
    ends: FloatArray

    @classmethod
    def of(cls, logits: FloatArray) -> Answer:
        """From the network's output, (`OUTPUT_CHANNELS`, rows, cols)."""
        return cls(
            _softmax(logits[:LAYERS]),
            (1.0 / (1.0 + np.exp(-np.clip(logits[ANY_BAND], -30, 30)))).astype(np.float32),
            _softmax(logits[BEGINS]),
            _softmax(logits[ENDS]),
        )

    def mirrored(self) -> Answer:
        """The same seen in a mirror."""
        flip = (..., slice(None, None, -1))
        return Answer(self.layers[flip], self.any_band[flip], self.begins[flip], self.ends[flip])

    def averaged(self, other: Answer) -> Answer:
        """Mean of two answers' probabilities; never of curves, whose mean may lie between two lines."""
        return Answer(
            _mean(self.layers, other.layers),
            _mean(self.any_band, other.any_band),
            _mean(self.begins, other.begins),
            _mean(self.ends, other.ends),
        )


def _mean(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray((first + second) / 2, np.float32)


def _softmax(logits: FloatArray) -> FloatArray:
    raised = np.exp(logits - logits.max(axis=0, keepdims=True))
    return np.asarray(raised / raised.sum(axis=0, keepdims=True), np.float32)


@dataclass(frozen=True, eq=False)
class Edges:
    """The muscle's upper and lower inner edge in the network's grid.

    Attributes
    ----------
    upper, lower : (cols,) float32 arrays
        Rows, pixel centres at integers, sub-pixel.
    upper_score, lower_score : float
        Log-likelihood of each, per column.
    """

    upper: FloatArray
    lower: FloatArray
    upper_score: float
    lower_score: float


# Paths nearer than this to each other (rows, at any column) are the same line.
_APART = 8
# Edges keep this many rows between them.
_LEAST_ROWS = 2


def edges(answer: Answer) -> Edges:
    """The two most likely edges; where they would cross, the less likely one gives way."""
    return edges_of([answer])[0]


def edges_of(answers: Sequence[Answer]) -> list[Edges]:
    """`edges` of several answers, searched together."""
    return _edges([(answer, *boundary_scores(answer)) for answer in answers])


def second_edges(answer: Answer, best: Edges) -> tuple[Edges, Edges]:
    """The best edges when the upper one, and when the lower one, must be another line."""
    begins, ends = boundary_scores(answer)
    without_upper, without_lower = _edges(
        [(answer, _without(begins, best.upper), ends), (answer, begins, _without(ends, best.lower))]
    )
    return without_upper, without_lower


def _edges(scored: Sequence[tuple[Answer, FloatArray, FloatArray]]) -> list[Edges]:
    """From answers with their scores of beginning and ending."""
    paths = _paths([score for _, begins, ends in scored for score in (begins, ends)])
    return [_uncrossed(*one, paths[2 * k], paths[2 * k + 1]) for k, one in enumerate(scored)]


def _uncrossed(answer: Answer, begins: FloatArray, ends: FloatArray, first: Route, second: Route) -> Edges:
    (upper, upper_score), (lower, lower_score) = first, second
    if (lower - upper < _LEAST_ROWS).any():
        row = np.arange(begins.shape[0])[:, None]
        # Below anything the scores hold, but finite: a path that must cross still exists.
        barred = -40.0
        if upper_score >= lower_score:
            over = row < upper + _LEAST_ROWS
            [(lower, lower_score)] = _paths([np.where(over, barred, ends).astype(np.float32)])
            lower = np.maximum(lower, upper + _LEAST_ROWS)
        else:
            under = row > lower - _LEAST_ROWS
            [(upper, upper_score)] = _paths([np.where(under, barred, begins).astype(np.float32)])
            upper = np.minimum(upper, lower - _LEAST_ROWS)
    return Edges(_sub_pixel(answer.begins, upper), _sub_pixel(answer.ends, lower), upper_score, lower_score)


def boundary_scores(answer: Answer) -> tuple[FloatArray, FloatArray]:
    """Log-likelihood that the muscle begins, and ends, at each boundary, two (rows + 1, cols) arrays.

    Boundary b lies between rows b - 1 and b. With both edges in place a column's likelihood is the product
    of the layers' probabilities above, between and below them; it falls into one part for each edge.
    """
    tiny = 1e-4
    muscle = np.log(answer.layers[MUSCLE] + tiny)
    over = np.log(answer.layers[ABOVE] + answer.layers[BAND_1] + tiny) - muscle
    under = np.log(answer.layers[BAND_2] + answer.layers[BELOW] + tiny) - muscle
    begins = _ROW_WEIGHT * _summed(over) + _at_boundaries(answer.begins)
    from_below = _summed(under[::-1])[::-1]
    ends = _ROW_WEIGHT * from_below + _at_boundaries(answer.ends)
    return begins.astype(np.float32), ends.astype(np.float32)


def _summed(values: FloatArray) -> FloatArray:
    """Sums of the rows before each boundary."""
    return np.concatenate([np.zeros((1, values.shape[1]), np.float32), np.cumsum(values, axis=0)])


def _at_boundaries(probability: FloatArray) -> FloatArray:
    edge = np.zeros((1, probability.shape[1]), np.float32)
    padded = np.concatenate([edge, probability, edge])
    return np.asarray(np.log((padded[1:] + padded[:-1]) / 2 + 1e-4), np.float32)


def _paths(scores: Sequence[FloatArray]) -> list[Route]:
    found = best_paths(np.stack(scores), steepest=_STEEPEST, bend_cost=_BEND_COST)
    column = np.arange(found.shape[1])
    return [(path, float(score[path, column].mean())) for score, path in zip(scores, found, strict=True)]


def _without(score: FloatArray, line: FloatArray) -> FloatArray:
    """The score with the corridor round a line closed."""
    near = np.abs(np.arange(score.shape[0])[:, None] - 0.5 - line) < _APART
    return np.asarray(np.where(near, score.min() - 1.0, score), np.float32)


def _sub_pixel(probability: FloatArray, path: NDArray[np.intp], reach: int = 3) -> FloatArray:
    """Boundary path to rows: the mean of the edge's probability within ``reach`` rows of it, smoothed."""
    rows, cols = probability.shape
    offset = np.arange(-reach, reach)[:, None]
    at = path[None] + offset
    inside = (at >= 0) & (at < rows)
    weight = np.where(inside, probability[np.clip(at, 0, rows - 1), np.arange(cols)[None]], 0.0) + 1e-5
    row = (weight * at).sum(axis=0) / weight.sum(axis=0)
    curve = row.astype(np.float32)[None]
    smooth = cv2.GaussianBlur(curve, (0, 0), sigmaX=1.0, sigmaY=1e-6, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth[0], np.float32)
