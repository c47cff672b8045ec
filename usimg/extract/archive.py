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
from usimg.extract.pool import outcomes
from usimg.extract.scan import Row, ScanRows, method_of, work_id
from usimg.extract.surveying import Survey, SurveyedFile, sha256, survey
from usimg.extract.worker import Task
from usimg.outline.segmenter import BUILT_IN
from usimg.study import Study
from usimg.study.canonical import canonical_json
from usimg.study.delimited import write_rows
from usimg.study.files import write_text
from usimg.study.fold import newest
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
        ``files``, ``done_before``, ``scans`` (done now), ``measured``, ``empty``, ``failed_scans``, ...
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
        """Scans that could not be read or measured at all."""
        return self.counts.get("failed_scans", 0)


@dataclass
class _Run:
    """A run on its way: rows wait here until they make a part."""

    study: Study
    name: str
    generation: int
    known: dict[str, tuple[str, str]]
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
            self.study.sources.append(self.name, self.sources)
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
    on_scan : callable, optional
        ``on_scan(done, total, failed)`` after each scan.

    Returns
    -------
    Summary

    Raises
    ------
    StudyRefused
        The study lies inside the archive, or its folder cannot be written. Parts already written hold.
    OutlineRefused
        No such segmenter.

    Notes
    -----
    A scan is done again when its bytes, its labels or the method are others than before, and when it
    failed. Two runs at the same time on one study are safe.
    """
    began = time.monotonic()
    surveyed = archive if isinstance(archive, Survey) else survey(archive)
    refuse_inside(study.root, surveyed.root)
    method = method_of(segmenter)
    known, generation, problems = _held(study)
    run = _Run(study, _run_name(), generation + 1, known)
    run.problems += [("", problem) for problem in problems]
    tasks = list(_new(surveyed, run, segmenter, method))
    run.counts.update(files=len(surveyed.files), done_before=len(surveyed.files) - len(tasks))
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
    seconds = time.monotonic() - began
    if tasks:
        run.record("stopped" if stopped else "finished", seconds, parameters, method)
    write_rows(study.private / "failures.csv", ("file", "reason"), sorted(run.problems))
    return Summary(run.name, dict(run.counts), seconds, run.problems, stopped)


def _held(study: Study) -> tuple[dict[str, tuple[str, str]], int, list[str]]:
    """What the study holds of each scan (work, reasons of failure), and the highest generation."""
    parts, problems = read_parts(study.automatic, geometry=False)
    columns = ["scan", "outline", "status", "reason", "work", "run", "generation"]
    rows = parts.select(columns).to_pandas()
    known: dict[str, tuple[str, str]] = {}
    for scan, group in newest(rows).groupby("scan", sort=False):
        known[str(scan)] = (str(group["work"].iloc[0]), _reasons(group.to_dict("records")))
    return known, int(rows["generation"].max()) if len(rows) else 0, problems


def _reasons(rows: list[Any]) -> str:
    """Why it failed, in one line; empty when it did not."""
    return "; ".join(sorted(str(row["reason"]) for row in rows if row["status"] == "failed"))


def _new(surveyed: Survey, run: _Run, segmenter: str, method: str) -> Iterator[Task]:
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
        if run.known.get(scan) == (work_id(file.labels, method), ""):
            continue
        yield Task(number, file.path, file.labels, segmenter)


def _source(file: SurveyedFile, scan: str) -> Source:
    return Source(scan, file.path, file.size, file.modified_ns, file.sop_instance_uid)


def _run_name() -> str:
    # The time makes names sort as people expect; the hash keeps two runs of one second apart.
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
