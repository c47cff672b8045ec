"""``usimg advanced``: what a laboratory needs seldom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from usimg.cli.screen import say
from usimg.cli.train import train

app = typer.Typer(
    no_args_is_help=True, help="Simulated scans and cohorts with known truth; networks of one's own."
)
simulate = typer.Typer(no_args_is_help=True, help="Write simulated scans or cohorts whose truth is known.")
app.add_typer(simulate, name="simulate")
app.command("train")(train)


@simulate.callback()
def _simulate() -> None:
    """Write simulated scans or cohorts whose truth is known."""


@simulate.command()
def samples(folder: Annotated[Path, typer.Argument(help="Folder to write.")]) -> None:
    """Write the sample archive: synthetic scans, a manifest, and their truth.

    Example: usimg advanced simulate samples sample_dicoms
    """
    from usimg.simulate.samples import write

    write(folder)
    say(f"written: {folder}")


@simulate.command()
def kinds(folder: Annotated[Path, typer.Argument(help="Folder to write.")]) -> None:
    """Write one simulated screen of each kind: B-mode, Doppler, elastography, M-mode, a report page, ...

    Example: usimg advanced simulate kinds kinds && usimg info kinds/m_mode.dcm
    """
    from usimg.simulate.kinds import write

    write(folder)
    say(f"written: {folder} (simulated; nothing in it was measured in a person)")


@simulate.command()
def cohort(
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    *,
    patients: Annotated[int, typer.Option(help="How many.")] = 454,
    kind: Annotated[str, typer.Option(help="groups, gradient, skewed, flat, device_bimodal, ...")] = "groups",
    missing: Annotated[float, typer.Option(help="Share of values that are missing.")] = 0.0,
    controls: Annotated[int, typer.Option(min=0, help="Healthy people beside them.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same cohort.")] = 0,
) -> None:
    """Write a synthetic cohort for usimg cluster: features.csv, clinical.csv, truth.csv.

    Example: usimg advanced simulate cohort --patients 454 --controls 120 -o cohort
    """
    from usimg.simulate.cohorts import cohort as simulated
    from usimg.simulate.cohorts import write

    write(simulated(patients, kind, missing=missing, controls=controls, seed=seed), folder)
    say(f"written: {folder} (synthetic; nothing in it was measured in a person)")


@simulate.command()
def readers(
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    *,
    patients: Annotated[int, typer.Option(help="How many.")] = 30,
    readers: Annotated[int, typer.Option(help="How many.")] = 2,
    sessions: Annotated[int, typer.Option(help="Of each patient.")] = 2,
    images: Annotated[int, typer.Option(help="Of each session.")] = 3,
    failed: Annotated[float, typer.Option(help="Share of readings without an outline.")] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same study.")] = 0,
) -> None:
    """Write a reader study whose parts of the variance are known, for usimg agreement.

    Example: usimg advanced simulate readers -o readers && usimg agreement readers/readers.csv
    """
    from usimg.simulate.readers import reader_study, write

    made = reader_study(patients, readers=readers, sessions=sessions, images=images, failed=failed, seed=seed)
    write(made, folder)
    say(f"written: {folder} (synthetic; nothing in it was measured in a person)")


@simulate.command()
def archive(folder: Annotated[Path, typer.Argument(help="Folder to write.")]) -> None:
    """Write a messy archive, what a person would write about it, and its truth.

    Misspelt ids, two devices, repeats, both sides in one frame, a twin with calipers, Doppler, a page of
    text, no scale, a wrong label, a copy.

    Example: usimg advanced simulate archive messy && usimg index messy/scans --study my_study --duplicates
    """
    from usimg.simulate.archive import write

    write(folder)
    say(f"written: {folder}")
