"""An archive of scans into a study: only what is new, part by part, whatever happens on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import usimg
from usimg.errors import StudyRefused
from usimg.extract.pool import outcomes
from usimg.extract.runlog import RunLog
from usimg.extract.running import Run, Summary, reasons_of, run_name, source_of
from usimg.extract.scan import method_of, segmenter_of, work_id
from usimg.extract.surveying import Survey, sha256, survey
from usimg.extract.worker import Task
from usimg.study import Study
from usimg.study.decisions import read_decisions
from usimg.study.delimited import write_rows
from usimg.study.fold import as_written
from usimg.study.history import History
from usimg.study.methods import method_name, method_that_holds, methods_of
from usimg.study.pixels import FOLDER
from usimg.study.protocol import Recipe
from usimg.study.schema import read_parts
from usimg.study.store import refuse_inside


def extract_archive(
    archive: str | Path | Survey,
    study: Study,
    *,
    workers: int = 2,
    segmenter: str = "",
    manifest: str | Path | None = None,
    beside: bool = False,
    retry_failed: bool = False,
    keep_pixels: bool = False,
    dry_run: bool = False,
    on_scan: Callable[[int, int, int], None] | None = None,
) -> Summary:
    """Outline and measure every scan of an archive that the study does not hold yet.

    Parameters
    ----------
    archive : path or Survey
        A folder, a file, or what `usimg.extract.survey` found there with its labels.
    study : Study
        Outside the archive.
    workers : int
        Processes. A script that calls this needs ``if __name__ == "__main__":``, as every program does
        that starts processes on Windows and macOS.
    segmenter : str
        Name of a registered segmenter; empty: the protocol's, else the usual one.
    manifest : path, optional
        Recorded by its hash; its labels come in with the survey.
    beside : bool
        Go on although the study was made by another method; what is made now lies beside it and holds
        once a person chooses it (`usimg.study.methods`).
    retry_failed : bool
        Do scans again that failed before; they are left alone otherwise, and listed.
    keep_pixels : bool
        Copy the scan areas of what is measured into the study (`usimg.study.pixels`); scans that were
        measured without are measured again.
    dry_run : bool
        Only count what there is to do; nothing is written.
    on_scan : callable, optional
        ``on_scan(done, total, failed)`` after each scan.

    Returns
    -------
    Summary

    Raises
    ------
    StudyRefused
        The study lies inside the archive, was made by another usimg, method or weights, its protocol
        cannot be read, or its folder cannot be written. Parts already written hold.
    OutlineRefused
        No such segmenter.

    Notes
    -----
    A scan is done again when its bytes or its labels are others than before. Two runs at the same time
    on one study are safe.
    """
    began = time.monotonic()
    surveyed = archive if isinstance(archive, Survey) else survey(archive)
    refuse_inside(study.root, surveyed.root)
    recipe = study.protocol.recipe
    segmenter = segmenter_of(recipe, segmenter)
    method = method_of(segmenter)
    maker = method_name(method, usimg.__version__)
    held = _held(study, maker)
    if not beside:
        _refuse_mixing(held, maker)
    name = run_name()
    run = Run(study, name, held.generation + 1, held.known, RunLog(study.runs / f"{name}.log.jsonl"))
    run.problems += [("", problem) for problem in held.problems]
    keep = study.root / FOLDER if keep_pixels else None
    tasks = list(_new(surveyed, run, segmenter, recipe, retry_failed=retry_failed, keep=keep))
    done_before = len(surveyed.files) - len(tasks) - run.counts["failed_before"]
    run.counts.update(files=len(surveyed.files), done_before=done_before, to_do=len(tasks))
    if dry_run:
        return Summary(name, dict(run.counts), time.monotonic() - began, run.problems)
    study.bring_forward()
    parameters = {
        "workers": workers,
        "segmenter": segmenter,
        "label_sources": sorted({label.source for file in surveyed.files for label in file.labels}),
        "kinds_given": sorted({label.kind for file in surveyed.files for label in file.labels} - {""}),
        "manifest": sha256(manifest) if manifest is not None else "",
    }
    stopped = False
    if tasks:
        run.record("running", 0.0, parameters, method)
    try:
        with closing(outcomes(tasks, workers)) as results:
            for done, (task, rows) in enumerate(results, start=1):
                run.take(surveyed.files[task.number], rows)
                if on_scan is not None:
                    on_scan(done, len(tasks), run.counts["failed_scans"])
    except KeyboardInterrupt:
        stopped = True
    finally:
        run.flush()
        run.log.close()
    seconds = time.monotonic() - began
    if tasks:
        run.record("stopped" if stopped else "finished", seconds, parameters, method)
    write_rows(study.private / "failures.csv", ("file", "reason"), sorted(run.problems))
    return Summary(run.name, dict(run.counts), seconds, run.problems, stopped)


@dataclass(frozen=True)
class _Held:
    """What the study holds of this method's scans (work, reasons of failure), and of others."""

    known: dict[str, tuple[str, str]]
    generation: int
    method: str
    problems: list[str]


def _held(study: Study, maker: str) -> _Held:
    parts, problems = read_parts(study.automatic, geometry=False)
    columns = ["scan", "outline", "status", "reason", "work", "run", "generation", "method", "usimg_version"]
    rows = parts.select(columns).to_pandas()
    known: dict[str, tuple[str, str]] = {}
    for scan, group in as_written(rows, maker).groupby("scan", sort=False):
        known[str(scan)] = (str(group["work"].iloc[0]), reasons_of(group.to_dict("records")))
    decisions, _ = read_decisions(study.people)
    holds, disagreements = method_that_holds(methods_of(rows), History(decisions).others())
    generation = int(rows["generation"].max()) if len(rows) else 0
    return _Held(known, generation, holds, problems + disagreements)


def _refuse_mixing(held: _Held, maker: str) -> None:
    if held.method and held.method != maker:
        raise StudyRefused(
            f"this study was made by {held.method}, and this is {maker}: their numbers are not mixed."
            f" To measure all scans with {maker} too, beside what there is: the same command with"
            " --method new; what counts changes only when a person chooses it"
        )


def _new(
    surveyed: Survey,
    run: Run,
    segmenter: str,
    recipe: Recipe,
    *,
    retry_failed: bool,
    keep: Path | None,
) -> Iterator[Task]:
    """Tasks for what the study does not hold; a file that lies where it lay is not read through again."""
    method = method_of(segmenter)
    with_pixels = {path.stem.partition("-")[0] for path in keep.glob("*.png")} if keep is not None else set()
    met: dict[tuple[str, int, int], str] = {}
    by_uid: dict[str, set[str]] = {}
    for source in run.study.sources.all():
        met[(source.path, source.size, source.modified_ns)] = source.scan
        if source.sop_instance_uid:
            by_uid.setdefault(source.sop_instance_uid, set()).add(source.scan)
    for number, file in enumerate(surveyed.files):
        scan = met.get((file.path, file.size, file.modified_ns), "")
        if not scan and run.known:
            scan = sha256(file.path)
            if scan in run.known:  # moved here: its old path may be gone
                run.sources.append(source_of(file, scan))
        if scan and by_uid.get(file.sop_instance_uid, {scan}) - {scan}:
            run.problems.append((file.relative, "its SOP Instance UID came with another content before"))
        work, failure = run.known.get(scan, ("", ""))
        kept = keep is None or failure or scan in with_pixels
        if work == work_id(file.labels, method, recipe) and kept and not (failure and retry_failed):
            if failure:
                run.counts["failed_before"] += 1
                run.problems.append((file.relative, f"failed before: {failure} (--retry-failed tries again)"))
            continue
        yield Task(number, file.path, file.labels, segmenter, recipe, keep)
