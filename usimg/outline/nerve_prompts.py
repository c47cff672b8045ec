"""A nerve or vessel at a box or a click, asked of the networks.

Each of several networks sees the picture and its mirror image; their shares of "this" are averaged and
weighed against what the box alone says, by weights fitted where the networks had not learnt. A click is first
looked at in windows of several sizes; what they say, weighed by how much speaks for it, gives a box, and the
box the outline. A second point, on the border, says which sizes fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from usimg.outline.nerve_contour import area, contours
from usimg.outline.nerve_network import CLASSES, GRID, OTHER_NERVE, OTHER_VESSEL, THIS, Window, cut, shown
from usimg.outline.polar import superellipse_radius
from usimg.outline.segmenter import Box, Seed
from usimg.vision import cv2

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]
Answers = Callable[[FloatArray], FloatArray]
Constants = Mapping[str, float]

# How the networks are believed before weights were fitted: as they are, and the box not at all.
UNFITTED: dict[str, float] = {"trust": 1.0, "box": 0.0, "at": 0.9, "level": 0.5}
# Further out and further in, a place in the box says no more.
RADIUS_FROM, RADIUS_TO = 0.4, 1.5
# Share of its box that a structure fills: nerve_vessel train, 0.67 of nerves, 0.74 of vessels.
FILLED = 0.7
# Sides of a click's windows, px: from the smallest to the largest nerve of nerve_vessel train, twofold.
SIZES = tuple(float(s) for s in np.geomspace(50.0, 460.0, 9))
# A click's looks are weighed by what speaks for them: agreement with the looks through the next smaller and
# larger window, a clear border, and a window of about twice the structure, as those taught from. Chosen on
# val.
CLEAR, FITTING, FITTING_AT, SHARPNESS = 1.0, 0.3, -0.2, 20.0
# How far off the border (log of the distance from the middle) a second point may lie, and how heavily what
# misses it weighs.
EDGE_SPREAD = 0.12


@dataclass(frozen=True, eq=False)
class Seen:
    """What the networks say of one prompt.

    Attributes
    ----------
    polygons : list of (N, 2) arrays
        Outer contours, px, the largest first; more than one where a structure is seen in parts.
    described : dict
        What speaks against the outline (`DESCRIBED`).
    """

    polygons: list[Array]
    described: dict[str, float]


# What confidence is judged by. softness: how much of the answer is neither yes nor no, over what is yes;
# off_box: log of the area over what a box of this size usually holds, without sign; size_spread: of the log
# sizes that a click could mean. The networks' disagreement is not among them: the weights are fitted on one
# network at a time, which has nobody to disagree with.
DESCRIBED = ("softness", "off_box", "size_spread")


def shares_of(logits: FloatArray) -> FloatArray:
    """(n, networks * CLASSES, GRID, GRID) logits to shares, (n, networks, CLASSES, GRID, GRID)."""
    logits = logits.reshape(len(logits), -1, CLASSES, GRID, GRID)
    likely = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares: FloatArray = likely / likely.sum(axis=2, keepdims=True)
    return shares


@dataclass(frozen=True, eq=False)
class BoxLook:
    """What the networks answer for a box, before it is weighed.

    Attributes
    ----------
    box : Box
    window : Window
    looks : (n, CLASSES, GRID, GRID) array
        Shares of the classes by every network, seen as it is and mirrored.
    """

    box: Box
    window: Window
    looks: FloatArray


def look_in_box(gray: FloatArray, box: Box, answers: Answers, *, vessel: bool) -> BoxLook:
    """Ask for the structure in a box."""
    window = Window.of_box(box)
    picture = shown(*cut(gray, window), window, box=box, vessel=vessel)
    return BoxLook(box, window, _both_ways(answers, picture[None])[:, 0])


def outlined(look: BoxLook, constants: Constants, *, inside: Seed | None = None) -> Seen | None:
    """The outline in a box; None where the networks see nothing.

    Parameters
    ----------
    constants : mapping
        ``trust`` (of the networks' logit), ``box`` and ``at`` (of a place's radius in the box's
        superellipse), ``level``.
    inside : (row, col), px, optional
        A point of the only part.
    """
    box, window = look.box, look.window
    share = weighed(look, constants)
    polygons = contours(share, window, level=constants["level"], inside=inside)
    if not polygons:
        return None
    place = window.rows * window.cols / GRID**2
    whole = max(place, sum(area(polygon) for polygon in polygons))
    usual = FILLED * (box[2] - box[0]) * (box[3] - box[1])
    described = {
        "softness": float((4 * share * (1 - share)).sum() * place / whole),
        "off_box": abs(float(np.log(whole / usual))),
        "size_spread": 0.0,
    }
    return Seen(polygons, described)


def in_box(
    gray: FloatArray, box: Box, answers: Answers, *, vessel: bool, constants: Constants
) -> Seen | None:
    """The structure in a box; None where the networks see nothing."""
    return outlined(look_in_box(gray, box, answers, vessel=vessel), constants)


def weighed(look: BoxLook, constants: Constants) -> FloatArray:
    """Share of "this", from what the networks see and what the box says, (GRID, GRID)."""
    mean = look.looks.mean(axis=0)
    logit = constants["trust"] * logit_of(mean[THIS])
    logit += constants["box"] * (constants["at"] - radius_in(look.box, look.window))
    share = 1 / (1 + np.exp(-logit))
    # What is another nerve's or vessel's is not this one's, whatever the box says: outlines do not overlap.
    held = np.minimum(share, 1 - mean[OTHER_NERVE] - mean[OTHER_VESSEL])
    return np.asarray(held, np.float32)


def logit_of(share: FloatArray) -> FloatArray:
    """Logit of a share, within +-6: beyond, it is the network's habit and no evidence."""
    held = np.clip(share, 0.0025, 0.9975)
    return np.asarray(np.log(held / (1 - held)), np.float32)


def radius_in(box: Box, window: Window) -> FloatArray:
    """Radius of a window's places in the superellipse of a box, 1 on it, (GRID, GRID)."""
    rows, cols = window.places(GRID)
    down = (rows - (box[0] + box[2]) / 2) / ((box[2] - box[0]) / 2)
    right = (cols - (box[1] + box[3]) / 2) / ((box[3] - box[1]) / 2)
    radius = superellipse_radius(down[:, None], right[None])
    return np.asarray(np.clip(radius, RADIUS_FROM, RADIUS_TO), np.float32)


def _both_ways(answers: Answers, pictures: FloatArray) -> FloatArray:
    """Shares of every picture by every network, as it is and mirrored, (looks, n, CLASSES, GRID, GRID)."""
    plain = shares_of(answers(pictures))
    mirrored = shares_of(answers(np.ascontiguousarray(pictures[..., ::-1])))[..., ::-1]
    return np.concatenate([plain, mirrored], axis=1).swapaxes(0, 1)


def mean_shares(answers: Answers, pictures: Sequence[FloatArray]) -> FloatArray:
    """Shares of the classes in every picture, over the networks, (n, CLASSES, GRID, GRID).

    Many windows are looked at to find a place or a size, so none is looked at twice.
    """
    return np.asarray(shares_of(answers(np.stack(pictures))).mean(axis=1), np.float32)


def laid(share: FloatArray, window: Window, onto: Window) -> FloatArray:
    """Shares in one window's places in another's, (GRID, GRID); 0 outside."""
    if window == onto:
        return share
    scale_r, scale_c = onto.rows / window.rows, onto.cols / window.cols
    middle = GRID / 2 - 0.5
    off_r = (onto.row - window.row) / window.rows * GRID + middle - scale_r * middle
    off_c = (onto.col - window.col) / window.cols * GRID + middle - scale_c * middle
    matrix = np.array([[scale_c, 0, off_c], [0, scale_r, off_r]])
    moved: FloatArray = cv2.warpAffine(
        np.ascontiguousarray(share), matrix, (GRID, GRID), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return moved


def at_click(
    gray: FloatArray,
    seed: Seed,
    answers: Answers,
    *,
    vessel: bool,
    constants: Constants,
    edge: Seed | None = None,
) -> Seen | None:
    """The structure at a click; None where the networks see nothing.

    Parameters
    ----------
    edge : (row, col), px, optional
        A point of its border: says which of the sizes that the click could mean is meant.
    """
    found = click_box(gray, seed, answers, vessel=vessel, edge=edge)
    if found is None:
        return None
    box, spread = found
    seen = outlined(look_in_box(gray, box, answers, vessel=vessel), constants, inside=seed)
    return None if seen is None else Seen(seen.polygons, {**seen.described, "size_spread": spread})


@dataclass(frozen=True, eq=False)
class Look:
    """What is seen at a click through one window.

    Attributes
    ----------
    window : Window
    share : (GRID, GRID) array
        Of "this".
    polygon : (N, 2) array or None
    """

    window: Window
    share: FloatArray
    polygon: Array | None

    @property
    def softness(self) -> float:
        """How much of the answer is neither yes nor no, over how much is yes."""
        return float((4 * self.share * (1 - self.share)).sum() / max(1.0, float(self.share.sum())))

    def agreement(self, larger: Look) -> float:
        """Overlap (Dice of shares) with what is seen through a larger window."""
        mine = laid(self.share, self.window, larger.window)
        both = float(np.minimum(mine, larger.share).sum())
        return 2 * both / max(1e-6, float(mine.sum() + larger.share.sum()))


def click_looks(gray: FloatArray, seed: Seed, answers: Answers, *, vessel: bool) -> list[Look]:
    """Looks through windows of every size about a click."""
    windows = [Window(seed[0], seed[1], side, side) for side in SIZES]
    pictures = [shown(*cut(gray, window), window, seed=seed, vessel=vessel) for window in windows]
    shares = mean_shares(answers, pictures)[:, THIS]
    looks = []
    for window, share in zip(windows, shares, strict=True):
        polygons = contours(share, window, level=0.5, inside=seed)
        looks.append(Look(window, share, polygons[0] if polygons else None))
    return looks


def click_box(
    gray: FloatArray, seed: Seed, answers: Answers, *, vessel: bool, edge: Seed | None = None
) -> tuple[Box, float] | None:
    """The box a click stands for, and the spread of the log sizes that were considered."""
    looks = click_looks(gray, seed, answers, vessel=vessel)
    outlines = {k: look.polygon for k, look in enumerate(looks) if look.polygon is not None}
    kept = list(outlines)
    if not kept:
        return None
    agree = [one.agreement(larger) for one, larger in pairwise(looks)]
    boxes = np.array([bounds(outline) for outline in outlines.values()])
    larger = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    fitting = np.log([looks[k].window.rows / 2 for k in kept] / larger) - FITTING_AT
    # The first and the last have one neighbour.
    agreement = [0.5 * (agree[max(0, k - 1)] + agree[min(k, len(agree) - 1)]) for k in kept]
    softness = [looks[k].softness for k in kept]
    score = SHARPNESS * (np.array(agreement) - CLEAR * np.array(softness) - FITTING * fitting**2)
    if edge is not None:
        missed = np.array([_missed(outline, seed, edge) for outline in outlines.values()])
        score -= 0.5 * (missed / EDGE_SPREAD) ** 2
    weight = np.exp(score - score.max())
    weight /= weight.sum()
    size = np.log(larger)
    spread = float(np.sqrt(weight @ (size - weight @ size) ** 2))
    r0, c0, r1, c1 = (float(v) for v in weight @ boxes)
    return (r0, c0, r1, c1), spread


def _missed(outline: Array, seed: Seed, edge: Seed) -> float:
    """Log of how far an outline reaches from the seed towards a point over how far it should."""
    away = outline - np.array(seed)
    towards = np.array(edge) - np.array(seed)
    far = float(np.hypot(*towards))
    along = away @ towards / max(far, 1e-9)
    beside = np.abs(away @ np.array([-towards[1], towards[0]])) / max(far, 1e-9)
    ahead = along > 0
    if not ahead.any():
        return 3.0
    nearest = np.flatnonzero(ahead)[np.argmin((beside / along.clip(1e-9))[ahead])]
    return float(np.log(max(np.hypot(*away[nearest]), 1.0) / max(far, 1.0)))


def bounds(polygon: Array) -> Box:
    """Bounding box of a contour."""
    (r0, c0), (r1, c1) = polygon.min(axis=0), polygon.max(axis=0)
    return (float(r0), float(c0), float(r1), float(c1))
