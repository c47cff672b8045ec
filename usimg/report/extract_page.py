"""The page of an extract: contents and pictures in, one HTML file out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from usimg.pages import render, write_page
from usimg.report.content import (
    SAMPLE_SEED,
    TRUSTED,
    Contents,
    Measurement,
    Tile,
    cautions,
    chosen,
    grouped,
    headline,
    structures_of,
)
from usimg.report.drawing import Crop, Shape, data_uri, svg_path, view_box
from usimg.report.gather import gather, outlines_of
from usimg.report.pictures import Pictures

if TYPE_CHECKING:
    from usimg.study import Study

# Pictures in a report before it shows the worst and a sample: as many as a person looks through.
LIMIT = 200
# Scans named under a reason before the rest is only counted.
LISTED = 12


@dataclass(frozen=True)
class Picture:
    """A tile's picture, ready for the page, or why there is none."""

    uri: str = ""
    width: int = 0
    height: int = 0
    view_box: str = ""
    bar_mm: float | None = None
    bar_share: float = 0.0
    reason: str = ""


PictureOf = Callable[[Tile], "tuple[Tile, Crop | str]"]


def extract_report(study: Study, path: str | os.PathLike[str], *, limit: int = LIMIT) -> Path:
    """Write the report of a study: one HTML file, all outlines over their pictures, worst first.

    Parameters
    ----------
    study : Study
    path : path
        Where the page goes; it is written whole or not at all.
    limit : int
        Pictures shown. A larger study shows this many of the lowest confidence, and a random sample
        of the others.

    Returns
    -------
    Path
        Where the page lies.

    Notes
    -----
    Scans are named by their short hash, subjects by their study id; pictures are cut to the scan
    area and black outside it; the page asks nothing of the network.
    """
    contents, rows = gather(study)
    drawn = outlines_of(study, rows, [tile for tiles in chosen(contents.tiles, limit) for tile in tiles])
    return write_extract_page(contents, Pictures(study, drawn), path, limit=limit)


def write_extract_page(
    contents: Contents, picture_of: PictureOf, path: str | os.PathLike[str], *, limit: int
) -> Path:
    """Write the report.

    Parameters
    ----------
    contents : Contents
    picture_of : callable
        Tile to the tile with its outlines and its `Crop`, or a sentence that says why there is none.
        Called for the tiles that are shown only.
    path : path
    limit : int
        Pictures before the sheet becomes the worst and a sample.
    """
    worst, sample = chosen(contents.tiles, limit)
    structures = structures_of(contents.tiles)
    html = render(
        "usimg.report",
        "extract.html.j2",
        headline=headline(contents),
        cautions=cautions(contents),
        contents=contents,
        sheets=[_sheet(worst, picture_of), _sheet(sample, picture_of)],
        structures=structures,
        classes={name: f"s{i}" for i, (name, _, _) in enumerate(structures)},
        failures=grouped(contents.failures),
        limit=limit,
        listed=LISTED,
        seed=SAMPLE_SEED,
        words=_words,
        path_of=svg_path,
        echo_path_of=lambda shape: svg_path(Shape(polygons=shape.echo_region)),
        doubtful=_doubtful,
    )
    return write_page(path, html)


def _sheet(tiles: list[Tile], picture_of: PictureOf) -> list[tuple[Tile, Picture]]:
    return [(drawn, _picture(shown)) for drawn, shown in map(picture_of, tiles)]


def _picture(shown: Crop | str) -> Picture:
    if isinstance(shown, str):
        return Picture(reason=shown)
    height, width = shown.grey.shape
    bar = shown.scale_bar_mm
    share = bar / shown.width_mm if bar is not None and shown.width_mm is not None else 0.0
    return Picture(data_uri(shown), width, height, view_box(shown), bar, share)


def _words(name: str) -> str:
    """A rule or site of the anatomy list as words."""
    return name.replace("_", " ")


def _doubtful(measurement: Measurement) -> bool:
    return not measurement.decided and (measurement.confidence or 0.0) < TRUSTED
