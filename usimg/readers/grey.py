"""Stored pixels to grey: the one place where it happens.

Grey is luminance, ``Y = 0.299 R + 0.587 G + 0.114 B`` (ITU-R BT.601, the Y of DICOM's YBR_FULL, PS3.3
C.7.6.3.1.2). For a grey picture every weighting gives the same number, for YBR data it is the stored Y.
No window, no contrast, no colour management: echo intensity is measured on what the scanner stored.

More than 8 bits are scaled linearly from the whole range of Bits Stored to 0..255, never from the
values that happen to occur, so that two frames of one scan stay comparable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]

_YBR_FULL = ("YBR_FULL", "YBR_FULL_422")
_YBR_PARTIAL = ("YBR_PARTIAL_422", "YBR_PARTIAL_420")
_RGB = ("RGB", "YBR_ICT", "YBR_RCT")  # the JPEG 2000 decoder undoes ICT and RCT
KNOWN = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", *_YBR_FULL, *_YBR_PARTIAL, *_RGB)

# A mostly grey picture read in the wrong colour space is strongly coloured all over (black becomes green),
# in the right one nearly colourless. Chosen here on the real files: medians of 0..8 levels (tint, JPEG noise)
# in the right one, above 100 in the wrong one.
_COLOURLESS, _COLOURED = 12.0, 25.0


@dataclass(frozen=True, slots=True)
class Stored:
    """One frame as stored, and what its header says it is.

    Attributes
    ----------
    array : (rows, cols) or (rows, cols, 3) integer array
    photometric : str
        Photometric Interpretation of the data set.
    bits : int
        Bits Stored.
    signed : bool
        Pixel Representation 1.
    stream_colour, stream_evidence : str
        ``"RGB"`` or ``"YBR"`` where a JPEG stream itself says so, and by what.
    palette : (N, 3) uint8 array or None
        Colours for PALETTE COLOR, indexed by stored value.
    """

    array: NDArray[Any]
    photometric: str
    bits: int = 8
    signed: bool = False
    stream_colour: str = ""
    stream_evidence: str = ""
    palette: UInt8 | None = None


def to_grey(stored: Stored) -> tuple[UInt8, UInt8 | None, str]:
    """Grey levels, colours as displayed (None for a file that stores grey) and the rule used.

    Returns
    -------
    gray : (rows, cols) uint8 array
    rgb : (rows, cols, 3) uint8 array or None
    rule : str
        One line for the record.

    Raises
    ------
    ValueError
        A photometric interpretation that is not known, or one that does not fit the array.

    Examples
    --------
    >>> import numpy as np
    >>> to_grey(Stored(np.array([[[255, 0, 0]]], np.uint8), "RGB"))[0]
    array([[76]], dtype=uint8)
    """
    photometric = stored.photometric
    if stored.array.ndim == 2:
        if photometric == "PALETTE COLOR":
            return _palette_grey(stored)
        if photometric in ("MONOCHROME1", "MONOCHROME2"):
            gray, scaled = to_eight_bits(stored.array, stored.bits, signed=stored.signed)
            rule = f"{photometric}{scaled}"
            if photometric == "MONOCHROME1":
                return np.subtract(255, gray, dtype=np.uint8), None, f"{rule}, inverted"
            return gray, None, rule
        raise ValueError(f"one sample a pixel, yet Photometric Interpretation is {photometric or 'absent'}")
    if photometric not in (*_YBR_FULL, *_YBR_PARTIAL, *_RGB):
        raise ValueError(
            f"three samples a pixel, yet Photometric Interpretation is {photometric or 'absent'}"
        )
    array, scaled = to_eight_bits(stored.array, stored.bits, signed=stored.signed)
    is_ybr, doubt = _colour_space(array, stored)
    if not is_ybr:
        name = photometric if photometric in _RGB else "RGB"
        return luma(array), array, f"BT.601 luma of {name}{scaled}{doubt}"
    if photometric in _YBR_PARTIAL:
        full = _expand_partial(array)
        return (
            full[..., 0].copy(),
            ybr_to_rgb(full),
            f"Y of {photometric}, 16..235 expanded to 0..255{scaled}",
        )
    name = photometric if photometric in _YBR_FULL else "YBR_FULL"
    return array[..., 0].copy(), ybr_to_rgb(array), f"Y of {name}{scaled}{doubt}"


def luma(rgb: UInt8) -> UInt8:
    """BT.601 luma of (..., 3) uint8 colours, rounded to nearest; exact for R = G = B."""
    weighted = rgb[..., 0] * np.uint32(299)
    weighted += rgb[..., 1] * np.uint32(587)
    weighted += rgb[..., 2] * np.uint32(114)
    weighted += np.uint32(500)
    weighted //= np.uint32(1000)
    return weighted.astype(np.uint8)


def ybr_to_rgb(ybr: UInt8) -> UInt8:
    """RGB of (rows, cols, 3) uint8 YBR_FULL (PS3.3 C.7.6.3.1.2), rounded and clipped."""
    y = ybr[..., 0].astype(np.int32) << 16
    cb = ybr[..., 1].astype(np.int32) - 128
    cr = ybr[..., 2].astype(np.int32) - 128
    y += 1 << 15  # rounds the shift below; factors are 1.402, 0.344136, 0.714136, 1.772 times 65536
    rgb = np.empty(ybr.shape, np.uint8)
    for channel, difference in enumerate((91881 * cr, -22554 * cb - 46802 * cr, 116130 * cb)):
        rgb[..., channel] = np.clip((y + difference) >> 16, 0, 255)
    return rgb


def to_eight_bits(array: NDArray[Any], bits: int, *, signed: bool) -> tuple[UInt8, str]:
    """Stored values to 0..255 over the whole range of ``bits``; the second value says so when it did."""
    if array.dtype == np.uint8 and bits == 8 and not signed:
        return array, ""
    top = (1 << bits) - 1
    lowest = -(1 << (bits - 1)) if signed else 0
    values = np.clip(array.astype(np.int64) - lowest, 0, top)
    # integer rounding to nearest, so the same on every machine
    scaled = (values * 510 + top) // (2 * top)
    return scaled.astype(np.uint8), f", {bits} bits{' signed' if signed else ''} linear to 0..255"


def _palette_grey(stored: Stored) -> tuple[UInt8, UInt8, str]:
    if stored.palette is None:
        raise ValueError("PALETTE COLOR without its colour tables")
    index = np.clip(stored.array, 0, len(stored.palette) - 1)
    return luma(stored.palette)[index], stored.palette[index], "BT.601 luma of PALETTE COLOR after its table"


def _expand_partial(ybr: UInt8) -> UInt8:
    """ITU-R BT.601 studio range (Y 16..235, C 16..240) to 0..255."""
    full = np.empty(ybr.shape, np.float32)
    full[..., 0] = (ybr[..., 0].astype(np.float32) - 16) * (255 / 219)
    full[..., 1:] = (ybr[..., 1:].astype(np.float32) - 128) * (255 / 224) + 128
    return np.clip(np.rint(full), 0, 255).astype(np.uint8)


def _colour_space(array: UInt8, stored: Stored) -> tuple[bool, str]:
    """Whether three samples are Y, Cb, Cr; and a note when that is not what the label says.

    Makers label RGB data as YBR and the reverse. The stream's own markers come before the label,
    and what the pixels look like before both: see ``_COLOURLESS``.
    """
    labelled_ybr = stored.photometric not in _RGB
    is_ybr, doubt = labelled_ybr, ""
    if stored.stream_colour:
        is_ybr = stored.stream_colour == "YBR"
        if is_ybr != labelled_ybr:
            doubt = f"; labelled {stored.photometric}, but {stored.stream_evidence}"
    few = array[::4, ::4].astype(np.int16)
    as_ybr = float(np.median(np.abs(few[..., 1] - 128) + np.abs(few[..., 2] - 128)))
    as_rgb = float(np.median(np.abs(few[..., 0] - few[..., 1]) + np.abs(few[..., 1] - few[..., 2])))
    here, there = (as_ybr, as_rgb) if is_ybr else (as_rgb, as_ybr)
    if here > _COLOURED and there < _COLOURLESS:
        is_ybr = not is_ybr
        doubt = f"; labelled {stored.photometric}, but the colours say {'YBR' if is_ybr else 'RGB'}"
    return is_ybr, doubt
