"""Constants of trained networks for nerves: how they are weighed, where outlines are drawn, how far trusted.

All are fitted on pictures that the network asked had not learnt from (each fold's own), through the code that
`usimg.segment` runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.nerve_contour import area
from usimg.outline.nerve_network import GRID, THIS
from usimg.outline.nerve_prompts import (
    DESCRIBED,
    UNFITTED,
    Answers,
    BoxLook,
    Seen,
    click_box,
    logit_of,
    look_in_box,
    outlined,
    radius_in,
)
from usimg.outline.segmenter import Seed
from usimg.train.nerve_crops import moved
from usimg.train.nerve_dataset import Labelled, Part
from usimg.vision import cv2

FloatArray = NDArray[np.float32]
Tables = dict[str, dict[str, float]]

# Shares of "this" that are tried as the border.
LEVELS = (0.35, 0.5, 0.65)
# An area error up to this is right; confidence is its probability.
RIGHT = 0.15
# A box's sides, a click and a second point are off by this in the figures (the pilot's protocol for boxes).
JITTER = 0.05
# What is asked: a nerve in a box, at a click, at a click and a point of its border; a vessel in a box.
KINDS = ("box", "click", "points", "vessel")
# Area errors are cut here when a bias is taken: a nerve mistaken for another says nothing of its border.
GROSS = 0.3


@dataclass(frozen=True, eq=False)
class Asked:
    """A prompt, what a network that had not learnt from the picture answers, and the truth.

    Attributes
    ----------
    picture, part
        What was meant.
    fold : int
        Which network was asked.
    look : BoxLook or None
        None where nothing was seen at a click.
    inside : (row, col) or None
        The click.
    spread : float
        Of the log sizes the click could mean.
    """

    picture: Labelled
    part: Part
    fold: int
    look: BoxLook | None
    inside: Seed | None
    spread: float

    def seen(self, table: dict[str, float]) -> Seen | None:
        """The outline, as `usimg.segment` would draw it with these constants."""
        found = None if self.look is None else outlined(self.look, table, inside=self.inside)
        return (
            None if found is None else Seen(found.polygons, {**found.described, "size_spread": self.spread})
        )


@dataclass(frozen=True, eq=False)
class Case:
    """An outline at a prompt against the expert's.

    Attributes
    ----------
    dice, error : float
        Overlap, and relative error of the area (-1 where nothing was found).
    described : dict
        `DESCRIBED`; empty where nothing was found.
    """

    dice: float
    error: float
    described: dict[str, float]

    @classmethod
    def of(cls, asked: Asked, table: dict[str, float]) -> Case:
        """What becomes of a prompt with these constants."""
        seen = asked.seen(table)
        polygons = [] if seen is None else seen.polygons
        return cls(*compare(polygons, asked.picture, asked.part), {} if seen is None else seen.described)


def compare(polygons: Sequence[NDArray[np.float64]], picture: Labelled, part: Part) -> tuple[float, float]:
    """(Dice, relative area error) of an outline in px: the outline filled four times as finely."""
    if not polygons:
        return 0.0, -1.0
    fine = 4
    r0, c0, r1, c1 = (int(v) for v in part.box)
    points = np.concatenate(polygons)
    low = np.minimum(np.floor(points.min(axis=0)), [r0, c0]).astype(int) - 1
    high = np.maximum(np.ceil(points.max(axis=0)), [r1, c1]).astype(int) + 2
    low, high = np.maximum(low, 0), np.minimum(high, picture.parts.shape)
    truth = picture.parts[low[0] : high[0], low[1] : high[1]] == part.number
    mine = np.zeros(np.array(truth.shape) * fine, np.uint8)
    for polygon in polygons:
        # Pixel centres are integers; the finer ones' lie at (i + 0.5) / fine - 0.5.
        at = ((polygon - low + 0.5) * fine - 0.5)[:, ::-1]
        cv2.fillPoly(mine, [np.round(at * 16).astype(np.int32)[:, None]], 1, shift=4)
    shares = mine.reshape(truth.shape[0], fine, truth.shape[1], fine).mean(axis=(1, 3))
    both = float((shares * truth).sum())
    true = float((picture.parts == part.number).sum())
    return 2 * both / (shares.sum() + truth.sum()), sum(area(polygon) for polygon in polygons) / true - 1


def ask(folds: Sequence[tuple[Answers, Sequence[Labelled]]], kind: str, *, draws: int = 2) -> list[Asked]:
    """Every whole part of the folds' pictures, ``draws`` times, prompted clumsily; the same at every call."""
    found = []
    for fold, (answers, pictures) in enumerate(folds):
        rng = np.random.default_rng((17, fold))
        for picture in pictures:
            for part in picture.outlined:
                if not part.cut and part.vessel == (kind == "vessel"):
                    found += [_asked(answers, picture, part, kind, fold, rng) for _ in range(draws)]
    return found


def _asked(
    answers: Answers, picture: Labelled, part: Part, kind: str, fold: int, rng: np.random.Generator
) -> Asked:
    if kind in ("box", "vessel"):
        look = look_in_box(picture.gray, moved(part.box, JITTER, rng), answers, vessel=part.vessel)
        return Asked(picture, part, fold, look, None, 0.0)
    sides = np.array([part.box[2] - part.box[0], part.box[3] - part.box[1]])
    row, col = np.array(part.centre) + rng.normal(0, JITTER, 2) * sides
    edge = border_point(picture, part, rng) if kind == "points" else None
    found = click_box(picture.gray, (row, col), answers, vessel=False, edge=edge)
    if found is None:
        return Asked(picture, part, fold, None, (row, col), 0.0)
    look = look_in_box(picture.gray, found[0], answers, vessel=False)
    return Asked(picture, part, fold, look, (row, col), found[1])


def border_point(picture: Labelled, part: Part, rng: np.random.Generator) -> Seed:
    """A point somewhere on the border, missed by N(0, `JITTER`) of its distance from the middle."""
    mask = (picture.parts == part.number).astype(np.uint8)
    curves, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    curve = max(curves, key=cv2.contourArea)[:, 0, ::-1]
    away = curve[rng.integers(len(curve))] - np.array(part.centre)
    row, col = np.array(part.centre) + away * (1 + rng.normal(0, JITTER))
    return float(row), float(col)


def fit_weights(asked: Sequence[Asked]) -> dict[str, float]:
    """How the networks' answer and the box are weighed: a logistic model of "inside the expert's outline"."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  slow to import, needed once

    rows, inside = [], []
    for one in asked:
        if one.look is None:
            continue
        share = one.look.looks.mean(axis=0)[THIS]
        features = np.stack([logit_of(share), -radius_in(one.look.box, one.look.window)], axis=-1)
        # Every second place: neighbours tell the same.
        rows.append(features[::2, ::2].reshape(-1, 2))
        inside.append(_truth(one)[::2, ::2].ravel())
    if not rows:
        return dict(UNFITTED)
    values, truth = np.concatenate(rows), np.concatenate(inside) > 0.5
    if truth.all() or not truth.any():
        return dict(UNFITTED)
    fit = LogisticRegression(C=1.0).fit(values, truth)
    trust, box = (max(0.0, float(slope)) for slope in fit.coef_[0])
    if box < 1e-3:
        return {**UNFITTED, "trust": max(trust, 1e-3)}
    return {"trust": trust, "box": box, "at": float(fit.intercept_[0]) / box, "level": 0.5}


def _truth(one: Asked) -> FloatArray:
    """Share of the part in the places of the window."""
    assert one.look is not None  # noqa: S101  asked only of what was seen
    rows, cols = one.look.window.places(2 * GRID)
    down, right = np.meshgrid(rows, cols, indexing="ij")
    mask = (one.picture.parts == one.part.number).astype(np.float32)
    fine = cv2.remap(mask, right, down, cv2.INTER_LINEAR, borderValue=0)
    return np.asarray(cv2.resize(fine, (GRID, GRID), interpolation=cv2.INTER_AREA), np.float32)


def fit_level(asked: Sequence[Asked], table: dict[str, float]) -> float:
    """The share at which outlines are neither too large nor too small: mean area error, cut at `GROSS`."""
    bias = []
    for level in LEVELS:
        errors = [Case.of(one, {**table, "level": level}).error for one in asked]
        bias.append(float(np.clip(errors, -GROSS, GROSS).mean()))
    # The higher the level the smaller the outline.
    return float(np.interp(0.0, np.array(bias)[::-1], np.array(LEVELS)[::-1]))


def fit_confidence(cases: Sequence[Case]) -> dict[str, float]:
    """A logistic model of "the area is right to 15 %"; no number may speak for an outline by growing."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  slow to import, needed once

    found = [case for case in cases if case.described]
    right = np.array([abs(case.error) <= RIGHT for case in found], bool)
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


def fit_table(asked: Sequence[Asked]) -> dict[str, float]:
    """All constants of one kind of prompt."""
    table = fit_weights(asked)
    table["level"] = fit_level(asked, table)
    return table | fit_confidence([Case.of(one, table) for one in asked])


def crossed(asked: Sequence[Asked]) -> list[tuple[Case, float]]:
    """Every prompt with constants fitted without its fold, and the confidence they give it."""
    found = []
    for fold in sorted({one.fold for one in asked}):
        rest = [one for one in asked if one.fold != fold]
        # One fold alone judges itself.
        table = fit_table(rest or asked)
        for one in asked:
            if one.fold == fold:
                case = Case.of(one, table)
                found.append((case, trust(case, table)))
    return found


def trust(case: Case, table: dict[str, float]) -> float:
    """Confidence of an outline; 0 where nothing was found."""
    if not case.described:
        return 0.0
    logit = table["intercept"] + sum(table[name] * value for name, value in case.described.items())
    return float(1 / (1 + np.exp(-logit)))
