"""The segmenter ``"network"``: the bare muscle by a trained network, nerves by theirs, the rest built in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from usimg import anatomy
from usimg.outline.classical import ClassicalSegmenter
from usimg.outline.edges import inner_edges
from usimg.outline.field import Pane, panes
from usimg.outline.layer_model import LayerNetwork, shipped
from usimg.outline.layers import ALTERNATIVES, candidates, compartment, confidence_of
from usimg.outline.network import (
    INPUT_SHAPE,
    OUTPUT_COLS,
    Answer,
    Edges,
    edges_of,
    network_input,
    second_edges,
)
from usimg.outline.prompted import KINDS
from usimg.outline.scope import is_validated
from usimg.outline.segmenter import LAYER_NETWORK, NERVE_NETWORK, Request, get
from usimg.outline.selfcheck import HALF_BAND, SQUEEZE, Looks, describe, doubts, ranked
from usimg.roi import Roi
from usimg.vision import cv2

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

# Confidence from which an outline counts as trusted (docs/architecture.md).
TRUSTED = 0.5


class NetworkSegmenter:
    """A trained network for the muscle layer; nerves and vessels go to theirs, all else to the built-in.

    Attributes
    ----------
    name, version : str
    """

    name = LAYER_NETWORK

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
        # It learnt from pictures along the fibres; across them no expert's outlines were to be had.
        known = request.structure.name == "muscle" and request.plane in ("", "longitudinal")
        if prompted or request.view is not None or not known:
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
    looks, classical = look(pane, model), candidates(pane)
    proposed = ranked(looks, classical)[: ALTERNATIVES + 1]
    described = describe(looks, proposed)
    confidence = 0.0
    flags: tuple[str, ...] = ()
    if model.confidence is not None:
        confidence, flags = confidence_of(model.confidence.logit(described), pane)
    valid = is_validated(LAYER_NETWORK, template.structure, template.plane, "none", pane)
    template = replace(template, validated=valid)
    drawn = refined(pane, [one.edges for one in proposed])
    depth = pane.gray.shape[0]
    found = []
    for rank, (upper, lower) in enumerate(drawn):
        found.append(
            compartment(
                pane,
                upper + model.upper_offset * depth,
                lower + model.lower_offset * depth,
                template,
                # What is left of the probability is shared by the others.
                confidence=confidence if rank == 0 else (1 - confidence) / len(drawn),
            )
        )
    best = found[0]
    if best is None:
        return None
    flags = (*best.flags, *flags, *doubts(proposed, described))
    if best.confidence < TRUSTED:
        flags += ("not sure that these are the two lines of the muscle: look at the alternatives",)
    others = tuple(roi for roi in found[1:] if roi is not None)
    return replace(best, flags=flags, alternatives=others)


def look(pane: Pane, model: LayerNetwork) -> Looks:
    """A pane seen as it is, mirrored, and squeezed."""
    gray, usable = at_input(pane)
    picture = network_input(gray, usable)
    plain = Answer.of(model.logits(picture))
    mirrored = Answer.of(model.logits(picture[..., ::-1])).mirrored()
    squeezed = Answer.of(model.logits(network_input(*_squeeze(gray, usable))))
    answer = plain.averaged(mirrored)
    best, alone, turned, small = edges_of([answer, plain, mirrored, squeezed])
    without_upper, without_lower = second_edges(answer, best)
    return Looks(best, alone, turned, _unsqueezed(small), without_upper, without_lower, answer)


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


def to_pane(pane: Pane, rows: FloatArray) -> tuple[Array, Array]:
    """(cols, rows) in px of the pane of a curve in the network's grid."""
    depth, width = pane.gray.shape
    cols = (np.arange(OUTPUT_COLS) + 0.5) * width / OUTPUT_COLS - 0.5
    return cols, (rows.astype(np.float64) + 0.5) * depth / INPUT_SHAPE[0] - 0.5


def refined(pane: Pane, found: Sequence[Edges]) -> list[tuple[Array, Array]]:
    """Upper and lower edges drawn to the steepest brightness beside them, px of the pane, at its columns."""
    shift = HALF_BAND * pane.gray.shape[0]
    curves = [(to_pane(pane, one.upper), to_pane(pane, one.lower)) for one in found]
    upper = inner_edges(pane, [(cols, rows - shift) for (cols, rows), _ in curves], "below")
    lower = inner_edges(pane, [(cols, rows + shift) for _, (cols, rows) in curves], "above")
    return list(zip(upper, lower, strict=True))
