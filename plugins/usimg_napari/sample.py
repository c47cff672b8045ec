"""Sample data of napari's File menu: simulated scans of nobody, calibrated. No Qt."""

from __future__ import annotations

from typing import Any

import numpy as np

from usimg.simulate import Phantom, median_nerve_wrist, upper_arm

LayerData = tuple[Any, dict[str, Any], str]


def upper_arm_scan() -> list[LayerData]:
    """A simulated upper arm: fat, biceps, brachialis, humerus."""
    return [_layer(upper_arm(1), "upper arm (simulated)")]


def median_nerve_scan() -> list[LayerData]:
    """A simulated median nerve at the wrist."""
    return [_layer(median_nerve_wrist(1), "median nerve at the wrist (simulated)")]


def _layer(phantom: Phantom, name: str) -> LayerData:
    row_mm, col_mm = phantom.spacing
    gray = np.asarray(phantom.image, dtype=np.uint8)
    return (
        gray[None],
        {
            "name": name,
            "scale": (1.0, row_mm, col_mm),
            "units": ("pixel", "mm", "mm"),
            "contrast_limits": (0, 255),
            "colormap": "gray",
        },
        "image",
    )
