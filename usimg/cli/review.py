"""``usimg review``: the study in napari."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from usimg.errors import DependencyMissing


def review(
    path: Annotated[Path, typer.Argument(exists=True, help="A study, or a folder or file of scans.")],
    *,
    author: Annotated[str, typer.Option(help="Who reviews; asked for when left out.")] = "",
    reader: Annotated[str, typer.Option(help="Who reads, in a reader study.")] = "",
    blind: Annotated[bool, typer.Option("--blind", help="Read a sample without names and numbers.")] = False,
    adjudicate: Annotated[
        bool, typer.Option("--adjudicate", help="Settle what readers left different.")
    ] = False,
    sample: Annotated[int, typer.Option(min=1, help="Pictures of a blind sitting.")] = 60,
    seed: Annotated[int, typer.Option(help="Which pictures, and their order: the same for all readers.")] = 1,
) -> None:
    """Label, look at, correct, accept and sign in napari; a folder of scans gets a study beside it.

    Example: usimg review my_study

    A reader study: usimg review my_study --reader smith --blind --sample 60 --seed 1
    """
    if (blind or adjudicate) and not reader:
        raise typer.BadParameter("say who reads: --reader NAME", param_hint="--reader")
    if reader and not (blind or adjudicate):
        raise typer.BadParameter("give --blind or --adjudicate with it", param_hint="--reader")
    missing = [name for name in ("napari", "qtpy") if find_spec(name) is None]
    if missing:
        raise DependencyMissing(f"the viewer needs {', '.join(missing)}: pip install 'usimg[napari]'")
    # By name: the viewer imports the library, and nothing in the library imports the viewer.
    app = import_module("usimg_napari.app")
    if blind or adjudicate:
        app.open_reading(path, reader, sample=sample, seed=seed, adjudicate=adjudicate)
    else:
        app.open_study(path, author or None)
    import_module("napari").run()
