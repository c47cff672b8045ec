"""How far the network's outline can be trusted: what other looks at the same picture say.

A network's own certainty is no check on a machine it has not seen (pilot, 3.3, 4), so its answer is compared
with its answers to the mirrored and to the squeezed picture, with its second choice, and with the lines that
a search without any network finds. A logistic model of these numbers, fitted on machines left out of
training, gives the probability that the thickness is right to 10 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.layers import Candidates
from usimg.outline.model import fitted
from usimg.outline.network import INPUT_SHAPE, Answer, Edges

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

# A picture squeezed to this share of its depth, black below: lines stay, their place changes.
SQUEEZE = 0.85
# Differences below this share of depth are the grain of the network's grid.
GRAIN = 0.002
# What one power of ten in the line search's probability counts against the network's log-likelihood per
# column: chosen on two machines left out of training (train split), where it mended a fifth of the wrong
# lines.
SECOND_VOICE = 3.5
# Farther than this share of the depth from any line, an outline has no pair of lines.
OFF_LINE = 0.03
# What `describe` gives.
DESCRIBED = (
    "upper_agrees",
    "lower_agrees",
    "upper_margin",
    "lower_margin",
    "upper_score",
    "lower_score",
    "muscle",
    "upper_band",
    "lower_band",
    "upper_line",
    "lower_line",
    "classical",
)


@dataclass(frozen=True, eq=False)
class Confidence:
    """A logistic model over named numbers.

    Attributes
    ----------
    weights : mapping of str to float
        By the names that `describe` gives.
    intercept : float
    """

    weights: Mapping[str, float]
    intercept: float

    def __call__(self, described: Mapping[str, float]) -> float:
        """Probability that the thickness is right to 10 %."""
        logit = self.intercept + sum(self.weights[name] * described[name] for name in self.weights)
        return float(1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0))))


@dataclass(frozen=True, eq=False)
class Looks:
    """The same picture seen several ways, all in the network's grid.

    Attributes
    ----------
    best : Edges
        From the averaged answer.
    plain, mirrored, squeezed : Edges
        From each look alone.
    without_upper, without_lower : Edges
        The best when one of the lines must be another.
    answer : Answer
        The averaged one.
    """

    best: Edges
    plain: Edges
    mirrored: Edges
    squeezed: Edges
    without_upper: Edges
    without_lower: Edges
    answer: Answer


def ranked(looks: Looks, classical: Candidates) -> list[Edges]:
    """The outlines there are, likeliest first, by the network's score and the line search's together."""

    def score(found: Edges) -> float:
        _, _, likely = _classical(found, classical)
        return found.upper_score + found.lower_score + SECOND_VOICE * likely

    return sorted((looks.best, looks.without_lower, looks.without_upper), key=score, reverse=True)


def describe(looks: Looks, chosen: Edges, classical: Candidates) -> dict[str, float]:
    """The numbers a confidence is made from; larger is better for all."""
    best, rows = chosen, INPUT_SHAPE[0]
    views = (looks.plain, looks.mirrored, looks.squeezed)
    upper = max(float(np.abs(v.upper - best.upper).mean()) for v in views) / rows
    lower = max(float(np.abs(v.lower - best.lower).mean()) for v in views) / rows
    near_upper, near_lower, likely = _classical(best, classical)
    column = np.arange(len(best.upper))
    row = np.arange(rows)[:, None]
    inside = (row > best.upper) & (row < best.lower)
    band = looks.answer.any_band
    return {
        "upper_agrees": _agreement(upper),
        "lower_agrees": _agreement(lower),
        "upper_margin": _margin(best, looks.without_upper),
        "lower_margin": _margin(best, looks.without_lower),
        "upper_score": max(best.upper_score, -8.0),
        "lower_score": max(best.lower_score, -8.0),
        "muscle": float(looks.answer.layers[2][inside].mean()) if inside.any() else 0.0,
        "upper_band": float(band[np.clip(np.round(best.upper - 3).astype(int), 0, rows - 1), column].mean()),
        "lower_band": float(band[np.clip(np.round(best.lower + 3).astype(int), 0, rows - 1), column].mean()),
        "upper_line": _agreement(near_upper),
        "lower_line": _agreement(near_lower),
        "classical": likely,
    }


def _agreement(apart: float) -> float:
    """0 for a difference of 20 % of the depth, 2 for 0.2 % or less."""
    return float(-np.log10(np.clip(apart, GRAIN, 0.2) / 0.2))


def _margin(best: Edges, other: Edges) -> float:
    """How much less likely the other is; at most 6, beyond which nothing more is learnt. 0 for itself."""
    lost = best.upper_score + best.lower_score - other.upper_score - other.lower_score
    return float(np.clip(lost, 0.0, 6.0))


def _classical(best: Edges, found: Candidates) -> tuple[float, float, float]:
    """(distance of the nearest line from each edge, share of depth; log10 probability of that pair).

    The probability is the lowest that any of the line search's voices gives: each was fitted without one kind
    of machine, so one of them is as blind to a labelled machine as all are to a new one.
    """
    lines = found.lines.rows
    if not len(lines):
        return 0.2, 0.2, -3.0
    height, width = found.picture.gray.shape
    at = (np.arange(len(best.upper)) + 0.5) * width / len(best.upper) - 0.5
    shown = np.stack([np.interp(at, found.lines.cols, line) for line in lines]) / height
    # Edges lie about half a band inside their lines.
    upper = np.abs(shown - (best.upper / INPUT_SHAPE[0] - 0.01)).mean(axis=1)
    lower = np.abs(shown - (best.lower / INPUT_SHAPE[0] + 0.01)).mean(axis=1)
    pair = (found.pairs.upper == upper.argmin()) & (found.pairs.lower == lower.argmin())
    on_lines = pair.any() and max(upper.min(), lower.min()) < OFF_LINE
    likely = float(fitted().heard(found.pairs.features)[pair].min()) if on_lines else 0.0
    return float(upper.min()), float(lower.min()), float(np.log10(np.clip(likely, 1e-3, 1.0)))
