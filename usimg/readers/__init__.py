"""A path to a Scan: whichever reader recognises the file opens it.

A reader is a module of a page with three names: ``NAME``, ``sniff(path, head) -> bool`` on the file's
first 256 bytes, and ``open_scan(path, *, spacing_mm, describe) -> Scan``. Built in are DICOM, stills and
clips; others come from installed packages, entry point group ``usimg.readers``, and are asked first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from usimg.errors import FileRefused
from usimg.readers.spacing import as_spacing

if TYPE_CHECKING:
    from usimg.scan import Frame, Picture, Scan

GROUP = "usimg.readers"
_BUILT_IN = ("usimg.readers.dicom", "usimg.readers.stills", "usimg.readers.clips")
_HEAD = 256


class Reader(Protocol):
    """What a reader module offers."""

    NAME: str

    def sniff(self, path: Path, head: bytes) -> bool:
        """Whether this reader knows the file, from its first 256 bytes."""

    def open_scan(
        self, path: Path, *, spacing_mm: tuple[float, float] | None, describe: Callable[[Frame], Picture]
    ) -> Scan:
        """Read the header; raises `UsimgError` naming the file."""


def open_scan(path: str | Path, *, spacing_mm: Any = None, describe: Callable[[Frame], Picture]) -> Scan:
    """Open a file with the reader that recognises it; only its header is read.

    Parameters
    ----------
    path : path
    spacing_mm : float or (row, col), optional
        Millimetres per pixel; stands above what the file says, and the scan's notes say so.
    describe : callable
        ``describe(frame) -> Picture``, called when kind, scan area or overlays are touched.

    Raises
    ------
    FileRefused
        No such file, a folder, empty, of no known kind, or a spacing that is no size.
    PixelsRefused
        The pixels are stored in a way that nothing here decodes.
    """
    path = Path(path)
    spacing = None if spacing_mm is None else as_spacing(spacing_mm, path.name)
    reader = reader_for(path)
    if reader is None:
        raise FileRefused(
            f"{path.name}: is neither DICOM nor a PNG, TIFF, JPEG, BMP or WebP picture, nor an AVI or MP4"
            " clip; export the scan as DICOM"
        )
    try:
        return reader.open_scan(path, spacing_mm=spacing, describe=describe)
    except OSError as error:
        raise FileRefused(f"{path.name}: cannot be read ({error.strerror or error})") from None


def reader_for(path: str | Path) -> Reader | None:
    """The reader that recognises the file, or None: then it is no scan.

    Raises
    ------
    FileRefused
        No such file, a folder, not readable, or empty.
    """
    path = Path(path)
    head = _head(path)
    return next((reader for reader in _readers() if reader.sniff(path, head)), None)


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise FileRefused(f"{path.name}: is a folder; usimg extract reads folders, usimg.read one file")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        raise FileRefused(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise FileRefused(f"{path.name}: cannot be read ({error}); check its permissions") from None
    if not head:
        raise FileRefused(f"{path.name}: is empty (0 bytes); copy or export it again")
    return head


@cache
def _readers() -> tuple[Reader, ...]:
    plugged: list[Any] = [point.load() for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)]
    return (*plugged, *(import_module(name) for name in _BUILT_IN))
