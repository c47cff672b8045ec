"""What ``usimg review PATH`` was given, and where the study of a folder of scans lies. No Qt."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from usimg.errors import FileRefused, StudyRefused
from usimg.study import Study

# Where systems hang in sticks, cards and disks that are taken away again.
_REMOVABLE = ("/media/", "/run/media/", "/mnt/", "/Volumes/")
_DRIVE_REMOVABLE, _DRIVE_CDROM = 2, 5  # Windows: GetDriveType


@dataclass(frozen=True)
class Opened:
    """A study, and the folder or file of scans that it was opened for (None: the study itself)."""

    study: Study
    scans: Path | None = None


def opened(path: str | Path) -> Opened:
    """The study at ``path``, or that of the folder or file of scans there; it is made when there is none.

    Raises
    ------
    FileRefused
        Nothing is there.
    StudyRefused
        The study cannot be made or opened.
    """
    place = Path(path)
    if (place / "study.toml").exists():
        return Opened(Study.open(place))
    if not place.exists():
        raise FileRefused(f"{path}: no such study, folder or file; check the path")
    place = place.resolve()
    folder = place.parent if place.is_file() else place
    root = beside(folder)
    if (root / "study.toml").exists():
        return Opened(Study.open(root), place)
    return Opened(Study.create(root, source=folder), place)


def beside(folder: Path) -> Path:
    """Where the study of a folder of scans lies: next to it; for a stick in the person's home.

    Raises
    ------
    StudyRefused
        Neither place can be written.
    """
    home = Path.home() / "usimg studies"
    name = f"{folder.name or 'scans'} usimg study"
    there = folder.parent / name
    if there.exists():
        return there
    if not is_removable(folder) and folder.parent != folder and os.access(folder.parent, os.W_OK):
        return there
    try:
        home.mkdir(exist_ok=True)
    except OSError as error:
        raise StudyRefused(
            f"a study can be made neither beside {folder} nor in {home}: {error.strerror or error};"
            " make one elsewhere: usimg extract SCANS --study STUDY"
        ) from None
    return home / name


def is_removable(folder: Path) -> bool:
    """Whether a folder lies on a stick or disc that somebody will pull out."""
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415  there only

        return ctypes.windll.kernel32.GetDriveTypeW(folder.anchor) in (_DRIVE_REMOVABLE, _DRIVE_CDROM)
    return str(folder).startswith(_REMOVABLE)
