"""Where each compressed frame lies in a file: fragments, offset tables, and frames without a table.

PS3.5 A.4: encapsulated pixel data is a sequence of items; the first holds the Basic Offset Table (often
empty), the others fragments. Nothing but the items' 8-byte headers is read here, and no length is
believed before it is compared with the file's.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

Fragment = tuple[int, int]  # offset of the first byte in the file, length in bytes

_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_END = b"\xff\xd9"


class BadFragments(ValueError):
    """The fragments cannot be followed; the message completes "its pixel data ..."."""


def frame_fragments(
    file: BinaryIO, start: int, end: int, frames: int, extended_offsets: bytes | None = None
) -> list[list[Fragment]]:
    """Fragments of each frame.

    Parameters
    ----------
    file : binary file
    start, end : int
        First byte of the Basic Offset Table's item, and size of the file.
    frames : int
        Number of Frames.
    extended_offsets : bytes or None
        Extended Offset Table (7FE0,0001): 64-bit offsets.

    Raises
    ------
    BadFragments
        An item runs past the end of the file, or there are fewer frames than stated.
    """
    items = _items(file, start, end)
    if not items:
        raise BadFragments("has no items")
    (table_at, table_length), fragments = items[0], items[1:]
    if not fragments:
        raise BadFragments("has an offset table only")
    file.seek(table_at)
    table = file.read(table_length)
    if frames == 1:
        return [fragments]
    if len(fragments) == frames:
        return [[fragment] for fragment in fragments]
    if extended_offsets and len(extended_offsets) == 8 * frames:
        return _by_offsets(fragments, struct.unpack(f"<{frames}Q", extended_offsets))
    if len(table) == 4 * frames:
        return _by_offsets(fragments, struct.unpack(f"<{frames}L", table))
    if len(fragments) < frames:
        raise BadFragments(f"holds {len(fragments)} of {frames} frames")
    return _by_end_marker(file, fragments, frames)


def read_frame(file: BinaryIO, fragments: list[Fragment]) -> bytes:
    """The fragments' bytes, joined."""
    parts = []
    for offset, length in fragments:
        file.seek(offset)
        parts.append(file.read(length))
    return b"".join(parts)


def _items(file: BinaryIO, start: int, end: int) -> list[Fragment]:
    items = []
    position = start
    while position + 8 <= end:
        file.seek(position)
        group, element, length = struct.unpack("<HHL", file.read(8))
        tag = group << 16 | element
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM:
            raise BadFragments(f"has something other than an item at byte {position}")
        position += 8
        if length > end - position:
            raise BadFragments("ends early: the file is cut")
        items.append((position, length))
        position += length
    return items


def _by_offsets(fragments: list[Fragment], offsets: tuple[int, ...]) -> list[list[Fragment]]:
    first = fragments[0][0] - 8
    starts = [offset - 8 - first for offset, _ in fragments]
    at = {start: i for i, start in enumerate(starts)}
    try:
        begins = [at[offset] for offset in offsets]
    except KeyError:
        raise BadFragments("has an offset table that points between its fragments") from None
    ends = [*begins[1:], len(fragments)]
    if any(begin >= stop for begin, stop in zip(begins, ends, strict=True)):
        raise BadFragments("has an offset table that runs backwards")
    return [fragments[begin:stop] for begin, stop in zip(begins, ends, strict=True)]


def _by_end_marker(file: BinaryIO, fragments: list[Fragment], frames: int) -> list[list[Fragment]]:
    """Without a table and with several fragments a frame, a frame ends at a JPEG end marker."""
    found: list[list[Fragment]] = []
    current: list[Fragment] = []
    for offset, length in fragments:
        current.append((offset, length))
        tail = min(length, 10)  # padding may follow the marker
        file.seek(offset + length - tail)
        if _END in file.read(tail):
            found.append(current)
            current = []
    if len(found) < frames:
        raise BadFragments(f"holds {len(found)} of {frames} frames")
    return found[:frames]
