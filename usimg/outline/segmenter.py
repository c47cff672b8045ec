"""What an automatic outliner is, what it is asked, and where further ones are found.

A package adds one by an entry point::

    [project.entry-points."usimg.segmenters"]
    mine = "mypackage.outlines:MySegmenter"

The entry point names a class (or function) that is called without arguments and gives a `Segmenter`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np

from usimg import anatomy
from usimg.errors import OutlineRefused
from usimg.roi import Roi
from usimg.scan import Frame

GROUP = "usimg.segmenters"
BUILT_IN = "classical"
NERVE_NETWORK = "nerve-network"
LAYER_NETWORK = "network"
# What an archive is outlined with when nobody chose: it hands on to the others what is theirs.
USUAL = LAYER_NETWORK

Seed = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Request:
    """What is to be outlined in one frame.

    Attributes
    ----------
    frame : Frame
    structure : anatomy.Structure
    view : anatomy.View or None
        The view the picture shows, when it is known: its layers are found together.
    plane, site : str
        Empty when unknown.
    protocol : anatomy.Protocol
    seeds : tuple of (row, col)
        One outline each; ``None`` when there are no clicks.
    edges : tuple of (row, col) or None
        A point of the border of each seed's structure, where one was given; as many as ``seeds``.
    boxes : tuple of (r0, c0, r1, c1)
        One outline each, not yet clipped; ``None`` when there are no boxes.
    """

    frame: Frame
    structure: anatomy.Structure
    view: anatomy.View | None = None
    plane: str = ""
    site: str = ""
    protocol: anatomy.Protocol = field(default_factory=anatomy.generic_protocol)
    seeds: tuple[Seed, ...] | None = None
    edges: tuple[Seed | None, ...] = ()
    boxes: tuple[Box, ...] | None = None


@runtime_checkable
class Segmenter(Protocol):
    """Anything that outlines structures in a frame.

    Attributes
    ----------
    name, version : str
        Recorded with every outline (``Roi.method``) and run.
    """

    name: str
    version: str

    def can(self, structure: anatomy.Structure, plane: str) -> bool:
        """Whether it knows how to outline this; plane is empty when unknown."""

    def segment(self, request: Request) -> list[Roi]:
        """Outlines, most likely first; with prompts one per prompt, in order.

        A prompt that fails gives ``failed(...)``; nothing credible without prompts gives ``[]``.
        """


def failed(request: Request, reason: str, *, method: str, region: int | None = None) -> Roi:
    """A Roi without polygon that says why."""
    return Roi(
        structure=request.structure.name,
        site=request.site,
        plane=request.plane,
        region=region,
        trace_rule=request.structure.trace_rule,
        method=method,
        confidence=0.0,
        flags=(reason,),
    )


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """Names of the segmenters there are, the built-in ones first."""
    built_in = (BUILT_IN, LAYER_NETWORK, NERVE_NETWORK)
    return (*built_in, *sorted(name for name in _entry_points() if name not in built_in))


def usual(structure: anatomy.Structure, *, prompted: bool) -> str:
    """Which segmenter outlines a structure when nobody chose one: what did best on labels left out."""
    suggested = prompted or structure.name == "nerve"
    if suggested and structure.kind in ("nerve", "vessel"):
        return NERVE_NETWORK
    return LAYER_NETWORK if structure.name == "muscle" and not prompted else BUILT_IN


@cache
def get(name: str = BUILT_IN) -> Segmenter:
    """The segmenter of that name.

    Raises
    ------
    OutlineRefused
        There is none, or its package cannot be loaded.
    """
    make: Callable[[], Any]
    if name == BUILT_IN:
        from usimg.outline.classical import ClassicalSegmenter  # noqa: PLC0415  it imports this module

        make = ClassicalSegmenter
    elif name == LAYER_NETWORK:
        from usimg.outline.learned import NetworkSegmenter  # noqa: PLC0415  it imports this module

        make = NetworkSegmenter
    elif name == NERVE_NETWORK:
        from usimg.outline.prompted import NerveSegmenter  # noqa: PLC0415  it imports this module

        make = NerveSegmenter
    else:
        point = _entry_points().get(name)
        if point is None:
            raise OutlineRefused(f"no segmenter is called {name!r}; there are: {', '.join(names())}")
        try:
            make = point.load()
        except Exception as error:  # noqa: BLE001  another package's import can fail in any way
            raise OutlineRefused(f"segmenter {name!r} ({point.value}) cannot be loaded: {error}") from None
    segmenter = make()
    if not isinstance(segmenter, Segmenter):
        raise OutlineRefused(f"segmenter {name!r} lacks name, version, can or segment")
    return segmenter


def as_seeds(seeds: Sequence[Any] | None) -> tuple[tuple[Seed, ...] | None, tuple[Seed | None, ...]]:
    """Checked clicks, and the second point of each or None.

    Raises
    ------
    OutlineRefused
        Not a list of (row, col) or ((row, col), (row, col)).
    """
    if seeds is None:
        return None, ()
    form = "seeds=[(row, col), ...] or [((row, col), (row, col) on the border), ...]"
    try:
        pairs = [list(seed) if np.ndim(seed[0]) else [seed] for seed in seeds]
    except (TypeError, ValueError, IndexError):
        raise OutlineRefused(f"prompts must be given as {form}, in px of the frame") from None
    if any(len(pair) not in (1, 2) for pair in pairs):
        raise OutlineRefused(f"a click is one point or two: {form}")
    points = [[(row[0], row[1]) for row in _numbers(pair, 2, form) or ()] for pair in pairs]
    return tuple(pair[0] for pair in points), tuple(pair[1] if len(pair) > 1 else None for pair in points)


def as_boxes(boxes: Sequence[Sequence[float]] | None) -> tuple[Box, ...] | None:
    """Checked boxes; raises `OutlineRefused` for what is not a list of (r0, c0, r1, c1)."""
    rows = _numbers(boxes, 4, "boxes=[(r0, c0, r1, c1), ...]")
    return None if rows is None else tuple((r[0], r[1], r[2], r[3]) for r in rows)


def _numbers(prompts: Any, length: int, form: str) -> list[list[float]] | None:
    if prompts is None:
        return None
    try:
        rows = [[float(value) for value in prompt] for prompt in prompts]
    except (TypeError, ValueError):
        raise OutlineRefused(f"prompts must be given as {form}, in px of the frame") from None
    for row in rows:
        if len(row) != length:
            raise OutlineRefused(f"a prompt has {len(row)} numbers; it needs {length}: {form}")
    return rows


def clipped(box: Box, shape: tuple[int, int]) -> tuple[Box | None, str]:
    """A box cut to the frame, or None and why it cannot be used."""
    if not all(math.isfinite(value) for value in box):
        return None, "the box has a corner that is not a number"
    r0, r1 = sorted((box[0], box[2]))
    c0, c1 = sorted((box[1], box[3]))
    if r1 - r0 <= 0 or c1 - c0 <= 0:
        return None, "the box has no area"
    low_r, high_r = max(r0, -0.5), min(r1, shape[0] - 0.5)
    low_c, high_c = max(c0, -0.5), min(c1, shape[1] - 0.5)
    if high_r <= low_r or high_c <= low_c:
        return None, "the box lies outside the frame"
    if min(high_r - low_r, high_c - low_c) < 4:
        return None, "the box is smaller than 4 px inside the frame"
    return (low_r, low_c, high_r, high_c), ""


def seed_fault(seed: Seed, shape: tuple[int, int]) -> str:
    """Why a click cannot be used; empty when it can."""
    if not all(math.isfinite(value) for value in seed):
        return "the click is not a number"
    if not (-0.5 <= seed[0] < shape[0] - 0.5 and -0.5 <= seed[1] < shape[1] - 0.5):
        return "the click lies outside the frame"
    return ""
