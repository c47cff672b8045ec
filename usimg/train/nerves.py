"""From a folder of outlined nerves and vessels to the network that `usimg.segment` asks at prompts."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from usimg.errors import StudyRefused
from usimg.outline.nerve_model import NerveNetwork, read_model
from usimg.train.backend import require_torch
from usimg.train.figures import share
from usimg.train.fit import Plan
from usimg.train.nerve_constants import RIGHT, Case, fit_constants, judge
from usimg.train.nerve_dataset import Labelled, phantoms, read
from usimg.train.nerve_export import export, write_constants
from usimg.train.nerve_fit import USUAL, fit

# Phantoms of wrists and forearms: nerves with rims, which the labelled pictures of larger nerves lack.
PHANTOMS = 40


def train_nerves(
    dataset: str | Path,
    output: str | Path,
    *,
    plan: Plan = USUAL,
    resume: bool = False,
    progress: Callable[[dict[str, float]], None] | None = None,
) -> NerveNetwork:
    """Train on the train split, fit the constants on val, and write all that is shipped.

    Parameters
    ----------
    dataset : path
        The folder; `usimg.train.nerve_dataset` says how it is laid out.
    output : path
        ``NAME.onnx``; ``NAME.toml`` (constants), ``NAME.md`` (card) and ``NAME.runs/`` (checkpoints) go
        beside it.
    resume : bool
        Go on from the checkpoint there is.
    progress : callable, optional
        Called with step, loss and figures on val.

    Raises
    ------
    DependencyMissing
        PyTorch is not installed.
    StudyRefused
        No picture to learn from, none to fit the constants on, or nothing to resume.
    """
    require_torch()
    home, path = Path(dataset), Path(output).with_suffix(".onnx")
    if not (home / "manifest.csv").is_file():
        raise StudyRefused(f"{home}: no manifest.csv (columns file, mask, group, split, usable)")
    learn, watch = read(home, ["train"]), read(home, ["val"])
    if not any(part for picture in watch for part in picture.outlined if not part.vessel):
        raise StudyRefused(
            f"{home}: the constants are fitted on whole nerves of split 'val', and there are none"
        )
    made = phantoms(PHANTOMS, seed=plan.seed) if plan.phantoms else []
    net = fit(
        learn, watch, folder=path.with_suffix(".runs"), made=made, plan=plan, resume=resume, progress=progress
    )
    unfitted = {"level": 0.5, "intercept": 0.0, "softness": 0.0, "disagreement": 0.0, "size_spread": 0.0}
    model = export(net, path, dict.fromkeys(("box", "click", "vessel"), unfitted))
    write_constants(path, fit_constants(model.logits, watch))
    model = read_model(path)
    path.with_suffix(".md").write_text(card(model, home, plan, learn, watch), encoding="utf-8")
    return model


def card(
    model: NerveNetwork, home: Path, plan: Plan, learn: Sequence[Labelled], watch: Sequence[Labelled]
) -> str:
    """The model card, Markdown; pictures are never named."""
    rows = list(csv.DictReader((home / "manifest.csv").read_text("utf-8").splitlines()))
    sources = sorted({f"{row['source'].split()[0]}, {row['licence']}" for row in rows if row.get("source")})
    parts = [part for picture in learn for part in picture.outlined]
    vessels = sum(part.vessel for part in parts)
    figures = [
        _figures(name, judge(model.logits, watch, kind, level=model.constants[kind]["level"]))
        for kind, name in (
            ("box", "nerve in a box"),
            ("click", "nerve at a click"),
            ("vessel", "vessel in a box"),
        )
    ]
    return "\n".join(
        [
            f"# Model card: {model.name}",
            "",
            "Outlines one nerve or vessel, cut across, in a box or at a click; other nerves and vessels of",
            "the window are told from it, so that outlines do not overlap. A nerve's outline takes in its",
            "bright rim. Research use only.",
            "",
            f"- ONNX, {len(model.onnx) / 1e6:.1f} MB, SHA-256 `{model.sha256}`; made by",
            "  `usimg.train.nerves.train_nerves`.",
            *(f"- Pictures and outlines: {source}." for source in sources),
            f"- Learnt from: {len(learn)} pictures of {len({p.group for p in learn})} groups (split train),",
            f"  {len(parts) - vessels} nerves and {vessels} vessels; one device, one examiner, volunteers;",
            f"  and phantoms of wrists and forearms, {plan.phantoms:.0%} of the windows.",
            f"- {plan.steps} batches of {plan.batch}, seed {plan.seed}.",
            "",
            "## Figures on val",
            "",
            "Here the constants were fitted, so these flatter a little; figures on the untouched test split",
            "are in `scope.toml`, made by `benchmarks/nerves.py`. Sides of boxes are moved by N(0, 5 %).",
            "",
            f"| prompt | outlines | Dice | p10 | area error, median | p90 | bias | over {RIGHT:.0%} |",
            "|---" * 8 + "|",
            *figures,
            "",
            "## Known failures",
            "",
            "Most of the overlap is the box's: the network follows a box that is wrong. Bundles of several",
            "nerves round a vessel; pointed ends; which level a click means (fascicle, nerve or bundle).",
            "Other devices, and nerves too thin for their rim to be seen, are unvalidated.",
            "",
        ]
    )


def _figures(name: str, cases: Sequence[Case]) -> str:
    error, dice = np.array([c.error for c in cases]), np.array([c.dice for c in cases])
    size = np.abs(error)
    return (
        f"| {name} | {len(cases)} | {dice.mean():.3f} | {np.percentile(dice, 10):.3f} |"
        f" {np.median(size):.1%} | {np.percentile(size, 90):.1%} | {error.mean():+.1%} |"
        f" {share(int((size > RIGHT).sum()), len(size))} |"
    )
