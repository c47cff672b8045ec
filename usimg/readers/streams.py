"""What a compressed frame says about itself, read without decoding it.

A decoder takes memory for the size the stream states, whatever the data set says, and CharLS takes
5 s to refuse a truncated JPEG-LS stream; so size, depth and end marker are looked at first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

# ITU-T T.81 table B.1: start-of-frame markers (C4, C8 and CC are tables, not frames); F7 is T.87 (JPEG-LS).
_SOF = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_EOI, _SOS, _APP0, _APP14 = 0xD9, 0xDA, 0xE0, 0xEE
_END = b"\xff\xd9"
_RGB_IDS = (b"RGB", b"rgb")
# ISO/IEC 15444-1 A.5.1: the tile index is 16 bits wide.
_MAX_TILES = 65_535


class BadStream(ValueError):
    """The stream cannot be decoded; the message completes "the compressed picture ..."."""


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """Size and colour of one compressed frame.

    Attributes
    ----------
    rows, cols, components, precision : int
        As the stream states them; precision in bits.
    colour : str
        ``"RGB"`` or ``"YBR"`` where the stream says so (Adobe marker, JFIF, component names,
        subsampled chroma), else ``""``.
    evidence : str
        What said so.
    complete : bool
        Whether the end marker is there.
    """

    rows: int
    cols: int
    components: int
    precision: int
    colour: str = ""
    evidence: str = ""
    complete: bool = True


def jpeg_header(stream: bytes) -> StreamHeader:
    """Header of a JPEG or JPEG-LS stream (ITU-T T.81 B.2, T.87 C.2).

    Raises
    ------
    BadStream
        It is no such stream, or it ends inside its header.
    """
    jfif, adobe, scan = False, None, 0
    frame: StreamHeader | None = None
    for marker, body, end in _segments(stream):
        if marker in _SOF:
            frame = _frame_of(body)
        elif marker == _APP0:
            jfif = jfif or body.startswith(b"JFIF")
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
        scan = end
    if frame is None:
        raise BadStream("has no frame header")
    # Inside entropy-coded data FF is stuffed, so FFD9 after the scan's start is the end.
    frame = replace(frame, complete=stream.rfind(_END, scan) >= 0)
    if frame.components != 3:
        return frame
    if adobe is not None:
        return replace(
            frame, colour="RGB" if adobe == 0 else "YBR", evidence=f"Adobe marker, transform {adobe}"
        )
    if jfif and not frame.colour:
        return replace(frame, colour="YBR", evidence="JFIF marker")
    return frame


def _segments(stream: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, content and end of each segment, up to and with the first start of scan."""
    if stream[:2] != b"\xff\xd8":
        raise BadStream("does not begin as JPEG")
    position, marker = 2, 0
    while marker != _SOS:
        marker, position = _next_marker(stream, position)
        if marker in _STANDALONE:
            continue
        if marker == _EOI:
            raise BadStream("ends before its first scan")
        length = int.from_bytes(stream[position : position + 2], "big")
        body = stream[position + 2 : position + length]
        if length < 2 or len(body) != length - 2:
            raise BadStream("ends inside its header")
        position += length
        yield marker, body, position


def _next_marker(stream: bytes, position: int) -> tuple[int, int]:
    if position >= len(stream) or stream[position] != 0xFF:
        raise BadStream("has no marker where one must be")
    while position < len(stream) and stream[position] == 0xFF:  # fill bytes are allowed before a marker
        position += 1
    if position >= len(stream):
        raise BadStream("ends inside its header")
    return stream[position], position + 1


def _frame_of(body: bytes) -> StreamHeader:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise BadStream("has a frame header that is too short")
    precision, rows, cols, components = struct.unpack(">BHHB", body[:6])
    ids = bytes(body[6 + 3 * i] for i in range(components))
    sampling = [body[7 + 3 * i] for i in range(components)]
    colour = evidence = ""
    if components == 3 and ids in _RGB_IDS:
        colour, evidence = "RGB", "component names R, G, B"
    elif components == 3 and len(set(sampling)) > 1:
        colour, evidence = "YBR", "subsampled chroma"
    return StreamHeader(rows, cols, components, precision, colour, evidence)


def jpeg2000_header(stream: bytes) -> StreamHeader:
    """Header of a JPEG 2000 or HTJ2K codestream, bare or in a JP2 file (ISO/IEC 15444-1 A.5.1).

    Raises
    ------
    BadStream
        It is no such stream, or its geometry is impossible.
    """
    start = stream.find(b"\xff\x4f\xff\x51", 0, 4096)  # SOC then SIZ; JP2 boxes come first
    if start < 0:
        raise BadStream("does not begin as JPEG 2000")
    siz = stream[start + 6 : start + 6 + 38]
    if len(siz) < 37:
        raise BadStream("ends inside its header")
    x1, y1, x0, y0, tile_w, tile_h, tile_x, tile_y, components = struct.unpack(">8IH", siz[2:36])
    rows, cols = y1 - y0, x1 - x0
    if rows <= 0 or cols <= 0 or not tile_w or not tile_h or components == 0:
        raise BadStream("states an impossible size")
    if -(-(x1 - tile_x) // tile_w) * -(-(y1 - tile_y) // tile_h) > _MAX_TILES:
        raise BadStream("states more tiles than the standard allows")
    return StreamHeader(
        rows, cols, components, (siz[36] & 0x7F) + 1, complete=stream.rfind(_END, start + 44) >= 0
    )
