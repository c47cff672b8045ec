"""The one Arrow schema of automatic rows, and how an outline is written in it.

A row is one structure that a run looked for in one picture: measured, not found (``empty``), or a
scan that could not be read (``failed``); ``reason`` says why. So a part says all a run did, and
what is new for the next run can be read from the parts alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from usimg.errors import OutlineRefused, StudyRefused
from usimg.roi import Roi
from usimg.study.canonical import content_id
from usimg.study.decisions import Target
from usimg.study.files import written_whole

_POINTS = pa.list_(pa.list_(pa.float64()))  # (row, col) px of the full frame
_TEXT, _NUMBER, _FLAG = pa.string(), pa.float64(), pa.bool_()

# Numbers and rules of `usimg.measure`, by its own names and in its order; a test holds the two together.
FEATURES: dict[str, pa.DataType] = {
    "n_parts": pa.int32(),
    "thickness_mm": _NUMBER,
    "thickness_rule": _TEXT,
    "thickness_mean_vertical_mm": _NUMBER,
    "thickness_mid_vertical_mm": _NUMBER,
    "thickness_max_vertical_mm": _NUMBER,
    "thickness_mean_perpendicular_mm": _NUMBER,
    "thickness_mid_perpendicular_mm": _NUMBER,
    "thickness_max_perpendicular_mm": _NUMBER,
    "thickness_px": _NUMBER,
    "csa_mm2": _NUMBER,
    "trace_rule": _TEXT,
    "perimeter_mm": _NUMBER,
    "roundness": _NUMBER,
    "csa_px2": _NUMBER,
    "perimeter_px": _NUMBER,
    "echo_intensity": _NUMBER,
    "echo_intensity_sd": _NUMBER,
    "echo_intensity_median": _NUMBER,
    "echo_intensity_p5": _NUMBER,
    "echo_intensity_p25": _NUMBER,
    "echo_intensity_p75": _NUMBER,
    "echo_intensity_p95": _NUMBER,
    "echovariation": _NUMBER,
    "black_fraction": _NUMBER,
    "saturated_fraction": _NUMBER,
    "overlay_fraction": _NUMBER,
    "pixel_count": pa.int32(),
    "depth_min_mm": _NUMBER,
    "depth_max_mm": _NUMBER,
    "echo_intensity_protocol": _NUMBER,
    "echo_intensity_protocol_sd": _NUMBER,
    "echo_pixel_count": pa.int32(),
    "echo_rule": _TEXT,
    "definition_verified": _FLAG,
    "definition_source": _TEXT,
}
IDENTITY: dict[str, pa.DataType] = {
    "outline": _TEXT,  # id: hash of target, method and geometry
    "status": _TEXT,  # measured, empty, failed; remeasured: new numbers of an outline that is kept elsewhere
    "subject": _TEXT,
    "visit": _TEXT,
    "view": _TEXT,
    "structure": _TEXT,
    "site": _TEXT,
    "side": _TEXT,
    "plane": _TEXT,
    "muscle_state": _TEXT,  # relaxed, contracted, end_expiration, ...; what `state` means in a manifest
    "posture": _TEXT,
    "session": _TEXT,
    "operator": _TEXT,  # a code, never a name
    "repeat": pa.int32(),
    "scan": _TEXT,  # SHA-256 of the file
    "frame": pa.int32(),
    "region": pa.int32(),
    "label_source": _TEXT,  # manifest, structure, tags: who said what is shown
    "day": pa.int32(),  # of the scan, moved by a secret number of days (`usimg.study.days`)
    "age_years": _NUMBER,  # on that day, by the tags
}
ORIGIN: dict[str, pa.DataType] = {
    "confidence": _NUMBER,
    "validated": _FLAG,
    "flags": pa.list_(_TEXT),
    "reason": _TEXT,
    "row_mm": _NUMBER,
    "col_mm": _NUMBER,
    "calibration_source": _TEXT,
    "kind": _TEXT,  # of picture
    "device": _TEXT,  # maker, model, probe
    # What tags and picture say of the settings; `usimg.study.settings` adds what is declared.
    "maker": _TEXT,
    "model": _TEXT,
    "probe": _TEXT,
    "preset": _TEXT,
    "gain_db": _NUMBER,
    "depth_mm": _NUMBER,
    "dynamic_range_db": _NUMBER,
    "grey_map": _TEXT,
    "decoder": _TEXT,
    "grey_rule": _TEXT,
    "protocol": _TEXT,
    "method": _TEXT,  # segmenter with version
    "usimg_version": _TEXT,
    "work": _TEXT,  # hash of what was asked of this scan: labels, method, protocol
    "run": _TEXT,
    "generation": pa.int64(),  # one more than any that the run saw: order without clocks
}
GEOMETRY: dict[str, pa.DataType] = {
    "polygons": pa.list_(_POINTS),
    "upper": _POINTS,
    "lower": _POINTS,
    "line": _POINTS,
}
SCHEMA = pa.schema({**IDENTITY, **FEATURES, **ORIGIN, **GEOMETRY})
# What measuring an outline again may change of its row.
MEASURED = (
    *FEATURES,
    *(
        "row_mm",
        "col_mm",
        "calibration_source",
        "decoder",
        "grey_rule",
        "protocol",
        "usimg_version",
        "reason",
    ),
)
# Columns that came with schema version 2. Parts of version 1 lack them and are read with nulls there.
SINCE_VERSION_2 = ("muscle_state", "posture", "session", "operator")
# And with version 3, by which visits lost their dates.
SETTINGS = ("maker", "model", "probe", "preset", "gain_db", "depth_mm", "dynamic_range_db", "grey_map")
SINCE_VERSION_3 = ("day", "age_years", *SETTINGS)
# How the reason of a row begins that a person excluded in a manifest or label.
LEFT_OUT = "left out by a person"
TARGET = ("scan", "frame", "region", "structure", "site", "side", "repeat")

# Ids ignore differences below a thousandth of a pixel: machines agree to 1e-6 px, not to the last bit.
_ID_DECIMALS = 3


def outline_of(roi: Roi) -> dict[str, Any]:
    """The geometry of a Roi in plain lists, as rows and decisions keep it."""
    return {
        "polygons": [polygon.tolist() for polygon in roi.polygons],
        "upper": _listed(roi.upper),
        "lower": _listed(roi.lower),
        "line": _listed(roi.line),
    }


def roi_of(row: Mapping[str, Any]) -> Roi:
    """The Roi of a row of `usimg.study.fold.Fold.rows`, to be drawn or edited.

    Raises
    ------
    OutlineRefused
        The geometry in the study is not one (a hand-edited file).
    """
    try:
        return Roi(
            structure=_text(row.get("structure")) or "muscle",
            polygons=tuple(_points(p) for p in _several(row.get("polygons"))),
            upper=_points(row.get("upper")),
            lower=_points(row.get("lower")),
            line=_points(row.get("line")),
            site=_text(row.get("site")),
            side=_text(row.get("side")),
            plane=_text(row.get("plane")),
            region=_whole(row.get("region")),
            trace_rule=_text(row.get("trace_rule")),
            method=_text(row.get("method")) or "drawn",
            confidence=_probability(row.get("confidence")),
            validated=plain(row.get("validated")) is True,
            flags=tuple(str(flag) for flag in _several(row.get("flags"))),
        )
    except (TypeError, ValueError) as error:
        raise OutlineRefused(f"the study's outline of {row.get('structure')} is damaged: {error}") from None


def features_of(measured: Mapping[Any, Any]) -> dict[str, Any]:
    """What a row keeps of a row of `usimg.measure`: numbers, rules, scale, flags, reason.

    Parameters
    ----------
    measured : mapping
        One row of the table, e.g. ``usimg.measure(frame, [roi]).iloc[0].to_dict()``.
    """
    kept = {name: plain(measured[name]) for name in FEATURES}
    return kept | {
        "row_mm": plain(measured["row_mm"]),
        "col_mm": plain(measured["col_mm"]),
        "calibration_source": _text(measured["scale_source"]),
        "confidence": plain(measured["confidence"]),
        "validated": plain(measured["validated"]),
        "flags": [flag for flag in _text(measured["flags"]).split("; ") if flag],
        "reason": _text(measured["reason"]),
    }


def target_of(row: Mapping[str, Any]) -> Target:
    """What a decision about this row is about."""
    return Target(
        scan=_text(row["scan"]),
        frame=_whole(row["frame"]) or 0,
        region=_whole(row["region"]),
        structure=_text(row["structure"]),
        site=_text(row["site"]),
        side=_text(row["side"]),
        repeat=_whole(row["repeat"]),
    )


def outline_id(target: Target, method: str, outline: Mapping[str, Any]) -> str:
    """Id of an automatic outline: the same picture, method and geometry give the same id again."""
    rounded = {name: _rounded(outline.get(name)) for name in GEOMETRY}
    return content_id({"target": target.as_dict(), "method": method, "outline": rounded})


def plain(value: Any) -> Any:
    """Scalars of numpy and pandas as Python's own; what is missing as None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    return None if value is pd.NA else value


def write_part(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as one Parquet part, whole or not at all. Columns a row lacks are null.

    Raises
    ------
    StudyRefused
        A row has a column that the schema does not, or the disk is full.
    """
    listed = list(rows)
    unknown = {name for row in listed for name in row} - set(SCHEMA.names)
    if unknown:
        raise StudyRefused(f"columns {sorted(unknown)} have no place in the study's schema")
    table = pa.Table.from_pylist([dict(row) for row in listed], schema=SCHEMA)
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_parts(automatic: Path, *, geometry: bool) -> tuple[pa.Table, list[str]]:
    """All good parts as one table, and what had to be skipped, in words."""
    names = [name for name in SCHEMA.names if geometry or name not in GEOMETRY]
    schema = pa.schema([SCHEMA.field(name) for name in names])
    tables: list[pa.Table] = []
    problems: list[str] = []
    for path in sorted(automatic.glob("*.parquet")):
        try:
            with pq.ParquetFile(path) as file:
                held = file.schema_arrow
                if not _is_readable(held):
                    problems.append(f"automatic/{path.name} was written in another form; skipped")
                    continue
                table = file.read(columns=[name for name in names if name in held.names])
                tables.append(_brought_forward(table, schema))
        except (OSError, pa.ArrowException) as error:
            what = str(error).split(".", maxsplit=1)[0]
            problems.append(
                f"automatic/{path.name} is damaged ({what}); skipped: usimg extract does its scans again"
            )
    return (pa.concat_tables(tables) if tables else schema.empty_table()), problems


def _is_readable(held: pa.Schema) -> bool:
    """Whether a part has the columns of this schema, or of an older version, and no other."""
    second = pa.schema([field for field in SCHEMA if field.name not in SINCE_VERSION_3])
    first = pa.schema([field for field in second if field.name not in SINCE_VERSION_2])
    return any(held.equals(schema) for schema in (SCHEMA, second, first))


def _brought_forward(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _listed(points: Any) -> list[list[float]] | None:
    return None if points is None else np.asarray(points, dtype=np.float64).tolist()


def _several(values: Any) -> list[Any]:
    return [] if values is None or isinstance(values, float) else list(values)


def _points(values: Any) -> Any:
    # Parquet gives (N,) object arrays of (2,) arrays; JSON gives lists.
    return None if values is None or isinstance(values, float) else np.array([list(v) for v in values], float)


def _rounded(values: Any) -> Any:
    if values is None:
        return None
    if isinstance(values, float | int):
        return round(float(values), _ID_DECIMALS) + 0.0  # -0.0 and 0.0 are one place
    return [_rounded(value) for value in values]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    value = plain(value)
    return None if value is None else int(value)


def _probability(value: Any) -> float:
    value = plain(value)
    return 0.0 if value is None else float(value)
