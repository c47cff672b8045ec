"""The muscle layer: two lines chosen, their inner edges found, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from usimg.outline import lines as line_search
from usimg.outline import model as layer_model
from usimg.outline.edges import inner_edge
from usimg.outline.field import Pane, Working, working
from usimg.outline.pairs import FEATURES, Pairs, describe
from usimg.roi import Roi

Array = NDArray[np.float64]

# Columns between vertices of an outline: edges are smoothed over more than that.
VERTEX_STEP = 4
# Alternatives that are kept ready.
ALTERNATIVES = 3
# Pairs that are outlined in search of one that fits a prompt.
MOST_TRIED = 24
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


def confidence_features(found: Candidates, k: int) -> Array:
    """Numbers that the confidence of pair ``k`` is made from; names in `model.CONFIDENCE`."""
    p = float(np.clip(found.probability[k], 1e-4, 1.0 - 1e-4))
    others = np.delete(found.score, k)
    margin = found.score[k] - (others.max() if len(others) else found.score[k] - 5.0)
    strength = {name: found.pairs.features[k, FEATURES.index(name)] for name in ("upper_weak", "lower_weak")}
    upper, lower = int(found.pairs.upper[k]), int(found.pairs.lower[k])
    covered = min(float((found.lines.strength[i] > 0.3).mean()) for i in (upper, lower))
    return np.array(
        [
            np.log(p / (1 - p)),
            np.clip(margin, -5.0, 5.0),
            strength["upper_weak"],
            strength["lower_weak"],
            covered,
        ]
    )


def outline_pair(found: Candidates, k: int, template: Roi) -> Roi | None:
    """The compartment of pair ``k`` as a Roi, or None when its edges leave nothing between them."""
    pane = found.pane
    fitted = layer_model.fitted()
    depth = pane.gray.shape[0]
    upper = inner_edge(pane, *found.line_px(int(found.pairs.upper[k])), "below") + fitted.upper_offset * depth
    lower = inner_edge(pane, *found.line_px(int(found.pairs.lower[k])), "above") + fitted.lower_offset * depth
    return compartment(
        pane, upper, lower, template, confidence=fitted.confidence(confidence_features(found, k))
    )


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


def muscle_layers(pane: Pane, template: Roi, wanted: Callable[[Roi], float] | None = None) -> list[Roi]:
    """The most likely muscle compartment of a pane, the next ones in its ``alternatives``.

    Parameters
    ----------
    pane : Pane
    template : Roi
        Structure, site, plane and method to be carried over.
    wanted : callable, optional
        How well a compartment fits a prompt, 0 (not at all) to 1; the best fit comes first.

    Returns
    -------
    list of Roi
        One, or none.
    """
    found = candidates(pane)
    rois: list[Roi] = []
    fits: list[float] = []
    for k in found.order[: ALTERNATIVES + 1 if wanted is None else MOST_TRIED]:
        roi = outline_pair(found, int(k), template)
        fit = 1.0 if wanted is None or roi is None else wanted(roi)
        if roi is not None and fit > 0.0:
            rois.append(roi)
            fits.append(fit)
    if not rois:
        return []
    # Without a prompt the order of likelihood stands; with one, the fit counts in tenths before it.
    order = sorted(range(len(rois)), key=lambda i: -round(10 * fits[i]))
    first, *others = [rois[i] for i in order]
    flags = first.flags
    if first.confidence < 0.5:
        flags = (*flags, "not sure that these are the two lines of the muscle: look at the alternatives")
    return [replace(first, flags=flags, alternatives=tuple(others[:ALTERNATIVES]))]
