"""The segmenter ``"nerve-network"``: nerves and vessels in a box or at a click, by trained networks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from usimg import anatomy
from usimg.outline import rims
from usimg.outline.field import Pane, panes
from usimg.outline.nerve_model import NerveNetwork, shipped
from usimg.outline.nerve_prompts import Seen, at_click, in_box
from usimg.outline.prompts import Prompt, prompts_of
from usimg.outline.rounded import Found, closed_outlines
from usimg.outline.scope import is_validated
from usimg.outline.segmenter import NERVE_NETWORK, Request, failed
from usimg.roi import Roi

FloatArray = NDArray[np.float32]

KINDS = ("nerve", "vessel")


class NerveSegmenter:
    """Nerves and vessels cut across, at a prompt; without one there is nothing it would stand for.

    Attributes
    ----------
    name, version : str
    """

    name = NERVE_NETWORK

    def __init__(self, model: NerveNetwork | None = None) -> None:
        self._model = model or shipped()

    @property
    def version(self) -> str:
        """The network's name and the beginning of its hash."""
        return self._model.name

    def can(self, structure: anatomy.Structure, plane: str) -> bool:
        """Nerves and vessels."""
        del plane
        return structure.kind in KINDS

    def segment(self, request: Request) -> list[Roi]:
        """One outline a prompt, in order; nothing without prompts."""
        if request.seeds is None and request.boxes is None:
            return []
        return [self._outline(request, one) for one in prompts_of(request, panes(request.frame))]

    def _outline(self, request: Request, prompt: Prompt | str) -> Roi:
        method = f"{self.name} {self.version}"
        if isinstance(prompt, str):
            return failed(request, prompt, method=method)
        pane, vessel = prompt.pane, request.structure.kind == "vessel"
        found = self._found(prompt, vessel=vessel)
        template = Roi(
            structure=request.structure.name,
            site=request.site,
            plane=request.plane,
            trace_rule=request.structure.trace_rule,
            method=method,
            validated=is_validated(self.name, request.structure.name, request.plane, prompt.kind, pane),
        )
        roi = None if found is None else closed_outlines(pane, found, template, prompt.kind)
        if roi is None:
            reason = f"no {request.structure.kind} was seen at the {prompt.kind}"
            return failed(request, reason, method=method, region=pane.region)
        return roi

    def _found(self, prompt: Prompt, *, vessel: bool) -> Found | None:
        gray, ask = seen_gray(prompt.pane), self._model.logits
        constants = self._model.constants[table_of(prompt.kind, vessel=vessel)]
        if prompt.box is not None:
            seen = in_box(gray, prompt.box, ask, vessel=vessel, constants=constants)
        else:
            seen = at_click(gray, prompt.seed, ask, vessel=vessel, constants=constants, edge=prompt.edge)
        if seen is None:
            return None
        outer = tuple(seen.polygons)
        inner = None if vessel else tuple(rims.inside_polygon(prompt.pane.gray, part) for part in outer)
        return Found(outer, inner, confidence(seen, constants))


def table_of(prompt: str, *, vessel: bool) -> str:
    """Which constants go with a prompt: those of vessels were fitted in boxes only."""
    return "vessel" if vessel else prompt


def seen_gray(pane: Pane) -> FloatArray:
    """Grey levels with what lies outside the scan area blackened: a corner of screen is no tissue."""
    return np.where(pane.usable, pane.gray, 0.0).astype(np.float32)


def confidence(seen: Seen, constants: Mapping[str, float]) -> float:
    """Probability that the area is right to 15 %."""
    logit = constants["intercept"]
    logit += sum(constants[name] * value for name, value in seen.described.items())
    return float(1 / (1 + np.exp(-logit)))
