"""One picture of what usimg does: scans with their outlines, and the numbers under them."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from usimg.errors import StudyRefused
from usimg.report.content import Contents, Measurement, Tile
from usimg.report.drawing import Crop, paint
from usimg.report.gather import gather, outlines_of
from usimg.report.pictures import Pictures

if TYPE_CHECKING:
    from usimg.study import Study

PANELS = 4
SIDE_PX = 720
WIDTH_IN, DPI = 12.0, 150
# Between pictures, as a share of the width; between lines of text; of letters, in points.
GAP, LINE_IN, SIZE = 0.015, 0.19, 9.5
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
    contents, rows = gather(study)
    best = _candidates(contents)
    rows = outlines_of(study, rows, best)
    pictures = Pictures(study, rows, longest_side=SIDE_PX, enlarge=True)
    panels: list[tuple[Tile, Crop]] = []
    for tile in best:
        drawn, shown = pictures(tile)
        if isinstance(shown, Crop):
            panels.append((drawn, shown))
        if len(panels) == PANELS:
            break
    if not panels:
        raise StudyRefused("no measured picture of this study can be shown; run usimg extract first")
    figure = _drawn(panels, synthetic=bool(contents.synthetic))
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=DPI, metadata={"Software": None})
    return target


def _candidates(contents: Contents) -> list[Tile]:
    """The best tile of every set of structures; those that add a kind of structure come first."""
    best: dict[tuple[str, ...], Tile] = {}
    for tile in sorted(contents.tiles, key=lambda tile: tile.order, reverse=True):
        if all(m.measured for m in tile.measurements):
            best.setdefault(tuple(sorted(m.structure for m in tile.measurements)), tile)
    ordered = sorted(best.values(), key=lambda tile: (-len(tile.measurements), tile.order))
    kinds: set[str] = set()
    leading = []
    for tile in ordered:
        shown = {m.kind for m in tile.measurements}
        if shown - kinds:
            leading.append(tile)
            kinds |= shown
    return leading + [tile for tile in ordered if tile not in leading]


def _drawn(panels: list[tuple[Tile, Crop]], *, synthetic: bool) -> Figure:
    """Pictures of one height side by side, numbers below."""
    ratios = [shown.grey.shape[1] / shown.grey.shape[0] for _, shown in panels]
    height_in = WIDTH_IN * (1 - GAP * (len(panels) - 1)) / sum(ratios)
    texts = [
        [_lines(m, height_in * ratio) for m in tile.measurements]
        for (tile, _), ratio in zip(panels, ratios, strict=True)
    ]
    most = max(sum(len(lines) + 0.35 for lines in column) for column in texts)
    total_in = height_in + 0.2 + most * LINE_IN + 0.35
    figure = Figure(figsize=(WIDTH_IN, total_in), facecolor="white")
    FigureCanvasAgg(figure)
    left = 0.0
    for (tile, shown), ratio, column in zip(panels, ratios, texts, strict=True):
        width = height_in * ratio / WIDTH_IN
        axes = figure.add_axes((left, 1 - height_in / total_in, width, height_in / total_in))
        shapes = [m.shape for m in reversed(tile.measurements) if m.shape is not None]
        axes.imshow(paint(shown, shapes, width=3), interpolation="antialiased", aspect="auto")
        axes.set_axis_off()
        below_in = height_in + 0.2
        for measurement, lines in zip(tile.measurements, column, strict=True):
            colour = measurement.shape.colour if measurement.shape is not None else QUIET
            figure.text(
                left, 1 - below_in / total_in, "\N{BLACK SQUARE}", size=SIZE, color=colour, va="baseline"
            )
            for number, line in enumerate(lines):
                weight = "normal" if number == len(lines) - 1 else "bold"
                y = 1 - (below_in + number * LINE_IN) / total_in
                figure.text(left + 0.014, y, line, size=SIZE, color=INK, weight=weight, va="baseline")
            below_in += (len(lines) + 0.35) * LINE_IN
        left += width + GAP
    note = "Bars: 10 mm. Echo intensity (EI): mean grey level, 0 to 255. Research use only."
    figure.text(0.0, 0.06 / total_in, ("Synthetic scans. " if synthetic else "") + note, size=8, color=QUIET)
    return figure


def _lines(measurement: Measurement, width_in: float) -> list[str]:
    """Label, folded to the width of its picture, then the numbers."""
    values = []
    if measurement.thickness_mm is not None:
        values.append(f"{measurement.thickness_mm:.1f} mm")
    if measurement.csa_mm2 is not None:
        values.append(f"{measurement.csa_mm2:.1f} mm\N{SUPERSCRIPT TWO}")
    if measurement.echo_intensity is not None:
        values.append(f"EI {measurement.echo_intensity:.0f}")
    # A bold letter of this font is about 0.7 of its size wide.
    letters = max(12, int((width_in - 0.2) / (0.7 * SIZE / 72)))
    return [*wrap(measurement.label, letters), "   ".join(values)]
