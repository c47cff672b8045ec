"""Which separation the dip test would have seen at this number of patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usimg.phenotype.separation import ALPHA, dip_test

# Separations tried, in SD within a group along the axis between the groups.
GRID = (2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0)
DRAWS = 60
WANTED = 0.9


@dataclass(frozen=True)
class Power:
    """Share of simulated cohorts with two normal groups in which two modes would have been found.

    ``seen[separation]`` for groups of shares ``share`` and 1 - share; ``enough`` is the least separation
    found in nine of ten, None when even the largest was not. An optimist's figure: the axis is known.
    """

    n: int
    share: float
    seen: dict[float, float]

    @property
    def enough(self) -> float | None:
        """Least separation found in nine of ten."""
        return next((d for d, found in self.seen.items() if found >= WANTED), None)


def power(n: int, share: float, random_state: int) -> Power:
    """Power of the dip test for n patients of whom a share lies in the upper of two groups.

    >>> power(454, 0.5, 0).enough
    3.5
    """
    rng = np.random.default_rng([random_state, 9])
    upper = np.arange(n) < round(share * n)
    seen = {
        d: float(np.mean([dip_test(rng.normal(size=n) + d * upper).p <= ALPHA for _ in range(DRAWS)]))
        for d in GRID
    }
    return Power(n, share, seen)
