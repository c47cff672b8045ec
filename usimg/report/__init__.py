"""One-file HTML pages and pictures of results; nothing here changes a number.

Names load what they need when first used: pages need jinja2, pictures matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usimg.report.extract_page import extract_report as extract_report
    from usimg.report.showcase import result_picture as result_picture

_HOMES = {"extract_report": "usimg.report.extract_page", "result_picture": "usimg.report.showcase"}
__all__ = ["extract_report", "result_picture"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'usimg.report' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
