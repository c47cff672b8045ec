"""Which outline is proposed and how far it can be trusted: the network and the line search together.

A network's own certainty is no check on a machine it has not seen (pilot, 3.3, 4), and the line search alone
takes the wrong two lines twice as often. So the network proposes, both score every proposal, and what they
say of the best one, what mirrored and squeezed pictures say, and the lead over the next proposal make the
probability that the thickness is right to 10 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.layers import Candidates
from usimg.outline.network import INPUT_SHAPE, MUSCLE, OUTPUT_COLS, Answer, Edges, boundary_scores

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

# A picture squeezed to this share of its depth, black below: lines stay, their place changes.
SQUEEZE = 0.85
# Differences below this share of depth are the grain of the network's grid.
GRAIN = 0.002
# What one power of ten in the line search's probability counts against the network's log-likelihood per
# column. Chosen on dltrack_apo train, every device outlined by a network that never saw it: wrong lines in
# 19 of 123 pictures at 0, 11 at 3.5, 9 from 5 to 10.
SECOND_VOICE = 6.0
# Farther than this share of the depth from any line, an outline has no pair of lines.
OFF_LINE = 0.03
# Pairs of lines of the line search that are weighed against the network's proposals.
RIVALS = 8
# Edges lie about this far inside the middle of their lines (bands of dltrack_apo train are 2.3 % thick).
HALF_BAND = 0.011
# Rows within which an edge finds the network's best boundary: a line search's edge is half a band off.
NEAR_ROWS = 4
# Compartments that share less than this of what either covers are two outlines.
SAME = 0.95
# A larger lead says no more.
CLEAR_LEAD = 12.0
# Middles of the network's columns, shares of the width.
_OUTPUT_COLUMNS = (np.arange(OUTPUT_COLS) + 0.5) / OUTPUT_COLS
# What a confidence is made from, each counting the same (`usimg.train.constants.fit_confidence`).
DESCRIBED = ("lead", "classical", "muscle", "upper_band", "lower_band", "lower_agrees")


@dataclass(frozen=True, eq=False)
class Confidence:
    """A logistic model over named numbers.

    Attributes
    ----------
    weights : mapping of str to float
        By the names that `describe` gives.
    intercept : float
    """

    weights: Mapping[str, float]
    intercept: float

    def logit(self, described: Mapping[str, float]) -> float:
        """Logit of the probability that the thickness is right to 10 %."""
        return self.intercept + sum(self.weights[name] * described[name] for name in self.weights)

    def __call__(self, described: Mapping[str, float]) -> float:
        """That probability."""
        return float(1.0 / (1.0 + np.exp(-np.clip(self.logit(described), -30.0, 30.0))))


@dataclass(frozen=True, eq=False)
class Looks:
    """The same picture seen several ways, all in the network's grid.

    Attributes
    ----------
    best : Edges
        From the averaged answer.
    plain, mirrored, squeezed : Edges
        From each look alone.
    without_upper, without_lower : Edges
        The best when one of the lines must be another.
    answer : Answer
        The averaged one.
    """

    best: Edges
    plain: Edges
    mirrored: Edges
    squeezed: Edges
    without_upper: Edges
    without_lower: Edges
    answer: Answer


@dataclass(frozen=True, eq=False)
class Proposal:
    """Two edges and what is said for them.

    Attributes
    ----------
    edges : Edges
    score : float
        The network's log-likelihoods per column and `SECOND_VOICE` times ``likely``.
    likely : float
        log10 of the line search's probability of this pair of lines.
    near : tuple of float
        Distance of the nearest line of the line search from each edge, share of depth.
    """

    edges: Edges
    score: float
    likely: float
    near: tuple[float, float]


def ranked(looks: Looks, classical: Candidates) -> list[Proposal]:
    """All outlines there are, the proposed one first, then by score, none twice.

    The network's own answers come before the line search's, which hold more wrong lines: those are rivals and
    alternatives, never the proposal.
    """
    scores = boundary_scores(looks.answer)

    def proposals(found: Sequence[Edges]) -> list[Proposal]:
        made = [_proposal(edges, scores, classical) for edges in found]
        return sorted(made, key=lambda one: -one.score)

    own = proposals((looks.best, looks.without_lower, looks.without_upper))
    others = proposals((looks.plain, looks.mirrored, looks.squeezed, *_pairs(classical)))
    kept = own[:1]
    for one in sorted([*own[1:], *others], key=lambda one: -one.score):
        if all(_shared(one.edges, other.edges) < SAME for other in kept):
            kept.append(one)
    return kept


def describe(looks: Looks, proposed: Sequence[Proposal]) -> dict[str, float]:
    """The numbers a confidence is made from, of the first of `ranked`; larger is better for all."""
    best, rows = proposed[0].edges, INPUT_SHAPE[0]
    views = (looks.plain, looks.mirrored, looks.squeezed)
    upper = [float(np.abs(v.upper - best.upper).mean()) / rows for v in views]
    lower = [float(np.abs(v.lower - best.lower).mean()) / rows for v in views]
    column = np.arange(len(best.upper))
    row = np.arange(rows)[:, None]
    inside = (row > best.upper) & (row < best.lower)
    band = looks.answer.any_band
    lead = proposed[0].score - proposed[1].score if len(proposed) > 1 else CLEAR_LEAD
    return {
        "lead": float(np.clip(lead, -CLEAR_LEAD, CLEAR_LEAD)),
        "classical": proposed[0].likely,
        "muscle": float(looks.answer.layers[MUSCLE][inside].mean()) if inside.any() else 0.0,
        "upper_band": float(band[np.clip(np.round(best.upper - 3).astype(int), 0, rows - 1), column].mean()),
        "lower_band": float(band[np.clip(np.round(best.lower + 3).astype(int), 0, rows - 1), column].mean()),
        "upper_agrees": float(np.mean([_agreement(apart) for apart in upper])),
        "lower_agrees": float(np.mean([_agreement(apart) for apart in lower])),
    }


def doubts(proposed: Sequence[Proposal], described: Mapping[str, float]) -> tuple[str, ...]:
    """What a person should look at, in words."""
    flags: tuple[str, ...] = ()
    if min(described["upper_agrees"], described["lower_agrees"]) < 1.0:
        flags += ("mirrored or squeezed, the same picture gives another outline: check both edges",)
    if max(proposed[0].near) > GRAIN * 10:
        flags += ("an edge lies where the search for lines finds none: check it",)
    if described["lead"] < 1.0:
        flags += ("another pair of lines is nearly as likely: compare the alternatives",)
    return flags


def _proposal(edges: Edges, scores: tuple[FloatArray, FloatArray], classical: Candidates) -> Proposal:
    upper, lower, likely = _classical(edges, classical)
    own = _along(scores[0], edges.upper) + _along(scores[1], edges.lower)
    return Proposal(edges, own + SECOND_VOICE * likely, likely, (upper, lower))


def _along(score: FloatArray, rows: FloatArray) -> float:
    """Mean over the columns of the best boundary within `NEAR_ROWS` of an edge."""
    near = np.round(rows + 0.5).astype(int) + np.arange(-NEAR_ROWS, NEAR_ROWS + 1)[:, None]
    found = score[np.clip(near, 0, len(score) - 1), np.arange(score.shape[1])]
    return float(found.max(axis=0).mean())


def _pairs(found: Candidates) -> list[Edges]:
    """The line search's likeliest pairs as edges in the network's grid."""
    if not len(found.lines.rows):
        return []
    lines = _lines(found) * INPUT_SHAPE[0] - 0.5
    half = HALF_BAND * INPUT_SHAPE[0]
    return [
        Edges(
            (lines[found.pairs.upper[k]] + half).astype(np.float32),
            (lines[found.pairs.lower[k]] - half).astype(np.float32),
            0.0,
            0.0,
        )
        for k in found.order[:RIVALS]
    ]


def _lines(found: Candidates) -> Array:
    """The lines as shares of depth at the network's columns, (lines, cols)."""
    height, width = found.picture.gray.shape
    cols = _OUTPUT_COLUMNS * width - 0.5
    lines: Array = np.stack([np.interp(cols, found.lines.cols, line) for line in found.lines.rows])
    return np.asarray(lines / height, np.float64)


def _shared(one: Edges, other: Edges) -> float:
    """Intersection over union of two compartments."""
    both = np.minimum(one.lower, other.lower) - np.maximum(one.upper, other.upper)
    shared = float(np.maximum(both, 0.0).sum())
    union = float((one.lower - one.upper).sum() + (other.lower - other.upper).sum()) - shared
    return shared / union if union > 0 else 1.0


def _agreement(apart: float) -> float:
    """0 for a difference of 20 % of the depth, 2 for 0.2 % or less."""
    return float(-np.log10(np.clip(apart, GRAIN, 0.2) / 0.2))


def _classical(best: Edges, found: Candidates) -> tuple[float, float, float]:
    """(distance of the nearest line from each edge, share of depth; log10 probability of that pair).

    The probability is the lowest that any of the line search's voices gives: each was fitted without one kind
    of machine, so one of them is as blind to a labelled machine as all are to a new one.
    """
    if not len(found.lines.rows):
        return 0.2, 0.2, -3.0
    shown = _lines(found)
    upper = np.abs(shown - (best.upper / INPUT_SHAPE[0] - HALF_BAND)).mean(axis=1)
    lower = np.abs(shown - (best.lower / INPUT_SHAPE[0] + HALF_BAND)).mean(axis=1)
    pair = (found.pairs.upper == upper.argmin()) & (found.pairs.lower == lower.argmin())
    on_lines = pair.any() and max(upper.min(), lower.min()) < OFF_LINE
    likely = float(found.sceptical[pair].min()) if on_lines else 0.0
    return float(upper.min()), float(lower.min()), float(np.log10(np.clip(likely, 1e-3, 1.0)))
