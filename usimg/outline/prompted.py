"""The segmenter ``"nerve-network"``: nerves and vessels at a prompt, nerves as suggestions without."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from usimg import anatomy
from usimg.outline import rims
from usimg.outline.field import Pane, panes
from usimg.outline.nerve_model import NerveNetwork, shipped
from usimg.outline.nerve_prompts import Seen, at_click, in_box
from usimg.outline.nerve_search import suggestions
from usimg.outline.prompts import Prompt, prompts_of
from usimg.outline.rounded import Found, closed_outlines
from usimg.outline.scope import is_validated
from usimg.outline.segmenter import NERVE_NETWORK, Request, failed
from usimg.roi import Roi

FloatArray = NDArray[np.float32]

KINDS = ("nerve", "vessel")
SUGGESTION = "a suggestion, found without a prompt: one in three is no nerve; confirm it, or drag a box"


class NerveSegmenter:
    """Nerves and vessels cut across, at a prompt; without one it suggests places for the bare "nerve" only.

    Which nerve a suggestion would be it cannot tell, so named ones need a prompt.

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

    @property
    def method(self) -> str:
        """What is recorded with an outline."""
        return f"{self.name} {self.version}"

    def can(self, structure: anatomy.Structure, plane: str) -> bool:
        """Nerves and vessels."""
        del plane
        return structure.kind in KINDS

    def segment(self, request: Request) -> list[Roi]:
        """One outline a prompt, in order; without prompts suggestions, the surest first."""
        found = panes(request.frame)
        if request.seeds is not None or request.boxes is not None:
            return [self._outline(request, one) for one in prompts_of(request, found)]
        if request.structure.name != "nerve":
            return []
        rois = [roi for pane in found for roi in self._suggested(request, pane)]
        return sorted(rois, key=lambda roi: -roi.confidence)

    def _suggested(self, request: Request, pane: Pane) -> list[Roi]:
        constants = self._model.constants["none"]
        template = self._template(request, pane, "none")
        rois = []
        for _, seen in suggestions(seen_gray(pane), self._model.logits, constants):
            inner = tuple(rims.inside_polygon(pane.gray, part) for part in seen.polygons)
            found = Found(tuple(seen.polygons), inner, confidence(seen, constants), (SUGGESTION,))
            roi = closed_outlines(pane, found, template, "none")
            if roi is not None:
                rois.append(roi)
        return rois

    def _outline(self, request: Request, prompt: Prompt | str) -> Roi:
        if isinstance(prompt, str):
            return failed(request, prompt, method=self.method)
        pane, vessel = prompt.pane, request.structure.kind == "vessel"
        found = self._found(prompt, vessel=vessel)
        template = self._template(request, pane, prompt.kind)
        roi = None if found is None else closed_outlines(pane, found, template, prompt.kind)
        if roi is None:
            reason = f"no {request.structure.kind} was seen at the {prompt.kind}"
            return failed(request, reason, method=self.method, region=pane.region)
        return roi

    def _template(self, request: Request, pane: Pane, prompt: str) -> Roi:
        return Roi(
            structure=request.structure.name,
            site=request.site,
            plane=request.plane,
            trace_rule=request.structure.trace_rule,
            method=self.method,
            validated=is_validated(self.name, request.structure.name, request.plane, prompt, pane),
        )

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
