"""PNG, TIFF, JPEG, BMP and WebP pictures: no header to trust, so no scale but a given one.

The scale comes from ``spacing_mm=``, else from a sidecar file beside the picture, else there is none.
The picture's own dpi describes paper or a screen and is never used. A sidecar carries the picture's
full name plus ``.json`` or ``.toml`` and one key, millimetres per pixel, down and across::

    scan.png.json    {"spacing_mm": [0.0667, 0.0667]}
    scan.png.toml    spacing_mm = [0.0667, 0.0667]
"""

from __future__ import annotations

import json
import tomllib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL
from PIL import Image, ImageFile

from usimg.errors import FileRefused, PixelsRefused
from usimg.readers.grey import Stored, to_grey
from usimg.readers.source import FileSource, check_size
from usimg.readers.spacing import as_spacing
from usimg.scan import Calibration, Frame, Header, Pixels, Scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from usimg.scan import Picture

NAME = "stills"

_FORMATS = ("PNG", "TIFF", "JPEG", "BMP", "WEBP")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"BM")
_MAX_SIDECAR = 65_536
_SIDECARS = (".json", ".toml")
_BAD_PICTURE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
)


def sniff(path: Path, head: bytes) -> bool:
    """Whether the file begins as one of the picture formats does (``head``: its first 256 bytes)."""
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def open_scan(
    path: Path, *, spacing_mm: tuple[float, float] | None, describe: Callable[[Frame], Picture]
) -> Scan:
    """Read a picture's size and scale; its pixels wait until they are touched.

    Raises
    ------
    FileRefused
        A damaged picture, one too large to be real, or a sidecar that does not say a spacing.
    """
    name = path.name
    with _opened(path) as image, warnings.catch_warnings():
        cols, rows = image.size
        kind, mode = str(image.format), image.mode
        try:
            warnings.simplefilter("ignore")  # of damaged tags: what matters of them is refused
            pages = int(getattr(image, "n_frames", 1)) if kind == "TIFF" else 1
        except _BAD_PICTURE as error:
            raise FileRefused(f"{name}: its pages cannot be counted ({error}); export it again") from None
    check_size(name, rows, cols, pages)
    notes = []
    if mode in ("RGBA", "LA", "PA"):
        notes.append("its transparency is left out")
    calibration = _scale(path, spacing_mm)
    reason = (
        ""
        if calibration
        else ("a picture file states no scale; give spacing_mm=(row, col) or calibrate by the ruler")
    )
    source = FileSource(path, lambda index: _decode(path, index, (rows, cols)))
    frames = tuple(
        Frame(name, i, (rows, cols), source, describe, (), calibration, reason) for i in range(pages)
    )
    header = Header(format=kind, photometric=mode, lossy=True if kind == "JPEG" else None)
    return Scan(name, header, frames, source, tuple(notes))


def _opened(path: Path) -> ImageFile.ImageFile | Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures; check_size refuses them
        try:
            return Image.open(path, formats=_FORMATS)
        except (*_BAD_PICTURE, Image.DecompressionBombError) as error:
            raise FileRefused(
                f"{path.name}: is no readable picture ({error or type(error).__name__}); export it again"
            ) from None


def _decode(path: Path, index: int, shape: tuple[int, int]) -> Pixels:
    with _opened(path) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if index:
                image.seek(index)
            if (image.height, image.width) != shape:
                raise PixelsRefused(
                    f"{path.name}: page {index + 1} is {image.height} x {image.width}, the first is"
                    f" {shape[0]} x {shape[1]}; save the pages as single files"
                )
            stored = _stored(image)
            gray, rgb, rule = to_grey(stored)
        except _BAD_PICTURE as error:
            raise PixelsRefused(
                f"{path.name}: its pixels cannot be read ({error or type(error).__name__}); export it again"
            ) from None
        return Pixels(gray, rgb, rule, f"Pillow {PIL.__version__} {image.format}")


def _stored(image: Any) -> Stored:
    mode = image.mode
    if mode in ("L", "1", "LA"):
        return Stored(np.array(image.convert("L")), "MONOCHROME2")
    if mode.startswith("I;16"):
        return Stored(np.array(image).astype(np.uint16), "MONOCHROME2", bits=16)
    if mode in ("I", "F"):
        raise ValueError(f"{mode} pixels have no known grey range; save it as 8 or 16 bit grey")
    return Stored(np.array(image.convert("RGB")), "RGB", stream_colour="RGB")


def _scale(path: Path, given: tuple[float, float] | None) -> Calibration | None:
    if given is not None:
        return Calibration(*given, "given", detail="given by the caller")
    for suffix in _SIDECARS:
        sidecar = path.with_name(path.name + suffix)
        if sidecar.is_file():
            spacing = as_spacing(_sidecar_value(sidecar), sidecar.name)
            return Calibration(*spacing, "sidecar", detail=sidecar.name)
    return None


def _sidecar_value(sidecar: Path) -> Any:
    form = '{"spacing_mm": [0.05, 0.05]}' if sidecar.suffix == ".json" else "spacing_mm = [0.05, 0.05]"
    try:
        with sidecar.open("rb") as file:
            words = file.read(_MAX_SIDECAR).decode("utf-8-sig")
        table = json.loads(words) if sidecar.suffix == ".json" else tomllib.loads(words)
        return table["spacing_mm"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise FileRefused(
            f"{sidecar.name}: states no spacing ({error}); write {form}, mm per pixel down and across"
        ) from None
