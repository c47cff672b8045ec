"""Where a click or a box lies: in which picture of the frame, and at which of its px."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from usimg.outline.field import Pane
from usimg.outline.segmenter import Box, Request, Seed, clipped, seed_fault


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
    """

    pane: Pane
    box: Box | None
    seed: Seed

    @property
    def kind(self) -> str:
        """``"box"`` or ``"click"``."""
        return "click" if self.box is None else "box"


def prompts_of(request: Request, found: Sequence[Pane]) -> list[Prompt | str]:
    """Every click, then every box of a request; those of no use as the reason why."""
    clicks = [_placed_seed(request, found, seed) for seed in request.seeds or ()]
    return clicks + [_placed_box(request, found, box) for box in request.boxes or ()]


def _placed_seed(request: Request, found: Sequence[Pane], seed: Seed) -> Prompt | str:
    fault = seed_fault(seed, request.frame.shape)
    pane = next((p for p in found if p.holds(*seed)), None)
    if fault or pane is None:
        return fault or "the click lies outside the picture's tissue"
    return Prompt(pane, None, (seed[0] - pane.box[0], seed[1] - pane.box[1]))


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
