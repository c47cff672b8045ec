"""From a study to what its report says, and to the pictures of its tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg import anatomy
from usimg.errors import AnatomyUnknown, OutlineRefused, UsimgError
from usimg.measurement.echo_roi import echo_region
from usimg.opening import read
from usimg.report.content import Contents, Definition, Failure, Measurement, RunInfo, Tile
from usimg.report.drawing import PAGE_SIDE_PX, Crop, FloatArray, Shape, colour_of, crop
from usimg.study import roi_of
from usimg.study.private import short

if TYPE_CHECKING:
    from usimg.roi import Roi
    from usimg.scan import Frame
    from usimg.study import Study

# What of a run's record is shown. Named one by one: a record may grow, a report must not leak.
RUN_FACTS = {
    "started": "started",
    "status": "status",
    "seconds": "seconds",
    "usimg_version": "usimg",
    "method": "outlines by",
    "protocol": "protocol",
    "versions": "libraries",
    "weights": "weights",
    "parameters": "parameters",
    "counts": "counts",
}
# Makers' name in the DICOM files that usimg simulate writes.
SYNTHETIC = "usimg"


def gather(study: Study) -> Contents:
    """Everything a report says, read from the study's folder; pictures are left for `Pictures`."""
    rows = study.current(geometry=True)
    shown = rows[rows["state"] != "failed"]
    failed = rows[rows["state"] == "failed"]
    tiles = tuple(
        _tile(_records(group))
        for _, group in _one_region(shown).groupby(["scan", "frame", "region"], dropna=False, sort=True)
    )
    return Contents(
        tiles=tiles,
        failures=(*(_failure(row) for row in _records(failed)), *_not_found(tiles)),
        definitions=_definitions(shown),
        runs=tuple(_run(record) for record in reversed(study.run_records())),
        synthetic=len({row["scan"] for row in _records(rows) if _is_synthetic(row)}),
        problems=tuple(study.fold(geometry=False).problems),
        failed=frozenset(short(scan) for scan in set(failed["scan"]) - set(shown["scan"])),
    )


class Pictures:
    """Opens the scan of a tile and cuts its picture.

    Parameters
    ----------
    study : Study
    longest_side : int
        Of the crops, px.
    enlarge : bool
        Whether smaller crops are brought to that size too.
    """

    def __init__(self, study: Study, *, longest_side: int = PAGE_SIDE_PX, enlarge: bool = False) -> None:
        self._study = study
        self._longest_side = longest_side
        self._enlarge = enlarge

    def __call__(self, tile: Tile) -> Crop | str:
        """The crop, or why there is none."""
        try:
            scan = read(self._study.source_path(tile.scan))
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


def shape_of(roi: Roi, kind: str, *, echo_region: tuple[FloatArray, ...] = ()) -> Shape | None:
    """What to draw of a Roi; None when it is empty."""
    if not roi.polygons and roi.line is None:
        return None
    return Shape(polygons=roi.polygons, line=roi.line, echo_region=echo_region, colour=colour_of(kind))


def named(structure: str) -> tuple[str, str]:
    """(label, kind) of a structure; its own name in words when the anatomy list has none."""
    try:
        known = anatomy.structure(structure)
    except AnatomyUnknown:
        return structure.replace("_", " "), ""
    return known.label, known.kind


def _one_region(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose region is not said belong to the picture that the others of their frame name, if it is one.

    A structure that was not found has no region of its own.
    """
    regions = rows.groupby(["scan", "frame"], dropna=False)["region"]
    only = regions.transform("first").where(regions.transform("nunique") == 1)
    return rows.assign(region=rows["region"].fillna(only))


def _tile(rows: list[dict[str, Any]]) -> Tile:
    first = rows[0]
    row_mm, col_mm = _number(first, "row_mm"), _number(first, "col_mm")
    scale = ""
    if row_mm is not None and col_mm is not None:
        size = f"{row_mm:.4f}" if row_mm == col_mm else f"{row_mm:.4f} by {col_mm:.4f}"
        scale = (
            f"{size} mm a pixel ({_text(first, 'calibration_source').replace('_', ' ') or 'source unknown'})"
        )
    region = first.get("region")
    return Tile(
        scan=short(_text(first, "scan")),
        frame=int(first["frame"]) if pd.notna(first.get("frame")) else 0,
        region=int(region) if region is not None and pd.notna(region) else None,
        place=_place(_text(first, "subject"), _text(first, "visit")),
        scale=scale,
        device=_text(first, "device"),
        measurements=tuple(sorted((_measurement(row) for row in rows), key=_depth)),
    )


def _place(subject: str, visit: str) -> str:
    return ", ".join(word for word in (subject, f"visit {visit}" if visit else "") if word)


def _depth(measurement: Measurement) -> tuple[bool, float, str]:
    """Sorts top to bottom; sums last, what has no outline just before them."""
    shape = measurement.shape
    rows = [points[:, 0].mean() for points, _ in shape.chains] if shape is not None else []
    depth = float(min(rows, default=math.inf))
    return (measurement.kind == "combined", depth, measurement.label)


def _measurement(row: Mapping[str, Any]) -> Measurement:
    structure = _text(row, "structure") or "muscle"
    label, kind = named(structure)
    reason = _text(row, "reason")
    try:
        roi = roi_of(row)
        shape = shape_of(roi, kind, echo_region=_echo_region(row, roi))
    except OutlineRefused as error:
        shape, reason = None, reason or str(error)
    return Measurement(
        structure=structure,
        label=label,
        kind=kind,
        site=_text(row, "site"),
        side=_text(row, "side"),
        thickness_mm=_number(row, "thickness_mm"),
        thickness_px=_number(row, "thickness_px"),
        thickness_rule=_text(row, "thickness_rule"),
        csa_mm2=_number(row, "csa_mm2"),
        csa_px2=_number(row, "csa_px2"),
        trace_rule=_text(row, "trace_rule"),
        echo_intensity=_number(row, "echo_intensity"),
        echo_intensity_sd=_number(row, "echo_intensity_sd"),
        echo_intensity_protocol=_number(row, "echo_intensity_protocol"),
        confidence=_number(row, "confidence"),
        validated=bool(row.get("validated")) if pd.notna(row.get("validated")) else False,
        state=_text(row, "state"),
        author=_text(row, "author"),
        counts_reason=_text(row, "counts_reason"),
        flags=_flags(row),
        reason=reason,
        shape=shape,
    )


def _echo_region(row: Mapping[str, Any], roi: Roi) -> tuple[FloatArray, ...]:
    """The protocol's region of a row, when it is apart from the outline and the one that was measured."""
    if _number(row, "echo_intensity_protocol") is None:
        return ()
    row_mm, col_mm = _number(row, "row_mm"), _number(row, "col_mm")
    try:
        region = anatomy.generic_protocol().echo_roi_of(anatomy.structure(roi.structure), roi.site)
        if region.is_whole or region.rule != _text(row, "echo_rule") or row_mm is None or col_mm is None:
            return ()
        edges = None if roi.upper is None or roi.lower is None else (roi.upper, roi.lower)
        return echo_region(roi.polygons, region, (row_mm, col_mm), edges=edges)
    except (AnatomyUnknown, OutlineRefused):
        return ()


def _failure(row: Mapping[str, Any]) -> Failure:
    return Failure(scan=short(_text(row, "scan")), reason=_text(row, "reason") or "no reason was recorded")


def _not_found(tiles: tuple[Tile, ...]) -> list[Failure]:
    return [
        Failure(scan=tile.scan, reason=m.reason or f"no {m.label} was found", what=m.label)
        for tile in tiles
        for m in tile.measurements
        if not m.measured and not m.decided
    ]


def _definitions(rows: pd.DataFrame) -> tuple[Definition, ...]:
    found = []
    for structure, group in rows.groupby("structure", sort=True):
        name = str(structure)
        label, _ = named(name)
        sites = _distinct(group, "site")
        found.append(
            Definition(
                label=label,
                sites=sites,
                thickness_rules=_distinct(group, "thickness_rule"),
                trace_rules=_distinct(group, "trace_rule"),
                echo_rules=_distinct(group, "echo_rule"),
                borders=_borders(name, sites[0] if sites else ""),
                source="; ".join(_distinct(group, "definition_source")),
                verified=bool(group["definition_verified"].fillna(value=False).all()),
            )
        )
    return tuple(found)


def _borders(structure: str, site: str) -> str:
    try:
        thickness = anatomy.structure(structure).thickness_at(site)
    except AnatomyUnknown:
        return ""
    return " to ".join(thickness.borders).replace("_", " ") if thickness is not None else ""


def _run(record: Mapping[str, Any]) -> RunInfo:
    facts = [(label, _said(record[key])) for key, label in RUN_FACTS.items() if record.get(key)]
    return RunInfo(name=str(record.get("run", "")), facts=tuple(facts))


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_said(held)}" for key, held in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_said(held) for held in value)
    return f"{value:,.1f}" if isinstance(value, float) else str(value)


def _is_synthetic(row: Mapping[str, Any]) -> bool:
    return _text(row, "device").casefold().startswith(SYNTHETIC)


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def _distinct(rows: pd.DataFrame, column: str) -> tuple[str, ...]:
    return tuple(sorted({str(value) for value in rows[column].dropna() if value}))


def _flags(row: Mapping[str, Any]) -> tuple[str, ...]:
    flags = row.get("flags")
    return () if flags is None or isinstance(flags, float) else tuple(str(flag) for flag in flags)


def _number(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value is None or pd.isna(value) else float(value)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""
