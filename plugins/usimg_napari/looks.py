"""Colours of outlines: one a kind of structure, which colour-blind people can tell apart. No Qt.

Okabe and Ito, "Color Universal Design" (2008); the report's pages use the same.
"""

from __future__ import annotations

from usimg import anatomy

COLOURS = {
    "muscle": "#E69F00",
    "nerve": "#F0E442",
    "vessel": "#D55E00",
    "fat": "#56B4E9",
    "bone": "#CC79A7",
}
OTHER = "#009E73"


def colour_of(structure: str) -> str:
    """Hex colour of a structure's kind."""
    return COLOURS.get(anatomy.structure(structure).kind, OTHER)
