"""``usimg export``: the study's tables for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from usimg.cli.screen import Exit, complain, print_json, say


class CsvLocale(StrEnum):
    """How CSV files write numbers."""

    international = "en"
    german = "de"


def export(
    study: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the study.")],
    *,
    include_unvalidated: Annotated[
        bool, typer.Option("--include-unvalidated", help="Patient rows take outlines nobody validated.")
    ] = False,
    excel: Annotated[
        bool, typer.Option("--excel/--no-excel", help="Write study.xlsx, a workbook for people.")
    ] = True,
    redcap: Annotated[
        bool, typer.Option("--redcap", help="Write a REDCap import and its dictionary.")
    ] = False,
    rois: Annotated[
        bool,
        typer.Option("--rois", help="Write the outlines too: GeoJSON and ImageJ's RoiSet, in exports/rois."),
    ] = False,
    csv_locale: Annotated[
        CsvLocale, typer.Option(help="de: semicolons and decimal commas, as Excel in German opens them.")
    ] = CsvLocale.international,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the study's tables into its exports folder: Parquet, CSV (long and wide), Excel, REDCap.

    Example: usimg export my_study --csv-locale de
    """
    from usimg.study import Study
    from usimg.study.exports import export as write_exports
    from usimg.study.roi_export import export_rois
    from usimg.study.tables import RULE, RULE_UNVALIDATED

    opened = Study.open(study)
    exported = write_exports(
        opened,
        include_unvalidated=include_unvalidated,
        excel=excel,
        redcap=redcap,
        locale="de" if csv_locale is CsvLocale.german else "",
    )
    outlines = export_rois(opened) if rois else None
    for problem in (*exported.problems, *exported.notes):
        complain(problem, "yellow")
    if as_json:
        print_json(
            {
                "folder": str(exported.folder),
                "rows": exported.rows,
                "counted": exported.counted,
                "patient_rows": exported.patient_rows,
                "rois": None if outlines is None else outlines[1],
                "rule": RULE,
                "include_unvalidated": include_unvalidated,
                "problems": exported.problems,
                "notes": exported.notes,
            }
        )
    else:
        say(
            f"{exported.rows} measurements, {exported.counted} count, {exported.patient_rows} patient rows:"
            f" {exported.folder}"
        )
        if outlines is not None:
            say(f"{outlines[1]} outlines of {outlines[2]} frames: {outlines[0]}")
        say(f"{RULE} {RULE_UNVALIDATED}" if include_unvalidated else RULE)
    if not exported.rows:
        raise typer.Exit(Exit.NOTHING_FOUND)
    if exported.problems:
        raise typer.Exit(Exit.SOME_FAILED)
