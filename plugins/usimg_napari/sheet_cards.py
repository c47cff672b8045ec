"""The tiles of a labelling session as they are drawn. No Qt."""

from __future__ import annotations

from collections.abc import Collection

from usimg_napari.cards import DONE, FLAGGED, OUT, PLAIN, PROPOSED, Card, Row, Source
from usimg_napari.labelling import Sheet, in_words
from usimg_napari.tiles import Tile


def label_rows(sheet: Sheet, a_row: int, *, outlined: Collection[str]) -> list[Row]:
    """Tiles of the visit, ``a_row`` beside each other, in the order in which they were taken.

    Parameters
    ----------
    outlined : collection of str
        Scans that have outlines already.
    """
    cards = [_card(number, tile, outlined) for number, tile in enumerate(sheet.tiles, start=1)]
    return [Row("", tuple(cards[start : start + a_row])) for start in range(0, len(cards), a_row)]


def _card(number: int, tile: Tile, outlined: Collection[str]) -> Card:
    label = tile.label
    clip = f"  clip of {tile.frames}" if tile.frames > 1 else ""
    panel = f"  panel {tile.region}" if tile.region is not None else ""
    title = f"{number}{clip}{panel}"
    source = Source(tile.path, tile.frame, tile.region, tile.scan)
    if label.exclude:
        return Card(source, title, sign="✗", lines=("left out", label.reason), tone=OUT)
    if label.says_what:
        state = "outlined" if tile.scan in outlined else "labelled"
        sideless = "" if label.side else "   no side"
        tone = DONE if label.side else PLAIN
        return Card(source, title, sign="✓", lines=(in_words(label), state + sideless), tone=tone)
    if tile.proposal is not None:
        words = in_words(tile.proposal) or tile.proposal.side
        return Card(source, title, sign="?", lines=(words, tile.evidence), tone=PROPOSED, tip=tile.evidence)
    return Card(source, title, sign="□", lines=("to label", tile.evidence), tone=FLAGGED)
