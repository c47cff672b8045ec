"""What a scanner draws around the picture: ticks, grey bar, focus mark, settings, a probe marker.

Nothing drawn names a person, a place or a maker. The letters are an own 5 x 7 bitmap, so that every
machine draws the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.simulate.phantom import Phantom

RgbImage = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Five columns a letter, bit 0 on top.
_FONT = {
    "-": "0808080808", ".": "0060600000", "/": "2010080402", "%": "2313086462", ":": "0036360000",
    "0": "3e5149453e", "1": "00427f4000", "2": "4261514946", "3": "2141454b31", "4": "1814127f10",
    "5": "2745454539", "6": "3c4a494930", "7": "0171090503", "8": "3649494936", "9": "064949291e",
    "A": "7c1211127c", "B": "7f49494936", "C": "3e41414122", "D": "7f4141221c", "E": "7f49494941",
    "F": "7f09090901", "G": "3e4149497a", "H": "7f0808087f", "I": "00417f4100", "J": "2040413f01",
    "K": "7f08142241", "L": "7f40404040", "M": "7f020c027f", "N": "7f0408107f", "O": "3e4141413e",
    "P": "7f09090906", "Q": "3e4151215e", "R": "7f09192946", "S": "4649494931", "T": "01017f0101",
    "U": "3f4040403f", "V": "1f2040201f", "W": "3f4038403f", "X": "6314081463", "Y": "0708700807",
    "Z": "6151494543",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """How one make of scanner lays out its screen.

    Attributes
    ----------
    name : str
        Invented model name.
    background : int
        Grey of the screen around the picture.
    ticks : str
        ``"right"`` or ``"left"``: side of the depth ruler.
    minor_mm : float
        Between small ticks; large ones stand at every centimetre.
    coloured : bool
        Whether marks are drawn in colour; only for files that store colour.
    letters : int
        Pixels per font dot.
    """

    name: str
    background: int = 0
    ticks: str = "right"
    minor_mm: float = 5.0
    coloured: bool = False
    letters: int = 1

    @property
    def ink(self) -> Colour:
        """Of text and ticks."""
        return (200, 200, 200)

    @property
    def accent(self) -> Colour:
        """Of focus and probe marks."""
        return (40, 200, 60) if self.coloured else (230, 230, 230)


def text_size(text: str, scale: int = 1) -> tuple[int, int]:
    """(rows, cols) that `draw_text` covers."""
    return 7 * scale, (6 * len(text) - 1) * scale


def draw_text(image: RgbImage, text: str, row: int, col: int, colour: Colour, scale: int = 1) -> None:
    """Write capital letters with their top left corner at (row, col); what leaves the picture is cut."""
    for k, letter in enumerate(text.upper()):
        if letter == " ":
            continue
        columns = np.frombuffer(bytes.fromhex(_FONT[letter]), np.uint8)
        dots = (columns[None, :] >> np.arange(7, dtype=np.uint8)[:, None]) & 1
        dots = np.kron(dots, np.ones((scale, scale), np.uint8)).astype(bool)
        left = col + 6 * k * scale
        block = image[row : row + dots.shape[0], left : left + dots.shape[1]]
        block[dots[: block.shape[0], : block.shape[1]]] = colour


def draw_screen(phantoms: Sequence[Phantom], style: Style, title: str, *, rulers: bool = True) -> RgbImage:
    """One or two phantoms' pictures as a scanner would show them.

    Parameters
    ----------
    phantoms : sequence of Phantom
        Displayed in different windows of one frame shape. Their fields are left untouched; everything
        is drawn outside.
    style : Style
    title : str
        Invented text for the top line; capitals, digits and ``- . / % :``.
    rulers : bool
        Draw the rulers.

    Returns
    -------
    (rows, cols, 3) uint8 array
    """
    rows, cols = phantoms[0].image.shape
    screen = np.full((rows, cols, 3), style.background, np.uint8)
    draw_text(screen, title, 6, 8, style.ink, style.letters)
    mark = "SIMULATED"
    draw_text(screen, mark, 6, cols - text_size(mark, style.letters)[1] - 8, style.ink, style.letters)
    _draw_settings(screen, phantoms[0], style)
    _draw_grey_bar(screen, phantoms[0], style)
    for phantom in phantoms:
        r0, c0, r1, c1 = phantom.display.box
        screen[r0:r1, c0:c1] = 0
        screen[phantom.scan_area] = phantom.image[phantom.scan_area][:, None]
        _draw_probe_marker(screen, phantom, style)
        if rulers:
            _draw_rulers(screen, phantom, style)
    return screen


def _draw_settings(screen: RgbImage, phantom: Phantom, style: Style) -> None:
    scanner, left = phantom.scanner, 8
    lines = [
        "B",
        f"F {scanner.frequency_mhz:.1f}",
        f"D {phantom.field.depth_mm / 10:.1f}",
        f"G {50 + scanner.gain_db:.0f}",
        f"DR {scanner.dynamic_range_db:.0f}",
    ]
    for k, line in enumerate(lines):
        if left + text_size(line)[1] < phantom.display.box[1] - 30:
            draw_text(screen, line, 30 + 12 * k * style.letters, left, style.ink)


def _draw_grey_bar(screen: RgbImage, phantom: Phantom, style: Style) -> None:
    """A wedge from white to black beside the field, on the side without the ruler."""
    r0, c0, _, c1 = phantom.display.box
    length, width = screen.shape[0] // 5, 10
    left = c1 + 8 if style.ticks == "left" else c0 - 8 - width
    if left < 0 or left + width > screen.shape[1]:
        return
    wedge = np.rint(np.linspace(255.0, 0.0, length)).astype(np.uint8)
    top = max(r0, 96 * style.letters) if style.ticks == "right" else r0
    bar = screen[top : top + length, left : left + width]
    bar[:] = wedge[: bar.shape[0], None, None]


def _draw_probe_marker(screen: RgbImage, phantom: Phantom, style: Style) -> None:
    """A small ring above the field's left end: where the probe's notch is."""
    r0, c0, _, _ = phantom.display.box
    rows, cols = np.mgrid[0:9, 0:9]
    ring = np.abs(np.hypot(rows - 4, cols - 4) - 3.2) < 0.9
    block = screen[r0 - 12 : r0 - 3, c0 + 2 : c0 + 11]
    block[ring[: block.shape[0], : block.shape[1]]] = style.accent


def _draw_rulers(screen: RgbImage, phantom: Phantom, style: Style) -> None:
    """Depth ticks beside the field, width ticks below it, a mark at the focus."""
    display, field = phantom.display, phantom.field
    _, c0, r1, c1 = display.box
    side = 1 if style.ticks == "right" else -1
    base = c1 + 4 if side > 0 else c0 - 5
    for k in range(int(field.depth_mm / style.minor_mm) + 1):
        depth = k * style.minor_mm
        major = round(depth, 6) % 10.0 == 0.0
        row = round(display.top + depth / display.spacing[0])
        if not 0 <= row < screen.shape[0]:
            continue
        reach = 7 if major else 3
        tick = slice(base, base + reach) if side > 0 else slice(base - reach + 1, base + 1)
        screen[row, tick] = style.ink
        if major:
            label = f"{depth / 10:.0f}"
            col = base + 10 if side > 0 else base - 10 - text_size(label)[1]
            draw_text(screen, label, row - 3, max(col, 0), style.ink)
    half = int(field.half_width_mm / 10.0)
    for k in range(-half, half + 1):
        col = round(display.middle + 10.0 * k / display.spacing[1])
        screen[r1 + 3 : r1 + (8 if k % 5 == 0 else 6), col : col + 1] = style.ink
    focus = round(display.top + phantom.scanner.focus_mm / display.spacing[0])
    for k in range(6):
        col = base + side * (22 + k)
        if 0 <= col < screen.shape[1]:
            screen[max(focus - k // 2, 0) : focus + k // 2 + 1, col] = style.accent
