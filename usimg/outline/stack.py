"""The layers of a view found together: skin, fat, muscles, bone, in the order of the anatomy list.

A view says which layers follow each other; their borders are the ordered set of lines that is brightest as a
whole. No human-labelled pictures of these views were to be had: the few numbers here were chosen by looking
at phantoms (`usimg.simulate`) and are not validated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from usimg import anatomy
from usimg.outline import layers
from usimg.outline.edges import inner_edge
from usimg.outline.field import WORKING_ROWS, Pane, Working
from usimg.outline.lines import COLUMN_STEP, best_path
from usimg.roi import Roi
from usimg.vision import cv2

Array = NDArray[np.float64]

# Shares of the picture's depth; all chosen on phantoms.
THINNEST_MUSCLE = 0.06
SKIN_AT_MOST = 0.10
TRANSDUCER = 0.012  # the probe's own echo at the very top
# How far the cortex may rise above or sink below the straight line it is first seen as.
BONE_CORRIDOR = 0.25
# Sets of lines looked at in search of one whose finished borders differ: several arcs lead to one cortex.
RIVALS = 12
SAME = 0.025
BONE_STEEPEST = 4  # rows per `COLUMN_STEP` columns: 45 degrees


@dataclass(frozen=True, eq=False)
class Stack:
    """Borders of a view's layers in one pane.

    Attributes
    ----------
    edges : mapping of str to (upper, lower)
        Rows at every column of the pane, per structure.
    confidence : float
    flags : tuple of str
    """

    edges: Mapping[str, tuple[Array, Array]]
    confidence: float
    flags: tuple[str, ...]


def view_layers(pane: Pane, view: anatomy.View) -> list[Stack]:
    """Borders of all layers of a view, sums included: the likeliest set and the next; may be empty."""
    kinds = [anatomy.structure(name).kind for name in view.layers]
    muscles = sum(kind in ("muscle", "combined") for kind in kinds)
    on_bone = bool(kinds) and kinds[-1] == "bone"
    found = layers.candidates(pane)
    chains, totals = _chains(found, muscles + 1, on_bone=on_bone)
    order = np.argsort(-totals, kind="stable")
    if not len(order):
        return []
    borders = [_borders(found, chains[order[0]], on_bone=on_bone)]
    totals_kept, chains_kept = [float(totals[order[0]])], [chains[order[0]]]
    for k in order[1:RIVALS]:
        other = _borders(found, chains[k], on_bone=on_bone)
        if _apart(borders[0], other) > SAME * pane.gray.shape[0]:
            borders.append(other)
            totals_kept.append(float(totals[k]))
            chains_kept.append(chains[k])
            break
    stacks = []
    for rank, (lines, chain) in enumerate(zip(borders, chains_kept, strict=True)):
        # For the first the lead over its rival, for the rival how far it is behind.
        margin = totals_kept[rank] - totals_kept[1 - rank] if len(borders) > 1 else 1.0
        strength = float(_strengths(found)[0][list(chain)].min())
        stacks.append(_judged(pane, _edges(pane, lines, view), strength, margin))
    return stacks


def _borders(found: layers.Candidates, chain: tuple[int, ...], *, on_bone: bool) -> list[tuple[Array, Array]]:
    """(cols, rows) of each border, px of the pane, top to bottom."""
    lines = [found.line_px(line) for line in chain]
    if on_bone:
        above, last = found.lines.rows[list(chain[-2:])].astype(np.float64)
        lines[-1] = _cortex(found.picture, last, above + THINNEST_MUSCLE * WORKING_ROWS)
    return lines


def _apart(one: list[tuple[Array, Array]], other: list[tuple[Array, Array]]) -> float:
    """Largest mean distance of two borders of the same rank, px."""
    return max(float(np.abs(a[1] - b[1]).mean()) for a, b in zip(one, other, strict=True))


def _edges(
    pane: Pane, lines: list[tuple[Array, Array]], view: anatomy.View
) -> dict[str, tuple[Array, Array]]:
    uppers = [layers.edge_below(pane, line) for line in lines[:-1]]
    lowers = [layers.edge_above(pane, line) for line in lines]
    edges: dict[str, tuple[Array, Array]] = {}
    border = 0
    for name in view.layers:
        kind = anatomy.structure(name).kind
        if kind == "fat":
            edges[name] = (skin(pane, lowers[0]), lowers[0])
        elif kind != "bone":
            edges[name] = (uppers[border], lowers[border + 1])
            border += 1
    for name, members in view.sums.items():
        edges[name] = (edges[members[0]][0], edges[members[-1]][1])
    return edges


def _judged(pane: Pane, edges: Mapping[str, tuple[Array, Array]], strength: float, margin: float) -> Stack:
    # Clear borders (0.6 and more) far ahead of any rival reach 0.9, equal rivals stay below 0.5; chosen on
    # phantoms, not on people.
    logit = -6.0 + 8.0 * min(strength, 0.7) + 12.0 * min(margin, 0.3)
    confidence, flags = layers.confidence_of(logit, pane)
    if margin < 0.15:
        flags += ("another set of lines is nearly as likely: check the borders",)
    if strength < 0.3:
        flags += ("a border is faint: check it",)
    return Stack(edges, confidence, flags)


def _chains(found: layers.Candidates, borders: int, *, on_bone: bool) -> tuple[list[tuple[int, ...]], Array]:
    """Ordered sets of lines that could be the borders, and how bright each set is."""
    rows = found.lines.rows.astype(np.float64)
    depth = rows.mean(axis=1) / WORKING_ROWS
    mean, weak = _strengths(found)
    value = mean + weak
    bone = _bone_evidence(found.picture, rows) + 0.5 * mean if on_bone else value
    # The lowest edge of the skin and the probe's echo are lines too.
    top = value - np.where(depth < 0.05, 0.6, 0.0)
    chains, totals = [], []
    for chain in combinations(range(len(rows)), borders):
        gaps = np.diff(depth[list(chain)])
        if (gaps < THINNEST_MUSCLE).any():
            continue
        chains.append(chain)
        totals.append(top[chain[0]] + value[list(chain[1:-1])].sum() + bone[chain[-1]])
    return chains, np.array(totals)


def _strengths(found: layers.Candidates) -> tuple[Array, Array]:
    """(mean, weakest fifth) of each line's evidence over the columns where it lies in the picture."""
    rows = np.round(found.lines.rows).astype(np.intp)
    there = found.lines.usable[rows, np.arange(rows.shape[1])]
    strength = np.where(there, found.lines.strength, np.nan).astype(np.float64)
    # A line that is nowhere in the picture has none.
    strength[~there.any(axis=1)] = 0.0
    return np.nanmean(strength, axis=1), np.nanquantile(strength, 0.2, axis=1)


def _bone_evidence(picture: Working, rows: Array) -> Array:
    """How much a line looks like cortex somewhere: bright, and dark below it. About 0 to 2."""
    gray = cv2.GaussianBlur(picture.gray, (0, 0), 2.0)
    mean = max(float(gray[picture.usable].mean()), 1.0) if picture.usable.any() else 1.0
    blocks = gray.reshape(WORKING_ROWS, -1, COLUMN_STEP).mean(axis=2)
    step = np.arange(blocks.shape[1])
    at = np.round(rows).astype(np.intp)

    def level(first: int, last: int) -> Array:
        reach = np.arange(first, last + 1)[:, None, None]
        return np.asarray(blocks[np.clip(at + reach, 0, WORKING_ROWS - 1), step], dtype=np.float64)

    bright = level(-12, 4).max(axis=0)
    dark = level(14, 50).mean(axis=0)
    fall = np.clip((bright - 2.0 * dark) / (bright + mean), -0.5, 1.0)
    # A cortex is seen over a fifth of the width or more.
    width = max(3, len(step) // 5)
    window = np.ones(width) / width
    return np.array([2.0 * max(0.0, np.convolve(line, window, mode="valid").max()) for line in fall])


def _cortex(picture: Working, rows: Array, ceiling: Array) -> tuple[Array, Array]:
    """(cols, rows) in px of the pane of the line that a cortex and the fascia beside it make.

    The bone is a bump that no evenly bent arc follows: the brightest path near the first line, free to
    climb, but not above ``ceiling``.
    """
    sharp = cv2.GaussianBlur(picture.even, (0, 0), sigmaX=2.0, sigmaY=1.5)
    wide = cv2.GaussianBlur(picture.even, (0, 0), sigmaX=2.0, sigmaY=7.0)
    response = np.maximum(sharp - wide, 0.0) * picture.usable
    steps = len(rows)
    response = response.reshape(WORKING_ROWS, steps, COLUMN_STEP).mean(axis=2)
    # A cortex is the brightest thing there is: grey counts beside contrast.
    gray = picture.gray.reshape(WORKING_ROWS, steps, COLUMN_STEP).mean(axis=2) / 255.0
    score = response / (response + 0.6) + gray
    reach = int(BONE_CORRIDOR * WORKING_ROWS)
    offset = np.arange(-reach, reach + 1)[:, None]
    at = np.round(rows).astype(np.intp) + offset
    inside = (at >= ceiling) & (at < WORKING_ROWS)
    band = np.where(inside, score[np.clip(at, 0, WORKING_ROWS - 1), np.arange(steps)], -1.0)
    band = band - 0.1 * (offset / reach) ** 2
    path = best_path(band.astype(np.float32), steepest=BONE_STEEPEST, bend_cost=0.02)
    bent = at[path, np.arange(steps)].astype(np.float64)
    cols = (np.arange(steps) + 0.5) * (COLUMN_STEP * picture.col_px) - 0.5
    return np.asarray(cols, np.float64), np.asarray((bent + 0.5) * picture.row_px - 0.5, np.float64)


def skin(pane: Pane, fascia: Array) -> Array:
    """Lower edge of the skin: the clearest fall of brightness between the probe and the fascia."""
    depth, width = pane.gray.shape
    first = max(2, round(TRANSDUCER * depth))
    last = int(min(SKIN_AT_MOST * depth, float(fascia.min()) - 0.01 * depth))
    if last <= first + 2:
        return np.full(width, float(first))
    weight = pane.usable.astype(np.float64)
    profile = (pane.gray * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1.0)
    profile = cv2.GaussianBlur(profile[:, None], (1, 0), sigmaX=1e-6, sigmaY=0.004 * depth)[:, 0]
    fall = np.maximum(-np.gradient(profile), 0.0)[:last]
    # The probe's own echo falls off first: the skin's fall comes after the brightness has levelled out.
    level = np.flatnonzero(fall[first:] < 0.2 * fall.max())
    start = first + (int(level[0]) if len(level) else 0)
    at = float(start + int(fall[start:].argmax()))
    line = np.array([0.0, width - 1.0]), np.array([at, at])
    return np.minimum(inner_edge(pane, *line, "below"), fascia - 1.0)


# All structures of a view come from one search.
@lru_cache(maxsize=4)
def _stacks(pane: Pane, view: str) -> list[Stack]:
    return view_layers(pane, anatomy.view(view))


def view_layer(pane: Pane, view: anatomy.View, template: Roi) -> list[Roi]:
    """One structure of a view as a Roi, the next best in its ``alternatives``; none when it is not found."""
    rois = []
    for stack in _stacks(pane, view.name):
        if template.structure in stack.edges:
            upper, lower = stack.edges[template.structure]
            named = replace(template, flags=stack.flags)
            rois.append(layers.compartment(pane, upper, lower, named, confidence=stack.confidence))
    good = [roi for roi in rois if roi is not None]
    return [replace(good[0], alternatives=tuple(good[1:]))] if good else []


def fat_above(pane: Pane, template: Roi) -> list[Roi]:
    """Subcutaneous fat of a picture whose view is not known: skin to the likeliest superficial fascia."""
    found = layers.candidates(pane)
    if not len(found.order):
        return []
    best = int(found.order[0])
    fascia = layers.edge_above(pane, found.line_px(int(found.pairs.upper[best])))
    sure, flags = layers.pair_confidence(found, best)
    named = replace(template, flags=(*template.flags, *flags))
    roi = layers.compartment(pane, skin(pane, fascia), fascia, named, confidence=sure)
    return [] if roi is None else [roi]
