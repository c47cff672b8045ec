"""A run on its way: rows wait until they make a part, and its record says what was done with what."""

from __future__ import annotations

import platform
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import usimg
from usimg.errors import StudyRefused
from usimg.extract.runlog import RunLog
from usimg.extract.scan import Row, ScanRows
from usimg.extract.surveying import SurveyedFile
from usimg.study import Study
from usimg.study.canonical import canonical_json
from usimg.study.days import without_date
from usimg.study.files import write_text
from usimg.study.private import Source
from usimg.study.schema import write_part
from usimg.study.settings import without_names

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
class Run:
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
        self.sources.append(source_of(file, done.scan))
        self.counts["scans"] += 1
        self.counts["failed_scans"] += done.failed
        for row in done.rows:
            self.counts[str(row["status"])] += 1
        if done.problem or done.failed:
            reasons = done.problem or "; ".join(row["reason"] for row in done.rows if row["reason"])
            self.problems.append((file.relative, reasons))
        self.log.scan(done)
        before = self.known.get(done.scan)
        if done.failed and before == (done.rows[0]["work"], reasons_of(done.rows)):
            return  # it failed in the same way before: the study says so already
        key = self.study.secret
        kept = (without_date(row, done.taken, done.age_years, key) for row in done.rows)
        self.keep([without_names(row, key) for row in kept])

    def keep(self, rows: list[Row]) -> None:
        """Let the rows of one scan wait for the next part."""
        self.rows += [row | {"run": self.name, "generation": self.generation} for row in rows]
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
            "protocol": self.study.protocol.name,
            "protocol_hash": self.study.protocol.id[:12],
            "parameters": parameters,
            "counts": dict(sorted(self.counts.items())),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
            "system": f"{platform.system()} {platform.machine()}",
        }
        write_text(self.study.runs / f"{self.name}.json", canonical_json(content) + "\n")


def reasons_of(rows: list[Any]) -> str:
    """Why it failed, in one line; empty when it did not."""
    return "; ".join(sorted(str(row["reason"]) for row in rows if row["status"] == "failed"))


def source_of(file: SurveyedFile, scan: str) -> Source:
    """Where a scan lies, as a run met it."""
    return Source(scan, file.path, file.size, file.modified_ns, file.sop_instance_uid)


def run_name() -> str:
    """A name for a new run."""
    # The time makes names sort as people expect; the hash keeps two runs of one second apart.
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
