"""``usimg review``: the study in napari."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from usimg.errors import DependencyMissing


def review(
    study: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the study.")],
    *,
    author: Annotated[str, typer.Option(help="Who reviews; asked for when left out.")] = "",
) -> None:
    """Look at the outlines of a study in napari, correct and accept them.

    Example: usimg review my_study
    """
    missing = [name for name in ("napari", "qtpy") if find_spec(name) is None]
    if missing:
        raise DependencyMissing(f"the viewer needs {', '.join(missing)}: pip install 'usimg[napari]'")
    # By name: the viewer imports the library, and nothing in the library imports the viewer.
    import_module("usimg_napari.app").open_study(study, author or None)
    import_module("napari").run()
