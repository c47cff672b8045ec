"""ImageJ's regions: one ``.roi`` file, or the ``RoiSet.zip`` of its ROI Manager.

Polygons, freehand outlines, rectangles, ovals, lines and composites of several parts are read; what encloses
nothing (points, angles, polylines) is refused by name. Coordinates are single precision there: 1e-4 px.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

from usimg.errors import FileRefused, OutlineRefused
from usimg.measurement.raster import runs
from usimg.roi import Roi
from usimg.study.files import written_whole
from usimg.study.roifiles import (
    CALIPER,
    MOST_BYTES,
    SavedRoi,
    from_corners,
    name_of,
    named,
    to_corners,
    with_calipers,
    without_end,
)

_CLOSED = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
# An oval becomes a polygon of this many vertices on it: its area is 0.01 % short.
_OVAL = 256
# What roifile raises on bytes that are no region.
_DAMAGED = (ValueError, KeyError, IndexError, struct.error, AssertionError, RuntimeError, MemoryError)
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0  # java.awt.geom.PathIterator


def write(path: Path, saved: Sequence[SavedRoi]) -> None:
    """Write outlines to ``.roi`` (one) or ``.zip`` (any number), whole or not at all."""
    regions = [region for one in saved for region in _regions(one)]
    with written_whole(path) as temporary:
        if path.suffix.lower() == ".roi":
            if len(regions) != 1:
                raise FileRefused(
                    f"{path.name}: a .roi file holds one region, not {len(regions)}; write a .zip"
                )
            temporary.write_bytes(regions[0].tobytes())
            return
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, region in enumerate(regions, start=1):
                # ImageJ takes names from the entries; a number keeps them apart and in order.
                entry = zipfile.ZipInfo(f"{number:04d}-{_file_safe(region.name)}.roi", (1980, 1, 1, 0, 0, 0))
                archive.writestr(entry, region.tobytes(), zipfile.ZIP_DEFLATED)


def _regions(saved: SavedRoi) -> list[ImagejRoi]:
    roi, name = saved.roi, saved.name or name_of(saved.roi)
    position = 0 if saved.frame is None else saved.frame + 1
    found = []
    if len(roi.polygons) == 1:
        found.append(_polygon(to_corners(roi.polygons[0]), name, position))
    elif roi.polygons:
        found.append(_composite([to_corners(polygon) for polygon in roi.polygons], name, position))
    if roi.line is not None:
        (x1, y1), (x2, y2) = to_corners(roi.line).tolist()
        line = ImagejRoi(
            roitype=ROI_TYPE.LINE, options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION, position=position,
            name=f"{name} {CALIPER}" if roi.polygons else name, x1=x1, y1=y1, x2=x2, y2=y2,
        )  # fmt: skip
        found.append(line)
    return found


def _polygon(corners: NDArray[np.float64], name: str, position: int) -> ImagejRoi:
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
    return ImagejRoi(
        roitype=ROI_TYPE.POLYGON, options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION, name=name, position=position,
        left=int(low[0]), top=int(low[1]), right=int(high[0]), bottom=int(high[1]),
        n_coordinates=len(corners), integer_coordinates=np.round(corners - low).astype(np.int32),
        subpixel_coordinates=corners.astype(np.float32),
    )  # fmt: skip


def _composite(parts: Sequence[NDArray[np.float64]], name: str, position: int) -> ImagejRoi:
    every = np.concatenate(parts)
    low, high = np.floor(every.min(axis=0)).astype(int), np.ceil(every.max(axis=0)).astype(int)
    path: list[float] = []
    for part in parts:
        for step, (x, y) in zip([_MOVE, *[_LINE] * (len(part) - 1)], part.tolist(), strict=True):
            path += [step, x, y]
        path.append(_CLOSE)
    return ImagejRoi(
        roitype=ROI_TYPE.RECT, options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION, name=name, position=position,
        left=int(low[0]), top=int(low[1]), right=int(high[0]), bottom=int(high[1]),
        shape_roi_size=len(path), multi_coordinates=np.array(path, dtype=np.float32),
    )  # fmt: skip


def read(path: Path, *, structure: str | None = None) -> list[SavedRoi]:
    """Outlines of a ``.roi`` or ``RoiSet.zip``; see `usimg.study.roifiles.read_rois`."""
    return with_calipers(
        _read(f"{path.name}, {entry}" if entry else path.name, entry, data, structure)
        for entry, data in _entries(path)
    )


def _entries(path: Path) -> list[tuple[str, bytes]]:
    """(name, bytes) of every region in a file."""
    try:
        if path.suffix.lower() == ".roi":
            return [("", path.read_bytes())]
        with zipfile.ZipFile(path) as archive:
            held = [info for info in archive.infolist() if info.filename.lower().endswith(".roi")]
            if sum(info.file_size for info in held) > MOST_BYTES:
                raise FileRefused(f"{path.name}: unpacked it is too large for a set of outlines")
            entries = [(info.filename, archive.read(info)) for info in held]
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise FileRefused(f"{path.name}: not a file of ImageJ's regions ({error})") from error
    if not entries:
        raise FileRefused(f"{path.name}: holds no .roi; a RoiSet.zip of ImageJ's ROI Manager is needed")
    return entries


def _read(where: str, entry: str, data: bytes, structure: str | None) -> SavedRoi:
    try:
        region = ImagejRoi.frombytes(data)
        shape = _shape(region)
    except FileRefused as refusal:
        raise FileRefused(f"{where}: {refusal}") from None
    except (
        ValueError,
        KeyError,
        IndexError,
        struct.error,
        AssertionError,
        RuntimeError,
        MemoryError,
    ) as error:
        raise FileRefused(f"{where}: not a region of ImageJ ({error})") from error
    name = region.name or re.sub(r"^\d+-", "", Path(entry).stem)
    shape |= named(name.removesuffix(CALIPER).strip(), where, structure)
    position = int(region.position) or int(region.t_position)
    try:
        roi = Roi(**shape, method="read from ImageJ")
    except OutlineRefused as error:
        raise FileRefused(f"{where}: {error}") from None
    return SavedRoi(roi, position - 1 if position > 0 else None, name)


def _shape(region: ImagejRoi) -> dict[str, Any]:
    if region.multi_coordinates is not None:
        return {"polygons": _apart([_closed(part) for part in region.coordinates(multi=True)])}
    if region.roitype in _CLOSED and region.n_coordinates:
        return {"polygons": (_closed(region.coordinates()),)}
    if region.roitype in (ROI_TYPE.RECT, ROI_TYPE.OVAL):
        return {"polygons": (_closed(_inside(region)),)}
    if region.roitype == ROI_TYPE.LINE:
        return {"line": from_corners([[region.x1, region.y1], [region.x2, region.y2]])}
    if region.roitype in (ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE) and region.n_coordinates == 2:
        return {"line": from_corners(np.asarray(region.coordinates()))}
    raise FileRefused(
        f"a {region.roitype.name.lower()} is no outline; polygons, ovals, rectangles and lines are"
    )


def _inside(region: ImagejRoi) -> NDArray[np.float64]:
    """Corners of a rectangle, or a polygon for the oval in it."""
    if region.subpixelrect:
        left, top, width, height = region.xd, region.yd, region.widthd, region.heightd
    else:
        left, top = float(region.left), float(region.top)
        width, height = region.right - region.left, region.bottom - region.top
    if region.roitype == ROI_TYPE.RECT:
        turn: Any = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    else:
        angle = np.arange(_OVAL) * (2 * np.pi / _OVAL)
        turn = 0.5 + 0.5 * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.asarray(np.array([left, top]) + turn * [width, height], dtype=np.float64)


def _closed(corners: Any) -> NDArray[np.float64]:
    return without_end(from_corners(np.asarray(corners)))


def _apart(parts: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], ...]:
    """Parts of a composite; ImageJ takes a part inside another one for a hole, which usimg does not know."""
    every = np.concatenate(parts)
    low = np.floor(every.min(axis=0)) - 1
    shape = tuple((np.ceil(every.max(axis=0)) - low).astype(int) + 2)
    _, index = runs([[part - low for part in parts]], (int(shape[0]), int(shape[1]))).pixels(int(shape[1]))
    if len(np.unique(index)) < len(index):
        raise FileRefused("it has a hole, or parts that overlap; draw its outer border alone")
    return tuple(parts)


def _file_safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "outline"
