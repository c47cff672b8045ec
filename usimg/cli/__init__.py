"""The command line: one module a command, each thin; rooms are imported when a command runs."""

from __future__ import annotations

import sys

import typer

from usimg.cli import (
    advanced,
    agreement,
    choose,
    cluster,
    export,
    extract,
    index,
    info,
    measure,
    merge,
    patient,
    reference,
    review,
)
from usimg.cli.screen import Exit, complain
from usimg.errors import UsimgError

app = typer.Typer(
    name="usimg",
    help="From raw neuromuscular ultrasound to numbers one can defend. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("info")(info.info)
app.command("measure")(measure.measure)
app.command("index")(index.index)
app.command("extract")(extract.extract)
app.command("review")(review.review)
app.command("agreement")(agreement.agreement)
app.command("cluster")(cluster.cluster)
app.command("choose")(choose.choose)
app.command("export")(export.export)
app.command("patient")(patient.patient)
app.command("merge")(merge.merge)
app.add_typer(reference.app, name="reference")
app.add_typer(advanced.app, name="advanced")


def main() -> None:
    """Run the command; what a user can mend is one red line, not a traceback."""
    try:
        app()
    except UsimgError as error:
        complain(str(error))
        sys.exit(Exit.SOME_FAILED)
