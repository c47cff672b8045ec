"""``usimg extract``: any folder of scans in; a table, a report, a list of failures out."""

from __future__ import annotations

import os
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usimg.cli.screen import Exit, complain, err, print_json, safe, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from usimg.extract import Summary, Survey
    from usimg.study import Study
    from usimg.study.exports import Exported


class Method(StrEnum):
    """What to do in a study that another usimg or outliner made."""

    new = "new"


# Windows waits on at most 63 handles, two of which the pool needs.
MOST_WORKERS = 61
LISTED = 5


def extract(
    archive: Annotated[
        Path | None, typer.Argument(exists=True, help="Folder of scans, or one scan.", show_default=False)
    ] = None,
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
    segmenter: Annotated[
        str, typer.Option(help="Which outliner; the protocol's, else the usual one, when left out.")
    ] = "",
    method: Annotated[
        Method | None,
        typer.Option(help="new: measure all with another usimg or outliner, beside what there is."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try scans again that failed before.")
    ] = False,
    remeasure: Annotated[
        bool, typer.Option("--remeasure", help="New numbers from the study's outlines; takes no scans.")
    ] = False,
    keep_pixels: Annotated[
        bool,
        typer.Option("--keep-pixels", help="Copy the scan areas, without tags and text, into the study."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what there is to do, and write nothing.")
    ] = False,
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
    view or structure, site, side, plane, state, repeat, operator, kind, row_mm, col_mm, exclude,
    reason.

    Without --manifest the study's own holds: private/manifest.csv or .xlsx.

    Example: usimg extract scans/ --study my_study --manifest labels.csv
    """
    from usimg.extract import extract_archive
    from usimg.study import Study
    from usimg.study.exports import export

    if remeasure:
        _remeasure(Study.open(study), include_unvalidated=include_unvalidated, as_json=as_json)
        return
    if archive is None:
        raise typer.BadParameter("give a folder of scans, or one scan", param_hint="ARCHIVE")
    _check(structure)
    options: dict[str, Any] = {
        "segmenter": segmenter,
        "beside": method is Method.new,
        "retry_failed": retry_failed,
        "keep_pixels": keep_pixels,
    }
    with _opened(study, archive, dry_run=dry_run) as opened:
        surveyed, manifest = _labelled(archive, opened, structure, manifest, quiet=as_json)
        if not surveyed.files:
            complain(f"{archive}: no scan found; usimg reads DICOM, PNG, TIFF, JPEG, BMP and WebP")
            raise typer.Exit(Exit.NOTHING_FOUND)
        if dry_run:
            _show_to_do(extract_archive(surveyed, opened, dry_run=True, **options), as_json=as_json)
            return
        if surveyed.needs_labels and not anyway:
            _stop_for_labels(surveyed, archive, study)
        with _progress(quiet=as_json) as on_scan:
            summary = extract_archive(
                surveyed,
                opened,
                workers=min(workers or os.cpu_count() or 1, MOST_WORKERS),
                manifest=manifest,
                on_scan=on_scan,
                **options,
            )
        exported = export(opened, include_unvalidated=include_unvalidated)
        report = _report(opened)
    if as_json:
        print_json(_as_json(surveyed, summary, exported, report))
    else:
        _show_summary(summary, exported, report)
    _leave(summary)


def _leave(summary: Summary) -> None:
    if summary.stopped:
        raise typer.Exit(Exit.STOPPED)
    if summary.failed:
        raise typer.Exit(Exit.SOME_FAILED)


def _check(structure: str) -> None:
    from usimg import anatomy
    from usimg.errors import AnatomyUnknown

    if structure:
        try:
            anatomy.find(structure)
        except AnatomyUnknown as error:
            raise typer.BadParameter(str(error), param_hint="--structure") from None


def _labelled(
    archive: Path, opened: Study, structure: str, manifest: Path | None, *, quiet: bool
) -> tuple[Survey, Path | None]:
    """What the archive holds, and the manifest that says what is shown."""
    from usimg.extract.labels import labelling_of
    from usimg.study.manifest import own_manifest, read_manifest

    manifest = manifest or own_manifest(opened.private)
    labels = read_manifest(manifest) if manifest is not None else None
    labelling = labelling_of(opened, structure=structure, manifest=labels)
    surveyed = _survey(archive, labelling)
    if not quiet:
        if labels is not None:
            say(labels.took)
        for problem in labelling.decided.problems:
            complain(problem, "yellow")
        _show_survey(surveyed)
    return surveyed, manifest


def _show_to_do(summary: Summary, *, as_json: bool) -> None:
    counts = summary.counts
    if as_json:
        print_json({"counts": counts})
    else:
        say(
            f"to do: {counts.get('to_do', 0)} scans; {counts.get('done_before', 0)} were done before,"
            f" {counts.get('failed_before', 0)} failed before; nothing was written"
        )


def _remeasure(study: Study, *, include_unvalidated: bool, as_json: bool) -> None:
    from usimg.extract import measure_again
    from usimg.study.exports import export

    with _progress(quiet=as_json) as on_scan:
        summary = measure_again(study, on_scan=on_scan)
    exported = export(study, include_unvalidated=include_unvalidated)
    counts = summary.counts
    if as_json:
        print_json({"run": summary.run, "counts": counts, "counted": exported.counted})
    else:
        say(f"{counts.get('measured', 0)} outlines of {counts.get('scans', 0)} scans measured again")
        for scan, reason in summary.problems[:LISTED]:
            complain(f"  {scan}: {reason}", "yellow")
        say(f"tables   {safe(exported.folder / 'measurements.csv')}")
    _leave(summary)


@contextmanager
def _opened(path: Path, archive: Path, *, dry_run: bool) -> Iterator[Study]:
    """The study, made when it is not there; for a dry run one that is gone afterwards."""
    from usimg.study import Study

    if (path / "study.toml").exists():
        yield Study.open(path)
    elif dry_run:
        with TemporaryDirectory() as nowhere:
            yield Study.create(Path(nowhere) / "study")
    else:
        yield Study.create(path, source=archive if archive.is_dir() else None)


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
