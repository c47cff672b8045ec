"""``usimg advanced train``: labelled pictures in; a network, its constants and its model card out."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usimg.cli.screen import complain, say

if TYPE_CHECKING:
    from usimg.train import Look


class Trainable(StrEnum):
    """What a network can be trained to outline."""

    muscle = "muscle"
    nerve = "nerve"


class Augmentation(StrEnum):
    """For which pictures a network is meant (`usimg.train.recipe`)."""

    wide = "wide"
    narrow = "narrow"


def train(
    dataset: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, help="Folder with manifest.csv, pictures and masks."),
    ],
    *,
    output: Annotated[
        Path, typer.Option("--out", "-o", help="NAME.onnx; its constants and card lie beside.")
    ],
    structure: Annotated[Trainable, typer.Option(help="What the masks show.")] = Trainable.muscle,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Batches; as the shipped ones when left out.", show_default=False),
    ] = None,
    fold_steps: Annotated[
        int | None,
        typer.Option(min=1, help="Muscle: batches of each network without one device.", show_default=False),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="Muscle: a device to leave out, repeated; all in turn when left out."),
    ] = None,
    recipe: Annotated[
        Augmentation,
        typer.Option(help="Muscle: wide for machines never seen, narrow for those of this folder only."),
    ] = Augmentation.wide,
    skip: Annotated[
        list[str] | None,
        typer.Option(help="Muscle: a training picture whose label misleads, as in the manifest; repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same network.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run was stopped.")] = False,
) -> None:
    """Train a network on a folder of labelled pictures, judge it, and write what usimg segments with.

    manifest.csv has the columns file, mask, group (one person or clip), split (train, val), usable and, for
    muscles, device_group. Needs PyTorch, the extra "train". A run can be stopped with Ctrl-C and
    resumed; it takes hours on one core.

    Example: usimg advanced train labelled/ --structure muscle -o muscle.onnx
    """
    if structure is Trainable.nerve:
        _nerves(dataset, output, steps=steps, seed=seed, resume=resume)
        return
    from usimg.train import Plan
    from usimg.train import train as trained

    plan = replace(Plan(seed=seed), steps=steps) if steps else Plan(seed=seed)
    done = trained(
        dataset,
        output,
        recipe=recipe.value,
        plan=plan,
        leave_out=leave_out or None,
        fold_steps=fold_steps,
        skip=skip or (),
        resume=resume,
        progress=_show,
    )
    from usimg.train.figures import table

    say(table(done.figures))
    say(f"written: {output.with_suffix('.onnx')}; card: {done.card}")
    if done.model.confidence is None:
        complain(
            "no confidence could be fitted (it takes two devices, and a picture that came out wrong):"
            " outlines of this network are never trusted",
            style="yellow",
        )


def _nerves(dataset: Path, output: Path, *, steps: int | None, seed: int, resume: bool) -> None:
    from usimg.train.nerve_fit import USUAL
    from usimg.train.nerves import train_nerves

    plan = replace(USUAL, seed=seed)
    model = train_nerves(
        dataset,
        output,
        plan=plan.with_steps(steps) if steps else plan,
        resume=resume,
        progress=lambda look: complain("  ".join(f"{k} {v:.4g}" for k, v in look.items()), style=""),
    )
    say(f"written: {model.name}; card: {output.with_suffix('.md')}")


def _show(run: str, look: Look) -> None:
    watched = (
        f"  watched: median {look.median:.1%}, p90 {look.p90:.0%}, over 10 % {look.over_10:.0%}"
        if look.watched
        else ""
    )
    complain(f"{run}  batch {look.step}  loss {look.loss:.3f}{watched}  {look.seconds:.0f} s", style="")
