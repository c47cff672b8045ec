"""A person's outline and the numbers measured on it, kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from usimg.measurement import measure
from usimg.roi import Roi
from usimg.scan import Frame
from usimg.study.decisions import Decision, Sitting, Target
from usimg.study.schema import features_of, outline_of


def keep_outline(
    sitting: Sitting, target: Target, frame: Frame, roi: Roi, *, parents: Sequence[str]
) -> Decision:
    """Measure a drawn or corrected outline on its pixels, and keep both in one decision.

    The numbers are made here, once, so that tables need no pixels later. The outline counts when it
    is accepted: ``sitting.accept(target, decision.id, parents=(decision.id,))``.

    Parameters
    ----------
    frame : Frame
        The picture, with the scale that holds for it.
    roi : Roi
        The outline as it stands on the screen.
    parents : sequence of str
        The heads that the person saw (`usimg.study.fold.Fold.parents`).

    Raises
    ------
    StudyRefused
        The study's folder cannot be written.
    PixelsRefused
        The frame cannot be decoded.
    """
    drawn = replace(roi, structure=target.structure, site=target.site, side=target.side, confidence=1.0)
    values = features_of(measure(frame, [drawn]).iloc[0].to_dict())
    # Confidence and validation are a method's, not a person's.
    values |= {"plane": roi.plane, "confidence": None, "validated": None}
    return sitting.outline(target, outline_of(drawn), values, parents=parents)
