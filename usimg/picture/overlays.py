"""What was drawn over the tissue: colour, calipers, text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usimg.vision import cv2

BoolArray = NDArray[np.bool_]
UInt8 = NDArray[np.uint8]

# Reference 4.4: coloured when the channels differ by more than this.
COLOUR_SPREAD = 30


def coloured(rgb: UInt8 | None, shape: tuple[int, int]) -> BoolArray:
    """Mask of coloured pixels, and the pixel around them where colour bleeds."""
    if rgb is None:
        return np.zeros(shape, bool)
    spread = rgb.max(axis=2) - rgb.min(axis=2)
    mask = (spread > COLOUR_SPREAD).astype(np.uint8)
    return np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8))).astype(bool)
