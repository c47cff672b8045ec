"""Scans that a study knows and that lie elsewhere now, or nowhere."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from usimg.extract.surveying import Survey, SurveyedFile, sha256
from usimg.study import Study
from usimg.study.private import Source


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the scans of a study.

    Attributes
    ----------
    found : tuple of (str, str)
        Scan and its path below the archive: it had gone from where it was, and lies here.
    absent : tuple of str
        Scans whose pixels are nowhere any more; what was measured on them holds.
    """

    found: tuple[tuple[str, str], ...]
    absent: tuple[str, ...]


def find_moved(study: Study, surveyed: Survey) -> Moved:
    """Find moved scans again in an archive, and tell the study where they lie now.

    Only files of the right size and SOP Instance UID are read through, and only for scans that are gone.
    """
    known: dict[str, list[Source]] = defaultdict(list)
    for source in study.sources.all():
        known[source.scan].append(source)
    here: dict[tuple[int, str], list[SurveyedFile]] = defaultdict(list)
    for file in surveyed.files:
        here[(file.size, file.sop_instance_uid)].append(file)
    found: list[tuple[str, str]] = []
    sources: list[Source] = []
    absent: list[str] = []
    hashes: dict[str, str] = {}
    for scan, places in known.items():
        if any(Path(place.path).is_file() for place in places):
            continue
        last = places[-1]
        for file in here[(last.size, last.sop_instance_uid)]:
            digest = hashes.get(file.path) or sha256(file.path)
            hashes[file.path] = digest
            if digest == scan:
                found.append((scan, file.relative))
                sources.append(Source(scan, file.path, file.size, file.modified_ns, file.sop_instance_uid))
                break
        else:
            absent.append(scan)
    if sources:
        study.sources.append(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}", sources)
    return Moved(tuple(found), tuple(absent))
