"""Colours of outlines: those of the report, which colour-blind people can tell apart. No Qt."""

from __future__ import annotations

from usimg import anatomy
from usimg.report import drawing


def colour_of(structure: str) -> str:
    """Hex colour of a structure of the anatomy list, by its kind."""
    return drawing.colour_of(anatomy.structure(structure).kind)
