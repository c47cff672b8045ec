"""Constants fitted after the network: where experts see the edges, and how far the outline can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.layer_model import LayerNetwork
from usimg.outline.layers import candidates
from usimg.outline.learned import look, refined
from usimg.outline.selfcheck import DESCRIBED, describe, ranked
from usimg.train.dataset import Example
from usimg.train.figures import relative_error

Array = NDArray[np.float64]

# A picture counts as right when its thickness is within this share of the expert's.
RIGHT = 0.10
# Pull of the confidence's slope to zero (chosen here; hardly felt).
RIDGE = 0.04
# The odds of a wrong outline are multiplied by this. On dltrack_apo train, every device outlined and judged
# by what never saw it, 1 of 97 outlines with a confidence of 0.5 or more is wrong at 10, none of 82 at 20;
# with nine wrong ones in all, the fit alone would promise what it cannot know.
CAUTION = 20.0


@dataclass(frozen=True, eq=False)
class Judged:
    """One picture outlined as `usimg.segment` does it, beside its expert.

    Attributes
    ----------
    example : Example
    upper, lower : (cols of the pane,) arrays
        Inner edges, px of the pane, before the offsets.
    described : dict of str to float
        What the confidence is made from.
    """

    example: Example
    upper: Array
    lower: Array
    described: dict[str, float]

    def offsets(self) -> tuple[float, float]:
        """Median distance of our edges below the expert's, shares of depth."""
        depth = self.example.pane.gray.shape[0]
        upper, lower = self.upper - self.example.truth[1], self.lower - self.example.truth[2]
        return float(np.nanmedian(upper) / depth), float(np.nanmedian(lower) / depth)

    def error(self, upper_offset: float, lower_offset: float) -> float:
        """Signed relative error of the mean thickness over the expert's columns (`relative_error`)."""
        depth = self.example.pane.gray.shape[0]
        known = np.isfinite(self.example.truth).all(axis=0)
        upper = self.upper[known] + upper_offset * depth
        lower = self.lower[known] + lower_offset * depth
        top, bottom = self.example.truth[1:3, known].astype(np.float64)
        return relative_error(upper, lower, top, bottom)[0]


def judge(model: LayerNetwork, examples: Sequence[Example]) -> list[Judged]:
    """Outline every picture with the network as it will be used."""
    out = []
    for example in examples:
        pane = example.pane
        looks = look(pane, model)
        proposed = ranked(looks, candidates(pane))
        [(upper, lower)] = refined(pane, [proposed[0].edges])
        out.append(Judged(example, upper, lower, describe(looks, proposed)))
    return out


def fit_offsets(judged: Sequence[Judged]) -> dict[str, float]:
    """What to add to the edges so that the typical one lies where experts draw it."""
    apart = np.array([j.offsets() for j in judged if j.example.device != "phantom"])
    upper, lower = np.median(apart, axis=0) if len(apart) else (0.0, 0.0)
    return {"upper_offset": -float(upper), "lower_offset": -float(lower)}


def fit_confidence(described: Sequence[dict[str, float]], right: Sequence[bool]) -> dict[str, float] | None:
    """Weights of the probability that a thickness is right, or None where all or none were.

    All numbers count the same, each in units of its own spread, and only the slope and the place of their
    mean are fitted: a handful of wrong pictures cannot teach six weights (on four devices left out in turn,
    weights of their own let through several times as many wrong outlines).
    """
    values = np.array([[d[name] for name in DESCRIBED] for d in described], dtype=np.float64)
    truth = np.array(right, dtype=np.float64)
    if len(truth) == 0 or truth.min() == truth.max():
        return None
    middle, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-6)
    slope, intercept = _logistic(((values - middle) / spread).mean(axis=1), truth)
    weights = max(slope, 0.0) / len(DESCRIBED) / spread
    table = {name: float(weight) for name, weight in zip(DESCRIBED, weights, strict=True)}
    return {"intercept": float(intercept - weights @ middle - np.log(CAUTION)), **table}


def _logistic(value: Array, truth: Array) -> tuple[float, float]:
    """Slope and intercept, by Newton's method."""
    design = np.column_stack([value, np.ones(len(value))])
    pull = np.array([RIDGE, 1e-3])
    beta = np.zeros(2)
    for _ in range(50):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (truth - probability) - pull * beta
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + np.diag(pull)
        step = np.linalg.solve(curvature, gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[0]), float(beta[1])
