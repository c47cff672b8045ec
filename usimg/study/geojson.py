"""Outlines as GeoJSON (RFC 7946), checked against ``roi.schema.json`` on the way in.

A feature is an outline: Polygon, MultiPolygon (several parts) or LineString (a caliper), positions (x, y) in
px of the frame with pixel corners at integers. ``properties`` say what it shows in the anatomy list's names;
QuPath reads ``objectType`` and ``classification``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.errors import FileRefused, OutlineRefused
from usimg.roi import MAX_VERTICES, Roi
from usimg.study.files import written_whole
from usimg.study.roifiles import SavedRoi, from_corners, name_of, named, to_corners, without_end

COORDINATES = "px of the whole frame, (x, y), x to the right, y down; pixel corners at integers"
_WORDS = ("structure", "site", "side", "plane", "trace_rule", "method")
_CHAINS = {"upper": "upper", "lower": "lower", "caliper": "line"}
_GEOMETRIES = ("Polygon", "MultiPolygon", "LineString")


def write(path: Path, saved: Sequence[SavedRoi]) -> None:
    """Write outlines as one FeatureCollection, whole or not at all."""
    text = json.dumps(document(saved), ensure_ascii=False, allow_nan=False, indent=1)
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def document(saved: Sequence[SavedRoi]) -> dict[str, Any]:
    """The FeatureCollection of outlines, as plain lists and dicts."""
    features = [_feature(one) for one in saved if len(one.roi.points)]
    return {"type": "FeatureCollection", "usimg_coordinates": COORDINATES, "features": features}


def _feature(saved: SavedRoi) -> dict[str, Any]:
    roi = saved.roi
    rings = [_ring(polygon) for polygon in roi.polygons]
    geometry: dict[str, Any]
    if not rings and roi.line is not None:
        geometry = {"type": "LineString", "coordinates": to_corners(roi.line).tolist()}
    elif len(rings) == 1:
        geometry = {"type": "Polygon", "coordinates": rings}
    else:
        geometry = {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
    said: dict[str, Any] = {name: getattr(roi, name) for name in _WORDS if getattr(roi, name)}
    if rings:
        chains = {name: getattr(roi, field) for name, field in _CHAINS.items()}
        said |= {name: to_corners(chain).tolist() for name, chain in chains.items() if chain is not None}
    if saved.frame is not None:
        said["frame"] = saved.frame
    said |= {
        "name": saved.name or name_of(roi),
        "objectType": "annotation",
        "classification": {"name": roi.structure},
    }
    return {"type": "Feature", "geometry": geometry, "properties": said}


def _ring(polygon: NDArray[np.float64]) -> list[list[float]]:
    corners = to_corners(polygon)
    closed: list[list[float]] = np.concatenate([corners, corners[:1]]).tolist()
    return closed


def read(path: Path, *, structure: str | None = None) -> list[SavedRoi]:
    """Outlines of a GeoJSON file; see `usimg.study.roifiles.read_rois`."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FileRefused(f"{path.name}: not JSON ({error})") from error
    features = found.get("features") if isinstance(found, dict) else None
    if isinstance(found, list):  # QuPath's export without a collection
        features = found
    if isinstance(found, dict) and found.get("type") == "Feature":
        features = [found]
    if not isinstance(features, list):
        raise FileRefused(f"{path.name}: no GeoJSON: neither a FeatureCollection nor a Feature")
    return [_read(path.name, number, one, structure) for number, one in enumerate(features, start=1)]


def _read(file: str, number: int, feature: Any, structure: str | None) -> SavedRoi:
    where = f"{file}, outline {number}"
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(geometry, dict):
        raise FileRefused(f"{where}: no feature with a geometry")
    kind = geometry.get("type")
    if kind not in _GEOMETRIES:
        raise FileRefused(f"{where}: geometry is {kind!r}; outlines are {', '.join(_GEOMETRIES)}")
    said = feature.get("properties") or {}
    if not isinstance(said, dict):
        raise FileRefused(f"{where}: its properties are no object")
    for name in _WORDS:
        if not isinstance(said.get(name, ""), str):
            raise FileRefused(f"{where}: {name} is no text")
    frame = said.get("frame")
    if frame is not None and (isinstance(frame, bool) or not isinstance(frame, int) or frame < 0):
        raise FileRefused(f"{where}: frame {frame!r} is not a frame's number, counted from 0")
    name = _name(said)
    stated = said.get("structure")
    shows = named(stated or name, where, structure)
    fields: dict[str, Any] = {word: said[word] for word in _WORDS if said.get(word)} | shows
    fields["side"] = said.get("side") or shows["side"]
    fields |= _shape(where, kind, geometry.get("coordinates"))
    if kind != "LineString":
        fields |= {
            field: _points(where, said[name], least=2)
            for name, field in _CHAINS.items()
            if said.get(name) is not None
        }
    try:
        return SavedRoi(Roi(**{"method": "read from GeoJSON"} | fields), frame, name)
    except OutlineRefused as error:
        raise FileRefused(f"{where}: {error}") from None


def _name(said: dict[str, Any]) -> str:
    classified = said.get("classification")
    named_by_class = classified.get("name") if isinstance(classified, dict) else None
    return next((word for word in (said.get("name"), named_by_class) if isinstance(word, str)), "")


def _shape(where: str, kind: str, coordinates: Any) -> dict[str, Any]:
    if kind == "LineString":
        return {"line": _points(where, coordinates, least=2)}
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list) or not polygons or not all(isinstance(p, list) for p in polygons):
        raise FileRefused(f"{where}: a {kind} without coordinates")
    if any(len(rings) != 1 for rings in polygons):
        raise FileRefused(f"{where}: an outline with a hole has no area here; draw the hole's border in")
    return {"polygons": tuple(without_end(_points(where, rings[0], least=4)) for rings in polygons)}


def _points(where: str, values: Any, *, least: int) -> NDArray[np.float64]:
    if not isinstance(values, list) or not least <= len(values) <= MAX_VERTICES:
        raise FileRefused(f"{where}: {least} to {MAX_VERTICES} positions are needed")
    for position in values:
        good = isinstance(position, list) and len(position) in (2, 3) and all(_is_number(v) for v in position)
        if not good:
            raise FileRefused(f"{where}: {position!r} is no position (x, y)")
    return from_corners([position[:2] for position in values])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
