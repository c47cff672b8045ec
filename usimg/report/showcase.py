"""One picture of what usimg does: scans with their outlines, and the numbers under them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from usimg.errors import StudyRefused
from usimg.report.content import Contents, Measurement, Tile
from usimg.report.drawing import Crop, paint
from usimg.report.gather import Pictures, gather

if TYPE_CHECKING:
    from usimg.study import Study

PANELS = 4
SIDE_PX = 720
WIDTH_IN, DPI = 12.0, 150
INK, QUIET = "#1b1f24", "#59636e"


def result_picture(study: Study, path: str | os.PathLike[str]) -> Path:
    """Write a PNG of up to four pictures of a study, each with its outlines and numbers.

    Of every kind of view (the same structures in one picture) the one of highest confidence is
    taken, those with most structures first.

    Parameters
    ----------
    study : Study
    path : path

    Returns
    -------
    Path

    Raises
    ------
    StudyRefused
        Nothing in the study can be shown.
    """
    contents = gather(study)
    pictures = Pictures(study, longest_side=SIDE_PX, enlarge=True)
    panels: list[tuple[Tile, Crop]] = []
    for tile in _of_each_kind(contents):
        shown = pictures(tile)
        if isinstance(shown, Crop):
            panels.append((tile, shown))
        if len(panels) == PANELS:
            break
    if not panels:
        raise StudyRefused("no measured picture of this study can be shown; run usimg extract first")
    figure = _drawn(panels, synthetic=bool(contents.synthetic))
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=DPI, metadata={"Software": None})
    return target


def _of_each_kind(contents: Contents) -> list[Tile]:
    best: dict[tuple[str, ...], Tile] = {}
    for tile in sorted(contents.tiles, key=lambda tile: tile.order, reverse=True):
        if all(m.shape is not None for m in tile.measurements):
            best.setdefault(tuple(sorted(m.structure for m in tile.measurements)), tile)
    return sorted(best.values(), key=lambda tile: (-len(tile.measurements), tile.order))


def _drawn(panels: list[tuple[Tile, Crop]], *, synthetic: bool) -> Figure:
    """Pictures of one height side by side, numbers below."""
    ratios = [shown.grey.shape[1] / shown.grey.shape[0] for _, shown in panels]
    gap = 0.015
    height_in = (WIDTH_IN * (1 - gap * (len(panels) - 1))) / sum(ratios)
    lines = max(len(tile.measurements) for tile, _ in panels)
    text_in = 0.35 + 0.44 * lines
    total_in = height_in + text_in + 0.3
    figure = Figure(figsize=(WIDTH_IN, total_in), facecolor="white")
    FigureCanvasAgg(figure)
    left = 0.0
    for (tile, shown), ratio in zip(panels, ratios, strict=True):
        width = height_in * ratio / WIDTH_IN
        axes = figure.add_axes((left, 1 - height_in / total_in, width, height_in / total_in))
        shapes = [m.shape for m in tile.measurements if m.shape is not None]
        axes.imshow(paint(shown, shapes, width=3), interpolation="antialiased", aspect="auto")
        axes.set_axis_off()
        top = 1 - (height_in + 0.22) / total_in
        for number, measurement in enumerate(tile.measurements):
            _say(figure, measurement, left, top - 0.44 * number / total_in, width, 0.2 / total_in)
        left += width + gap
    note = "Bars: 10 mm. Echo intensity (EI): mean grey level, 0 to 255. Research use only."
    figure.text(0.0, 0.06 / total_in, ("Synthetic scans. " if synthetic else "") + note, size=8, color=QUIET)
    return figure


def _say(
    figure: Figure, measurement: Measurement, left: float, top: float, width: float, step: float
) -> None:
    colour = measurement.shape.colour if measurement.shape is not None else QUIET
    figure.text(left, top, "\N{BLACK SQUARE}", size=10, color=colour, va="top")
    figure.text(left + 0.014, top, measurement.label, size=9.5, color=INK, va="top", weight="bold")
    values = []
    if measurement.thickness_mm is not None:
        values.append(f"{measurement.thickness_mm:.1f} mm")
    if measurement.csa_mm2 is not None:
        values.append(f"{measurement.csa_mm2:.1f} mm\N{SUPERSCRIPT TWO}")
    if measurement.echo_intensity is not None:
        values.append(f"EI {measurement.echo_intensity:.0f}")
    figure.text(left + 0.014, top - step, "   ".join(values), size=9.5, color=INK, va="top")
