"""Render a room's template with the shared look, and put the page in its place in one step."""

from __future__ import annotations

import math
import os
import uuid
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from usimg.errors import UsimgError

MISSING = "\N{EN DASH}"


def render(room: str, template: str, **content: Any) -> str:
    """HTML of one page.

    Parameters
    ----------
    room : str
        Package that holds ``templates/``, e.g. ``"usimg.report"``.
    template : str
        File name in it; it extends ``base.html.j2``.
    **content
        What the template shows. Text is escaped wherever it stands; a name the template uses and
        nobody gave is an error, not an empty place.
    """
    return _environment(room).get_template(template).render(usimg_version=version("usimg"), **content)


def write_page(path: str | os.PathLike[str], html: str) -> Path:
    """Write a page under a temporary name, then rename it, so that nobody opens half of one.

    Returns
    -------
    Path
        Where it lies.

    Raises
    ------
    UsimgError
        The folder cannot be written, or another program holds the page open.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(html, encoding="utf-8", newline="\n")
        temporary.replace(target)
    except OSError as error:
        raise UsimgError(
            f"{target} cannot be written ({error.strerror or error}); close it in other programs,"
            " check the rights of its folder, or give another place"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return target


def number(value: float | None, decimals: int = 1) -> str:
    """A figure with a fixed number of decimals and a true minus sign; a dash when it is missing.

    >>> number(21.349), number(-0.04), number(1234567, 0), number(float("nan")) == MISSING
    ('21.3', '0.0', '1,234,567', True)
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{round(value, decimals) + 0.0:,.{decimals}f}"
    return text.replace("-", "\u2212")


@cache
def _environment(room: str) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(room), PackageLoader("usimg.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return environment
