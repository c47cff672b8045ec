"""The fitted numbers of the layer recipe, read from ``layers.toml``; `benchmarks/fit_layers.py` writes it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from usimg.outline.pairs import FEATURES

Array = NDArray[np.float64]

CONFIDENCE = ("pair_logit", "margin", "voices_agree", "voices_logit", "upper_weak", "lower_weak", "covered")


@dataclass(frozen=True, eq=False)
class LayerModel:
    """Weights of the pair score, of the confidence, and the constant offsets of the edges.

    Attributes
    ----------
    mean, scale, weight : (len(FEATURES),) arrays
        A pair's score is ``((features - mean) / scale) @ weight``.
    voices : (len(FEATURES), devices) array
        Weights fitted without one kind of device each: where they choose other pairs than the whole does,
        the picture is unlike what was learnt from.
    confidence_weight : (len(CONFIDENCE),) array
    confidence_intercept : float
        Logistic model of "the thickness is right to 10 %".
    upper_offset, lower_offset : float
        Added to the edges, as shares of the picture's depth.
    """

    mean: Array
    scale: Array
    weight: Array
    voices: Array
    confidence_weight: Array
    confidence_intercept: float
    upper_offset: float
    lower_offset: float

    def score(self, features: Array) -> Array:
        """(pairs, features) to (pairs,): greater is likelier; a softmax over one picture's pairs follows."""
        scores: Array = ((features - self.mean) / self.scale) @ self.weight
        return scores

    def heard(self, features: Array) -> Array:
        """(pairs, features) to (pairs, devices): the pairs' probabilities as each voice sees them."""
        scores = ((features - self.mean) / self.scale) @ self.voices
        likely = np.exp(scores - scores.max(axis=0, initial=-np.inf))
        shares: Array = likely / likely.sum(axis=0)
        return shares

    def confidence_logit(self, features: Array) -> float:
        """Logit of the probability that the thickness is right to 10 %."""
        return float(features @ self.confidence_weight) + self.confidence_intercept


@cache
def fitted() -> LayerModel:
    """The model that travels with the package."""
    table = tomllib.loads((files("usimg.outline") / "layers.toml").read_text("utf-8"))
    rows = np.array([table["pairs"][name] for name in FEATURES], dtype=np.float64)
    confidence = table["confidence"]
    return LayerModel(
        mean=rows[:, 0],
        scale=rows[:, 1],
        weight=rows[:, 2],
        voices=rows[:, 3:],
        confidence_weight=np.array([confidence[name] for name in CONFIDENCE], dtype=np.float64),
        confidence_intercept=float(confidence["intercept"]),
        upper_offset=float(table["edges"]["upper_offset"]),
        lower_offset=float(table["edges"]["lower_offset"]),
    )
