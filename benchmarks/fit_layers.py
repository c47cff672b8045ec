"""Fit the numbers of the muscle-layer recipe on human-labelled images: ``usimg/outline/layers.toml``.

python benchmarks/fit_layers.py ../shared/data/dltrack_apo [--write]

Reads the train split only. Pictures of one group never straddle a fold. Prints what ten group folds
and leaving out one device give, before it writes anything:

1. pairs: a conditional logit over each picture's pairs of lines (which one do the experts' first two bands
   name?), ridge-penalised, each group counted by the square root of its pictures; they are also
   shown cut at the bottom and with other gain, because the depth at which muscles lie is a habit of the
   laboratory, not anatomy.
2. edges: the median distance of the recipe's edges from the bands', among right pairs.
3. confidence: a logistic model of "thickness right to 10 %" on what the folds gave pictures not seen.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import minimize
from skimage.measure import label

import usimg
from usimg.outline import layers, model
from usimg.outline.edges import inner_edge
from usimg.outline.field import Pane, panes
from usimg.outline.pairs import FEATURES

PENALTY = 3.0
CONFIDENCE_PENALTY = 0.05
# The odds of a wrong pair are taken to be this many times those seen on left-out pictures: a new laboratory's
# muscles, probe and settings are further away than a device left out of one repository. Chosen here.
UNSEEN_ODDS = 4.0
FOLDS = 10
RIGHT = 0.64  # share of columns in the upper band times share in the lower one
HOME = Path(__file__).resolve().parents[1] / "usimg" / "outline" / "layers.toml"

Array = NDArray[np.float64]


@dataclass(eq=False)
class Case:
    """One picture, or one altered copy of it."""

    group: str
    device: str
    copy: int
    found: layers.Candidates
    share: Array  # (pairs,) how much of the pair lies in the experts' first two bands
    upper: Array  # (cols of the pane,) lower edge of the first band, px of the pane; NaN where there is none
    lower: Array

    @property
    def right(self) -> NDArray[np.bool_]:
        """Pairs that count as the experts'."""
        return self.share > RIGHT


def bands(mask: NDArray[np.bool_]) -> list[tuple[Array, Array]]:
    """(top edge, bottom edge) of every labelled band over the columns, top to bottom."""
    parts = label(mask, connectivity=2)
    wide = [k for k in range(1, parts.max() + 1) if np.ptp(np.nonzero(parts == k)[1]) > 0.3 * mask.shape[1]]
    wide.sort(key=lambda k: float(np.nonzero(parts == k)[0].mean()))
    found = []
    for k in wide:
        band = parts == k
        has = band.any(axis=0)
        top = np.where(has, band.argmax(axis=0) - 0.5, np.nan)
        bottom = np.where(has, mask.shape[0] - 0.5 - band[::-1].argmax(axis=0), np.nan)
        found.append((top, bottom))
    return found


def copies(pane: Pane, deepest: float, rng: np.random.Generator) -> list[Pane]:
    """The pane, cut at the bottom, and with other gain; ``deepest`` is the lowest row that must stay."""
    depth = pane.gray.shape[0]
    keep = int(rng.uniform(min(deepest + 0.04 * depth, depth), depth))
    keep = min(max(keep, depth // 3), depth)
    r0, c0, _, c1 = pane.box
    cut = replace(
        pane,
        gray=pane.gray[:keep],
        usable=pane.usable[:keep],
        drawn=pane.drawn[:keep],
        box=(r0, c0, r0 + keep, c1),
    )
    gamma = float(rng.choice([0.65, 1.5]))
    ramp = np.linspace(1.0, float(rng.uniform(0.5, 1.3)), depth, dtype=np.float32)[:, None]
    gain = replace(pane, gray=np.clip(255 * (pane.gray / 255) ** gamma * ramp, 0, 255).astype(np.float32))
    return [pane, cut, gain]


def cases(home: Path) -> list[Case]:
    found = []
    for number, row in enumerate(csv.DictReader((home / "manifest.csv").read_text("utf-8").splitlines())):
        if row["split"] != "train" or row["usable"] != "yes":
            continue
        mask = np.asarray(Image.open(home / row["mask"]).convert("L")) > 0
        labelled = bands(mask)
        if len(labelled) < 2:
            continue
        here = panes(usimg.read(home / row["file"]).frames[0])
        if not here:
            print(f"{row['file']}: no picture found")
            continue
        r0, c0, _, c1 = here[0].box
        deepest = float(np.nanmax(labelled[1][1])) - r0
        rng = np.random.default_rng(number)
        for k, pane in enumerate(copies(here[0], deepest, rng)):
            result = layers.candidates(pane)
            shares = []
            for top, bottom in labelled[:2]:
                share = np.zeros(len(result.lines.rows))
                for line in range(len(share)):
                    cols, rows = result.line_px(line)
                    col = np.clip(np.round(cols + c0).astype(int), 0, mask.shape[1] - 1)
                    low, high = top[col] - r0, bottom[col] - r0
                    there = np.isfinite(low)
                    slack = 0.5 * np.maximum(0.5 * (high - low), 0.01 * pane.gray.shape[0])
                    share[line] = (
                        ((rows > low - slack) & (rows < high + slack))[there].mean() if there.any() else 0
                    )
                shares.append(share)
            share = shares[0][result.pairs.upper] * shares[1][result.pairs.lower]
            found.append(
                Case(
                    row["group"], row["device_group"][0], k, result, share,
                    labelled[0][1][c0:c1] - r0, labelled[1][0][c0:c1] - r0,
                )
            )  # fmt: skip
    return found


def fit_pairs(train: list[Case], mean: Array, scale: Array) -> Array:
    """Weights of the conditional logit."""
    use = [case for case in train if case.right.any()]
    sizes: dict[str, int] = {}
    for case in use:
        sizes[case.group] = sizes.get(case.group, 0) + 1
    weight = np.array([1 / np.sqrt(sizes[case.group] * 3) for case in use])
    features = np.concatenate([(case.found.pairs.features - mean) / scale for case in use])
    right = np.concatenate([case.right for case in use])
    count = np.array([len(case.share) for case in use])
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    of = np.repeat(np.arange(len(use)), count)

    def loss(w: Array) -> tuple[float, Array]:
        score = features @ w
        top = np.maximum.reduceat(score, start)
        likely = np.exp(score - top[of])
        total = np.add.reduceat(likely, start)
        hit = np.add.reduceat(likely * right, start) + 1e-300
        slope = weight[of] * (likely / total[of] - likely * right / hit[of])
        value = float((weight * (np.log(total) - np.log(hit))).sum()) + 0.5 * PENALTY * float(w @ w)
        return value, features.T @ slope + PENALTY * w

    fit = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(fit.x)


def fit_voices(train: list[Case], mean: Array, scale: Array) -> Array:
    """(features, devices) weights, each fitted without one device that has enough pictures to be missed."""
    kinds = sorted({case.device for case in train})
    large = [kind for kind in kinds if sum(case.device == kind and case.copy == 0 for case in train) >= 20]
    return np.column_stack([fit_pairs([c for c in train if c.device != kind], mean, scale) for kind in large])


def edge_errors(case: Case, k: int, offsets: tuple[float, float]) -> tuple[float, float, float]:
    """Upper and lower edge minus the expert's as shares of the depth, and relative thickness error."""
    pane = case.found.pane
    depth = pane.gray.shape[0]
    upper = (
        inner_edge(pane, *case.found.line_px(int(case.found.pairs.upper[k])), "below") + offsets[0] * depth
    )
    lower = (
        inner_edge(pane, *case.found.line_px(int(case.found.pairs.lower[k])), "above") + offsets[1] * depth
    )
    there = np.isfinite(case.upper) & np.isfinite(case.lower)
    thickness = float((case.lower - case.upper)[there].mean())
    error = float((lower - upper)[there].mean()) / thickness - 1
    shared = np.minimum(lower, case.lower)[there] - np.maximum(upper, case.upper)[there]
    either = np.maximum(lower, case.lower)[there] - np.minimum(upper, case.upper)[there]
    if np.maximum(shared, 0).sum() < 0.5 * either.sum():
        error = 1.0
    return (
        float((upper - case.upper)[there].mean()) / depth,
        float((lower - case.lower)[there].mean()) / depth,
        error,
    )


def fit_confidence(features: Array, right: NDArray[np.bool_]) -> Array:
    """Logistic weights, the intercept last; few parameters, a light penalty."""
    design = np.column_stack([features, np.ones(len(features))])
    sign = np.where(right, 1.0, -1.0)

    def loss(w: Array) -> tuple[float, Array]:
        margin = sign * (design @ w)
        value = float(np.logaddexp(0, -margin).sum()) + CONFIDENCE_PENALTY * float(w[:-1] @ w[:-1])
        slope = design.T @ (-sign / (1 + np.exp(margin)))
        return value, slope + 2 * CONFIDENCE_PENALTY * np.append(w[:-1], 0)

    return np.asarray(minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x)


def rescored(case: Case, fitted: model.LayerModel) -> layers.Candidates:
    score = fitted.score(case.found.pairs.features)
    shifted = np.exp(score - score.max())
    order = np.argsort(-score, kind="stable")
    return replace(case.found, score=score, probability=shifted / shifted.sum(), order=order)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--write", action="store_true", help="write layers.toml")
    args = ask.parse_args()
    every = [c for c in cases(args.data) if len(c.share) and np.isfinite(c.upper + c.lower).any()]
    plain = [case for case in every if case.copy == 0]
    print(
        f"{len(plain)} pictures, right pair among the candidates in"
        f" {np.mean([c.right.any() for c in plain]):.3f}"
    )
    features = np.concatenate([case.found.pairs.features for case in every])
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-9

    right_pairs = [(case, int(case.share.argmax())) for case in plain if case.right.any()]
    raw = np.array([edge_errors(case, k, (0.0, 0.0)) for case, k in right_pairs])
    offsets = (-float(np.median(raw[:, 0])), -float(np.median(raw[:, 1])))
    placed = np.array([edge_errors(case, k, offsets)[2] for case, k in right_pairs])
    print(
        f"edges, right pairs ({len(placed)}): offsets {offsets[0]:+.4f} {offsets[1]:+.4f},"
        f" thickness |error| median {np.median(abs(placed)):.2%}, p90 {np.quantile(abs(placed), 0.9):.2%}"
    )

    base = replace(model.fitted(), mean=mean, scale=scale, upper_offset=offsets[0], lower_offset=offsets[1])
    groups = sorted({case.group for case in plain})
    np.random.default_rng(0).shuffle(groups)
    folds = [set(groups[k::FOLDS]) for k in range(FOLDS)]
    devices = [{c.group for c in plain if c.device == d} for d in sorted({c.device for c in plain})]
    every_trial = []
    for name, parts in (("group folds", folds), ("device left out", devices)):
        for part in parts:
            train = [case for case in every if case.group not in part]
            fitted = replace(
                base, weight=fit_pairs(train, mean, scale), voices=fit_voices(train, mean, scale)
            )
            for case in plain:
                if case.group in part:
                    found = rescored(case, fitted)
                    best = int(found.order[0])
                    seen = layers.confidence_features(found, best, fitted)
                    error = abs(edge_errors(replace(case, found=found), best, offsets)[2])
                    every_trial.append((name, case.device, seen, error))
    seen = np.array([trial[2] for trial in every_trial])
    error = np.array([trial[3] for trial in every_trial])
    # Both ways of leaving out count: a picture of a known device and one of an unknown device.
    trust = fit_confidence(seen, error < 0.10)
    trust[-1] -= np.log(UNSEEN_ODDS)
    sure = 1 / (1 + np.exp(-(np.column_stack([seen, np.ones(len(seen))]) @ trust)))
    for name in ("group folds", "device left out"):
        here = np.array([trial[0] == name for trial in every_trial])
        at = np.array([trial[1] for trial in every_trial])
        kinds = sorted(set(at))
        print(
            f"{name}: median {np.median(error[here]):.2%}, over 10 % {np.mean(error[here] > 0.1):.1%} ("
            + ", ".join(f"{kind} {np.mean(error[here & (at == kind)] > 0.1):.0%}" for kind in kinds)
            + ")"
        )
        for least in (0.5, 0.7, 0.8, 0.9):
            ok = here & (sure >= least)
            print(
                f"  confidence >= {least}: {ok.sum() / here.sum():.0%},"
                f" over 10 % {np.mean(error[ok] > 0.1):.1%}"
            )
    if args.write:
        table = np.column_stack([mean, scale, fit_pairs(every, mean, scale), fit_voices(every, mean, scale)])
        HOME.write_text(as_toml(table, trust, offsets, len(plain), len(groups)), encoding="utf-8")
        print(f"wrote {HOME.name}")


def as_toml(table: Array, trust: Array, offsets: tuple[float, float], n: int, groups: int) -> str:
    rows = [
        f"{name} = [{', '.join(f'{value:.5g}' for value in table[k])}]" for k, name in enumerate(FEATURES)
    ]
    lines = [
        "# Fitted numbers of the muscle-layer recipe; written by benchmarks/fit_layers.py, do not edit.",
        f"# Fitted on dltrack_apo train (njcronin/DL_Track, Apache-2.0): {n} pictures, {groups} groups.",
        "",
        "# feature = [mean, scale, weight, weights without one kind of device each ...]",
        "# A pair's score is the sum of (feature - mean) / scale * weight.",
        "[pairs]",
        *rows,
        "",
        "# Logistic model of 'thickness right to 10 %', from pictures left out by group and by device;",
        f"# the odds of a wrong one are multiplied by {UNSEEN_ODDS:g} for devices nobody has labelled.",
        "[confidence]",
        *(f"{name} = {trust[k]:.6g}" for k, name in enumerate(model.CONFIDENCE)),
        f"intercept = {trust[-1]:.6g}",
        "",
        "# Added to the edges, as shares of the picture's depth: a painted band ends a little outside",
        "# the steepest slope.",
        "[edges]",
        f"upper_offset = {offsets[0]:.6g}",
        f"lower_offset = {offsets[1]:.6g}",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
