"""Write the table of the dip under the uniform law that usimg.phenotype.dip reads.

python -m benchmarks.dip_null            # two minutes on one core; deterministic
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import usimg.phenotype.dip
from usimg.phenotype.dip import dip

SIZES = (20, 50, 100, 200, 350, 500, 1000, 2000, 5000)
TAIL = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.125, 0.1, 0.09, 0.08, 0.07)
TAIL += (0.06, 0.05, 0.04, 0.03, 0.025, 0.02, 0.015, 0.01, 0.005, 0.002, 0.001)
TABLE = Path(usimg.phenotype.dip.__file__).with_name("dip_null.csv")


def scaled(n: int) -> np.ndarray:
    """Sqrt(n) times the dip of uniform samples of n."""
    rng = np.random.default_rng(n)
    draws = 20_000 if n <= 500 else 5_000
    return np.sqrt(n) * np.array([dip(rng.random(n)) for _ in range(draws)])


def main() -> None:
    quantiles = [np.quantile(scaled(n), 1 - np.array(TAIL)) for n in SIZES]
    lines = [
        "# sqrt(n) * dip of uniform samples: a row for each share of samples with a larger one",
        "# python -m benchmarks.dip_null; 20000 samples of each size up to 500; 5000 above",
        "tail," + ",".join(map(str, SIZES)),
        *(f"{tail}," + ",".join(f"{q[row]:.5f}" for q in quantiles) for row, tail in enumerate(TAIL)),
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
