"""The figures of a clustering, each drawn once: inside the page, and as SVG and PNG beside it."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from usimg.phenotype import drawings
from usimg.phenotype.claim import GROUPS, NO_GROUPS, SHARE, SUBSAMPLES
from usimg.phenotype.drawings import INK, QUIET, RULE

if TYPE_CHECKING:
    from usimg.phenotype.page import Beside
    from usimg.phenotype.result import Phenotypes

_OF_THE_PAGE = {INK: "var(--ink)", QUIET: "var(--quiet)", RULE: "var(--rule)"}
# A page has its own fonts, one style sheet, and no use for a drawing's metadata and repeated ids.
_INTO_A_PAGE = [
    (re.compile(pattern, re.DOTALL), instead)
    for pattern, instead in (
        (r"<metadata>.*?</metadata>", ""),
        (r"<style type=.*?</style>", ""),
        (r' xmlns(:xlink)?="[^"]*"', ""),
        (r'<g id="[^"]*"', "<g"),
        (r"font-family: sans-serif;? ?", ""),
        (r"font: ([0-9.]+)px [^;\"]*", r"font-size: \1px"),
    )
]
STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "usimg",  # the same figure is the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": QUIET,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
DPI = 200


def figures(result: Phenotypes, beside: Beside) -> dict[str, tuple[Figure, str]]:
    """Name to figure and caption, in the order of the report; what has nothing to show is left out."""
    drawn: dict[str, tuple[Callable[[], Figure | None], str]] = {
        "map": (
            lambda: drawings.patient_map(result),
            "Map of the patients: first and second principal component",
        ),
        "severity": (lambda: drawings.severity_histogram(result), "Severity of each patient"),
        "silhouettes": (
            lambda: drawings.silhouette_bars(result),
            "Silhouette of every patient (Rousseeuw 1987)",
        ),
        "stability": (
            lambda: drawings.stability_map(result),
            f"How often two patients fall into the same part in {SUBSAMPLES} subsamples of {SHARE:.0%}",
        ),
        "sweep": (lambda: drawings.sweep(result), "Number of parts: what each index says"),
        "power": (lambda: drawings.power_curve(result), "Which separation would have been seen"),
        "profile": (
            lambda: drawings.profile(result),
            "Features that made the parts: Hedges' g of the outer parts, 95 % interval; descriptive",
        ),
        "outcomes": (
            lambda: drawings.forest(beside),
            "Outcomes, adjusted: upper against lower part, and one SD of severity",
        ),
        "corrections": (lambda: drawings.handled(beside), "How values came about, by third of severity"),
        "specifications": (
            lambda: drawings.specification_curve(beside),
            "Every way to ask in the plan, by p of the separation",
        ),
        "change": (
            lambda: drawings.changes(beside),
            "Change over time of the primary measure, with its interval",
        ),
        "flow": (lambda: drawings.flow_chart(beside), "Who is in"),
    }
    with mpl.rc_context(STYLE):
        made = {name: (draw(), caption) for name, (draw, caption) in drawn.items()}
    under = _under(result)
    coloured = ("map", "severity", "silhouettes", "stability", "profile")
    return {
        name: (figure, f"{caption}.{under if name in coloured else ''}")
        for name, (figure, caption) in made.items()
        if figure is not None
    }


def as_svg(figure: Figure, *, for_page: bool = False) -> str:
    """The figure as SVG text; `for_page` in the page's colours and without a heading."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    if not for_page:
        return text
    text = text[text.index("<svg") :]
    for pattern, instead in _INTO_A_PAGE:
        text = pattern.sub(instead, text)
    for drawn, theirs in _OF_THE_PAGE.items():
        text = text.replace(drawn, theirs)
    return text


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write ``name.svg`` and ``name.png`` into a folder."""
    from usimg.study.files import write_text  # noqa: PLC0415  a page needs no files

    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{name}.svg", as_svg(figure))
    temporary = folder / f".{name}.png.tmp"
    with mpl.rc_context(STYLE):
        FigureCanvasAgg(figure)
        figure.savefig(temporary, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    os.replace(temporary, folder / f"{name}.png")  # noqa: PTH105  replaces on Windows too


def _under(result: Phenotypes) -> str:
    """What stands under each figure that shows parts which are no groups."""
    if result.claim == GROUPS:
        return ""
    if result.claim == NO_GROUPS:
        return " The colours are a partition of a continuum."
    return " The colours are parts, not groups that were shown."
