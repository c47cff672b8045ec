"""``usimg merge``: two copies of one study made one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from usimg.cli.screen import Exit, complain, print_json, say


def merge(
    study: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the study.")],
    other: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Another copy of it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring everything of another copy of a study into this one; the other is left as it is.

    Example: usimg merge my_study /media/stick/my_study
    """
    from usimg.study import Study
    from usimg.study.merge import merge as unite

    result = unite(Study.open(study), Study.open(other))
    if as_json:
        print_json(asdict(result))
    else:
        say(
            f"{result.parts} parts, {result.sittings} sittings and {result.runs} runs came over,"
            f" {result.lengthened} sittings were lengthened: {result.decisions} new decisions"
        )
        for said in result.differ:
            complain(said, "yellow")
    if result.differ:
        raise typer.Exit(Exit.SOME_FAILED)
