"""Constants of a trained network for nerves: where outlines are drawn, and what confidence means.

Both are fitted on watched pictures, through the code that `usimg.segment` runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.nerve_contour import area
from usimg.outline.nerve_prompts import Answers, Seen, at_click, in_box
from usimg.train.nerve_crops import moved
from usimg.train.nerve_dataset import Labelled, Part
from usimg.vision import cv2

# Shares of "this" that are tried as the border.
LEVELS = (0.3, 0.4, 0.5, 0.6, 0.7)
# An area error up to this is right; confidence is its probability.
RIGHT = 0.15
# A box's sides are off by this in the figures (the pilot's protocol).
JITTER = 0.05
DESCRIBED = ("softness", "disagreement", "size_spread")


@dataclass(frozen=True, eq=False)
class Case:
    """An outline at a prompt against the expert's.

    Attributes
    ----------
    kind : str
        ``"box"``, ``"click"`` or ``"vessel"`` (a vessel in a box).
    dice, error : float
        Overlap, and relative error of the area (-1 where nothing was found).
    described : dict
        `DESCRIBED`; empty where nothing was found.
    """

    kind: str
    dice: float
    error: float
    described: dict[str, float]


def compare(polygon: NDArray[np.float64] | None, picture: Labelled, part: Part) -> tuple[float, float]:
    """(Dice, relative area error) of an outline in px: the outline filled four times as finely."""
    if polygon is None:
        return 0.0, -1.0
    fine = 4
    r0, c0, r1, c1 = (int(v) for v in part.box)
    low = np.minimum(np.floor(polygon.min(axis=0)), [r0, c0]).astype(int) - 1
    high = np.maximum(np.ceil(polygon.max(axis=0)), [r1, c1]).astype(int) + 2
    low, high = np.maximum(low, 0), np.minimum(high, picture.parts.shape)
    truth = picture.parts[low[0] : high[0], low[1] : high[1]] == part.number
    mine = np.zeros(np.array(truth.shape) * fine, np.uint8)
    # Pixel centres are integers; the finer ones' lie at (i + 0.5) / fine - 0.5.
    at = ((polygon - low + 0.5) * fine - 0.5)[:, ::-1]
    cv2.fillPoly(mine, [np.round(at * 16).astype(np.int32)[:, None]], 1, shift=4)
    shares = mine.reshape(truth.shape[0], fine, truth.shape[1], fine).mean(axis=(1, 3))
    both = float((shares * truth).sum())
    return 2 * both / (shares.sum() + truth.sum()), area(polygon) / float(
        (picture.parts == part.number).sum()
    ) - 1


def judge(
    answers: Answers, pictures: Sequence[Labelled], kind: str, *, level: float, draws: int = 3
) -> list[Case]:
    """Every part that is whole, ``draws`` times, prompted clumsily; the same prompts at every call."""
    rng = np.random.default_rng(17)
    cases = []
    for picture in pictures:
        for part in picture.outlined:
            if part.cut or part.vessel != (kind == "vessel"):
                continue
            for _ in range(draws):
                seen, spread = _prompted(answers, picture, part, kind, level, rng)
                dice, error = compare(None if seen is None else seen.polygon, picture, part)
                numbers = () if seen is None else (seen.softness, seen.disagreement, spread)
                cases.append(Case(kind, dice, error, dict(zip(DESCRIBED, numbers, strict=False))))
    return cases


def _prompted(
    answers: Answers, picture: Labelled, part: Part, kind: str, level: float, rng: np.random.Generator
) -> tuple[Seen | None, float]:
    if kind != "click":
        box = moved(part.box, JITTER, rng)
        return in_box(picture.gray, box, answers, vessel=part.vessel, level=level), 0.0
    high, wide = part.box[2] - part.box[0], part.box[3] - part.box[1]
    row, col = np.array(part.centre) + rng.normal(0, JITTER, 2) * [high, wide]
    found = at_click(picture.gray, (float(row), float(col)), answers, vessel=False, level=level)
    return (None, 0.0) if found is None else found


def fit_level(answers: Answers, pictures: Sequence[Labelled], kind: str) -> float:
    """The share at which outlines are neither too large nor too small.

    By the mean area error, cut at 30 %: a nerve that was mistaken for another says nothing of its border.
    """
    bias = []
    for level in LEVELS:
        errors = [case.error for case in judge(answers, pictures, kind, level=level, draws=1)]
        bias.append(float(np.clip(errors, -0.3, 0.3).mean()))
    # The higher the level the smaller the outline.
    return float(np.interp(0.0, np.array(bias)[::-1], np.array(LEVELS)[::-1]))


def fit_confidence(cases: Sequence[Case]) -> dict[str, float]:
    """A logistic model of "the area is right to 15 %"; no number may speak for an outline by growing."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  slow to import, needed once

    found = [case for case in cases if case.described]
    right = np.array([abs(case.error) <= RIGHT for case in found])
    values = np.array([[case.described[name] for name in DESCRIBED] for case in found])
    weights = dict.fromkeys(DESCRIBED, 0.0)
    if not found or right.all() or not right.any():
        # All or none were right: the share of the right ones, one more of each kind counted.
        return {"intercept": float(np.log((right.sum() + 1) / ((~right).sum() + 1))), **weights}
    scale = np.maximum(values.std(axis=0), 1e-6)
    kept = [k for k in range(len(DESCRIBED)) if values[:, k].std() > 1e-6]
    while kept:
        fit = LogisticRegression(C=1.0).fit(values[:, kept] / scale[kept], right)
        slopes = fit.coef_[0]
        if slopes.max() <= 0:
            for k, slope in zip(kept, slopes, strict=True):
                weights[DESCRIBED[k]] = float(slope / scale[k])
            return {"intercept": float(fit.intercept_[0]), **weights}
        kept.pop(int(slopes.argmax()))
    return {"intercept": float(np.log((right.sum() + 1) / ((~right).sum() + 1))), **weights}


def fit_constants(answers: Answers, pictures: Sequence[Labelled]) -> dict[str, dict[str, float]]:
    """Tables ``box``, ``click`` and ``vessel``, as ``NAME.toml`` keeps them."""
    tables: dict[str, dict[str, float]] = {}
    for kind in ("box", "click", "vessel"):
        # A click's outline is its box's: the border lies where a box's does.
        level = tables["box"]["level"] if kind == "click" else fit_level(answers, pictures, kind)
        cases = judge(answers, pictures, kind, level=level)
        tables[kind] = {"level": level, **fit_confidence(cases)}
    return tables
