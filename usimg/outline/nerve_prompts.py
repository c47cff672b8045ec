"""A nerve or vessel at a box or a click, asked of the network several times over.

The network follows the box it is given, so boxes a little different, and their mirror images, are averaged.
A click is first looked at in windows of several sizes; the one in which the answer has the size that the
network was taught to expect gives a box, and the box the outline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from usimg.outline.nerve_contour import area, contour
from usimg.outline.nerve_network import GRID, THIS, Window, cut, shifted, shown
from usimg.outline.segmenter import Box, Seed
from usimg.vision import cv2

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]
Answers = Callable[[FloatArray], FloatArray]

# Shares of a box by which its (top, left, bottom, right) are moved for each look, and whether the look is
# mirrored. A mirrored picture gets the mirror images of these looks, so its outline is the mirror image.
LOOKS = (
    ((0.0, 0.0, 0.0, 0.0), False),
    ((0.0, 0.0, 0.0, 0.0), True),
    ((0.04, 0.04, 0.04, 0.04), False),
    ((0.04, -0.04, 0.04, -0.04), True),
    ((-0.04, 0.04, -0.04, 0.04), False),
    ((-0.04, -0.04, -0.04, -0.04), True),
)
# Sides of a click's windows, px: from the smallest to the largest nerve of nerve_vessel train, twofold.
SIZES = tuple(float(s) for s in np.geomspace(50.0, 460.0, 9))
# A click's looks are weighed by what speaks for them: agreement with the looks through the next smaller and
# larger window, a clear border, and a window of about twice the structure, as those taught from. Chosen on
# val.
CLEAR, FITTING, FITTING_AT, SHARPNESS = 1.0, 0.3, -0.2, 20.0


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network says of one prompt.

    Attributes
    ----------
    polygon : (N, 2) array
        Outer contour, px.
    softness : float
        How much of the answer is neither yes nor no: mean of 4 s (1 - s) over the window, as a share of the
        outline's own part of the window.
    disagreement : float
        Spread of the log areas among the looks.
    """

    polygon: Array
    softness: float
    disagreement: float


def share_of_this(logits: FloatArray) -> FloatArray:
    """(n, CLASSES, GRID, GRID) logits to the share of "this", (n, GRID, GRID)."""
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    share: FloatArray = likely[:, THIS] / likely.sum(axis=1)
    return share


def in_box(
    gray: FloatArray,
    box: Box,
    answers: Answers,
    *,
    vessel: bool,
    level: float,
    seed: Seed | None = None,
    looks: Sequence[tuple[tuple[float, float, float, float], bool]] = LOOKS,
) -> Seen | None:
    """The structure in a box; None where the network sees nothing."""
    whole = Window.of_box(box)
    boxes = [shifted(box, move) for move, _ in looks]
    windows = [Window.of_box(one) for one in boxes]
    pictures = [
        shown(*cut(gray, window), window, box=one, vessel=vessel)
        for one, window in zip(boxes, windows, strict=True)
    ]
    found = _asked(answers, pictures, [mirrored for _, mirrored in looks])
    shares = [laid(share, window, whole) for share, window in zip(found, windows, strict=True)]
    mean = np.asarray(np.mean(shares, axis=0), np.float32)
    polygon = contour(mean, whole, level=level, inside=seed)
    if polygon is None:
        return None
    part = max(1e-3, area(polygon) / (whole.rows * whole.cols))
    areas = np.log([max(1.0, float(share.sum())) for share in shares])
    softness = float((4 * mean * (1 - mean)).mean()) / part
    return Seen(polygon, softness, float(areas.std()))


def _asked(answers: Answers, pictures: Sequence[FloatArray], mirrored: Sequence[bool]) -> FloatArray:
    """Shares of "this" in the places of every picture, some asked by their mirror image, (n, GRID, GRID)."""
    ways = [slice(None, None, -1 if other else 1) for other in mirrored]
    given = np.stack([picture[..., way] for picture, way in zip(pictures, ways, strict=True)])
    shares = share_of_this(answers(given))
    return np.stack([share[:, way] for share, way in zip(shares, ways, strict=True)])


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
    gray: FloatArray, seed: Seed, answers: Answers, *, vessel: bool, level: float
) -> tuple[Seen, float] | None:
    """The structure at a click and how much sizes disagree; None where the network sees nothing."""
    box = click_box(gray, seed, answers, vessel=vessel)
    if box is None:
        return None
    seen = in_box(gray, box[0], answers, vessel=vessel, level=level, seed=seed)
    return None if seen is None else (seen, box[1])


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
    plain, other = (_asked(answers, pictures, [way] * len(windows)) for way in (False, True))
    shares = 0.5 * (plain + other)
    return [
        Look(window, share, contour(share, window, level=0.5, inside=seed))
        for window, share in zip(windows, shares, strict=True)
    ]


def click_box(gray: FloatArray, seed: Seed, answers: Answers, *, vessel: bool) -> tuple[Box, float] | None:
    """The box a click stands for, and the spread of the log sizes that were considered."""
    looks = click_looks(gray, seed, answers, vessel=vessel)
    outlines = {k: look.polygon for k, look in enumerate(looks) if look.polygon is not None}
    kept = list(outlines)
    if not kept:
        return None
    agree = [one.agreement(larger) for one, larger in pairwise(looks)]
    boxes = np.array([_bounds(outline) for outline in outlines.values()])
    larger = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    fitting = np.log([looks[k].window.rows / 2 for k in kept] / larger) - FITTING_AT
    # The first and the last have one neighbour.
    agreement = [0.5 * (agree[max(0, k - 1)] + agree[min(k, len(agree) - 1)]) for k in kept]
    softness = [looks[k].softness for k in kept]
    score = np.array(agreement) - CLEAR * np.array(softness) - FITTING * fitting**2
    weight = np.exp(SHARPNESS * (score - score.max()))
    weight /= weight.sum()
    size = np.log(larger)
    spread = float(np.sqrt(weight @ (size - weight @ size) ** 2))
    r0, c0, r1, c1 = (float(v) for v in weight @ boxes)
    return (r0, c0, r1, c1), spread


def _bounds(polygon: Array) -> Box:
    (r0, c0), (r1, c1) = polygon.min(axis=0), polygon.max(axis=0)
    return (float(r0), float(c0), float(r1), float(c1))
