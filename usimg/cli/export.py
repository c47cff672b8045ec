"""``usimg export``: the study's tables for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from usimg.cli.screen import Exit, complain, print_json, say


def export(
    study: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the study.")],
    *,
    include_unvalidated: Annotated[
        bool, typer.Option("--include-unvalidated", help="Patient rows take outlines nobody validated.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write current.parquet, measurements.csv, wide.csv and failures.csv into the study's exports folder.

    Example: usimg export my_study
    """
    from usimg.study import Study
    from usimg.study.exports import export as write_exports

    exported = write_exports(Study.open(study), include_unvalidated=include_unvalidated)
    for problem in exported.problems:
        complain(problem, "yellow")
    if as_json:
        print_json(
            {
                "folder": str(exported.folder),
                "rows": exported.rows,
                "counted": exported.counted,
                "patient_rows": exported.patient_rows,
                "problems": exported.problems,
            }
        )
    else:
        say(
            f"{exported.rows} measurements, {exported.counted} count, {exported.patient_rows} patient rows:"
            f" {exported.folder}"
        )
    if not exported.rows:
        raise typer.Exit(Exit.NOTHING_FOUND)
    if exported.problems:
        raise typer.Exit(Exit.SOME_FAILED)
