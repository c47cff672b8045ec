"""What an archive holds, from headers alone: readable, calibrated, labelled; before anything is decoded."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from usimg.errors import FileRefused, UsimgError
from usimg.extract.labels import Labelling
from usimg.opening import read
from usimg.readers import reader_for
from usimg.scan import Scan
from usimg.study.manifest import Label

# The mission's rule: with more unlabelled than this, a person is asked before an hour is spent.
MOST_UNLABELLED = 0.2


@dataclass(frozen=True, slots=True)
class SurveyedFile:
    """One file that is a picture, or claims to be.

    Attributes
    ----------
    path : str
    relative : str
        Below the archive, with ``/``.
    labels : tuple of Label
        Never empty; a label may say nothing.
    calibrated : bool
        Whether some frame has a scale.
    refused : str
        Why its header cannot be used; empty when it can.
    """

    path: str
    relative: str
    size: int
    modified_ns: int
    sop_instance_uid: str = ""
    frames: int = 0
    calibrated: bool = False
    labels: tuple[Label, ...] = ()
    refused: str = ""

    @property
    def labelled(self) -> bool:
        """Whether every label names a structure or view."""
        return all(label.says_what for label in self.labels)

    @property
    def left_out(self) -> str:
        """Why a person excluded it; empty when nobody did."""
        if not all(label.exclude for label in self.labels):
            return ""
        return "; ".join(dict.fromkeys(label.reason or "no reason given" for label in self.labels))


@dataclass(frozen=True)
class Survey:
    """What an archive holds.

    Attributes
    ----------
    root : Path
    files : list of SurveyedFile
        Sorted by path; of files with equal bytes one alone: which a person excluded, else labelled,
        else the first.
    skipped : dict
        Suffix of files that are no pictures -> how many.
    copies : list of (str, str)
        Files with the same bytes as another: (copy, the one that is used).
    contradictions : list of list of str
        Files that share a SOP Instance UID and differ in content.
    unmatched : list of str
        Manifest lines that are about no file.
    """

    root: Path
    files: list[SurveyedFile]
    skipped: dict[str, int] = field(default_factory=dict)
    copies: list[tuple[str, str]] = field(default_factory=list)
    contradictions: list[list[str]] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)

    @property
    def excluded(self) -> list[tuple[str, str]]:
        """Files that a person left out, and why; a run records them as such."""
        return [(file.relative, file.left_out) for file in self.files if file.left_out]

    @property
    def readable(self) -> list[SurveyedFile]:
        """Files whose header can be used, and that nobody left out."""
        return [file for file in self.files if not (file.refused or file.left_out)]

    @property
    def calibrated(self) -> int:
        """How many readable files have a scale."""
        return sum(file.calibrated for file in self.readable)

    @property
    def labelled(self) -> int:
        """How many readable files say what they show."""
        return sum(file.labelled for file in self.readable)

    @property
    def needs_labels(self) -> bool:
        """Whether more than a fifth of the readable files have no label."""
        readable = len(self.readable)
        return readable > 0 and readable - self.labelled > MOST_UNLABELLED * readable


def survey(
    archive: str | Path,
    labelling: Labelling | None = None,
    *,
    on_file: Callable[[int], None] | None = None,
    on_scan: Callable[[str, Scan], None] | None = None,
) -> Survey:
    """Look at every header of an archive; no pixel is decoded.

    Parameters
    ----------
    archive : path
        A folder, searched through and through, or one file.
    labelling : Labelling, optional
        Where labels come from besides the tags.
    on_file : callable, optional
        Told the number of files looked at so far.
    on_scan : callable, optional
        ``on_scan(relative, scan)`` for every scan that opens, before its labels are known.

    Raises
    ------
    FileRefused
        No such folder.
    StudyRefused
        The manifest contradicts itself.
    """
    root = Path(archive).resolve()
    if not root.exists():
        raise FileRefused(f"{archive}: no such file or folder; check the path")
    labelling = labelling or Labelling()
    files: list[SurveyedFile] = []
    skipped: Counter[str] = Counter()
    everything: list[str] = []
    for count, path in enumerate(_walk(root), start=1):
        relative = path.relative_to(root).as_posix() if path != root else path.name
        everything.append(relative)
        looked = _look(path, relative, labelling, on_scan)
        if looked is None:
            skipped[path.suffix.lower() or "no suffix"] += 1
        else:
            files.append(looked)
        if on_file is not None:
            on_file(count)
    kept, copies, contradictions = _told_apart(files)
    manifest = labelling.manifest
    lines = [] if manifest is None else manifest.unmatched(everything)
    unmatched = [f"{manifest.name if manifest else ''} line {line.line}: {line.pattern}" for line in lines]
    return Survey(root, kept, dict(skipped.most_common()), copies, contradictions, unmatched)


def _walk(root: Path) -> Iterator[Path]:
    """Files below a folder in the order of their names; links are not followed out of it."""
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file():
                yield path


def _look(
    path: Path, relative: str, labelling: Labelling, on_scan: Callable[[str, Scan], None] | None
) -> SurveyedFile | None:
    """One file's header, or None when it is no picture."""
    stat = path.stat()
    scan: Scan | None = None
    refused = ""
    try:
        if reader_for(path) is None:
            return None
        scan = read(path)
    except UsimgError as error:
        refused = str(error)
    if scan is not None and on_scan is not None:
        on_scan(relative, scan)
    labels = labelling.of_file(relative, scan.header if scan is not None else None)
    if labelling.decided:
        met = labelling.met.get((str(path), stat.st_size, stat.st_mtime_ns))
        labels = labelling.of_scan(met or sha256(path), labels)
    return SurveyedFile(
        path=str(path),
        relative=relative,
        size=stat.st_size,
        modified_ns=stat.st_mtime_ns,
        sop_instance_uid=(scan.header.sop_instance_uid or "") if scan is not None else "",
        frames=len(scan.frames) if scan is not None else 0,
        calibrated=_is_calibrated(scan) or any(label.spacing for label in labels),
        labels=labels,
        refused=refused,
    )


def _is_calibrated(scan: Scan | None) -> bool:
    if scan is None or not scan.frames:
        return False
    frame = scan.frames[0]
    return frame.calibration is not None or any(r.calibration is not None for r in frame.tissue_regions)


def _told_apart(
    files: list[SurveyedFile],
) -> tuple[list[SurveyedFile], list[tuple[str, str]], list[list[str]]]:
    """Equal files once; and one SOP Instance UID with two contents, which real archives have.

    Of equal files the one that a person said most of stands for all: a copy in a backup, which comes
    first in the alphabet, must not hide the one that the manifest names, nor bring back what it excludes.

    Only files that share their UID, or have none and share their size, are read through.
    """
    alike: dict[tuple[str, int], list[SurveyedFile]] = defaultdict(list)
    for file in files:
        alike[(file.sop_instance_uid, -1 if file.sop_instance_uid else file.size)].append(file)
    copies: list[tuple[str, str]] = []
    contradictions: list[list[str]] = []
    for (uid, _), group in alike.items():
        if len(group) == 1:
            continue
        first_of: dict[str, str] = {}
        for file in sorted(group, key=_weight, reverse=True):
            digest = sha256(file.path)
            first = first_of.setdefault(digest, file.relative)
            if first != file.relative:
                copies.append((file.relative, first))
        if uid and len(first_of) > 1:
            contradictions.append(sorted(first_of.values()))
    dropped = {copy for copy, _ in copies}
    return [file for file in files if file.relative not in dropped], copies, contradictions


def _weight(file: SurveyedFile) -> int:
    """How much a person said of a file; files of equal weight keep their order."""
    return 2 if file.left_out else int(any(label.source in ("person", "manifest") for label in file.labels))


def sha256(path: str | Path) -> str:
    """Hex digest of a file's bytes; empty when it cannot be read (its own task says why)."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
