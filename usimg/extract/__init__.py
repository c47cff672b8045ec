"""One scan through the pipeline, and an archive through a pool of processes.

Names load their rooms when first used: a worker imports this package before it knows what to do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usimg.extract.archive import extract_archive as extract_archive
    from usimg.extract.labels import Labelling as Labelling
    from usimg.extract.remeasure import measure_again as measure_again
    from usimg.extract.running import Summary as Summary
    from usimg.extract.scan import ScanRows as ScanRows
    from usimg.extract.scan import extract_scan as extract_scan
    from usimg.extract.surveying import Survey as Survey
    from usimg.extract.surveying import survey as survey

_HOMES = {
    "Labelling": "usimg.extract.labels",
    "ScanRows": "usimg.extract.scan",
    "Summary": "usimg.extract.running",
    "Survey": "usimg.extract.surveying",
    "extract_archive": "usimg.extract.archive",
    "extract_scan": "usimg.extract.scan",
    "measure_again": "usimg.extract.remeasure",
    "survey": "usimg.extract.surveying",
}
__all__ = [
    "Labelling",
    "ScanRows",
    "Summary",
    "Survey",
    "extract_archive",
    "extract_scan",
    "measure_again",
    "survey",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'usimg.extract' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
