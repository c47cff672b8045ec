"""How often usimg.cluster claims groups, where there are none and where there are; and its speed.

python -m benchmarks.phenotypes                          # both tables, an hour on one core
python -m benchmarks.phenotypes --cohorts 50 --sizes 454
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import beta
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

import usimg
from usimg.phenotype.claim import subsamples
from usimg.phenotype.evidence import RESAMPLES, STARTS, resampled
from usimg.phenotype.power import DRAWS, GRID, power
from usimg.phenotype.separation import ALPHA_ALONE
from usimg.simulate.cohorts import KINDS, cohort

FACTS = ["device", "sex", "site", "age", "height_cm", "visit_year"]
P = 22


@dataclass(frozen=True)
class Case:
    """One kind of cohort, and what should be said of it."""

    what: str
    kind: str
    settings: dict[str, float] = field(default_factory=dict)
    groups: bool = False


def on_axis(separation: float, correlation: float) -> float:
    return separation * np.sqrt(P / (1 + (P - 1) * correlation))


def per_feature(axis: float, correlation: float) -> float:
    return axis / on_axis(1.0, correlation)


WITHOUT = [Case(KINDS[kind], kind) for kind in KINDS if kind != "groups"]
WITH = [
    Case("40:60, d = 1.8 per feature, correlation 0.1", "groups", {"separation": 1.8}, groups=True),
    Case("40:60, d = 2.5, correlation 0.3", "groups", {"separation": 2.5, "loading": 0.3**0.5}, groups=True),
    *(
        Case(
            f"{share:.0%}, {axis} SD on the axis, correlation 0.1",
            "groups",
            {"separation": per_feature(axis, 0.1), "severe_share": share},
            groups=True,
        )
        for axis, share in ((3.4, 0.5), (3.0, 0.5), (4.0, 0.5), (3.4, 0.3), (4.0, 0.3), (2.0, 0.5))
    ),
]


def interval(hits: int, n: int) -> str:
    """Share and its Clopper-Pearson 95 % interval."""
    low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return f"{hits}/{n} = {hits / n:.1%} ({low:.1%} to {high:.1%})"


def row(case: Case, patients: int, cohorts: int) -> str:
    claims, alone, two, truth, oracle = Counter[str](), 0, 0, [], []
    for seed in range(cohorts):
        made = cohort(patients, case.kind, seed=10_000 + seed, **case.settings)
        result = usimg.cluster(made.features, made.clinical[FACTS], random_state=seed)
        claims[result.claim] += 1
        separation = result.tests.separation
        alone += separation is not None and separation.p <= ALPHA_ALONE
        if case.groups:
            few = usimg.cluster(made.features, made.clinical[["device", "sex"]], random_state=seed)
            two += few.claim == "groups"
            group = made.truth["group"]
            truth.append(adjusted_rand_score(group, result.labels))
            oracle.append(adjusted_rand_score(group, best_axis(made.features, group)))
    others = "; ".join(f"{claim} {n}" for claim, n in claims.most_common() if claim != "groups")
    cells = [
        case.what,
        patients,
        interval(claims["groups"], cohorts),
        interval(alone, cohorts),
        others or "none",
    ]
    if case.groups:
        cells.insert(2, interval(two, cohorts))
        cells.append(f"{np.mean(truth):.3f} ({np.mean(oracle):.3f})")
    return "| " + " | ".join(map(str, cells)) + " |"


def best_axis(features, group) -> np.ndarray:
    """The split of an oracle that knows the group of every patient: the linear discriminant."""
    X = features.to_numpy()
    severe = (group == "Severe").to_numpy()
    centres = X[severe].mean(0), X[~severe].mean(0)
    residual = X - np.where(severe[:, None], *centres)
    axis = np.linalg.solve(np.cov(residual.T), centres[0] - centres[1])
    odds = np.log(severe.mean() / (1 - severe.mean()))
    return X @ axis > (centres[0] + centres[1]) @ axis / 2 - odds


def power_table() -> str:
    """Share of cohorts in which two normal groups would be seen, by n, share and distance on the axis."""
    lines = [
        "## What would be seen",
        "",
        (
            f"Share of {DRAWS} simulated cohorts of two normal groups of equal SD in which the dip test finds"
            " two modes, by the distance of the groups on their axis in SD within a group. The axis is known"
            " here, so that these are upper limits; the tables above find it."
        ),
        "",
        "| n | share of the smaller | " + " | ".join(f"{d:g} SD" for d in GRID) + " |",
        "| --- | --- | " + " | ".join("---" for _ in GRID) + " |",
    ]
    for n in (100, 200, 454, 1000, 2000):
        for share in (0.5, 0.4, 0.3, 0.2):
            seen = power(n, share, 0).seen
            lines.append(f"| {n} | {share:.0%} | " + " | ".join(f"{s:.2f}" for s in seen.values()) + " |")
    return "\n".join(lines)


def speed() -> str:
    """k-means of 1,000 subsamples for k = 2 to 5: at once, and by a scikit-learn loop, in the same run.

    In seconds of the processor, which other programs on the machine disturb least.
    """
    made = cohort(454, "gradient", seed=1)
    X = ((made.features - made.features.mean()) / made.features.std(ddof=0)).to_numpy()
    rng = np.random.default_rng(0)
    drawn = subsamples(454, RESAMPLES, rng)
    with threadpool_limits(limits=1):
        start = time.process_time()
        found = {k: resampled(X, drawn, k, rng) for k in (2, 3, 4, 5)}
        at_once = time.process_time() - start
        some = range(0, RESAMPLES, 20)
        start = time.process_time()
        within = {
            k: np.mean([KMeans(k, n_init=STARTS, random_state=r).fit(X[drawn[r] > 0]).inertia_ for r in some])
            for k in (2, 3, 4, 5)
        }
        loop = (time.process_time() - start) * RESAMPLES / len(some)
        start = time.process_time()
        _ = usimg.cluster(made.features, made.clinical[FACTS])
        claim = time.process_time() - start
        result = usimg.cluster(made.features, made.clinical[FACTS])
        start = time.process_time()
        _ = result.evidence
        evidence = time.process_time() - start
    worse = max(found[k].within[list(some)].mean() / within[k] - 1 for k in within)
    return (
        "## Speed, 454 patients, 22 features, one core (seconds of the processor)\n\n"
        f"- {RESAMPLES} subsamples, k = 2 to 5, {STARTS} starts: {at_once:.1f} s; a scikit-learn loop over"
        f" the same subsamples {loop:.0f} s (every 20th timed), {loop / at_once:.0f} times longer. Our sums"
        f" of squares are at most {worse:.2%} above its.\n"
        f"- the claim: {claim:.2f} s; the full table of evidence beside it: {evidence:.1f} s."
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cohorts", type=int, default=200)
    arguments.add_argument("--power-cohorts", type=int, default=200)
    arguments.add_argument("--sizes", type=int, nargs="*", default=[100, 454, 2000])
    arguments.add_argument("--power-sizes", type=int, nargs="*", default=[454])
    arguments.add_argument("--to", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments.add_argument("--no-speed", action="store_true")
    arguments.add_argument("--power-table", action="store_true", help="what would be seen, by n and share")
    asked = arguments.parse_args()
    command = " ".join(["python -m benchmarks.phenotypes", *sys.argv[1:]])
    lines = [
        "# Phenotypes: how often groups are claimed",
        "",
        f"`{command}`, usimg {usimg.__version__}. Synthetic cohorts of 22 features (usimg.simulate.cohort),",
        f"{asked.cohorts} of each kind and size ({asked.power_cohorts} with groups), with device, sex, site,",
        "age, height and year of visit given.",
        'Intervals: Clopper-Pearson, 95 %. "nothing given": what `assume_unconfounded` would call groups',
        "when no clinical facts are given: the dip test of all patients, at its own level. Seeds are fixed.",
        "",
        "## No groups",
        "",
        '| cohort | n | falsely "groups" | nothing given | other claims |',
        "| --- | --- | --- | --- | --- |",
    ]

    def keep(line: str) -> None:
        lines.append(line)
        print(line, flush=True)
        asked.to.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")

    for patients in asked.sizes:
        for case in WITHOUT:
            keep(row(case, patients, asked.cohorts))
    keep("\n## Groups\n")
    keep(
        '| cohort | n | "groups": device, sex given | all six given | nothing given'
        " | other claims (of six) | ARI (oracle) |"
    )
    keep("| --- | --- | --- | --- | --- | --- | --- |")
    for patients in asked.power_sizes:
        for case in WITH:
            keep(row(case, patients, asked.power_cohorts))
    if asked.power_table:
        keep("\n" + power_table())
    if not asked.no_speed:
        keep("\n" + speed())


if __name__ == "__main__":
    main()
