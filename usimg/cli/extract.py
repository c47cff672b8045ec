"""``usimg extract``: any folder of scans in; a table, a report, a list of failures out."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usimg.cli.screen import Exit, complain, err, print_json, safe, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from usimg.extract import Summary, Survey
    from usimg.study import Study
    from usimg.study.exports import Exported

# Windows waits on at most 63 handles, two of which the pool needs.
MOST_WORKERS = 61
LISTED = 5


def extract(
    archive: Annotated[Path, typer.Argument(exists=True, help="Folder of scans, or one scan.")],
    *,
    study: Annotated[Path, typer.Option(help="Folder of the study; made when it is not there.")],
    structure: Annotated[str, typer.Option(help="All scans show this structure or view.")] = "",
    manifest: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV or Excel: which file shows what, of whom."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes; one a processor when left out.", show_default=False)
    ] = 0,
    segmenter: Annotated[str, typer.Option(help="Which outliner; packages may add some.")] = "classical",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Go on although many scans have no label.")
    ] = False,
    include_unvalidated: Annotated[
        bool, typer.Option("--include-unvalidated", help="Patient rows take outlines nobody validated.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Outline and measure every scan of a folder that the study does not hold yet.

    A manifest has a column file (name or pattern) and, as far as known, frame, region, subject, visit,
    view or structure, site, side, plane, state, repeat, operator, row_mm, col_mm, exclude, reason.

    Without --manifest the study's own holds: private/manifest.csv or .xlsx.

    Example: usimg extract scans/ --study my_study --manifest labels.csv
    """
    from usimg import anatomy
    from usimg.errors import AnatomyUnknown
    from usimg.extract import Labelling, extract_archive
    from usimg.study import Study
    from usimg.study.exports import export
    from usimg.study.manifest import own_manifest, read_manifest
    from usimg.study.recognition import Words

    if structure:
        try:
            anatomy.find(structure)
        except AnatomyUnknown as error:
            raise typer.BadParameter(str(error), param_hint="--structure") from None
    opened = _open(Study, study, archive)
    manifest = manifest or own_manifest(opened.private)
    labels = read_manifest(manifest) if manifest is not None else None
    words = Words.read(opened.root / "labels.toml")
    surveyed = _survey(archive, Labelling(structure, labels, opened.subjects, words))
    if not as_json:
        if labels is not None:
            say(labels.took)
        _show_survey(surveyed)
    if not surveyed.files:
        complain(f"{archive}: no scan found; usimg reads DICOM, PNG, TIFF, JPEG, BMP and WebP")
        raise typer.Exit(Exit.NOTHING_FOUND)
    if surveyed.needs_labels and not anyway:
        _stop_for_labels(surveyed, archive, study)
    with _progress(quiet=as_json) as on_scan:
        summary = extract_archive(
            surveyed,
            opened,
            workers=min(workers or os.cpu_count() or 1, MOST_WORKERS),
            segmenter=segmenter,
            manifest=manifest,
            on_scan=on_scan,
        )
    exported = export(opened, include_unvalidated=include_unvalidated)
    report = _report(opened)
    if as_json:
        print_json(_as_json(surveyed, summary, exported, report))
    else:
        _show_summary(summary, exported, report)
    if summary.stopped:
        raise typer.Exit(Exit.STOPPED)
    if summary.failed:
        raise typer.Exit(Exit.SOME_FAILED)


def _open(kind: type[Study], path: Path, archive: Path) -> Study:
    if (path / "study.toml").exists():
        return kind.open(path)
    return kind.create(path, source=archive if archive.is_dir() else None)


def _survey(archive: Path, labelling: Any) -> Survey:
    from usimg.extract import survey

    with err().status("looking at headers") as status:
        return survey(
            archive,
            labelling,
            on_file=lambda n: status.update(f"looking at headers: {n}") if not n % 100 else None,
        )


def _show_survey(surveyed: Survey) -> None:
    readable = surveyed.readable
    say(
        f"{len(surveyed.files)} scans: {len(readable)} readable, {surveyed.calibrated} calibrated,"
        f" {surveyed.labelled} labelled"
    )
    if surveyed.skipped:
        kinds = ", ".join(f"{suffix} {count}" for suffix, count in surveyed.skipped.items())
        say(f"{sum(surveyed.skipped.values())} files are no pictures and were skipped ({kinds})")
    for file, why in surveyed.excluded[:LISTED]:
        say(f"left out: {file} ({why})")
    for copy, first in surveyed.copies[:LISTED]:
        complain(f"{copy} has the same content as {first}; the latter is used", "yellow")
    for files in surveyed.contradictions[:LISTED]:
        complain(f"one SOP Instance UID, different contents: {', '.join(files)}", "yellow")
    for line in surveyed.unmatched[:LISTED]:
        complain(f"{line} matches no file", "yellow")
    for name, found in (
        ("left out", surveyed.excluded),
        ("copies", surveyed.copies),
        ("manifest lines without file", surveyed.unmatched),
    ):
        if len(found) > LISTED:
            complain(f"... {len(found)} {name} in all", "yellow")


def _stop_for_labels(surveyed: Survey, archive: Path, study: Path) -> None:
    readable = len(surveyed.readable)
    complain(
        f"nothing says what {readable - surveyed.labelled} of {readable} scans show. Write it in a CSV with"
        " the columns file, subject, structure, side and give it:"
    )
    complain(f"  usimg extract {archive} --study {study} --manifest labels.csv", "bold")
    complain("(--structure NAME when all show the same; --anyway leaves the unlabelled ones out)")
    raise typer.Exit(Exit.USAGE)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err(), disable=quiet, transient=True) as progress:
        bar = progress.add_task("outlines", total=None, rate="")

        def on_scan(done: int, total: int, failed: int) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:.1f} a second" if speed else ""
            name = "outlines" if not failed else f"outlines ({failed} failed)"
            progress.update(bar, completed=done, total=total, description=name, rate=rate)

        yield on_scan


def _report(study: Study) -> Path:
    from usimg.report import extract_report

    return extract_report(study, study.exports / "report.html")


def _show_summary(summary: Summary, exported: Exported, report: Path) -> None:
    counts = summary.counts
    scans = counts.get("scans", 0)
    if counts.get("done_before"):
        say(f"{counts['done_before']} scans were done before")
    if scans:
        say(
            f"{scans} scans in {summary.seconds:.0f} s ({scans / summary.seconds:.1f} a second):"
            f" {counts.get('measured', 0)} structures measured, {counts.get('empty', 0)} not found,"
            f" {summary.failed} scans failed"
        )
    else:
        say("nothing new")
    for file, reason in summary.problems[:LISTED]:
        complain(f"  {file}: {reason}" if file and not reason.startswith(file) else f"  {reason}", "yellow")
    if len(summary.problems) > LISTED:
        complain(f"  ... {len(summary.problems) - LISTED} more in failures.csv", "yellow")
    if summary.stopped:
        complain("stopped; what was done is kept, and the same command goes on from here", "yellow")
    say(f"{exported.counted} of {exported.rows} values count; {exported.patient_rows} patient rows")
    if exported.rows and not exported.counted:
        say("an outline counts when a person accepted it (usimg review), or with --include-unvalidated")
    say(f"tables   {safe(exported.folder / 'measurements.csv')}")
    say(f"report   {safe(report)}", "bold")


def _as_json(surveyed: Survey, summary: Summary, exported: Exported, report: Path) -> dict[str, Any]:
    return {
        "files": len(surveyed.files),
        "readable": len(surveyed.readable),
        "calibrated": surveyed.calibrated,
        "labelled": surveyed.labelled,
        "skipped": surveyed.skipped,
        "copies": surveyed.copies,
        "contradictions": surveyed.contradictions,
        "excluded": [{"file": file, "reason": reason} for file, reason in surveyed.excluded],
        "run": summary.run,
        "counts": summary.counts,
        "seconds": round(summary.seconds, 2),
        "stopped": summary.stopped,
        "failures": [{"file": file, "reason": reason} for file, reason in summary.problems],
        "counted": exported.counted,
        "patient_rows": exported.patient_rows,
        "measurements": str(exported.folder / "measurements.csv"),
        "report": str(report),
    }
