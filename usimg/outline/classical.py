"""The built-in segmenter: no network, no training beyond a few dozen weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from skimage.measure import points_in_poly

from usimg import anatomy
from usimg.outline.field import Pane, panes
from usimg.outline.layers import muscle_layers
from usimg.outline.scope import is_validated
from usimg.outline.segmenter import BUILT_IN, Box, Request, Seed, clipped, failed, seed_fault
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
        template = self._template(request)
        rois = muscle_layers(pane, template)
        return [self._scoped(roi, request, pane, "none") for roi in rois]

    def _from_seed(self, request: Request, found: list[Pane], seed: Seed) -> Roi:
        fault = seed_fault(seed, request.frame.shape)
        pane = next((p for p in found if p.holds(*seed)), None)
        if fault or pane is None:
            return self._failed(request, fault or "the click lies outside the picture's tissue")
        return self._layer_at(request, pane, lambda roi: float(_holds(roi, seed)), "click")

    def _from_box(self, request: Request, found: list[Pane], box: Box) -> Roi:
        inside, fault = clipped(box, request.frame.shape)
        if inside is None:
            return self._failed(request, fault)
        middle = (0.5 * (inside[0] + inside[2]), 0.5 * (inside[1] + inside[3]))
        pane = next((p for p in found if p.holds(*middle)), None)
        if pane is None:
            return self._failed(request, "the box lies outside the picture's tissue")
        return self._layer_at(request, pane, lambda roi: _overlap(roi, inside), "box")

    def _layer_at(self, request: Request, pane: Pane, fit: Callable[[Roi], float], prompt: str) -> Roi:
        rois = muscle_layers(pane, self._template(request), fit)
        if not rois:
            return self._failed(request, f"no layer was found at the {prompt}", pane.region)
        return self._scoped(rois[0], request, pane, prompt)

    def _failed(self, request: Request, reason: str, region: int | None = None) -> Roi:
        return failed(request, reason, method=self.method, region=region)

    def _scoped(self, roi: Roi, request: Request, pane: Pane, prompt: str) -> Roi:
        valid = is_validated(self.name, request.structure.name, request.plane, prompt, pane)
        others = tuple(replace(other, validated=valid) for other in roi.alternatives)
        return replace(roi, validated=valid, alternatives=others)


def _holds(roi: Roi, seed: Seed) -> bool:
    return bool(any(points_in_poly(np.array([seed]), polygon)[0] for polygon in roi.polygons))


def _overlap(roi: Roi, box: Box) -> float:
    """Rows that a layer and a box share, over the rows that either has, within the box's columns."""
    assert roi.upper is not None  # noqa: S101  layers have edges
    assert roi.lower is not None  # noqa: S101
    inside = (roi.upper[:, 1] >= box[1]) & (roi.upper[:, 1] <= box[3])
    if not inside.any():
        return 0.0
    top, bottom = float(roi.upper[inside, 0].mean()), float(roi.lower[inside, 0].mean())
    shared = min(bottom, box[2]) - max(top, box[0])
    return max(0.0, shared) / (max(bottom, box[2]) - min(top, box[0]))
