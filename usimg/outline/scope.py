"""Which outlines have been compared with human labels: the table ``scope.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from usimg.outline.field import Pane

# A linear array shows a rectangle: nearly all of the scan area's bounding box is picture. Sectors and
# trapezoids leave out its corners (a 60 degree sector fills about 70 %).
LINEAR_FILL = 0.9
# The labelled images (dltrack_apo train) are 0.7 to 1.4 times as wide as deep; a panorama is wider.
WIDEST = 1.6


@cache
def scope() -> tuple[dict[str, Any], ...]:
    """Rows of the table."""
    table = tomllib.loads((files("usimg.outline") / "scope.toml").read_text("utf-8"))
    return tuple(table["scope"])


def is_linear(pane: Pane) -> bool:
    """Whether a pane looks like one still of a linear array: neither sector, trapezoid nor panorama."""
    rows, cols = pane.usable.shape
    return bool(pane.usable.mean() >= LINEAR_FILL and cols <= WIDEST * rows)


def is_validated(method: str, structure: str, plane: str, prompt: str, pane: Pane) -> bool:
    """Whether an outline made this way lies within what was compared with human labels."""
    probe = "linear" if is_linear(pane) else "other"
    return any(
        row["method"] == method
        and row["structure"] == structure
        and plane in row["planes"]
        and row["prompt"] == prompt
        and row["probe"] == probe
        for row in scope()
    )
