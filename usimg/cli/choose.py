"""``usimg choose``: which method's outlines and numbers hold in a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from usimg.cli.screen import Exit, complain, print_json, say


def choose(
    study: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the study.")],
    *,
    method: Annotated[str, typer.Option(help="Which holds from now on; left out, they are listed.")] = "",
    author: Annotated[str, typer.Option(help="Who decides.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let the numbers of another usimg or outliner hold, which `usimg extract --method new` made.

    What people accepted or drew holds as before. usimg agreement compares methods before one is chosen.

    Example: usimg choose my_study --method "classical 2 / usimg 0.2.0" --author "Dr Roe"
    """
    from usimg.study import Study

    opened = Study.open(study)
    if method:
        if not author:
            raise typer.BadParameter("say who decides", param_hint="--author")
        opened.choose(method, author=author)
    held = opened.fold(geometry=False)
    if as_json:
        print_json({"holds": held.method, "methods": held.methods, "problems": held.problems})
    else:
        for name in held.methods:
            say(f"{'holds' if name == held.method else '     '}  {name}")
        for problem in held.problems:
            complain(problem, "yellow")
    if not held.methods:
        complain("this study has no automatic outlines yet; usimg extract makes them")
        raise typer.Exit(Exit.NOTHING_FOUND)
