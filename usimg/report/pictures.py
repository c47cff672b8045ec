"""The picture of a tile: the scan opened, cut to what was measured, and the outlines that lie on it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from usimg.errors import OutlineRefused, UsimgError
from usimg.report.content import Measurement, Tile
from usimg.report.drawing import PAGE_SIDE_PX, Crop, Shape, colour_of, crop
from usimg.report.stills import echo_region_of
from usimg.study import roi_of
from usimg.study.pixels import open_scan
from usimg.study.private import short

if TYPE_CHECKING:
    from usimg.scan import Frame
    from usimg.study import Study


class Pictures:
    """Opens the scan of a tile, cuts its picture and lays the outlines over it.

    Parameters
    ----------
    study : Study
    rows : DataFrame
        What `usimg.report.gather.gather` gave with the tiles.
    longest_side : int
        Of the crops, px.
    enlarge : bool
        Whether smaller crops are brought to that size too.
    """

    def __init__(
        self, study: Study, rows: pd.DataFrame, *, longest_side: int = PAGE_SIDE_PX, enlarge: bool = False
    ) -> None:
        self._study = study
        self._rows = rows
        self._longest_side = longest_side
        self._enlarge = enlarge

    def __call__(self, tile: Tile) -> tuple[Tile, Crop | str]:
        """The tile with its outlines, and the crop or why there is none."""
        drawn = sorted((self._with_shape(m) for m in tile.measurements), key=_depth)
        tile = replace(tile, measurements=tuple(drawn))
        return tile, self._opened(tile)

    def _with_shape(self, measurement: Measurement) -> Measurement:
        row = {str(name): value for name, value in self._rows.loc[measurement.row].items()}
        try:
            roi = roi_of(row)
        except OutlineRefused as error:
            return replace(measurement, reason=measurement.reason or str(error))
        if not roi.polygons and roi.line is None:
            return measurement
        shape = Shape(
            polygons=roi.polygons,
            line=roi.line,
            echo_region=echo_region_of(row, roi) if measurement.echo_intensity_protocol is not None else (),
            colour=colour_of(measurement.kind),
        )
        return replace(measurement, shape=shape)

    def _opened(self, tile: Tile) -> Crop | str:
        try:
            scan = open_scan(self._study, tile.scan)
            if short(scan.id) != tile.scan:
                return "The file has changed since it was measured; run usimg extract again."
            frame = scan.frames[tile.frame]
        except UsimgError:
            return "The file is not where it was when it was measured, or cannot be read any more."
        except IndexError:
            return "The file has fewer frames than when it was measured; run usimg extract again."
        shapes = [m.shape for m in tile.measurements if m.shape is not None]
        return self._cut(frame, tile.region, shapes)

    def _cut(self, frame: Frame, region: int | None, shapes: list[Shape]) -> Crop | str:
        held = next((r for r in frame.regions if r.index == region), None)
        calibration = frame.calibration if held is None else held.calibration or frame.calibration
        try:
            shown = crop(
                frame.gray,
                frame.scan_area,
                within=None if held is None else held.box,
                shapes=shapes,
                spacing=None if calibration is None else calibration.spacing,
                longest_side=self._longest_side,
                enlarge=self._enlarge,
            )
        except UsimgError:
            return "The picture cannot be decoded any more."
        return shown or "No scan area was found, so text could not be masked: the picture is withheld."


def _depth(measurement: Measurement) -> tuple[bool, float, str]:
    """Sorts top to bottom; sums last, what has no outline just before them."""
    shape = measurement.shape
    rows = [points[:, 0].mean() for points, _ in shape.chains] if shape is not None else []
    depth = float(min(rows, default=math.inf))
    return (measurement.kind == "combined", depth, measurement.label)
