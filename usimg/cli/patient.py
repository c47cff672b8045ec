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
    sign: Annotated[
        str, typer.Option(help="Your name: sign the visit for exactly what counts now.", metavar="NAME")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a patient's visit as one page: values, repeats, sides, the visit before, pictures, signature.

    A signature holds until anything that counts changes; the page says so then. Look at the page first:
    --sign needs --visit.

    Example: usimg patient my_study P07
    """
    from usimg.report import patient_report
    from usimg.study import Study
    from usimg.study.signing import sign as sign_visit

    opened = Study.open(study)
    if sign:
        if visit is None:
            raise typer.BadParameter("say which visit is signed: --visit", param_hint="--sign")
        sign_visit(opened, subject, visit, author=sign, include_unvalidated=include_unvalidated)
    page = patient_report(opened, subject, out, visit=visit, include_unvalidated=include_unvalidated)
    if as_json:
        print_json({"page": str(page)})
    else:
        say(f"page     {page}", "bold")
