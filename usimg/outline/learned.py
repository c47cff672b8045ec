"""The segmenter ``"network"``: the bare muscle by a trained network, nerves by theirs, the rest built in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from usimg import anatomy
from usimg.outline.classical import ClassicalSegmenter
from usimg.outline.edges import inner_edge
from usimg.outline.field import Pane, panes
from usimg.outline.layer_model import LayerNetwork, shipped
from usimg.outline.layers import candidates, compartment
from usimg.outline.network import INPUT_SHAPE, OUTPUT_COLS, Answer, Edges, edges, network_input, second_edges
from usimg.outline.prompted import KINDS
from usimg.outline.scope import is_validated
from usimg.outline.segmenter import NERVE_NETWORK, Request, get
from usimg.outline.selfcheck import SQUEEZE, Looks, describe, ranked
from usimg.roi import Roi
from usimg.vision import cv2

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

NAME = "network"
# `inner_edge` starts at a line's middle and looks towards the muscle; the network's edge lies about half a
# band further on (share of depth: bands of dltrack_apo train are 2.3 % thick).
HALF_BAND = 0.011
# Mean distance (share of depth) from which another outline is worth offering.
ANOTHER = 0.02


class NetworkSegmenter:
    """A trained network for the muscle layer; nerves and vessels go to theirs, all else to the built-in.

    Attributes
    ----------
    name, version : str
    """

    name = NAME

    def __init__(self, model: LayerNetwork | None = None) -> None:
        self._model = model or shipped("muscle")
        self._rest = ClassicalSegmenter()

    @property
    def version(self) -> str:
        """The network's name and the beginning of its hash."""
        return self._model.name

    def can(self, structure: anatomy.Structure, plane: str) -> bool:
        """As the built-in."""
        return self._rest.can(structure, plane)

    def segment(self, request: Request) -> list[Roi]:
        """Outlines, most likely first; with prompts one per prompt, in order."""
        if request.structure.kind in KINDS:
            return get(NERVE_NETWORK).segment(request)
        prompted = request.seeds is not None or request.boxes is not None
        if prompted or request.view is not None or request.structure.name != "muscle":
            return self._rest.segment(request)
        template = Roi(
            structure=request.structure.name,
            site=request.site,
            plane=request.plane,
            trace_rule=request.structure.trace_rule,
            method=f"{self.name} {self.version}",
        )
        found = [muscle_layer(pane, self._model, template) for pane in panes(request.frame)]
        return sorted((roi for roi in found if roi is not None), key=lambda roi: -roi.confidence)


def muscle_layer(pane: Pane, model: LayerNetwork, template: Roi) -> Roi | None:
    """The muscle of one pane, its next-best outlines in ``alternatives``; None where none is left."""
    looks = look(pane, model)
    classical = candidates(pane)
    chosen, *rest = ranked(looks, classical)
    described = describe(looks, chosen, classical)
    confidence = model.confidence(described) if model.confidence else 0.0
    valid = is_validated(NAME, template.structure, template.plane, "none", pane)
    template = replace(template, validated=valid)
    best = outline(pane, chosen, model, template, confidence)
    if best is None:
        return None
    flags = best.flags
    if min(described["upper_agrees"], described["lower_agrees"]) < 1.0:
        flags += ("mirrored or squeezed, the same picture gives another outline: check both edges",)
    if min(described["upper_line"], described["lower_line"]) < 1.0:
        flags += ("an edge lies where the search for lines finds none: check it",)
    if confidence < 0.5:
        flags += ("not sure that these are the two lines of the muscle: look at the alternatives",)
    others = []
    for edge in rest:
        moved = max(np.abs(edge.upper - chosen.upper).mean(), np.abs(edge.lower - chosen.lower).mean())
        # What is left of the probability is shared by the others.
        other = outline(pane, edge, model, template, (1 - confidence) / 2)
        if other is not None and moved > ANOTHER * INPUT_SHAPE[0]:
            others.append(other)
    return replace(best, flags=flags, alternatives=tuple(others))


def look(pane: Pane, model: LayerNetwork) -> Looks:
    """A pane seen as it is, mirrored, and squeezed."""
    gray, usable = at_input(pane)
    picture = network_input(gray, usable)
    plain = Answer.of(model.logits(picture))
    mirrored = Answer.of(model.logits(picture[..., ::-1])).mirrored()
    squeezed = Answer.of(model.logits(network_input(*_squeeze(gray, usable))))
    answer = plain.averaged(mirrored)
    best = edges(answer)
    without_upper, without_lower = second_edges(answer, best)
    return Looks(
        best,
        edges(plain),
        edges(mirrored),
        _unsqueezed(edges(squeezed)),
        without_upper,
        without_lower,
        answer,
    )


def at_input(pane: Pane) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Grey and scan area of a pane at `INPUT_SHAPE`."""
    rows, cols = INPUT_SHAPE
    shrink = cv2.INTER_AREA if pane.gray.shape[0] > rows else cv2.INTER_LINEAR
    gray = cv2.resize(pane.gray, (cols, rows), interpolation=shrink)
    usable = cv2.resize(pane.usable.astype(np.uint8), (cols, rows), interpolation=cv2.INTER_NEAREST) > 0
    return gray, usable


def _squeeze(gray: FloatArray, usable: NDArray[np.bool_]) -> tuple[FloatArray, NDArray[np.bool_]]:
    rows, cols = gray.shape
    high = round(SQUEEZE * rows)
    small, there = np.zeros_like(gray), np.zeros_like(usable)
    small[:high] = cv2.resize(gray, (cols, high), interpolation=cv2.INTER_AREA)
    there[:high] = cv2.resize(usable.astype(np.uint8), (cols, high), interpolation=cv2.INTER_NEAREST) > 0
    return small, there


def _unsqueezed(found: Edges) -> Edges:
    factor = INPUT_SHAPE[0] / round(SQUEEZE * INPUT_SHAPE[0])
    return replace(found, upper=(found.upper + 0.5) * factor - 0.5, lower=(found.lower + 0.5) * factor - 0.5)


def outline(pane: Pane, found: Edges, model: LayerNetwork, template: Roi, confidence: float) -> Roi | None:
    """Edges in the network's grid as a Roi, drawn to the picture at full resolution."""
    depth = pane.gray.shape[0]
    upper = refined(pane, found.upper, above=True) + model.upper_offset * depth
    lower = refined(pane, found.lower, above=False) + model.lower_offset * depth
    return compartment(pane, upper, lower, template, confidence=confidence)


def to_pane(pane: Pane, rows: FloatArray) -> tuple[Array, Array]:
    """(cols, rows) in px of the pane of a curve in the network's grid."""
    depth, width = pane.gray.shape
    cols = (np.arange(OUTPUT_COLS) + 0.5) * width / OUTPUT_COLS - 0.5
    return cols, (rows.astype(np.float64) + 0.5) * depth / INPUT_SHAPE[0] - 0.5


def refined(pane: Pane, rows: FloatArray, *, above: bool) -> Array:
    """An edge drawn to the steepest brightness beside it; ``above``: this is the muscle's upper edge."""
    cols, line = to_pane(pane, rows)
    shift = HALF_BAND * pane.gray.shape[0]
    return inner_edge(pane, cols, line - shift if above else line + shift, "below" if above else "above")
