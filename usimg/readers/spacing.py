"""A spacing that a person wrote, checked."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from usimg.errors import FileRefused


def as_spacing(spacing: Any, name: str) -> tuple[float, float]:
    """(row_mm, col_mm) from one number or two.

    Parameters
    ----------
    spacing : float or (float, float)
        Millimetres per pixel, down and across; one number stands for both.
    name : str
        File, for the message.

    Raises
    ------
    FileRefused
        It is no number greater than 0, or not two of them.

    Examples
    --------
    >>> as_spacing(0.05, "a.png")
    (0.05, 0.05)
    """
    try:
        pair = (spacing, spacing) if isinstance(spacing, Real) else tuple(spacing)
        # a text or a truth value turns into a number all too readily
        row_mm, col_mm = (math.nan if isinstance(mm, (str, bytes, bool)) else float(mm) for mm in pair)
    except (TypeError, ValueError, OverflowError):
        row_mm = col_mm = math.nan
    if not all(math.isfinite(mm) and mm > 0 for mm in (row_mm, col_mm)):
        raise FileRefused(
            f"{name}: spacing {spacing!r} is no size of a pixel; write millimetres per pixel greater than 0,"
            " one number or (row, col), e.g. 0.05 or (0.0571, 0.0457)"
        )
    return row_mm, col_mm
