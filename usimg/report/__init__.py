"""One-file HTML pages and pictures of results; nothing here changes a number.

Names load what they need when first used: pages need jinja2, pictures matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usimg.report.extract_page import extract_report as extract_report
    from usimg.report.patient_page import patient_report as patient_report
    from usimg.report.showcase import result_picture as result_picture
    from usimg.report.value_page import value_report as value_report

_HOMES = {
    "extract_report": "usimg.report.extract_page",
    "patient_report": "usimg.report.patient_page",
    "result_picture": "usimg.report.showcase",
    "value_report": "usimg.report.value_page",
}
__all__ = ["extract_report", "patient_report", "result_picture", "value_report"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'usimg.report' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
