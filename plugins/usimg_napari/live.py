"""The numbers of the outlines on the screen, while they are moved. No Qt.

They are the rows of `usimg.measure`, which the archive's table comes from too: what the person
sees while dragging is what will be stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from usimg import Calibration, Frame, Roi, anatomy
from usimg.errors import CalibrationRefused, OutlineRefused
from usimg.measurement import echo_region, edges_of, measure
from usimg.measurement.table import measured_rows
from usimg.study.schema import features_of


@dataclass(frozen=True)
class Numbers:
    """One outline's numbers as text for the screen.

    Attributes
    ----------
    thickness, area, echo : str
        With their units; empty where there is none.
    flags : str
        Reasons to look again.
    reason : str
        Why a number is missing.
    """

    thickness: str = ""
    area: str = ""
    echo: str = ""
    flags: str = ""
    reason: str = ""

    @property
    def short(self) -> str:
        """One line to stand beside the outline."""
        return "   ".join(text for text in (self.thickness, self.area, self.echo) if text)


class Meter:
    """Measures outlines of one frame, each once: moving one does not measure the others again.

    Parameters
    ----------
    frame : Frame
    definitions : anatomy.Protocol
        Those of the desk: what is shown is what a run would store.
    """

    def __init__(self, frame: Frame, definitions: anatomy.Protocol) -> None:
        self.frame = frame
        self.definitions = definitions
        self._known: list[tuple[Roi, Numbers]] = []

    @property
    def depth_px(self) -> int:
        """Rows of the picture of the tissue."""
        regions = self.frame.tissue_regions
        return regions[0].box[2] - regions[0].box[0] if regions else self.frame.shape[0]

    def calibrate(self, calibration: Calibration) -> None:
        """Take the scale that a person or a ruler found."""
        self.frame = self.frame.with_calibration(calibration)
        self._known = []

    def numbers(self, rois: Sequence[Roi]) -> list[Numbers]:
        """One `Numbers` an outline, in order."""
        known = {id(roi): numbers for roi, numbers in self._known}
        new = [roi for roi in rois if id(roi) not in known]
        if new:
            rows = measured_rows(self.frame, new, protocol=self.definitions)
            for roi, row in zip(new, rows, strict=True):
                known[id(roi)] = _read(row)
        # The outlines are kept beside their numbers: an id is an outline's only while it lives.
        self._known = [(roi, known[id(roi)]) for roi in rois]
        return [numbers for _, numbers in self._known]


def to_store(frame: Frame, roi: Roi, definitions: anatomy.Protocol) -> dict[str, Any]:
    """What a line keeps of an outline's numbers: as of a run's row, with whose definitions they follow."""
    measured = measure(frame, [roi], protocol=definitions).iloc[0].to_dict()
    return features_of(measured) | {"protocol": definitions.name}


def echo_outline(frame: Frame, roi: Roi, definitions: anatomy.Protocol) -> tuple[Any, ...]:
    """The region whose grey levels are the echo intensity by protocol, as polygons.

    Empty where it is the outline itself, and where there is none (the table's ``reason`` says why).
    """
    structure = anatomy.structure(roi.structure)
    region = definitions.echo_roi_of(structure, roi.site)
    if not roi.polygons or region.is_whole or structure.kind == "combined":
        return ()
    try:
        spacing = frame.calibration_at(roi.points).spacing
    except CalibrationRefused:
        spacing = None
    if spacing is None and region.margin_mm > 0.0:
        return ()
    try:
        edges = (roi.upper, roi.lower) if roi.upper is not None and roi.lower is not None else None
        if edges is None and structure.outline == "layer" and len(roi.polygons) == 1:
            edges = edges_of(roi.polygons[0])
        return echo_region(roi.polygons, region, spacing, edges=edges)
    except OutlineRefused:
        return ()


def _read(row: dict[str, Any]) -> Numbers:
    # One decimal of a millimetre is a reader's repeatability (0.1 mm); nerves are given in mm² to one.
    thickness = _first(row, ("thickness_mm", "{:.1f} mm"), ("thickness_px", "{:.0f} px"))
    area = _first(row, ("csa_mm2", "{:.1f} mm²"), ("csa_px2", "{:.0f} px²"))
    echo = _first(row, ("echo_intensity", "EI {:.1f}"))
    return Numbers(thickness, area, echo, row["flags"], row["reason"])


def _first(row: dict[str, Any], *columns: tuple[str, str]) -> str:
    for column, style in columns:
        if not math.isnan(row[column]):
            return style.format(row[column])
    return ""
