"""Closed contours as outlines: which of its two contours a nerve is given, and how sure that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from usimg.outline import rims
from usimg.outline.field import Pane
from usimg.roi import Roi

Array = NDArray[np.float64]

# Below this area in px a contour is speckle (smallest labelled nerve part: 150 px).
LEAST_AREA_PX = 30.0
# A contour that leaves the picture by more than this share of its vertices is not whole.
OUTSIDE_AT_MOST = 0.02


def closed_outlines(pane: Pane, contour: rims.Contour, template: Roi, prompt: str) -> Roi | None:
    """The contour that the structure's trace rule asks for, the other in ``alternatives``.

    Parameters
    ----------
    pane : Pane
    contour : rims.Contour
        The outer contour, px of the pane.
    template : Roi
        Its ``trace_rule`` decides: ``"outside_rim"`` and ``"lumen"`` take the contour as it is,
        ``"inside_rim"`` and ``"inside_epimysium"`` the inner shoulder of its bright rim.
    prompt : str
        ``"box"`` or ``"click"``.
    """
    outer = contour.polygon
    kind = "vessel" if template.trace_rule == "lumen" else "nerve"
    fitted = rims.fitted(kind)
    intercept, slope = fitted.box_confidence if prompt == "box" else fitted.click_confidence
    confidence = float(1.0 / (1.0 + np.exp(-(intercept + slope * contour.clearness))))
    flags = template.flags
    if prompt == "click":
        flags += ("the size was guessed from one click: check it, or drag a box",)
    rows, cols = pane.gray.shape
    inside = (outer >= -0.5).all(axis=1) & (outer[:, 0] <= rows - 0.5) & (outer[:, 1] <= cols - 0.5)
    if inside.mean() < 1.0 - OUTSIDE_AT_MOST:
        flags += ("the outline is cut by the border of the picture: its area is too small",)
        confidence *= 0.5
    if confidence < 0.5:
        flags += ("the border is unclear here: the outline follows the box more than the picture",)

    def roi(polygon: Array, rule: str) -> Roi | None:
        held = np.clip(polygon, -0.5, np.array([rows, cols]) - 0.5)
        if _area(held) < LEAST_AREA_PX:
            return None
        return replace(
            template,
            polygons=(held + np.array(pane.box[:2]),),
            polygon=None,
            trace_rule=rule,
            region=pane.region,
            confidence=confidence,
            flags=flags,
        )

    if kind == "vessel":
        return roi(outer, "lumen")
    outside = roi(outer, "outside_rim")
    inner_rule = template.trace_rule if template.trace_rule != "outside_rim" else "inside_rim"
    inside_ = roi(rims.inside_rim(pane.gray, contour), inner_rule)
    first, other = (outside, inside_) if template.trace_rule == "outside_rim" else (inside_, outside)
    if first is None:
        return None
    return replace(first, alternatives=() if other is None else (other,))


def _area(polygon: Array) -> float:
    row, col = polygon.T
    return 0.5 * abs(float(np.dot(row, np.roll(col, 1)) - np.dot(col, np.roll(row, 1))))
