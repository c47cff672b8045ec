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
# Strength of the pull of the confidence's weights to zero: a few dozen pictures are wrong, twelve numbers
# describe them (chosen here; the fit hardly changes between 0.3 and 3).
RIDGE = 1.0
# The odds of a wrong outline are multiplied by this. The wrong ones of a machine never seen look right to
# every voice: of six of 81 (two machines left out, train split) three had a fitted probability of 0.89-0.94,
# and only beyond 0.95 there was none. With so few, the fit alone would promise what it cannot know.
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
        looks, classical = look(pane, model), candidates(pane)
        chosen = ranked(looks, classical)[0]
        upper, lower = refined(pane, chosen.upper, above=True), refined(pane, chosen.lower, above=False)
        out.append(Judged(example, upper, lower, describe(looks, chosen, classical)))
    return out


def fit_offsets(judged: Sequence[Judged]) -> dict[str, float]:
    """What to add to the edges so that the typical one lies where experts draw it."""
    apart = np.array([j.offsets() for j in judged if j.example.device != "phantom"])
    upper, lower = np.median(apart, axis=0) if len(apart) else (0.0, 0.0)
    return {"upper_offset": -float(upper), "lower_offset": -float(lower)}


def fit_confidence(described: Sequence[dict[str, float]], right: Sequence[bool]) -> dict[str, float] | None:
    """Weights of the probability that a thickness is right, or None where all or none were.

    Logistic regression with a ridge, by Newton's method on standardised numbers. No weight may be negative:
    each number is larger the better things look, and a model that says otherwise has learnt the accident of a
    few pictures.
    """
    values = np.array([[d[name] for name in DESCRIBED] for d in described], dtype=np.float64)
    truth = np.array(right, dtype=np.float64)
    if len(truth) == 0 or truth.min() == truth.max():
        return None
    mean, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-6)
    kept = np.ones(len(DESCRIBED), bool)
    while True:
        weights, intercept = _logistic((values - mean)[:, kept] / spread[kept], truth)
        if not len(weights) or weights.min() >= 0:
            break
        kept[np.flatnonzero(kept)[weights.argmin()]] = False
    raw = np.zeros(len(DESCRIBED))
    raw[kept] = weights / spread[kept]
    table = {name: float(w) for name, w in zip(DESCRIBED, raw, strict=True) if w > 0}
    return {"intercept": float(intercept - raw @ mean - np.log(CAUTION)), **table}


def _logistic(values: Array, truth: Array) -> tuple[Array, float]:
    design = np.column_stack([values, np.ones(len(values))])
    pull = np.full(design.shape[1], RIDGE)
    pull[-1] = 1e-3
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (truth - probability) - pull * beta
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + np.diag(pull)
        step = np.linalg.solve(curvature, gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return beta[:-1], float(beta[-1])
