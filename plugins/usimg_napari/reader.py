"""napari's reader for ultrasound DICOM: ``*.dcm``, ``*.dicom``, ``*.ima``, and nothing else. No Qt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import usimg
from usimg_napari.lazy import FrameStack

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """A function that opens ``path``, or None when it is not a DICOM file.

    DICOM says ``DICM`` after 128 bytes (PS3.10 section 7.1); a file of that name without it is left
    to other readers.
    """
    paths = [path] if isinstance(path, str) else path
    return read if paths and all(_is_dicom(Path(p)) for p in paths) else None


def read(path: str | list[str]) -> list[LayerData]:
    """One image layer a file: grey levels 0-255, in millimetres where the file states a scale."""
    layers: list[LayerData] = []
    for one in [path] if isinstance(path, str) else path:
        scan = usimg.read(one)
        stack = FrameStack(scan.frames)
        layers.append((stack, {"name": scan.name, **look(scan.frames[0])}, "image"))
    return layers


def look(frame: usimg.Frame) -> dict[str, Any]:
    """How a stack that holds ``frame`` is shown: scale and units, fixed contrast, grey."""
    scale = frame.calibration
    unit = "pixel" if scale is None else "mm"
    return {
        "scale": (1.0, *((1.0, 1.0) if scale is None else scale.spacing)),
        "units": ("pixel", unit, unit),
        "contrast_limits": (0, 255),
        "colormap": "gray",
    }


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
