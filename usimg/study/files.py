"""Whole files or none: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from usimg.errors import StudyRefused


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write; rename it to ``path`` at the end, or remove it on an error.

    Raises
    ------
    StudyRefused
        The folder cannot be written, the disk is full, or another program holds ``path`` open.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except PermissionError as error:
        raise StudyRefused(
            f"{path.name} cannot be written ({error.strerror}); close it in Excel or other programs,"
            " or check the rights of its folder"
        ) from error
    except OSError as error:
        raise StudyRefused(f"{path.name} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


@dataclass
class Place:
    """Where a file is being written, and where it came to lie."""

    temporary: Path
    path: Path
    held_open: bool = False


@contextmanager
def written_beside(path: Path) -> Iterator[Place]:
    """As `written_whole`; while another program holds ``path`` open, the file becomes a numbered sibling.

    Excel on Windows locks what it shows: ``wide.csv`` is then written as ``wide (2).csv``, and
    ``Place.held_open`` says so.
    """
    place = Place(path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"), path)
    try:
        yield place
        with place.temporary.open("rb+") as file:
            os.fsync(file.fileno())
        try:
            place.temporary.replace(path)
        except PermissionError:
            free = (path.with_name(f"{path.stem} ({n}){path.suffix}") for n in range(2, 100))
            place.path = next(sibling for sibling in free if not sibling.exists())
            place.temporary.replace(place.path)
            place.held_open = True
    except OSError as error:
        raise StudyRefused(f"{path.name} cannot be written: {error.strerror or error}") from error
    finally:
        place.temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
