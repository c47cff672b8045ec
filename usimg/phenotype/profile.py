"""What made the parts: each feature's means and effect size, descriptive only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from usimg.phenotype.wording import readable

if TYPE_CHECKING:
    from usimg.phenotype.result import Phenotypes

ROLE_WORDS = {
    "muscle_thickness": "muscle thickness",
    "muscle_echo": "muscle echo intensity",
    "muscle_csa": "muscle area",
    "nerve_csa": "nerve area",
    "fat": "fat",
    "other": "other",
}


@dataclass(frozen=True)
class ProfileRow:
    """One feature: its mean z-score in each part, least severe first; Hedges' g of the outer parts."""

    name: str
    role: str
    means: tuple[float, ...]
    g: float
    g_interval: tuple[float, float]


def profile(result: Phenotypes) -> list[ProfileRow]:
    """Features by role, then by how far the outer parts lie from each other."""
    ranks = np.asarray(result.ranks.loc[result.standardised.index], dtype=np.int_)
    means = result.standardised.groupby(ranks).mean()  # (parts, features)
    rows = [
        ProfileRow(
            readable(name),
            ROLE_WORDS[result.roles[name]],
            tuple(means[name]),
            *hedges(column[ranks == 0], column[ranks == ranks.max()]),
        )
        for name in result.standardised.columns
        for column in [result.standardised[name].to_numpy()]
    ]
    order = list(ROLE_WORDS.values())
    return sorted(rows, key=lambda r: (order.index(r.role), -abs(r.means[-1] - r.means[0]), r.name))


def hedges(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[float, tuple[float, float]]:
    """Hedges' g of two samples and its normal 95 % interval (Hedges and Olkin 1985)."""
    n, m = len(low), len(high)
    freedom = n + m - 2
    pooled = ((low - low.mean()) ** 2).sum() + ((high - high.mean()) ** 2).sum()
    if freedom < 1 or pooled <= 0:
        return float("nan"), (float("nan"), float("nan"))
    g = (high.mean() - low.mean()) / np.sqrt(pooled / freedom) * (1 - 3 / (4 * freedom - 1))
    error = 1.96 * np.sqrt((n + m) / (n * m) + g**2 / (2 * (n + m)))
    return float(g), (float(g - error), float(g + error))
