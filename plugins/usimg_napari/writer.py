"""napari's writer of outlines: a Shapes layer as GeoJSON, or as ImageJ's regions. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg import Roi, anatomy
from usimg.errors import AnatomyUnknown, OutlineRefused
from usimg.study.roifiles import SavedRoi, name_of, write_rois

# Key of a layer's metadata under which the review keeps whole outlines: the layer shows their handles.
WHOLE = "usimg_rois"
# Vertices of the polygon that stands for an ellipse: its area is 0.04 % short.
_ELLIPSE = 128


def write_outlines(path: str, data: Sequence[Any], meta: Mapping[str, Any]) -> list[str]:
    """Write the shapes of a layer.

    Parameters
    ----------
    path : str
        ``.geojson``, ``.roi`` or ``.zip``.
    data : sequence of (N, D) arrays
        Vertices, px; of a stack the first of D numbers is the frame.
    meta : mapping
        napari's description of the layer. Its ``features`` may name the structure of each shape.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    OutlineRefused
        A shape that encloses nothing.
    FileRefused
        Another suffix, or several outlines for one ``.roi``.
    """
    whole = meta.get("metadata", {}).get(WHOLE)
    if whole is not None:
        frame, rois = whole
        saved = [SavedRoi(roi, frame, name_of(roi)) for roi in rois if len(roi.points)]
    else:
        kinds = _each(meta.get("shape_type", "polygon"), len(data))
        names = _names(meta.get("features"), len(data))
        saved = [_saved(*shape) for shape in zip(data, kinds, names, strict=True)]
    return [str(write_rois(path, saved))]


def _each(kinds: Any, count: int) -> list[str]:
    return [str(kinds)] * count if isinstance(kinds, str) else [str(kind) for kind in kinds]


def _names(features: Any, count: int) -> list[str]:
    for column in ("structure", "name", "label"):
        if features is not None and column in features:
            return [str(name) for name in features[column]]
    return [""] * count


def _saved(vertices: Any, kind: str, name: str) -> SavedRoi:
    points: NDArray[np.float64] = np.asarray(vertices, dtype=np.float64)
    frame = round(float(points[0, -3])) if points.shape[1] > 2 else None
    points = points[:, -2:]
    try:
        structure = anatomy.structure(name).name if name else "muscle"
    except AnatomyUnknown:
        structure = "muscle"
    if kind == "line" or (kind == "path" and len(points) == 2):
        roi = Roi(line=points, structure=structure)
    elif kind == "path":
        raise OutlineRefused("a path encloses nothing: draw a polygon, or a line of two points")
    else:
        roi = Roi(polygon=_ellipse(points) if kind == "ellipse" else points, structure=structure)
    return SavedRoi(roi, frame, name_of(roi))


def _ellipse(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Polygon on an ellipse that napari keeps by the corners of its box."""
    middle = corners.mean(axis=0)
    half = 0.5 * (corners[1] - corners[0]), 0.5 * (corners[3] - corners[0])
    angle = np.arange(_ELLIPSE) * (2 * np.pi / _ELLIPSE)
    ring: NDArray[np.float64] = middle + np.outer(np.cos(angle), half[0]) + np.outer(np.sin(angle), half[1])
    return ring
