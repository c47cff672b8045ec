"""An archive of scans into a study: only what is new, part by part, whatever happens on the way."""

from __future__ import annotations

import platform
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import usimg
from usimg import anatomy
from usimg.errors import StudyRefused
from usimg.extract.pool import outcomes
from usimg.extract.runlog import RunLog
from usimg.extract.scan import Row, ScanRows, method_of, work_id
from usimg.extract.surveying import Survey, SurveyedFile, sha256, survey
from usimg.extract.worker import Task
from usimg.outline.segmenter import BUILT_IN
from usimg.study import Study
from usimg.study.canonical import canonical_json
from usimg.study.decisions import read_decisions
from usimg.study.delimited import write_rows
from usimg.study.files import write_text
from usimg.study.fold import newest
from usimg.study.history import History
from usimg.study.methods import method_name, method_that_holds, methods_of
from usimg.study.private import Source
from usimg.study.schema import read_parts, write_part
from usimg.study.store import refuse_inside

# Design: of automatic parts at most the scans since the last one are lost in a crash.
PART_SCANS = 200
PART_SECONDS = 30.0
_LIBRARIES = ("numpy", "scipy", "scikit-image", "opencv-python", "pydicom", "imagecodecs", "pillow", "pandas")


@dataclass(frozen=True)
class Summary:
    """What a run came to.

    Attributes
    ----------
    run : str
    counts : dict
        ``files``, ``done_before``, ``failed_before`` (left alone), ``to_do``, ``scans`` (done now),
        ``measured``, ``empty``, ``failed_scans``, ...
    problems : list of (str, str)
        (path below the archive, what went wrong): for the console and ``private/`` only.
    stopped : bool
        Whether Ctrl-C ended it; what was done is kept.
    """

    run: str
    counts: dict[str, int]
    seconds: float
    problems: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False

    @property
    def failed(self) -> int:
        """Scans that could not be read or measured at all, now or before."""
        return self.counts.get("failed_scans", 0) + self.counts.get("failed_before", 0)


@dataclass
class _Run:
    """A run on its way: rows wait here until they make a part."""

    study: Study
    name: str
    generation: int
    known: dict[str, tuple[str, str]]
    log: RunLog
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, str]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    waiting: int = 0
    parts: int = 0
    last: float = field(default_factory=time.monotonic)

    def take(self, file: SurveyedFile, done: ScanRows) -> None:
        """Keep what one scan came to."""
        self.sources.append(_source(file, done.scan))
        self.counts["scans"] += 1
        self.counts["failed_scans"] += done.failed
        for row in done.rows:
            self.counts[str(row["status"])] += 1
        if done.problem or done.failed:
            reasons = done.problem or "; ".join(row["reason"] for row in done.rows if row["reason"])
            self.problems.append((file.relative, reasons))
        self.log.scan(done)
        before = self.known.get(done.scan)
        if done.failed and before == (done.rows[0]["work"], _reasons(done.rows)):
            return  # it failed in the same way before: the study says so already
        self.rows += [row | {"run": self.name, "generation": self.generation} for row in done.rows]
        self.waiting += 1
        if self.waiting >= PART_SCANS or time.monotonic() - self.last >= PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits as one part. Sources go first: a scan without its path is no use."""
        if self.sources:
            try:
                self.study.sources.append(self.name, self.sources)
            except OSError as error:
                raise StudyRefused(
                    f"the study's private folder cannot be written: {error.strerror or error};"
                    " parts already written hold, and the same command goes on from there"
                ) from error
            self.sources.clear()
        if self.rows:
            self.parts += 1
            write_part(self.study.automatic / f"{self.name}-{self.parts:04d}.parquet", self.rows)
            self.rows.clear()
        self.waiting = 0
        self.last = time.monotonic()

    def record(self, status: str, seconds: float, parameters: dict[str, Any], method: str) -> None:
        """Write ``runs/RUN.json``: what was run with what. No path, no name."""
        content = {
            "run": self.name,
            "generation": self.generation,
            "status": status,
            "started": self.name.partition("-")[0],
            "seconds": round(seconds, 1),
            "usimg_version": usimg.__version__,
            "method": method,
            "protocol": anatomy.generic_protocol().name,
            "parameters": parameters,
            "counts": dict(sorted(self.counts.items())),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
            "system": f"{platform.system()} {platform.machine()}",
        }
        write_text(self.study.runs / f"{self.name}.json", canonical_json(content) + "\n")


def extract_archive(
    archive: str | Path | Survey,
    study: Study,
    *,
    workers: int = 2,
    segmenter: str = BUILT_IN,
    manifest: str | Path | None = None,
    beside: bool = False,
    retry_failed: bool = False,
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
        Name of a registered segmenter.
    manifest : path, optional
        Recorded by its hash; its labels come in with the survey.
    beside : bool
        Go on although the study was made by another method; what is made now lies beside it and holds
        once a person chooses it (`usimg.study.methods`).
    retry_failed : bool
        Do scans again that failed before; they are left alone otherwise, and listed.
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
        The study lies inside the archive, was made by another usimg, method or weights, or its folder
        cannot be written. Parts already written hold.
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
    method = method_of(segmenter)
    maker = method_name(method, usimg.__version__)
    held = _held(study, maker)
    if not beside:
        _refuse_mixing(held, maker)
    name = _run_name()
    run = _Run(study, name, held.generation + 1, held.known, RunLog(study.runs / f"{name}.log.jsonl"))
    run.problems += [("", problem) for problem in held.problems]
    tasks = list(_new(surveyed, run, segmenter, method, retry_failed=retry_failed))
    done_before = len(surveyed.files) - len(tasks) - run.counts["failed_before"]
    run.counts.update(files=len(surveyed.files), done_before=done_before, to_do=len(tasks))
    if dry_run:
        return Summary(name, dict(run.counts), time.monotonic() - began, run.problems)
    study.bring_forward()
    parameters = {
        "workers": workers,
        "segmenter": segmenter,
        "label_sources": sorted({label.source for file in surveyed.files for label in file.labels}),
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
    for scan, group in newest(rows, maker).groupby("scan", sort=False):
        known[str(scan)] = (str(group["work"].iloc[0]), _reasons(group.to_dict("records")))
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


def _reasons(rows: list[Any]) -> str:
    """Why it failed, in one line; empty when it did not."""
    return "; ".join(sorted(str(row["reason"]) for row in rows if row["status"] == "failed"))


def _new(surveyed: Survey, run: _Run, segmenter: str, method: str, *, retry_failed: bool) -> Iterator[Task]:
    """Tasks for what the study does not hold; a file that lies where it lay is not read through again."""
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
                run.sources.append(_source(file, scan))
        if scan and by_uid.get(file.sop_instance_uid, {scan}) - {scan}:
            run.problems.append((file.relative, "its SOP Instance UID came with another content before"))
        work, failure = run.known.get(scan, ("", ""))
        if work == work_id(file.labels, method) and not (failure and retry_failed):
            if failure:
                run.counts["failed_before"] += 1
                run.problems.append((file.relative, f"failed before: {failure} (--retry-failed tries again)"))
            continue
        yield Task(number, file.path, file.labels, segmenter)


def _source(file: SurveyedFile, scan: str) -> Source:
    return Source(scan, file.path, file.size, file.modified_ns, file.sop_instance_uid)


def _run_name() -> str:
    # The time makes names sort as people expect; the hash keeps two runs of one second apart.
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
