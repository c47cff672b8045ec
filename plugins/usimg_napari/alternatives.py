"""The next best outline of what the page shows: of a view all borders together, else of one. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

import usimg
from usimg import Frame, Roi, anatomy
from usimg.errors import OutlineRefused
from usimg.measurement.borders import view_shown

# Outlines whose vertices lie this near to each other on average are the same proposal (px).
SAME_PX = 1.5


class Alternatives:
    """What a segmenter proposes for the page, best first; asked once, then taken in turn.

    Parameters
    ----------
    frame : Frame
    rois : sequence of Roi
        The page's outlines as they are; what they show is looked for.
    """

    def __init__(self, frame: Frame, rois: Sequence[Roi]) -> None:
        self.frame = frame
        self.view = view_shown([roi.structure for roi in rois])
        self._sets: dict[str, list[dict[str, Roi]]] = {}

    def next(self, rois: Sequence[Roi], selected: int) -> dict[int, Roi]:
        """The proposal after the one that is on the screen, by place in ``rois``; after the last the first.

        Raises
        ------
        OutlineRefused
            There is no other.
        """
        asked = rois[selected]
        sets = self._proposals(asked)
        shown = next((i for i, one in enumerate(sets) if _same(one.get(asked.structure), asked)), -1)
        others = [sets[(shown + 1 + i) % len(sets)] for i in range(len(sets))] if sets else []
        for proposal in others:
            taken = {
                at: _as(roi, proposal[roi.structure])
                for at, roi in enumerate(rois)
                if roi.structure in proposal and (roi.side, roi.region) == (asked.side, asked.region)
            }
            if selected in taken and not _same(proposal[asked.structure], asked):
                return taken
        raise OutlineRefused(
            f"no other outline of {anatomy.structure(asked.structure).label.lower()} is likely here;"
            " drag a box round it (O) or move the border (V, P)"
        )

    def _proposals(self, asked: Roi) -> list[dict[str, Roi]]:
        in_view = self.view is not None and asked.structure in self.view.structures
        name = self.view.name if in_view and self.view is not None else asked.structure
        if name not in self._sets:
            found = [
                roi
                for roi in usimg.segment(self.frame, name, plane=asked.plane or None, site=asked.site or None)
                if roi.polygons
            ]
            self._sets[name] = _ranked([roi for roi in found if roi.region == asked.region] or found)
        return self._sets[name]


def _ranked(found: Sequence[Roi]) -> list[dict[str, Roi]]:
    """Proposals by rank: the best of each structure together, then the second-best, and so on."""
    of: dict[str, list[Roi]] = {}
    for roi in found:
        own = of.setdefault(roi.structure, [])
        own += [replace(roi, alternatives=()), *(one for one in roi.alternatives if one.polygons)]
    depth = max((len(own) for own in of.values()), default=0)
    return [
        {structure: own[rank] for structure, own in of.items() if rank < len(own)} for rank in range(depth)
    ]


def _as(roi: Roi, proposal: Roi) -> Roi:
    return replace(
        proposal, structure=roi.structure, site=roi.site, side=roi.side, plane=roi.plane or proposal.plane,
        method=f"{proposal.method}, next best",
    )  # fmt: skip


def _same(one: Roi | None, other: Roi) -> bool:
    if one is None or not one.polygons or not other.polygons:
        return False
    first, second = one.polygons[0], other.polygons[0]
    return max(_apart(first, second), _apart(second, first)) < SAME_PX


def _apart(points: np.ndarray, ring: np.ndarray) -> float:
    """Mean distance of some points from a closed outline, px."""
    some = points[:: max(1, len(points) // 32)]
    along = np.roll(ring, -1, axis=0) - ring
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip(((some[:, None] - ring) * along).sum(axis=2) / length, 0.0, 1.0)
    nearest = ring + share[..., None] * along
    return float(np.linalg.norm(some[:, None] - nearest, axis=2).min(axis=1).mean())
