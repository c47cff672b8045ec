"""A run's log: one JSON line a scan, without a name, an id or a path."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usimg.errors import StudyRefused
from usimg.study.canonical import canonical_json
from usimg.study.private import short

if TYPE_CHECKING:
    from usimg.extract.scan import ScanRows


class RunLog:
    """Appends lines to ``runs/RUN.log.jsonl``; the file appears with the first one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None

    def scan(self, done: ScanRows) -> None:
        """Note what one scan came to: how many structures, and why not."""
        statuses = Counter(str(row["status"]) for row in done.rows)
        reasons = sorted({str(row["reason"]) for row in done.rows if row.get("reason")})
        self.line("scan", scan=short(done.scan), **statuses, reasons=reasons)

    def line(self, event: str, **fields: Any) -> None:
        """Append one line.

        Raises
        ------
        StudyRefused
            The disk is full or the folder cannot be written.
        """
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = canonical_json({"time": time, "event": event, **fields}).encode("utf-8") + b"\n"
        try:
            if self._file is None:
                self._file = self.path.open("ab", buffering=0)
            written = self._file.write(line)
        except OSError as error:
            raise StudyRefused(f"{self.path.name} cannot be written: {error.strerror or error}") from error
        if written != len(line):
            raise StudyRefused(f"{self.path.name} cannot be written: the disk is full")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
