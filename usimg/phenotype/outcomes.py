"""Whether the label says more about outcomes outside the clustering than the severity score does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Columns of `clinical` that are outcomes, by the names users give them.
OUTCOMES = ("alsfrs_r", "mmt", "cmap", "cmap_mv")
# Fewer patients cannot tell three small models apart; chosen here.
FEWEST = 30
# A model must be better by this much in AIC to count as better (Burnham and Anderson 2002).
BETTER = 2.0
FOLDS = 10


@dataclass(frozen=True)
class Outcome:
    """Three linear models of one outcome: on the label, on severity, on both.

    ``aic`` and cross-validated ``r2`` hold "label", "severity" and "both".
    """

    name: str
    n: int
    aic: dict[str, float]
    r2: dict[str, float]

    @property
    def label_adds(self) -> bool:
        """Whether the model with both is better than severity alone, by AIC and in patients left out."""
        better = self.aic["both"] < self.aic["severity"] - BETTER
        return better and self.r2["both"] > self.r2["severity"]


def outcomes(
    upper: NDArray[np.bool_], severity: FloatArray, clinical: pd.DataFrame, rng: np.random.Generator
) -> tuple[Outcome, ...]:
    """Each outcome that `clinical` has for enough patients; rows in the order of `severity` (n,)."""
    found = []
    for name in OUTCOMES:
        if name not in clinical.columns:
            continue
        y = pd.to_numeric(clinical[name], errors="coerce").to_numpy(dtype=np.float64)
        known = np.isfinite(y)
        if known.sum() < FEWEST or np.ptp(y[known]) == 0 or np.ptp(upper[known].astype(int)) == 0:
            continue
        one = np.ones(known.sum())
        label, score = upper[known].astype(np.float64), severity[known]
        designs = {
            "label": np.column_stack([one, label]),
            "severity": np.column_stack([one, score]),
            "both": np.column_stack([one, label, score]),
        }
        fold = rng.permutation(np.arange(len(one)) % FOLDS)
        found.append(
            Outcome(
                name,
                int(known.sum()),
                {model: _aic(design, y[known]) for model, design in designs.items()},
                {model: _predicted(design, y[known], fold) for model, design in designs.items()},
            )
        )
    return tuple(found)


def _aic(design: FloatArray, y: FloatArray) -> float:
    coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
    error = float(((y - design @ coefficients) ** 2).mean())
    return float(len(y) * np.log(max(error, 1e-300)) + 2 * (design.shape[1] + 1))


def _predicted(design: FloatArray, y: FloatArray, fold: NDArray[np.int_]) -> float:
    """Cross-validated R squared."""
    error = 0.0
    for k in range(FOLDS):
        inside = fold != k
        coefficients = np.linalg.lstsq(design[inside], y[inside], rcond=None)[0]
        error += float(((y[~inside] - design[~inside] @ coefficients) ** 2).sum())
    return 1 - error / float(((y - y.mean()) ** 2).sum())
