"""Screens that are no plain B-mode picture: flow, elastography, M-mode, spectral Doppler, pages, panoramas.

No public collection shows M-mode, spectral Doppler, elastography or a report page of a muscle or nerve
scanner, so these are drawn here, on phantoms, as scanners lay them out; nothing in them was measured.
Each says its kind, and carries the region table and Image Type that a maker writes (PS3.3 C.8.5.5, C.8.5.6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from usimg.simulate.dicom import ENCODINGS, PixelRegion, Tags, write_dicom
from usimg.simulate.field import Field
from usimg.simulate.muscles import muscle, posterior_lower_leg, upper_arm
from usimg.simulate.nerves import median_nerve_forearm
from usimg.simulate.noise import smooth_noise
from usimg.simulate.phantom import Phantom
from usimg.simulate.screen import RgbImage, Style, draw_screen, draw_text
from usimg.simulate.stage import Setup

FloatArray = NDArray[np.float64]
Box = tuple[int, int, int, int]

# Codes of PS3.3 C.8.5.5.1.2 (format), .3 (data) and .15 (units).
_M_MODE, _SPECTRAL = 2, 3
_TISSUE, _COLOUR_FLOW, _PW_DOPPLER = 1, 2, 3
_CM, _SECONDS, _CM_PER_S = 3, 4, 7
_SHAPE = (480, 640)
_STYLE = Style("SIM-KINDS", coloured=True)
_WHITE, _GREEN = (230, 230, 230), (60, 220, 90)
_SWEPT = Field.linear(36.0, 148.0)
_STACKED: Box = (36, 220, 200, 420)  # the small B-mode picture above a trace
_STRIP: Box = (232, 40, 452, 600)  # and the trace


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen and what is true about it.

    Attributes
    ----------
    kind : str
        As `usimg.picture` names it.
    image : (rows, cols, 3) uint8 array
    regions : tuple of PixelRegion
    image_type : tuple of str
    truth : dict
        Lengths in mm, areas of what was drawn, by name.
    """

    kind: str
    image: RgbImage
    regions: tuple[PixelRegion, ...]
    image_type: tuple[str, ...]
    truth: dict[str, float] = field(default_factory=dict)


def write(folder: Path, *, seed: int = 1, regions: bool = True, encoding: str = "ybr_rle") -> list[Path]:
    """Write one DICOM file of each kind.

    Parameters
    ----------
    folder : Path
        Made when missing.
    seed : int
    regions : bool
        False leaves the region table and Image Type out, as a screen shot has none.
    encoding : str
        One of `usimg.simulate.dicom.ENCODINGS` that keeps colour.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, (name, make) in enumerate(KINDS.items(), start=1):
        screen = make(seed)
        kinds = screen.image_type if regions else ("DERIVED", "SECONDARY")
        tags = Tags("S01", "MSK", _STYLE.name, number=number, image_type=kinds)
        path = folder / f"{name}.dcm"
        stated = screen.regions if regions else ()
        write_dicom(path, screen.image[None], ENCODINGS[encoding], tags, stated)
        written.append(path)
    return written


def b_mode(seed: int = 1) -> Screen:
    """A plain picture, to tell the others from."""
    phantom = _arm(seed)
    return Screen("b_mode", _screen(phantom), (_tissue(phantom),), _image_type("0001"))


def sepia(seed: int = 1) -> Screen:
    """A plain picture under a colour map; still B-mode."""
    phantom = _arm(seed)
    image = _screen(phantom)
    box = phantom.display.box
    shown = image[box[0] : box[2], box[1] : box[3]]
    level = shown[..., 1].astype(np.float64)
    shift = 38.0 * np.sin(np.pi * level / 255.0)
    shown[:] = np.clip(np.stack([level + shift, level, level - shift], axis=-1), 0, 255).astype(np.uint8)
    return Screen("b_mode", image, (_tissue(phantom),), _image_type("0001"))


def colour_doppler(seed: int = 1) -> Screen:
    """Two vessels with flow to and from the probe in a steered box."""
    phantom, rng = _arm(seed), np.random.default_rng([seed, 1])
    image = _screen(phantom)
    inside, box = _colour_box(phantom, slant=0.25)
    rows, cols = _grid(image)
    for centre, radii, towards in (((0.42, 0.38), (15, 34), True), ((0.55, 0.66), (12, 22), False)):
        row, col = box[0] + centre[0] * (box[2] - box[0]), box[1] + centre[1] * (box[3] - box[1])
        radius = np.hypot((rows - row) / radii[0], (cols - col) / radii[1])
        speed = np.clip(1.0 - radius**2 + 0.12 * _texture(rng, image, 4.0), 0.0, 1.0)
        painted = inside & (speed > 0.12)
        image[painted] = _flow_colours(speed[painted], towards=towards)
    _outline(image, inside)
    _colour_bar(image, phantom, lambda s: _flow_colours(np.abs(s), towards=bool(s[0] > 0)))
    regions = (_tissue(phantom), _region(box, phantom, data_type=_COLOUR_FLOW))
    return Screen("colour_doppler", image, regions, _image_type("0011"))


def power_doppler(seed: int = 1) -> Screen:
    """Power in orange, without direction: small branches in a box."""
    phantom, rng = _arm(seed), np.random.default_rng([seed, 2])
    image = _screen(phantom)
    inside, box = _colour_box(phantom)
    power = np.clip(0.9 * _texture(rng, image, 14.0) - 0.75, 0.0, 1.0)
    painted = inside & (power > 0.05)
    strength = np.clip(0.3 + power[painted], 0.0, 1.0)
    image[painted] = np.stack([90 + 165 * strength, 200 * strength**1.6, 30 * strength], -1).astype(np.uint8)
    _outline(image, inside)
    regions = (_tissue(phantom), _region(box, phantom, data_type=_COLOUR_FLOW))
    return Screen("colour_doppler", image, regions, _image_type("0101"))


def elastography(seed: int = 1) -> Screen:
    """Stiffness from blue to red, half transparent, filling a box."""
    phantom, rng = _arm(seed), np.random.default_rng([seed, 3])
    image = _screen(phantom)
    inside, box = _colour_box(phantom)
    stiffness = np.clip(0.45 + 0.28 * _texture(rng, image, 26.0), 0.0, 1.0)
    grey = image[inside].astype(np.float64)
    image[inside] = (0.45 * grey + 0.55 * _rainbow(stiffness[inside])).astype(np.uint8)
    _outline(image, inside)
    _colour_bar(image, phantom, lambda s: _rainbow((s + 1.0) / 2.0))
    return Screen(
        "elastography", image, (_tissue(phantom), _region(box, phantom, data_type=0x12)), _image_type("0201")
    )


def m_mode(seed: int = 1) -> Screen:
    """Depth over time under a small B-mode picture: a bright wall that moves twice, as in breathing.

    ``truth["excursion_mm"]`` is the wall's way from rest to its deepest point.
    """
    phantom = muscle(seed, setup=Setup(shape=_SHAPE, window=_STACKED))
    rng = np.random.default_rng([seed, 4])
    image = draw_screen([phantom], _STYLE, "M MODE", rulers=False)
    r0, c0, r1, c1 = _STRIP
    row_mm, col_s = phantom.field.depth_mm / (r1 - r0), 4.0 / (c1 - c0)
    display = phantom.display
    line = phantom.image[display.box[0] : display.box[2], round(display.middle)].astype(np.float64)
    depth = (np.arange(r1 - r0) + 0.5) * row_mm
    time = np.arange(c1 - c0) * col_s
    excursion, rest = 9.0, 0.55 * phantom.field.depth_mm
    moved = excursion * np.clip(np.sin(2.0 * np.pi * time / 2.0), 0.0, None) ** 2
    # The probe's side stands still, the deep side moves as one.
    share = np.clip((depth - 0.3 * phantom.field.depth_mm) / (0.2 * phantom.field.depth_mm), 0.0, 1.0)
    source = (depth[:, None] - share[:, None] * moved) / display.spacing[0]
    trace = ndimage.map_coordinates(line, [source], order=1, mode="nearest")
    wall = np.abs(depth[:, None] - rest - moved) < 0.35
    trace = np.where(wall, 225.0, 0.8 * trace) * (1.0 + 0.06 * rng.standard_normal(trace.shape))
    image[r0:r1, c0:c1] = np.clip(np.maximum(trace, 1.0), 0, 255).astype(np.uint8)[..., None]
    image[display.box[0] : display.box[2] : 6, round(display.middle)] = _GREEN
    _time_ticks(image, col_s)
    strip = PixelRegion(
        _STRIP, (row_mm, col_s), spatial_format=_M_MODE, data_type=_TISSUE, units=(_CM, _SECONDS)
    )
    truth = {"excursion_mm": excursion, "row_mm": row_mm, "col_s": col_s, "rest_mm": rest}
    return Screen("m_mode", image, (_tissue(phantom), strip), _image_type("0003"), truth)


def spectral_doppler(seed: int = 1) -> Screen:
    """Speed over time under a small B-mode picture with the sample volume: three heart beats."""
    phantom = muscle(seed, setup=Setup(shape=_SHAPE, window=_STACKED))
    rng = np.random.default_rng([seed, 5])
    image = draw_screen([phantom], _STYLE, "PW", rulers=False)
    r0, c0, r1, c1 = _STRIP
    col_s, row_cm_s = 3.0 / (c1 - c0), 0.5
    time = np.arange(c1 - c0) * col_s
    beat = time % 1.0
    envelope = (
        55.0 * np.exp(-(((beat - 0.15) / 0.08) ** 2)) + 18.0 * np.exp(-(((beat - 0.5) / 0.2) ** 2)) + 6.0
    )
    base = r0 + round(0.75 * (r1 - r0))
    speed = (base - np.arange(r0, r1))[:, None] * row_cm_s
    filled = (speed > 0) & (speed < envelope)
    strength = np.where(filled, 60.0 + 150.0 * speed / np.maximum(envelope, 1.0), 0.0)
    grain = rng.rayleigh(1.0, strength.shape)
    shown = np.clip(strength * grain * 0.7 + np.where(grain > 2.6, 30.0, 0.0), 0, 255)
    image[r0:r1, c0:c1] = shown.astype(np.uint8)[..., None]
    image[base, c0:c1] = _WHITE
    _time_ticks(image, col_s)
    for k in range(-1, 5):
        draw_text(image, f"{20 * k:.0f}", base - round(20 * k / row_cm_s) - 3, c1 + 6, _WHITE)
    display = phantom.display
    middle, gate = round(display.middle), (display.box[0] + display.box[2]) // 2
    image[display.box[0] : display.box[2] : 5, middle] = _GREEN
    image[gate - 4, middle - 6 : middle + 7] = image[gate + 4, middle - 6 : middle + 7] = _GREEN
    strip = PixelRegion(
        _STRIP,
        (-row_cm_s, col_s),
        spatial_format=_SPECTRAL,
        data_type=_PW_DOPPLER,
        units=(_CM_PER_S, _SECONDS),
    )
    return Screen("spectral_doppler", image, (_tissue(phantom), strip), _image_type("0009"))


def split(seed: int = 1) -> Screen:
    """Right and left side by side."""
    halves = [
        upper_arm(seed + k, setup=Setup(shape=(480, 800), window=(60, left, 440, left + 330)))
        for k, left in enumerate((40, 430))
    ]
    image = draw_screen(halves, _STYLE, "DUAL")
    return Screen("split", image, tuple(map(_tissue, halves)), _image_type("0001"))


def panoramic(seed: int = 1) -> Screen:
    """A sweep over the curve of a limb, 15 cm along the skin, which is the outer rim."""
    flat = muscle(seed, setup=Setup(shape=(400, 1500), window=(20, 10, 380, 1490), field=_SWEPT))
    r0, c0, r1, c1 = flat.display.box
    spacing, radius_mm = 0.2, 110.0
    rows, cols = np.mgrid[: _SHAPE[0], : _SHAPE[1]].astype(np.float64)
    up, right = (60.0 + radius_mm / spacing - rows) * spacing, (cols - _SHAPE[1] / 2.0) * spacing
    depth, along = radius_mm - np.hypot(up, right), radius_mm * np.arctan2(right, up)
    at = [r0 + depth / flat.spacing[0], (c0 + c1 - 1) / 2.0 + along / flat.spacing[1]]
    inside = (at[0] >= r0) & (at[0] < r1 - 1) & (at[1] >= c0) & (at[1] < c1 - 1)
    shown = ndimage.map_coordinates(flat.image.astype(np.float64), at, order=1)
    image = np.zeros((*_SHAPE, 3), np.uint8)
    image[inside] = np.clip(shown[inside], 1, 255).astype(np.uint8)[:, None]
    draw_text(image, "SWEEP", 6, 8, _WHITE)
    draw_text(image, "SIMULATED", 6, 560, _WHITE)
    region = PixelRegion((40, 0, *_SHAPE), (spacing, spacing))
    return Screen("panoramic", image, (region,), _image_type("0001"))


def report_page(_: int = 1) -> Screen:
    """The scanner's own list of measurements."""
    image = np.zeros((*_SHAPE, 3), np.uint8)
    image[:24] = (40, 44, 70)
    draw_text(image, "MSK REPORT - SIMULATED", 8, 12, _WHITE)
    names = ("BICEPS R", "BICEPS L", "FOREARM R", "FOREARM L", "QUADRICEPS R", "QUADRICEPS L", "TIB ANT R")
    for k, name in enumerate(names):
        row = 60 + 44 * k
        image[row - 12, 20:620] = (60, 60, 60)
        draw_text(image, name, row, 24, _WHITE, 2)
        for n in range(3):
            draw_text(image, f"{2.31 + 0.17 * k + 0.02 * n:.2f} CM", row, 250 + 120 * n, _WHITE, 2)
    draw_text(image, "PAGE 1/2", 460, 560, _WHITE)
    return Screen("report_page", image, (), ("DERIVED", "SECONDARY", "", "0000"))


def longitudinal(seed: int = 1) -> Screen:
    """Gastrocnemius along its length: level fasciae, which are no time trace."""
    phantom = posterior_lower_leg(seed, setup=Setup(shape=_SHAPE))
    return Screen("b_mode", _screen(phantom), (_tissue(phantom),), _image_type("0001"))


def nerve(seed: int = 1) -> Screen:
    """Median nerve at the forearm, across."""
    phantom = median_nerve_forearm(seed, setup=Setup(shape=_SHAPE))
    return Screen("b_mode", _screen(phantom), (_tissue(phantom),), _image_type("0001"))


KINDS: dict[str, Callable[[int], Screen]] = {
    "b_mode": b_mode,
    "longitudinal": longitudinal,
    "nerve": nerve,
    "sepia": sepia,
    "colour_doppler": colour_doppler,
    "power_doppler": power_doppler,
    "elastography": elastography,
    "m_mode": m_mode,
    "spectral_doppler": spectral_doppler,
    "split": split,
    "panoramic": panoramic,
    "report_page": report_page,
}


def _arm(seed: int) -> Phantom:
    return upper_arm(seed, setup=Setup(shape=_SHAPE, window=(44, 100, 456, 540)))


def _screen(phantom: Phantom) -> RgbImage:
    return draw_screen([phantom], _STYLE, phantom.view.replace("_", " "))


def _image_type(bits: str) -> tuple[str, ...]:
    return ("ORIGINAL", "PRIMARY", "MUSCULOSKELETAL", bits)


def _tissue(phantom: Phantom) -> PixelRegion:
    return PixelRegion(phantom.display.box, phantom.spacing)


def _region(box: Box, phantom: Phantom, *, data_type: int) -> PixelRegion:
    return PixelRegion(box, phantom.spacing, data_type=data_type)


def _grid(image: RgbImage) -> tuple[FloatArray, FloatArray]:
    rows, cols = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float64)
    return rows, cols


def _texture(rng: np.random.Generator, image: RgbImage, scale_px: float) -> FloatArray:
    rows = np.arange(image.shape[0], dtype=np.float64)[:, None]
    cols = np.arange(image.shape[1], dtype=np.float64)[None, :]
    down, across = np.broadcast_arrays(rows, cols)
    return smooth_noise(rng, down, across, scale_px, 1.4 * scale_px)


def _colour_box(phantom: Phantom, slant: float = 0.0) -> tuple[NDArray[np.bool_], Box]:
    """Mask of the box in which colour is painted, and the rectangle around it."""
    r0, c0, r1, c1 = phantom.display.box
    top, bottom = r0 + (r1 - r0) // 5, r0 + 4 * (r1 - r0) // 5
    left, right = c0 + (c1 - c0) // 4, c0 + 3 * (c1 - c0) // 4
    rows, cols = np.mgrid[: phantom.image.shape[0], : phantom.image.shape[1]]
    lean = slant * (rows - (top + bottom) / 2.0)
    inside = (rows >= top) & (rows < bottom) & (cols - lean >= left) & (cols - lean < right)
    inside &= phantom.scan_area
    across = np.flatnonzero(inside.any(axis=0))
    return inside, (top, int(across[0]), bottom, int(across[-1]) + 1)


def _outline(image: RgbImage, inside: NDArray[np.bool_]) -> None:
    image[inside & ~ndimage.binary_erosion(inside)] = _WHITE


def _flow_colours(speed: FloatArray, *, towards: bool) -> NDArray[np.uint8]:
    """(N, 3): dark to bright, red to yellow or blue to cyan."""
    main, second, rest = 110 + 145 * speed, 230 * speed**1.5, 10 + 0 * speed
    order = (main, second, rest) if towards else (rest, second, main)
    return np.stack(order, axis=-1).astype(np.uint8)


def _rainbow(share: FloatArray) -> FloatArray:
    """(N, 3) colours 0..255 from blue over green to red."""
    return 255.0 * np.clip(1.5 - np.abs(4.0 * share[..., None] - (3.0, 2.0, 1.0)), 0.0, 1.0)


def _colour_bar(
    image: RgbImage, phantom: Phantom, colours: Callable[[FloatArray], NDArray[np.generic]]
) -> None:
    left = phantom.display.box[1] - 60
    for row in range(120):
        share = np.array([1.0 - row / 59.5])
        image[150 + row, left : left + 10] = colours(share)[0].astype(np.uint8)


def _time_ticks(image: RgbImage, col_s: float) -> None:
    r1, c0, c1 = _STRIP[2], _STRIP[1], _STRIP[3]
    for k in range(int((c1 - c0) * col_s / 0.5) + 1):
        col = c0 + round(0.5 * k / col_s)
        image[r1 + 2 : r1 + (8 if k % 2 == 0 else 5), col : col + 1] = _WHITE
