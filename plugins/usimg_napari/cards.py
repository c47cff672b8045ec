"""What a tile of the grid shows: picture, outlines, words; and small pictures made ahead of time. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import usimg
from usimg.errors import StudyRefused, UsimgError
from usimg.report.drawing import Crop, crop
from usimg.study import Study
from usimg.study.pixels import open_scan

# Longest side of a tile's picture, px: sharp at the tile's size on a screen of high density.
SIDE_PX = 320
PLAIN, PROPOSED, DONE, FLAGGED, OUT, EMPTY = "plain", "proposed", "done", "flagged", "out", "empty"


@dataclass(frozen=True)
class Source:
    """Which picture a tile shows; ``scan`` (its hash) where the file may be gone."""

    path: str
    frame: int
    region: int | None = None
    scan: str = ""


@dataclass(frozen=True)
class Line:
    """One outline on a tile.

    Attributes
    ----------
    points : (N, 2) array
        (row, col) px of the frame.
    """

    points: NDArray[np.float64]
    colour: str
    closed: bool = True


@dataclass(frozen=True)
class Card:
    """One tile.

    Attributes
    ----------
    title : str
        In the first line, with ``sign`` before it.
    lines : tuple of str
        Below the picture.
    tone : str
        How it is framed: one of the constants above; the sign says the same.
    """

    source: Source | None
    title: str
    sign: str = ""
    lines: tuple[str, ...] = ()
    tone: str = PLAIN
    outlines: tuple[Line, ...] = ()
    tip: str = ""


@dataclass(frozen=True)
class Row:
    """Tiles side by side, with what stands before them."""

    heading: str
    cards: tuple[Card, ...] = field(default_factory=tuple)


def thumbnail(source: Source, study: Study) -> Crop | str:
    """The field of a frame, small and with everything around it masked; or why there is none.

    Of a file that is gone, what the study kept of it.
    """
    try:
        there = Path(source.path).is_file()
        scan = usimg.read(source.path) if there else open_scan(study, source.scan)
        frame = scan.frames[min(source.frame, len(scan.frames) - 1)]
        held = next((r for r in frame.regions if r.index == source.region), None)
        calibration = frame.calibration if held is None else held.calibration or frame.calibration
        shown = crop(
            frame.gray,
            frame.scan_area,
            within=None if held is None else held.box,
            spacing=None if calibration is None else calibration.spacing,
            longest_side=SIDE_PX,
        )
    except StudyRefused:
        return "the file is not where it was"
    except (UsimgError, IndexError) as error:
        return f"cannot be shown: {type(error).__name__}"
    return shown if shown is not None else "no field of a scan was found in it"
