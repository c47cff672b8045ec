"""``usimg patient``: one patient's visit on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from usimg.cli.screen import print_json, say


def patient(
    study: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the study.")],
    subject: Annotated[str, typer.Argument(help="Study id of the patient.")],
    *,
    visit: Annotated[
        str | None, typer.Option(help="Which visit; the last one when left out.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the page goes; the exports folder when left out.")
    ] = None,
    include_unvalidated: Annotated[
        bool, typer.Option("--include-unvalidated", help="Take outlines nobody validated.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a patient's visit as one page: values, repeats, sides, the visit before, pictures, signature.

    Example: usimg patient my_study P07
    """
    from usimg.report import patient_report
    from usimg.study import Study

    page = patient_report(
        Study.open(study), subject, out, visit=visit, include_unvalidated=include_unvalidated
    )
    if as_json:
        print_json({"page": str(page)})
    else:
        say(f"page     {page}", "bold")
