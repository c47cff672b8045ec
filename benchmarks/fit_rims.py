"""Fit the numbers of the closed-contour recipe on human-labelled images: ``usimg/outline/rims.toml``.

python benchmarks/fit_rims.py ../shared/data/nerve_vessel [--write]

Reads the train split only, for nerves and for vessels. Pictures of one group never straddle a fold. Prints
what five group folds give beside the ellipse that fills 92 % of the box without looking at the picture (most
of the Dice is the box's), and what a click gives.

1. inside: a logistic model of "inside the expert's outline" over the places on the rays of jittered boxes
   (each side moved by N(0, 5 %), four draws).
2. click: a ridge regression of the Dice that a box's ellipse would have, over boxes of many sizes.
3. confidence: logistic models of "Dice at least 0.8" on the clearness of contours of left-out pictures.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.draw import polygon2mask
from skimage.measure import label, regionprops
from sklearn.linear_model import LogisticRegression, Ridge

from usimg.outline import rims
from usimg.outline.polar import RADII, RAYS, PolarFrame, sample

LEAST_AREA = 150  # px; smaller parts are leftovers of drawing
DRAWS = 4
FOLDS = 5
HOME = Path(__file__).resolve().parents[1] / "usimg" / "outline" / "rims.toml"
VALUES = {"nerve": 1, "vessel": 2}

Array = NDArray[np.float64]


@dataclass(eq=False)
class Case:
    """One outline and its jittered boxes."""

    group: str
    gray: NDArray[np.float32]
    truth: NDArray[np.bool_]
    centroid: tuple[float, float]
    boxes: list[tuple[float, float, float, float]]


def cases(home: Path, value: int) -> list[Case]:
    rng = np.random.default_rng(5)
    found = []
    for row in csv.DictReader((home / "manifest.csv").read_text("utf-8").splitlines()):
        if row["usable"] != "yes" or row["split"] != "train":
            continue
        mask = np.asarray(Image.open(home / row["mask"])) == value
        gray = np.asarray(Image.open(home / row["file"]).convert("L")).astype(np.float32)
        parts = label(mask)
        for part in regionprops(parts):
            if part.area < LEAST_AREA:
                continue
            r0, c0, r1, c1 = (edge - 0.5 for edge in part.bbox)
            sides = np.array([r1 - r0, c1 - c0, r1 - r0, c1 - c0])
            boxes = [tuple(np.array([r0, c0, r1, c1]) + rng.normal(0, 0.05, 4) * sides) for _ in range(DRAWS)]
            found.append(Case(row["group"], gray, parts == part.label, part.centroid, boxes))
    return found


def dice(polygon: Array, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Dice and relative area error."""
    mine = polygon2mask(truth.shape, polygon)
    both = mine.sum() + truth.sum()
    return 2 * float((mine & truth).sum()) / max(1, both), float(mine.sum() / truth.sum() - 1)


def places(found: list[Case]) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.intp]]:
    """Features and answers on every third ray, and which case each row belongs to."""
    rows, inside, of = [], [], []
    for k, case in enumerate(found):
        for box in case.boxes:
            frame = PolarFrame.of_box(box)
            features = rims.inside_features(sample(case.gray, frame), frame)[::3]
            at = np.round(np.stack(frame.points(np.broadcast_to(RADII, (RAYS, len(RADII)))))).astype(int)[
                :, ::3
            ]
            in_frame = (at >= 0).all(axis=0) & (at[0] < case.truth.shape[0]) & (at[1] < case.truth.shape[1])
            limit = np.array(case.truth.shape)[:, None, None] - 1
            hit = case.truth[tuple(np.clip(at, 0, limit))] & in_frame
            rows.append(features.reshape(-1, features.shape[-1]).astype(np.float32))
            inside.append(hit.ravel())
            of.append(np.full(hit.size, k))
    return np.concatenate(rows), np.concatenate(inside), np.concatenate(of)


def fit_inside(
    features: NDArray[np.float32], inside: NDArray[np.bool_], base: rims.RimModel
) -> rims.RimModel:
    mean, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64) + 1e-6
    fit = LogisticRegression(C=0.01, max_iter=300).fit((features - mean) / scale, inside)
    return replace(base, mean=mean, scale=scale, weight=fit.coef_[0], intercept=float(fit.intercept_[0]))


def fit_clearness(clearness: Array, good: NDArray[np.bool_]) -> Array:
    fit = LogisticRegression(C=10.0).fit(clearness[:, None], good)
    return np.array([fit.intercept_[0], fit.coef_[0, 0]])


def always(model: rims.RimModel) -> Callable[[str], rims.RimModel]:
    """What stands in for `rims.fitted` while one fold's model is tried."""
    return lambda _kind: model


def report(name: str, scores: list[tuple[float, float]]) -> None:
    d, a = np.array(scores).T
    print(
        f"  {name}: Dice {d.mean():.3f} (median {np.median(d):.3f}, p10 {np.quantile(d, 0.1):.3f}),"
        f" area |error| median {np.median(abs(a)):.1%}, bias {a.mean():+.1%}, n {len(d)}"
    )


def fit_kind(home: Path, kind: str) -> rims.RimModel:
    found = cases(home, VALUES[kind])
    groups = sorted({case.group for case in found})
    np.random.default_rng(0).shuffle(groups)
    fold_of = {group: k % FOLDS for k, group in enumerate(groups)}
    fold = np.array([fold_of[case.group] for case in found])
    print(f"{kind}: {len(found)} outlines in {len(groups)} groups")
    features, inside, of = places(found)
    nothing = np.zeros(0)
    blank = rims.RimModel(*(nothing,) * 3, 0.0, *(nothing,) * 3, 0.0, np.zeros(2), np.zeros(2))
    rims_fitted = rims.fitted

    ellipse, ours, clear, folded = [], [], [], []
    click_rows, click_dice, click_of = [], [], []
    for k in range(FOLDS):
        model = fit_inside(features[fold[of] != k], inside[fold[of] != k], blank)
        folded.append(model)
        rims.fitted = always(model)
        for index in np.flatnonzero(fold == k):
            case = found[index]
            for box in case.boxes:
                contour = rims.outside_rim(case.gray, box, kind)
                ours.append(dice(contour.polygon, case.truth))
                clear.append(contour.clearness)
                ellipse.append(dice(rims.ellipse_polygon(box), case.truth))
            for box in rims.click_boxes(case.centroid):
                click_rows.append(rims.click_features(case.gray, box, kind))
                click_dice.append(dice(rims.ellipse_polygon(box), case.truth)[0])
                click_of.append(index)
    report("ellipse in the box", ellipse)
    report("contour in the box", ours)
    good = np.array(ours)[:, 0] >= 0.8
    model = fit_inside(features, inside, blank)
    model = replace(model, box_confidence=fit_clearness(np.array(clear), good))

    rows, answers, belongs = np.array(click_rows), np.array(click_dice), np.array(click_of)
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6

    def with_click(use: NDArray[np.bool_], to: rims.RimModel) -> rims.RimModel:
        fit = Ridge(alpha=20.0).fit((rows[use] - mean) / scale, answers[use])
        return replace(
            to,
            click_mean=mean,
            click_scale=scale,
            click_weight=fit.coef_,
            click_intercept=float(fit.intercept_),
        )

    clicks, click_clear = [], []
    for k in range(FOLDS):
        rims.fitted = always(with_click(fold[belongs] != k, folded[k]))
        for index in np.flatnonzero(fold == k):
            case = found[index]
            contour = rims.at_click(case.gray, case.centroid, kind)
            clicks.append(dice(contour.polygon, case.truth))
            click_clear.append(contour.clearness)
    report("contour at the click", clicks)
    rims.fitted = rims_fitted
    trust = fit_clearness(np.array(click_clear), np.array(clicks)[:, 0] >= 0.8)
    return replace(with_click(np.ones(len(rows), bool), model), click_confidence=trust)


def as_toml(models: dict[str, rims.RimModel]) -> str:
    lines = [
        "# Fitted numbers of the closed-contour recipe; written by benchmarks/fit_rims.py, do not edit.",
        "# Fitted on nerve_vessel, train split (tmkand/usgra-seg, CC BY 4.0). Rows: [mean, scale, weight].",
    ]
    for kind, model in models.items():
        inside = np.column_stack([model.mean, model.scale, model.weight])
        click = np.column_stack([model.click_mean, model.click_scale, model.click_weight])
        lines += ["", f"[{kind}]"]
        for name, rows in (("inside", inside), ("click", click)):
            lines += [f"{name} = [", *(f"  [{a:.5g}, {b:.5g}, {c:.5g}]," for a, b, c in rows), "]"]
        lines += [
            f"inside_intercept = {model.intercept:.6g}",
            f"click_intercept = {model.click_intercept:.6g}",
            "# Logistic [intercept, slope] of 'Dice at least 0.8' on clearness, left-out pictures.",
            f"box_confidence = [{model.box_confidence[0]:.6g}, {model.box_confidence[1]:.6g}]",
            f"click_confidence = [{model.click_confidence[0]:.6g}, {model.click_confidence[1]:.6g}]",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--write", action="store_true", help="write rims.toml")
    args = ask.parse_args()
    models = {kind: fit_kind(args.data, kind) for kind in VALUES}
    if args.write:
        HOME.write_text(as_toml(models), encoding="utf-8")
        print(f"wrote {HOME.name}")


if __name__ == "__main__":
    main()
