"""The muscle layer: two lines chosen, their inner edges found, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from usimg.outline import lines as line_search
from usimg.outline import model as layer_model
from usimg.outline.edges import inner_edge
from usimg.outline.field import Pane, Working, working
from usimg.outline.pairs import FEATURES, Pairs, describe
from usimg.outline.scope import is_linear
from usimg.outline.segmenter import Box
from usimg.roi import Roi

Array = NDArray[np.float64]

# Columns between vertices of an outline: edges are smoothed over more than that.
VERTEX_STEP = 4
# Alternatives that are kept ready.
ALTERNATIVES = 3
# Taken off the logit of confidence where the field is of a shape without labelled images. Chosen by looking
# at sectors and panoramas, none of whose wrong outlines may be trusted.
UNLIKE_FIELD = 2.5
# Two edges nearer than this are one line (px).
LEAST_GAP_PX = 3.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """Lines and scored pairs of one pane, most likely pair first in ``order``."""

    pane: Pane
    picture: Working
    lines: line_search.Lines
    pairs: Pairs
    score: Array
    probability: Array
    order: NDArray[np.intp]

    @cached_property
    def sceptical(self) -> Array:
        """(pairs,) lowest probability that any voice gives (`LayerModel.voices`)."""
        return np.asarray(layer_model.fitted().heard(self.pairs.features).min(axis=1), np.float64)

    def line_px(self, index: int) -> tuple[Array, Array]:
        """(cols, rows) of a line in px of the pane."""
        cols = (self.lines.cols + 0.5) * self.picture.col_px - 0.5
        rows = (self.lines.rows[index].astype(np.float64) + 0.5) * self.picture.row_px - 0.5
        return cols, rows


def candidates(pane: Pane) -> Candidates:
    """Search a pane for lines and score every pair of them."""
    picture = working(pane)
    found = line_search.find(picture)
    pairs = describe(picture, found)
    fitted = layer_model.fitted()
    score = fitted.score(pairs.features)
    shifted = np.exp(score - score.max()) if len(score) else score
    probability = shifted / shifted.sum() if len(score) else score
    order = np.argsort(-score, kind="stable")
    return Candidates(pane, picture, found, pairs, score, probability, order)


def confidence_features(found: Candidates, k: int, fitted: layer_model.LayerModel) -> Array:
    """Numbers that the confidence of pair ``k`` is made from; names in `model.CONFIDENCE`."""
    others = np.delete(found.score, k)
    margin = found.score[k] - (others.max() if len(others) else found.score[k] - 5.0)
    voices = fitted.heard(found.pairs.features)
    row = found.pairs.features[k]
    ends = (int(found.pairs.upper[k]), int(found.pairs.lower[k]))
    covered = min(float((found.lines.strength[line] > 0.3).mean()) for line in ends)
    return np.array(
        [
            _logit(float(found.probability[k])),
            np.clip(margin, -5.0, 5.0),
            (voices.argmax(axis=0) == k).mean(),
            _logit(float(voices[k].min())),
            row[FEATURES.index("upper_weak")],
            row[FEATURES.index("lower_weak")],
            covered,
        ]
    )


def _logit(p: float) -> float:
    p = min(max(p, 1e-3), 1.0 - 1e-3)
    return float(np.log(p / (1.0 - p)))


def edge_below(pane: Pane, line: tuple[Array, Array]) -> Array:
    """Edge between a line and the layer below it, at every column, px of the pane."""
    edge = inner_edge(pane, *line, "below")
    return np.asarray(edge + layer_model.fitted().upper_offset * pane.gray.shape[0], dtype=np.float64)


def edge_above(pane: Pane, line: tuple[Array, Array]) -> Array:
    """Edge between a line and the layer above it, at every column, px of the pane."""
    edge = inner_edge(pane, *line, "above")
    return np.asarray(edge + layer_model.fitted().lower_offset * pane.gray.shape[0], dtype=np.float64)


def outline_pair(found: Candidates, k: int, template: Roi) -> Roi | None:
    """The compartment of pair ``k`` as a Roi, or None when its edges leave nothing between them."""
    upper = edge_below(found.pane, found.line_px(int(found.pairs.upper[k])))
    lower = edge_above(found.pane, found.line_px(int(found.pairs.lower[k])))
    sure, flags = pair_confidence(found, k)
    named = replace(template, flags=(*template.flags, *flags))
    return compartment(found.pane, upper, lower, named, confidence=sure)


def pair_confidence(found: Candidates, k: int) -> tuple[float, tuple[str, ...]]:
    """Probability that pair ``k`` gives the thickness to 10 %, and what there is to say about it."""
    fitted = layer_model.fitted()
    return confidence_of(fitted.confidence_logit(confidence_features(found, k, fitted)), found.pane)


def confidence_of(logit: float, pane: Pane) -> tuple[float, tuple[str, ...]]:
    """A logit as a probability, less where the field is of a shape that nobody has labelled."""
    flags: tuple[str, ...] = ()
    if not is_linear(pane):
        logit -= UNLIKE_FIELD
        flags = (
            "a sector, trapezoid or panorama: outlines were compared with experts on linear fields only",
        )
    return float(1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0)))), flags


def compartment(pane: Pane, upper: Array, lower: Array, template: Roi, *, confidence: float) -> Roi | None:
    """A layer between two edges given at every column of the pane.

    Columns where either edge lies outside the usable picture are not visible and left out.
    """
    depth, width = pane.gray.shape
    every = np.arange(width)
    visible = lower - upper >= LEAST_GAP_PX
    for edge in (upper, lower):
        row = np.clip(np.round(edge).astype(np.intp), 0, depth - 1)
        visible &= pane.usable[row, every]
    run = _longest_run(visible)
    if run is None or run[1] - run[0] < 0.25 * width:
        return None
    start, stop = run
    count = max(2, round((stop - 1 - start) / VERTEX_STEP) + 1)
    cols = np.linspace(start, stop - 1, count)
    top = np.interp(cols, every, upper) + pane.box[0]
    bottom = np.interp(cols, every, lower) + pane.box[0]
    cols = cols + pane.box[1]
    edge_up, edge_low = np.column_stack([top, cols]), np.column_stack([bottom, cols])
    flags = template.flags
    if stop - start < 0.8 * width:
        flags = (*flags, f"the layer is seen over {(stop - start) / width:.0%} of the picture's width only")
        confidence *= (stop - start) / (0.8 * width)
    return replace(
        template,
        polygons=(np.concatenate([edge_up, edge_low[::-1]]),),
        polygon=None,
        upper=edge_up,
        lower=edge_low,
        region=pane.region,
        confidence=confidence,
        flags=flags,
    )


def _longest_run(mask: NDArray[np.bool_]) -> tuple[int, int] | None:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    if not len(edges):
        return None
    runs = edges.reshape(-1, 2)
    best = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return int(best[0]), int(best[1])


def muscle_layers(pane: Pane, template: Roi) -> list[Roi]:
    """The most likely muscle compartment of a pane, the next ones in its ``alternatives``; or none."""
    found = candidates(pane)
    first, *others = [outline_pair(found, int(k), template) for k in found.order[: ALTERNATIVES + 1]] or [
        None
    ]
    if first is None:
        return []
    flags = first.flags
    if first.confidence < 0.5:
        flags = (*flags, "not sure that these are the two lines of the muscle: look at the alternatives")
    return [replace(first, flags=flags, alternatives=tuple(roi for roi in others if roi is not None))]


def layer_at(pane: Pane, box: Box, template: Roi) -> Roi | None:
    """The compartment that a box shows, or that holds a click (a box without extent).

    Which muscle is meant is the person's to say: pairs are ranked by how well they fit the prompt and by how
    clear their lines are beside those passed over, not by how usual they are.

    Parameters
    ----------
    pane : Pane
    box : (r0, c0, r1, c1)
        Px of the pane.
    template : Roi
    """
    found = candidates(pane)
    if not len(found.order):
        return None
    r0, c0, r1, c1 = box
    cols = np.linspace(c0, c1, 9)
    lines = [found.line_px(k) for k in range(len(found.lines.rows))]
    rows = np.array([np.interp(cols, *line) for line in lines])
    top, bottom = rows[found.pairs.upper], rows[found.pairs.lower]
    if r1 > r0:
        shared = np.clip(np.minimum(bottom, r1) - np.maximum(top, r0), 0.0, None).mean(axis=1)
        fit = shared / (np.maximum(bottom, r1) - np.minimum(top, r0)).mean(axis=1)
    else:
        fit = ((top < r0) & (bottom > r0)).all(axis=1).astype(np.float64)
    clear = _clearness(found.pairs)
    rank = np.where(fit > 0.0, np.round(10.0 * fit) + clear, -np.inf)
    order = np.argsort(-rank, kind="stable")
    order = order[np.isfinite(rank[order])][: ALTERNATIVES + 1]
    rois = [roi for k in order if (roi := outline_pair(found, int(k), template)) is not None]
    if not rois:
        return None
    # How far the first is ahead of the second: 0.3 of line evidence is beyond doubt (chosen on phantoms).
    ahead = float(rank[order[0]] - rank[order[1]]) if len(order) > 1 else 1.0
    sure = float(fit[order[0]]) * float(1.0 / (1.0 + np.exp(-(10.0 * min(ahead, 0.5) - 1.0))))
    flags = template.flags
    if sure < 0.5:
        flags = (*flags, "another layer fits the prompt nearly as well: look at the alternatives")
    return replace(rois[0], confidence=sure, flags=flags, alternatives=tuple(rois[1:]))


def _clearness(pairs: Pairs) -> Array:
    """How clear a pair's lines are beside the strongest line passed over, (pairs,).

    The weaker line counts most: a compartment ends at two fasciae, not at one and a fascicle. Chosen on
    phantoms of arm and calf.
    """
    column = {name: pairs.features[:, k] for k, name in enumerate(FEATURES)}
    upper = column["upper_strength"] + column["upper_weak"]
    lower = column["lower_strength"] + column["lower_weak"]
    passed_over = np.maximum(column["strongest_inside"] - 0.5, 0.0)
    clear: Array = 2.0 * np.minimum(upper, lower) + 0.5 * np.maximum(upper, lower) - 3.0 * passed_over
    return clear
