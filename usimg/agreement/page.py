"""The page of one comparison, with its tables as CSV and its figures as SVG beside it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from usimg.agreement.figures import figures
from usimg.agreement.result import Agreement, Estimate
from usimg.agreement.table import REREAD
from usimg.agreement.words import answer, decimals, figure, methods, with_interval
from usimg.pages import render, write_page
from usimg.study.delimited import write_rows
from usimg.study.files import write_text

# More plots than this make the page heavy; the files beside it are complete.
SHOWN = 24


def write(found: Agreement, folder: Path, command: str = "") -> Path:
    """Write ``agreement.html``, ``*.csv`` and ``figures/*.svg`` into a folder.

    Parameters
    ----------
    found : Agreement
    folder : Path
    command : str
        What a reader types to make it again; no paths in it.

    Returns
    -------
    Path
        The page.
    """
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    tables = found.tables()
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table)
    drawn = figures(found)
    for one in drawn:
        write_text(folder / "figures" / f"{one.stem}.svg", one.svg)
    html = render(
        "usimg.agreement",
        "agreement.html.j2",
        found=found,
        reread=found.between in REREAD,
        answer=answer(found),
        methods=methods(found),
        # The drawings come from our own template, which escaped what stands in them.
        figures=[(one, Markup(one.svg)) for one in drawn[:SHOWN]],  # noqa: S704
        hidden=max(0, len(drawn) - SHOWN),
        tables=list(tables),
        places=places,
        with_interval=with_interval,
        figure=figure,
        command=command or f'usimg.agreement.compare(table, "{found.between}")',
    )
    return write_page(folder / "agreement.html", html)


def places(one: Estimate) -> int:
    """Decimals of the values of one analysis, from its error."""
    sizes = [error.sem.value for error in one.errors if not error.reason] or [pair.sd for pair in one.pairs]
    return decimals(min(sizes)) if sizes else 2


def write_table(path: Path, table: pd.DataFrame) -> None:
    """A table as CSV; numbers that are missing are empty cells."""
    cells = table.astype(object).where(table.notna(), None)
    write_rows(path, list(map(str, table.columns)), cells.itertuples(index=False, name=None))
