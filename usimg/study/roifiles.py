"""Outlines in files of other programs: GeoJSON (QuPath, GIS) and ImageJ's own ``.roi`` and ``RoiSet.zip``.

Both put pixel corners at integers, where usimg has pixel centres: a pixel of row 0 reaches from -0.5 to 0.5
here and from 0 to 1 there. So half a pixel is added on the way out and taken off on the way in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usimg import anatomy
from usimg.errors import AnatomyUnknown, FileRefused
from usimg.roi import Roi

HALF_PX = 0.5
SIDES = ("left", "right", "midline")
# A study's outlines of one scan are some kilobytes; what is larger by far was not made by hand.
MOST_BYTES = 64 * 1024 * 1024
# ImageJ keeps a polygon and a line apart: a caliper of an outline has its name and this word.
CALIPER = "caliper"


@dataclass(frozen=True, eq=False)
class SavedRoi:
    """One outline of a file.

    Attributes
    ----------
    roi : Roi
        In px of the frame, pixel centres at integers, as everywhere in usimg.
    frame : int or None
        0-based frame of a clip; None when the file does not say.
    name : str
        What the file calls it.
    """

    roi: Roi
    frame: int | None = None
    name: str = ""


def read_rois(path: str | Path, *, structure: str | None = None) -> list[SavedRoi]:
    """Outlines of a file, by its suffix: ``.geojson``, ``.json``, ``.roi`` or ``.zip``.

    Parameters
    ----------
    path : path
    structure : str, optional
        What outlines show whose names are none of the anatomy list.

    Raises
    ------
    FileRefused
        Not such a file, or not one of outlines; the message says which entry and why.
    """
    from usimg.study import geojson, imagej  # noqa: PLC0415  they build on what is here

    path = Path(path)
    readers = {
        ".geojson": geojson.read,
        ".json": geojson.read,
        ".roi": imagej.read,
        ".zip": imagej.read,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileRefused(f"{path.name}: outlines are read from .geojson, .roi and .zip (ImageJ's RoiSet)")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FileRefused(f"{path.name}: {error.strerror or error}") from error
    if size > MOST_BYTES:
        raise FileRefused(f"{path.name}: {size / 1e6:.0f} MB is too large for a file of outlines")
    return reader(path, structure=structure)


def write_rois(path: str | Path, saved: Iterable[SavedRoi]) -> Path:
    """Write outlines to a file, by its suffix: ``.geojson``, ``.roi`` (one outline) or ``.zip``.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    FileRefused
        Another suffix, or several outlines for one ``.roi``.
    """
    from usimg.study import geojson, imagej  # noqa: PLC0415  they build on what is here

    path = Path(path)
    writers = {
        ".geojson": geojson.write,
        ".json": geojson.write,
        ".roi": imagej.write,
        ".zip": imagej.write,
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise FileRefused(f"{path.name}: outlines are written to .geojson, .roi and .zip (ImageJ's RoiSet)")
    writer(path, list(saved))
    return path


def to_corners(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) (x, y) with pixel corners at integers, of (N, 2) (row, col) with pixel centres there."""
    shifted: NDArray[np.float64] = np.asarray(points, dtype=np.float64)[:, ::-1] + HALF_PX
    return shifted


def from_corners(points: Sequence[Sequence[float]] | NDArray[np.generic]) -> NDArray[np.float64]:
    """(N, 2) (row, col) with pixel centres at integers, of (N, 2) (x, y) with pixel corners there."""
    shifted: NDArray[np.float64] = np.asarray(points, dtype=np.float64)[:, :2][:, ::-1] - HALF_PX
    return shifted


def without_end(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ring without its last vertex where that repeats the first."""
    return ring[:-1] if len(ring) > 1 and np.array_equal(ring[0], ring[-1]) else ring


def name_of(roi: Roi) -> str:
    """``"left median_nerve"``: what `named` reads."""
    return " ".join(word for word in (roi.side, roi.structure) if word)


def named(name: str, file: str, structure: str | None) -> dict[str, str]:
    """Side and structure that an outline's name says.

    Raises
    ------
    FileRefused
        The name is no structure of the anatomy list, and none was given.
    """
    words = name.replace("_", " ").split()
    side = next((word.lower() for word in words if word.lower() in SIDES), "")
    rest = " ".join(word for word in words if word.lower() not in SIDES)
    # RoiManager numbers names that it has already: "left median nerve-1".
    for guess in (rest, rest.rpartition("-")[0]):
        with suppress(AnatomyUnknown):
            return {"structure": anatomy.structure(guess).name, "side": side}
    if structure is None:
        raise FileRefused(
            f"{file}: {name!r} is no structure of the anatomy list; name it there, or say which one is meant"
        )
    return {"structure": anatomy.structure(structure).name, "side": side}


def with_calipers(saved: Iterable[SavedRoi]) -> list[SavedRoi]:
    """Caliper lines joined to the outline of the same name and frame."""
    joined: list[SavedRoi] = []
    for one in saved:
        base = one.name.removesuffix(CALIPER).strip()
        at = next(
            (
                i
                for i, other in enumerate(joined)
                if base != one.name and (other.name, other.frame) == (base, one.frame)
            ),
            None,
        )
        if at is None or one.roi.line is None:
            joined.append(one)
        else:
            joined[at] = replace(joined[at], roi=replace(joined[at].roi, line=one.roi.line))
    return joined
