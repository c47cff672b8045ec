"""The built-in segmenter: no network, no training beyond a few dozen weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from usimg import anatomy
from usimg.outline import rims
from usimg.outline.field import Pane, panes
from usimg.outline.layers import layer_at, muscle_layers
from usimg.outline.rounded import closed_outlines
from usimg.outline.scope import is_validated
from usimg.outline.segmenter import BUILT_IN, Box, Request, Seed, clipped, failed, seed_fault
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
            clicks = [self._from_seed(request, found, seed) for seed in request.seeds or ()]
            return clicks + [self._from_box(request, found, box) for box in request.boxes or ()]
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

    def _from_seed(self, request: Request, found: list[Pane], seed: Seed) -> Roi:
        fault = seed_fault(seed, request.frame.shape)
        pane = next((p for p in found if p.holds(*seed)), None)
        if fault or pane is None:
            return self._failed(request, fault or "the click lies outside the picture's tissue")
        row, col = seed[0] - pane.box[0], seed[1] - pane.box[1]
        if request.structure.outline == "layer":
            return self._layer(request, pane, (row, col, row, col), "click")
        return self._closed(
            request, pane, rims.at_click(pane.gray, (row, col), _look(request.structure)), "click"
        )

    def _from_box(self, request: Request, found: list[Pane], box: Box) -> Roi:
        inside, fault = clipped(box, request.frame.shape)
        if inside is None:
            return self._failed(request, fault)
        middle = (0.5 * (inside[0] + inside[2]), 0.5 * (inside[1] + inside[3]))
        pane = next((p for p in found if p.holds(*middle)), None)
        if pane is None:
            return self._failed(request, "the box lies outside the picture's tissue")
        r0, c0, _, _ = pane.box
        in_pane = (inside[0] - r0, inside[1] - c0, inside[2] - r0, inside[3] - c0)
        if request.structure.outline == "layer":
            return self._layer(request, pane, in_pane, "box")
        return self._closed(
            request, pane, rims.outside_rim(pane.gray, in_pane, _look(request.structure)), "box"
        )

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

    def _closed(self, request: Request, pane: Pane, contour: rims.Contour, prompt: str) -> Roi:
        rois = closed_outlines(pane, contour, self._template(request), prompt)
        if rois is None:
            return self._failed(request, f"no outline fits the picture at the {prompt}", pane.region)
        return self._scoped(rois, request, pane, prompt)

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


def _look(structure: anatomy.Structure) -> str:
    """Which fitted looks a closed structure is traced with."""
    return "vessel" if structure.kind == "vessel" else "nerve"


def _holds(roi: Roi, point: tuple[float, float]) -> bool:
    """Whether a layer lies above and below a point."""
    if roi.upper is None or roi.lower is None:
        return False
    top, bottom = (float(np.interp(point[1], edge[:, 1], edge[:, 0])) for edge in (roi.upper, roi.lower))
    return top < point[0] < bottom
