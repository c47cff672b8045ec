"""Figures as SVG: one text for the page and for a file of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from usimg.agreement.bland_altman import Limits
from usimg.agreement.result import Agreement, Estimate
from usimg.pages import render

# Points beyond these many are thinned for the drawing, evenly over the values; the numbers use all.
_MOST = 2000


@dataclass(frozen=True)
class Figure:
    """One drawing.

    Attributes
    ----------
    stem : str
        File name without its ending; made of structure, site, side and measure alone.
    title : str
    svg : str
    """

    stem: str
    title: str
    svg: str


@dataclass(frozen=True)
class Axis:
    """A range of values on the drawing, with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    places: int


def figures(found: Agreement) -> list[Figure]:
    """Bland-Altman plots, one per analysis and pair of levels."""
    return [
        _plot(one, pair, f"{number:02d}_{at}")
        for number, one in enumerate(found.estimates, start=1)
        for at, pair in enumerate(one.pairs, start=1)
    ]


def _plot(one: Estimate, pair: Limits, number: str) -> Figure:
    of = one.comparison
    kept = np.unique(np.linspace(0, pair.n_pairs - 1, min(pair.n_pairs, _MOST)).astype(int))
    order = np.argsort(pair.means, kind="stable")[kept]
    reach = [pair.lower.low, pair.upper.high, pair.differences.min(), pair.differences.max()]
    x = axis(float(pair.means.min()), float(pair.means.max()))
    y = axis(float(np.nanmin(reach)), float(np.nanmax(reach)))
    unit = f" ({of.unit})" if of.unit else ""
    title = f"{one.name}: {pair.first} minus {pair.second}"
    svg = render(
        "usimg.agreement",
        "bland_altman.svg.j2",
        title=title,
        pair=pair,
        points=list(zip(pair.means[order], pair.differences[order], strict=True)),
        x=x,
        y=y,
        x_label=f"mean of the two{unit}",
        y_label=f"{pair.first} \u2212 {pair.second}{unit}",
    )
    words = "_".join(filter(None, (of.structure, of.site, of.side.replace(" ", "_"), of.measure)))
    return Figure(f"bland_altman_{number}_{re.sub(r'[^A-Za-z0-9_]+', '', words)}", title, svg)


def axis(low: float, high: float) -> Axis:
    """A range with a margin and about five ticks at round numbers.

    >>> axis(0.0, 10.0).ticks
    (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    """
    span = max(high - low, 1e-9)
    power = 10.0 ** np.floor(np.log10(span / 5))
    step = power * next(s for s in (1, 2, 5, 10) if span / (s * power) <= 6)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    places = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    margin = 0.04 * span
    ticks = tuple(float(n * step) for n in range(first, last + 1))
    return Axis(low - margin, high + margin, ticks, places)
