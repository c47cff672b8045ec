"""usimg: from raw neuromuscular ultrasound to numbers one can defend. Research use only.

``import usimg`` loads the standard library alone; each name below brings its room when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usimg.errors import UsimgError as UsimgError
    from usimg.measurement import measure as measure
    from usimg.opening import read as read
    from usimg.outline import segment as segment
    from usimg.phenotype import cluster as cluster
    from usimg.roi import Roi as Roi
    from usimg.scan import Calibration as Calibration
    from usimg.scan import Frame as Frame
    from usimg.scan import Region as Region
    from usimg.scan import Scan as Scan

__version__ = "0.1.0"

_HOMES = {
    "UsimgError": "usimg.errors",
    "Calibration": "usimg.scan",
    "Frame": "usimg.scan",
    "Region": "usimg.scan",
    "Scan": "usimg.scan",
    "Roi": "usimg.roi",
    "read": "usimg.opening",
    "segment": "usimg.outline",
    "measure": "usimg.measurement",
    "cluster": "usimg.phenotype",
}
__all__ = [
    "Calibration",
    "Frame",
    "Region",
    "Roi",
    "Scan",
    "UsimgError",
    "cluster",
    "measure",
    "read",
    "segment",
]


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'usimg' has no attribute {name!r}") from None
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
