"""An index as one JSON document, for scripts."""

from __future__ import annotations

from typing import Any

from usimg.extract.index import Index, Visit
from usimg.study.devices import Settings


def as_json(found: Index) -> dict[str, Any]:
    """Everything that `usimg index --json` prints; patients' own ids are in ``alike`` and ``patients``."""
    return {
        "files": len(found.survey.files),
        "readable": len(found.survey.readable),
        "refused": {file.relative: file.refused for file in found.survey.files if file.refused},
        "skipped": found.survey.skipped,
        "copies": found.survey.copies,
        "contradictions": found.survey.contradictions,
        "excluded": dict(found.survey.excluded),
        "pictures": len(found.pictures),
        "patients": found.patients,
        "visits": [
            {name: getattr(visit, name) for name in Visit.__slots__} | {"missing": list(visit.missing)}
            for visit in found.visits
        ],
        "devices": [
            {name: str(getattr(c.settings, name)) for name in Settings.__slots__}
            | {"pictures": c.count, "comparable": c.comparable}
            for c in found.devices
        ],
        "kinds": dict(found.kinds.most_common()),
        "uncalibrated": dict(found.uncalibrated.most_common()),
        "recognised": [
            {"shows": what, "side": side, "by": by, "pictures": count}
            for (what, side, by), count in sorted(found.recognised.items())
        ],
        "unrecognised": [picture.file for picture in found.unrecognised],
        "protocol": found.protocol.name,
        "alike": [{"one": pair.one, "other": pair.other, "why": pair.why} for pair in found.alike],
        "gap_days": found.gap_days,
        "close_visits": [
            {"subject": subject, "visit": first, "next": second, "days": days}
            for subject, first, second, days in found.close
        ],
    }
