"""Closed contours as outlines: which of its two contours a nerve is given, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from usimg.outline.field import Pane
from usimg.roi import Roi

Array = NDArray[np.float64]

# Below this area in px a contour is speckle (smallest labelled nerve part: 150 px).
LEAST_AREA_PX = 30.0
# A contour that leaves the picture by more than this share of its vertices is not whole.
OUTSIDE_AT_MOST = 0.02
# Rules that follow the outer contour as it is; `outer_border` is for nerves whose rim cannot be resolved.
OUTER_RULES = ("lumen", "outside_rim", "outer_border")


@dataclass(frozen=True, eq=False)
class Found:
    """A closed structure as a segmenter found it.

    Attributes
    ----------
    outer : tuple of (N, 2) arrays
        Outer contour, px of the pane; one for each part.
    inner : tuple of (N, 2) arrays or None
        Inner shoulder of the bright rim of each part; None where no rim is looked for.
    confidence : float
    flags : tuple of str
        Reasons to look again that only the segmenter knows.
    """

    outer: tuple[Array, ...]
    inner: tuple[Array, ...] | None
    confidence: float
    flags: tuple[str, ...] = ()


def closed_outlines(pane: Pane, found: Found, template: Roi, prompt: str) -> Roi | None:
    """The contour that the structure's trace rule asks for, the other in ``alternatives``.

    Parameters
    ----------
    pane : Pane
    found : Found
    template : Roi
        Its ``trace_rule`` decides: `OUTER_RULES` take the outer contour, ``"inside_rim"`` and
        ``"inside_epimysium"`` the inner one.
    prompt : str
        ``"box"``, ``"click"``, ``"points"`` or ``"none"``.
    """
    confidence = found.confidence
    flags = template.flags + found.flags
    if prompt == "click":
        flags += ("the size was guessed from one click: check it, or drag a box",)
    rows, cols = pane.gray.shape
    outer = np.concatenate(found.outer)
    inside = (outer >= -0.5).all(axis=1) & (outer[:, 0] <= rows - 0.5) & (outer[:, 1] <= cols - 0.5)
    if inside.mean() < 1.0 - OUTSIDE_AT_MOST:
        flags += ("the outline is cut by the border of the picture: its area is too small",)
        confidence *= 0.5
    if confidence < 0.5 and prompt != "none":
        flags += ("the border is unclear here: the outline follows the box more than the picture",)

    def roi(parts: tuple[Array, ...], rule: str) -> Roi | None:
        held = [np.clip(part, -0.5, np.array([rows, cols]) - 0.5) for part in parts]
        held = [part for part in held if _area(part) >= LEAST_AREA_PX]
        if not held:
            return None
        return replace(
            template,
            polygons=tuple(part + np.array(pane.box[:2]) for part in held),
            polygon=None,
            trace_rule=rule,
            region=pane.region,
            confidence=confidence,
            flags=flags,
        )

    asked = template.trace_rule
    outside = roi(found.outer, asked if asked in OUTER_RULES else "outside_rim")
    if found.inner is None or asked in ("lumen", "outer_border"):
        return outside
    inner = roi(found.inner, "inside_rim" if asked in OUTER_RULES else asked)
    first, other = (outside, inner) if asked in OUTER_RULES else (inner, outside)
    if first is None:
        return None
    return replace(first, alternatives=() if other is None else (other,))


def _area(polygon: Array) -> float:
    row, col = polygon.T
    return 0.5 * abs(float(np.dot(row, np.roll(col, 1)) - np.dot(col, np.roll(row, 1))))
