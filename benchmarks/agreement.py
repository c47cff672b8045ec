"""How often the intervals of usimg.agreement hold the truth, in simulated reader studies; and its speed.

python -m benchmarks.agreement                    # 1000 studies of each kind, most of an hour on one core
python -m benchmarks.agreement --studies 300 --to benchmarks/results/agreement.md
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.stats import beta

from usimg.agreement import compare
from usimg.agreement.bland_altman import limits
from usimg.agreement.components import components, model_of
from usimg.agreement.icc import icc_agreement, icc_consistency, mean_squares, sem_of_any_reader
from usimg.agreement.table import tidy
from usimg.simulate import Parts, reader_study

PARTS = Parts()


def share(hits: int, of: int) -> str:
    low = beta.ppf(0.025, hits, of - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1.0
    return f"{100 * hits / of:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def holds(low: float, truth: float, high: float) -> int:
    return int(low <= truth <= high)


def reading(patients: int, readers: int, studies: int) -> str:
    """One image of each patient, outlined by every reader."""
    hits: Counter[str] = Counter()
    own = PARTS.reader_patient**2 + PARTS.rest**2
    image = PARTS.patient**2 + PARTS.session**2 + PARTS.image**2
    agreement = image / (image + PARTS.reader**2 + own)
    for seed in range(studies):
        made = reader_study(patients, readers=readers, seed=seed)
        rows = tidy(made.table[made.table["measure"] == "thickness_mm"])
        table = rows.pivot_table("value", "subject", "reader").to_numpy()
        ms = mean_squares(table)
        offsets = list(made.offsets["thickness_mm"].values())
        these = np.sqrt(np.var(offsets, ddof=1) + own)
        every = np.sqrt(PARTS.reader**2 + own)
        icc, consistency = icc_agreement(ms), icc_consistency(ms)
        hits["icc2"] += holds(icc.low, agreement, icc.high)
        hits["icc3"] += holds(consistency.low, image / (image + own), consistency.high)
        sem = model_of(rows).sem(reader=1, rest=1)
        hits["these"] += holds(sem.low, these, sem.high)
        hits["boot any"] += holds(sem.low, every, sem.high)
        low, high = sem_of_any_reader(ms)
        hits["any"] += holds(low, every, high)
        pair = limits(table[:, 0], table[:, 1], np.arange(patients), ("a", "b"))
        truth = offsets[0] - offsets[1] + 1.959964 * np.sqrt(2 * own)
        hits["limit"] += holds(pair.upper.low, truth, pair.upper.high)
    names = ("icc2", "icc3", "these", "any", "boot any", "limit")
    return f"| {patients} | {readers} | " + " | ".join(share(hits[name], studies) for name in names) + " |"


def scanning(patients: int, studies: int) -> str:
    """Two sessions of three images, one reader."""
    hits: Counter[str] = Counter()
    once = PARTS.image**2 + PARTS.rest**2
    truth = {
        "patient": PARTS.patient**2 + PARTS.reader_patient**2,
        "session": PARTS.session**2,
        "image or rest": once,
    }
    for seed in range(studies):
        made = reader_study(patients, readers=1, sessions=2, images=3, seed=seed)
        rows = tidy(made.table[made.table["measure"] == "thickness_mm"])
        model = model_of(rows)
        for images in (1, 3):
            sem = model.sem(session=1, image=1 / images, rest=1 / images)
            hits[f"sem {images}"] += holds(sem.low, np.sqrt(PARTS.session**2 + once / images), sem.high)
        for part in components(rows):
            hits[part.name] += holds(part.variance.low, truth[part.name], part.variance.high)
    names = ("sem 1", "sem 3", *truth)
    return f"| {patients} | " + " | ".join(share(hits[name], studies) for name in names) + " |"


def speed() -> str:
    made = reader_study(60, readers=3, sessions=2, images=3, seed=0)
    start = time.perf_counter()
    found = compare(made.table, "readers")
    seconds = time.perf_counter() - start
    return (
        f"60 patients, 3 readers, 2 sessions of 3 images, {len(found.estimates)} measures"
        f" ({len(made.table):,} values): {seconds:.1f} s with every interval."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="*", default=[15, 30, 60])
    parser.add_argument("--to", type=Path)
    chosen = parser.parse_args()
    lines = [
        f"`python -m benchmarks.agreement {' '.join(sys.argv[1:])}`".replace(" `", "`"),
        "",
        f"Share of {chosen.studies} simulated studies whose 95 % interval holds the truth (Clopper-Pearson).",
        f"SDs of the parts: {PARTS}.",
        "",
        "## Reading again: one image of each patient, every reader",
        "",
        "| n | readers | ICC(2,1) | ICC(3,1) | SEM, these | SEM, any reader | same, by bootstrap | limit |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [reading(n, k, chosen.studies) for n in chosen.sizes for k in (2, 3)]
    lines += [
        "",
        "## Scanning again: two sessions of three images, one reader",
        "",
        "| patients | SEM, one image | SEM, mean of three | variance: patient | session | image or rest |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [scanning(n, chosen.studies) for n in chosen.sizes]
    lines += ["", "## Speed", "", speed()]
    text = "\n".join(lines) + "\n"
    print(text)
    if chosen.to:
        chosen.to.parent.mkdir(parents=True, exist_ok=True)
        chosen.to.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
