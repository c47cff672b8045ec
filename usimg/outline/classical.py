"""The built-in segmenter: no network, no training beyond a few dozen weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from usimg import anatomy
from usimg.outline import rims
from usimg.outline.field import Pane, panes
from usimg.outline.layers import layer_at, muscle_layers
from usimg.outline.prompts import Prompt, prompts_of
from usimg.outline.rounded import Found, closed_outlines
from usimg.outline.scope import is_validated
from usimg.outline.segmenter import BUILT_IN, Box, Request, failed
from usimg.outline.stack import fat_above, view_layer
from usimg.roi import Roi


class ClassicalSegmenter:
    """Lines and minimal-cost paths for layers, closed contours from a box or click for sections.

    Attributes
    ----------
    name, version : str
    """

    name = BUILT_IN
    version = "1"

    def can(self, structure: anatomy.Structure, plane: str) -> bool:
        """Layers, sections and rims; not bare borders such as bone."""
        del plane
        return structure.outline != "border"

    def segment(self, request: Request) -> list[Roi]:
        """Outlines, most likely first; with prompts one per prompt, in order."""
        found = panes(request.frame)
        if request.seeds is not None or request.boxes is not None:
            return [self._prompted(request, prompt) for prompt in prompts_of(request, found)]
        rois = [roi for pane in found for roi in self._without_prompt(request, pane)]
        return sorted(rois, key=lambda roi: -roi.confidence)

    @property
    def method(self) -> str:
        """What is recorded with an outline."""
        return f"{self.name} {self.version}"

    def _template(self, request: Request) -> Roi:
        return Roi(
            structure=request.structure.name,
            site=request.site,
            plane=request.plane,
            trace_rule=request.structure.trace_rule,
            method=self.method,
        )

    def _without_prompt(self, request: Request, pane: Pane) -> list[Roi]:
        structure, template = request.structure, self._template(request)
        if structure.outline != "layer":
            # Nothing here finds a nerve or a closed section by itself well enough to be worth correcting.
            return []
        view = request.view or _usual_view(structure, request.plane)
        if view is not None and structure.name in view.structures and view.layers:
            rois = view_layer(pane, view, template)
        elif structure.kind == "fat":
            rois = fat_above(pane, template)
        else:
            rois = muscle_layers(pane, template)
        return [self._scoped(roi, request, pane, "none") for roi in rois]

    def _prompted(self, request: Request, prompt: Prompt | str) -> Roi:
        if isinstance(prompt, str):
            return self._failed(request, prompt)
        if request.structure.outline == "layer":
            return self._layer(request, prompt.pane, prompt.box or 2 * prompt.seed, prompt.kind)
        return self._closed(request, prompt)

    def _layer(self, request: Request, pane: Pane, box: Box, prompt: str) -> Roi:
        template = self._template(request)
        view = request.view or _usual_view(request.structure, request.plane)
        named = view_layer(pane, view, template) if view is not None and view.layers else []
        # A named layer whose place in its view agrees with the prompt; else whatever layer is there.
        middle = (0.5 * (box[0] + box[2]) + pane.box[0], 0.5 * (box[1] + box[3]) + pane.box[1])
        roi = named[0] if named and _holds(named[0], middle) else layer_at(pane, box, template)
        if roi is None:
            return self._failed(request, f"no layer was found at the {prompt}", pane.region)
        return self._scoped(roi, request, pane, prompt)

    def _closed(self, request: Request, prompt: Prompt) -> Roi:
        pane, kind = prompt.pane, "vessel" if request.structure.kind == "vessel" else "nerve"
        if prompt.box is None:
            contour = rims.at_click(pane.gray, prompt.seed, kind, edge=prompt.edge)
        else:
            contour = rims.outside_rim(pane.gray, prompt.box, kind)
        inner = (rims.inside_rim(pane.gray, contour),) if kind == "nerve" else None
        confidence = rims.confidence_of(contour, kind, prompt.kind)
        found = Found((contour.polygon,), inner, confidence)
        roi = closed_outlines(pane, found, self._template(request), prompt.kind)
        if roi is None:
            return self._failed(request, f"no outline fits the picture at the {prompt.kind}", pane.region)
        return self._scoped(roi, request, pane, prompt.kind)

    def _failed(self, request: Request, reason: str, region: int | None = None) -> Roi:
        return failed(request, reason, method=self.method, region=region)

    def _scoped(self, roi: Roi, request: Request, pane: Pane, prompt: str) -> Roi:
        valid = is_validated(self.name, request.structure.name, request.plane, prompt, pane)
        others = tuple(replace(other, validated=valid) for other in roi.alternatives)
        return replace(roi, validated=valid, alternatives=others)


def _usual_view(structure: anatomy.Structure, plane: str) -> anatomy.View | None:
    """The view a named structure is usually seen in; None for bare names and for another plane."""
    if structure.kind == "fat":
        return None
    views = [view for view in anatomy.views_with(structure.name) if plane in ("", view.plane)]
    return views[0] if views else None


def _holds(roi: Roi, point: tuple[float, float]) -> bool:
    """Whether a layer lies above and below a point."""
    if roi.upper is None or roi.lower is None:
        return False
    top, bottom = (float(np.interp(point[1], edge[:, 1], edge[:, 0])) for edge in (roi.upper, roi.lower))
    return top < point[0] < bottom
