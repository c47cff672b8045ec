"""The study: a folder of plain files that says whose, which, when; and nothing ever lost.

Names that need pandas or pyarrow load them when first used, so that ``usimg info STUDY`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from usimg.study.decisions import Decision, Sitting, Target
from usimg.study.store import Study

if TYPE_CHECKING:
    from usimg.study.fold import Fold as Fold
    from usimg.study.schema import outline_of as outline_of
    from usimg.study.schema import roi_of as roi_of
    from usimg.study.schema import target_of as target_of

_HOMES = {
    "Fold": "usimg.study.fold",
    "outline_of": "usimg.study.schema",
    "roi_of": "usimg.study.schema",
    "target_of": "usimg.study.schema",
}
__all__ = [
    "Decision",
    "Fold",
    "Sitting",
    "Study",
    "Target",
    "outline_of",
    "roi_of",
    "target_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'usimg.study' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
