"""Where a click or a box lies: in which picture of the frame, and at which of its px."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from usimg.outline.field import Pane
from usimg.outline.segmenter import Box, Request, Seed, clipped, seed_fault

# A border nearer to its middle than this is no outline (half of the smallest box).
LEAST_REACH_PX = 2.0


@dataclass(frozen=True, eq=False)
class Prompt:
    """A prompt that can be used.

    Attributes
    ----------
    pane : Pane
    box : Box or None
        Px of the pane; None for a click.
    seed : (row, col)
        Px of the pane: the click, or the middle of the box.
    edge : (row, col) or None
        Px of the pane: a second point, on the border.
    """

    pane: Pane
    box: Box | None
    seed: Seed
    edge: Seed | None = None

    @property
    def kind(self) -> str:
        """``"box"``, ``"click"``, or ``"points"`` for a click with a second point on the border."""
        if self.box is not None:
            return "box"
        return "click" if self.edge is None else "points"


def prompts_of(request: Request, found: Sequence[Pane]) -> list[Prompt | str]:
    """Every click, then every box of a request; those of no use as the reason why."""
    seeds = request.seeds or ()
    edges = request.edges or (None,) * len(seeds)
    clicks = [_placed_seed(request, found, *both) for both in zip(seeds, edges, strict=True)]
    return clicks + [_placed_box(request, found, box) for box in request.boxes or ()]


def _placed_seed(request: Request, found: Sequence[Pane], seed: Seed, edge: Seed | None) -> Prompt | str:
    fault = seed_fault(seed, request.frame.shape)
    pane = next((p for p in found if p.holds(*seed)), None)
    if fault or pane is None:
        return fault or "the click lies outside the picture's tissue"
    r0, c0, _, _ = pane.box
    middle = (seed[0] - r0, seed[1] - c0)
    if edge is None:
        return Prompt(pane, None, middle)
    if seed_fault(edge, request.frame.shape) or not pane.holds(*edge):
        return "the second point, on the border, lies outside the picture's tissue"
    if math.dist(seed, edge) < LEAST_REACH_PX:
        return f"the second point lies within {LEAST_REACH_PX:.0f} px of the first: it must lie on the border"
    return Prompt(pane, None, middle, (edge[0] - r0, edge[1] - c0))


def _placed_box(request: Request, found: Sequence[Pane], box: Box) -> Prompt | str:
    inside, fault = clipped(box, request.frame.shape)
    if inside is None:
        return fault
    middle = (0.5 * (inside[0] + inside[2]), 0.5 * (inside[1] + inside[3]))
    pane = next((p for p in found if p.holds(*middle)), None)
    if pane is None:
        return "the box lies outside the picture's tissue"
    r0, c0, _, _ = pane.box
    in_pane = (inside[0] - r0, inside[1] - c0, inside[2] - r0, inside[3] - c0)
    return Prompt(pane, in_pane, (middle[0] - r0, middle[1] - c0))
