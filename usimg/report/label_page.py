"""Thumbnails of the pictures to be named, numbered as in the table. For the study's private folder only.

Text in the frame is not masked here: what a sonographer typed into the picture is what names it.
"""

from __future__ import annotations

import io
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from usimg.errors import UsimgError
from usimg.opening import read
from usimg.pages import render, write_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from usimg.extract.labelsheet import SheetLine
    from usimg.scan import Frame

# Large enough to read what is typed into a picture (chosen here).
SIDE_PX = 420
_QUALITY = 70


def label_page(
    lines: list[SheetLine],
    root: Path,
    path: Path,
    *,
    table: str,
    on_picture: Callable[[int], None] | None = None,
) -> Path:
    """Write the page of thumbnails.

    Parameters
    ----------
    lines : list of SheetLine
    root : Path
        The archive's folder, below which the files lie.
    path : Path
        Inside the study's private folder: the page shows patients' ids and what is typed into pictures.
    table : str
        Name of the table that is filled in.
    on_picture : callable, optional
        Told how many pictures are drawn.
    """
    tiles = []
    for count, line in enumerate(lines, start=1):
        tiles.append((line, *_thumbnail(root, line)))
        if on_picture is not None:
            on_picture(count)
    return write_page(path, render("usimg.report", "labels.html.j2", tiles=tiles, table=table))


def _thumbnail(root: Path, line: SheetLine) -> tuple[str, str]:
    """A picture as a data URI, or why there is none."""
    file = root / line.picture.file if root.is_dir() else root
    try:
        scan = read(file)
        frame = scan.frames[
            len(scan.frames) // 2 if line.picture.label.frame is None else line.picture.label.frame
        ]
        return _uri(_shown(frame, line.region)), ""
    except (UsimgError, IndexError) as error:
        return "", str(error)


def _shown(frame: Frame, region: int | None) -> NDArray[np.uint8]:
    pane = next((pane for pane in frame.tissue_regions if pane.index == region), None)
    if pane is None:
        return frame.gray
    r0, c0, r1, c1 = pane.box
    return frame.gray[r0:r1, c0:c1]


def _uri(grey: NDArray[np.uint8]) -> str:
    image = Image.fromarray(np.ascontiguousarray(grey))
    image.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{b64encode(stream.getvalue()).decode('ascii')}"
