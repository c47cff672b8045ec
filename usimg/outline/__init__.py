"""Outlines of muscles, nerves and vessels in a frame.

`segment` is the one way in; `segmenter` holds what an outliner is and how a package adds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from usimg import anatomy
from usimg.errors import OutlineRefused
from usimg.outline.segmenter import (
    Request as Request,
)
from usimg.outline.segmenter import (
    Segmenter as Segmenter,
)
from usimg.outline.segmenter import as_boxes, as_seeds, get, usual
from usimg.outline.segmenter import (
    names as segmenters,
)
from usimg.roi import Roi
from usimg.scan import Frame

__all__ = ["Request", "Segmenter", "segment", "segmenters"]


def segment(
    frame: Frame,
    structure: str = "muscle",
    *,
    plane: str | None = None,
    site: str | None = None,
    protocol: anatomy.Protocol | None = None,
    seeds: Sequence[Sequence[Any]] | None = None,
    boxes: Sequence[Sequence[float]] | None = None,
    segmenter: str | Segmenter | None = None,
) -> list[Roi]:
    """Outline a structure in one frame.

    Parameters
    ----------
    frame : Frame
        One frame of a scan; each tissue picture in it (a dual image has two) is searched by itself.
    structure : str
        ``"muscle"``, ``"nerve"``, ``"vessel"`` or any name or synonym of the anatomy list. The name of a
        view (``"upper_arm"``) outlines each of its structures, top to bottom.
    plane, site : str, optional
        What is known of the picture.
    protocol : anatomy.Protocol, optional
        None means the anatomy list as it stands.
    seeds : sequence of (row, col) or of ((row, col), (row, col)), optional
        Clicks, px of the frame; one Roi each, in order. A second point, anywhere on the border, gives the
        size.
    boxes : sequence of (r0, c0, r1, c1), optional
        Boxes, px of the frame, clipped to it; one Roi each, in order, after those of ``seeds``.
    segmenter : str or Segmenter, optional
        Which one. Left out: ``"nerve-network"`` for nerves and vessels at a prompt, ``"network"`` for the
        muscle that a picture shows, else ``"classical"``.

    Returns
    -------
    list of Roi
        Most likely first; empty when nothing credible was found. With prompts one Roi per prompt: one that
        failed has no polygon, confidence 0 and the reason in ``flags``.

    Raises
    ------
    AnatomyUnknown
        The structure is not in the anatomy list; the message names the nearest.
    OutlineRefused
        Prompts of a wrong form, an unknown segmenter, or one that cannot outline this structure.
    """
    found = anatomy.find(structure)
    (clicks, edges), rectangles = as_seeds(seeds), as_boxes(boxes)
    prompted = clicks is not None or rectangles is not None
    view = found if isinstance(found, anatomy.View) else None
    targets = (
        [anatomy.structure(name) for name in found.structures] if isinstance(found, anatomy.View) else [found]
    )
    if view is not None and prompted:
        raise OutlineRefused(
            f"{view.name} is a view of several structures; name the one that the click or box shows:"
            f" {', '.join(view.structures)}"
        )
    rois: list[Roi] = []
    for target in targets:
        chosen = segmenter or usual(target, prompted=prompted)
        one = get(chosen) if isinstance(chosen, str) else chosen
        request = Request(
            frame=frame,
            structure=target,
            view=view,
            plane=plane or (view.plane if view is not None else ""),
            site=site or (view.sites.get(target.name, "") if view is not None else ""),
            protocol=protocol or anatomy.generic_protocol(),
            seeds=clicks,
            edges=edges,
            boxes=rectangles,
        )
        if not one.can(target, request.plane):
            raise OutlineRefused(
                f"{one.name} cannot outline {target.label} ({target.outline});"
                f" segmenters there are: {', '.join(segmenters())}"
            )
        rois += one.segment(request)
    return rois
