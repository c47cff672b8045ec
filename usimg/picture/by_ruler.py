"""A scan's scale by the ruler beside its picture: as source, or as a check of what the file states."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from usimg.errors import CalibrationRefused, FileRefused
from usimg.picture.ruler import scale_of
from usimg.scan import Calibration

if TYPE_CHECKING:
    from usimg.scan import Frame, Scan

# Marks are read to 0.3 % on the real files, which state their scale beside; more than this is another scale.
AGREES = 0.02
# Frames of one clip whose rulers differ by more than this were taken at different depths.
_SAME_CLIP = 0.005


def by_ruler(scan: Scan, asked: str) -> Scan:
    """The scan with a scale that its ruler gives or has checked.

    Parameters
    ----------
    scan : Scan
    asked : str
        ``"ruler"``, or ``"ruler:MM"`` where a person says what one mark stands for.

    Raises
    ------
    FileRefused
        ``asked`` is neither.
    """
    mark_mm = _mark(scan.name, asked)
    try:
        row_mm, col_mm, how = _of_clip(scan, mark_mm)
    except CalibrationRefused as refusal:
        why = str(refusal).removeprefix(f"{scan.name}: ")
        if any(frame.calibration is not None for frame in scan.frames[:1]):
            return replace(scan, notes=(*scan.notes, f"the ruler could not check the scale: {why}"))
        return replace(scan, frames=tuple(replace(f, calibration_reason=why) for f in scan.frames))
    read = Calibration(row_mm, col_mm, "ruler", detail=how)
    stated = scan.frames[0].calibration
    if stated is None:
        return replace(scan, frames=tuple(frame.with_calibration(read) for frame in scan.frames))
    if abs(stated.row_mm / row_mm - 1.0) <= AGREES:
        return replace(scan, notes=(*scan.notes, f"the ruler agrees with the scale: {how}"))
    why = (
        f"the file says {stated.row_mm:.4g} mm per row, its ruler {row_mm:.4g} ({how}); give the spacing in"
        " mm, or calibrate with two points in usimg review"
    )
    return replace(scan, frames=tuple(_without_scale(frame, why) for frame in scan.frames))


def _mark(name: str, asked: str) -> float | None:
    word, _, number = asked.partition(":")
    try:
        mark = float(number) if number else None
    except ValueError:
        mark = math.nan
    if word != "ruler" or (mark is not None and not 0.0 < mark < math.inf):
        raise FileRefused(
            f"{name}: calibrate={asked!r} is not known; write ruler, or ruler:10 for marks of 10 mm"
        )
    return mark


def _of_clip(scan: Scan, mark_mm: float | None) -> tuple[float, float, str]:
    """One scale for first, middle and last frame."""
    last = len(scan.frames) - 1
    found = [scale_of(scan.frames[i], mark_mm) for i in sorted({0, last // 2, last})]
    rows = [row_mm for row_mm, _, _ in found]
    if max(rows) / min(rows) - 1.0 > _SAME_CLIP:
        raise CalibrationRefused(
            f"{scan.name}: the ruler changes within the clip; measure single frames of it"
        )
    return found[len(found) // 2]


def _without_scale(frame: Frame, why: str) -> Frame:
    regions = tuple(replace(r, calibration=None, reason=why) if r.is_tissue else r for r in frame.regions)
    return replace(frame, regions=regions, calibration=None, calibration_reason=why)
