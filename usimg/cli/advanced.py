"""``usimg advanced``: what a laboratory needs seldom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from usimg.cli.screen import say

app = typer.Typer(no_args_is_help=True, help="Simulated scans with known truth.")
simulate = typer.Typer(no_args_is_help=True, help="Write simulated scans whose truth is known.")
app.add_typer(simulate, name="simulate")


@simulate.callback()
def _simulate() -> None:
    """Write simulated scans whose truth is known."""


@simulate.command()
def samples(folder: Annotated[Path, typer.Argument(help="Folder to write.")]) -> None:
    """Write the sample archive: synthetic scans, a manifest, and their truth.

    Example: usimg advanced simulate samples sample_dicoms
    """
    from usimg.simulate.samples import write

    write(folder)
    say(f"written: {folder}")
