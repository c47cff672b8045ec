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


@cache
def scope() -> tuple[dict[str, Any], ...]:
    """Rows of the table."""
    table = tomllib.loads((files("usimg.outline") / "scope.toml").read_text("utf-8"))
    return tuple(table["scope"])


def is_validated(method: str, structure: str, plane: str, prompt: str, pane: Pane) -> bool:
    """Whether an outline made this way lies within what was compared with human labels."""
    probe = "linear" if pane.usable.mean() >= LINEAR_FILL else "other"
    return any(
        row["method"] == method
        and row["structure"] == structure
        and plane in row["planes"]
        and row["prompt"] == prompt
        and row["probe"] == probe
        for row in scope()
    )
