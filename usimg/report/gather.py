"""From a study to what its report says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg import anatomy
from usimg.errors import AnatomyUnknown
from usimg.report.content import Contents, Definition, Failure, Measurement, RunInfo, Tile, VisitLine
from usimg.study.decisions import read_decisions
from usimg.study.outlines import with_outlines
from usimg.study.private import short
from usimg.study.settings import is_known
from usimg.study.tables import current_of
from usimg.study.visits import visits_of

if TYPE_CHECKING:
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


def gather(study: Study) -> tuple[Contents, pd.DataFrame]:
    """Everything a report says, and the study's rows without outlines.

    A large study shows a small part of its outlines: `outlines_of` reads those of the tiles that are shown.
    """
    held = study.fold(geometry=False)
    rows = current_of(study, held).reset_index(drop=True)
    light = _one_region(rows).sort_values(["scan", "frame", "region"])
    records = [
        {str(name): value for name, value in record.items()} | {"row": index}
        for index, record in zip(light.index, light.to_dict("records"), strict=True)
    ]
    shown = [record for record in records if record["state"] != "failed"]
    failed = [record for record in records if record["state"] == "failed"]
    tiles = tuple(_tile(list(group)) for _, group in groupby(shown, key=_picture))
    contents = Contents(
        tiles=tiles,
        failures=(*map(_failure, failed), *_not_found(tiles)),
        definitions=_definitions(light[light["state"] != "failed"]),
        runs=tuple(_run(record) for record in reversed(study.run_records())),
        synthetic=len({record["scan"] for record in records if _is_synthetic(record)}),
        problems=tuple(held.problems),
        failed=frozenset({short(r["scan"]) for r in failed} - {short(r["scan"]) for r in shown}),
        protocol=study.protocol.name if study.protocol.entries else "",
        visits=tuple(map(_visit, visits_of(study, held, rows).to_dict("records"))),
        settings=_keys(rows),
    )
    return contents, rows


def outlines_of(study: Study, rows: pd.DataFrame, tiles: Iterable[Tile]) -> pd.DataFrame:
    """Of the rows of `gather` those of some tiles, with their outlines, for `Pictures`."""
    shown = [measurement.row for tile in tiles for measurement in tile.measurements]
    return with_outlines(rows.loc[shown], study.automatic, read_decisions(study.people)[0])


def _visit(record: Mapping[Any, Any]) -> VisitLine:
    return VisitLine(
        subject=record["subject"],
        visit=record["visit"],
        pictures=record["pictures"],
        complete=record["complete"],
        missing=record["missing"],
        not_done=record["not_done"],
        signed=record["signed_by"] or record["signature"],
    )


def _keys(rows: pd.DataFrame) -> tuple[int, int]:
    """How many settings keys grey levels were taken under, and in how many of them something is unknown."""
    keys = set(rows.loc[rows["echo_intensity"].notna(), "settings"].dropna())
    return len(keys), sum(not is_known(key) for key in keys)


def _picture(record: Mapping[str, Any]) -> tuple[str, int, int]:
    """Which picture a row is about; -1 for what is not said."""
    frame, region = _number(record, "frame"), _number(record, "region")
    return (
        _text(record, "scan"),
        -1 if frame is None else int(frame),
        -1 if region is None else int(region),
    )


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
    scan, frame, region = _picture(first)
    return Tile(
        scan=short(scan),
        frame=max(frame, 0),
        region=None if region < 0 else region,
        place=_place(_text(first, "subject"), _text(first, "visit")),
        scale=scale,
        device=_text(first, "device"),
        measurements=tuple(_measurement(row) for row in rows),
    )


def _place(subject: str, visit: str) -> str:
    return ", ".join(word for word in (subject, f"visit {visit}" if visit else "") if word)


def _measurement(row: Mapping[str, Any]) -> Measurement:
    structure = _text(row, "structure") or "muscle"
    label, kind = named(structure)
    return Measurement(
        row=int(row["row"]),
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
        flags=_flags(row),
        reason=_text(row, "reason"),
    )


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
