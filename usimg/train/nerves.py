"""From a folder of outlined nerves and vessels to the networks that `usimg.segment` asks at prompts.

Pictures are few, so none is kept from learning for good: the groups of splits ``train`` and ``val`` are dealt
out to folds, each fold has a network that does not learn from it, and all constants and figures come from
pictures that the network asked had not seen. The networks are shipped together and answer as their mean; how
that does is for benchmarks on the split ``test``, which nothing here reads.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from usimg.errors import StudyRefused
from usimg.outline.nerve_model import NerveNetwork, read_model
from usimg.outline.nerve_prompts import Answers
from usimg.train.backend import require_torch
from usimg.train.figures import share
from usimg.train.fit import Plan
from usimg.train.nerve_constants import KINDS, RIGHT, Case, ask, crossed, fit_table
from usimg.train.nerve_dataset import Labelled, folds, phantoms, read
from usimg.train.nerve_export import export
from usimg.train.nerve_fit import USUAL, fit
from usimg.train.nerve_found import Found, fit_suggestions

# Phantoms of wrists and forearms: nerves with rims, which the labelled pictures of larger nerves lack.
PHANTOMS = 40
# Networks, each without the groups of one fold.
FOLDS = 3
NAMES = {
    "box": "nerve in a box",
    "click": "nerve at a click",
    "points": "nerve at a click and a point of its border",
    "vessel": "vessel in a box",
}


def train_nerves(
    dataset: str | Path,
    output: str | Path,
    *,
    plan: Plan = USUAL,
    resume: bool = False,
    progress: Callable[[dict[str, float]], None] | None = None,
) -> NerveNetwork:
    """Train one network a fold, fit the constants, and write all that is shipped.

    Parameters
    ----------
    dataset : path
        The folder; `usimg.train.nerve_dataset` says how it is laid out. Splits ``train`` and ``val`` teach.
    output : path
        ``NAME.onnx``; ``NAME.toml`` (constants), ``NAME.md`` (card) and ``NAME.runs/`` (checkpoints) go
        beside it.
    plan : Plan
        Of every network.
    resume : bool
        Go on from the checkpoints there are.
    progress : callable, optional
        Called with fold, step, loss and figures on the fold's own pictures.

    Raises
    ------
    DependencyMissing
        PyTorch is not installed.
    StudyRefused
        Too few groups with whole nerves, or nothing to resume.
    """
    require_torch()
    home, path = Path(dataset), Path(output).with_suffix(".onnx")
    if not (home / "manifest.csv").is_file():
        raise StudyRefused(f"{home}: no manifest.csv (columns file, mask, group, split, usable)")
    parts = folds(read(home, ["train", "val"]), FOLDS)
    if not all(any(_whole_nerve(picture) for picture in part) for part in parts):
        raise StudyRefused(
            f"{home}: the pictures of splits 'train' and 'val' are divided by group into {FOLDS} folds, each"
            " of which needs a nerve that the picture's border does not cut"
        )
    made = phantoms(PHANTOMS, seed=plan.seed) if plan.phantoms else []
    runs, nets = path.with_suffix(".runs"), []
    if resume and not runs.is_dir():
        raise StudyRefused(f"{runs}: nothing to resume; start without resuming")
    for k, watch in enumerate(parts):
        folder = runs / f"fold-{k}"
        net = fit(
            [picture for part in parts if part is not watch for picture in part],
            watch,
            folder=folder,
            made=made,
            plan=plan,
            resume=resume and (folder / "checkpoint.pt").is_file(),
            progress=_told(progress, k),
        )
        nets.append(net)
    return finish(nets, parts, home, path, plan)


def finish(
    nets: Sequence[Any], parts: Sequence[Sequence[Labelled]], home: Path, path: Path, plan: Plan
) -> NerveNetwork:
    """What is shipped, from the trained network of every fold: weights, constants and card."""
    asked: list[tuple[Answers, Sequence[Labelled]]] = []
    for k, (net, part) in enumerate(zip(nets, parts, strict=True)):
        alone = path.with_suffix(".runs") / f"fold-{k}" / "alone.onnx"
        asked.append((export([net], alone).logits, part))
    tables, figures = {}, {}
    for kind in KINDS:
        prompts = ask(asked, kind)
        tables[kind], figures[kind] = fit_table(prompts), crossed(prompts)
    tables["none"], found = fit_suggestions(asked, tables["click"])
    export(nets, path, tables)
    model = read_model(path)
    path.with_suffix(".md").write_text(card(model, home, plan, parts, figures, found), encoding="utf-8")
    return model


def _told(
    progress: Callable[[dict[str, float]], None] | None, fold: int
) -> Callable[[dict[str, float]], None] | None:
    return None if progress is None else lambda look: progress({"fold": fold, **look})


def _whole_nerve(picture: Labelled) -> bool:
    return any(not part.vessel and not part.cut for part in picture.outlined)


def card(
    model: NerveNetwork,
    home: Path,
    plan: Plan,
    parts: Sequence[Sequence[Labelled]],
    figures: Mapping[str, Sequence[tuple[Case, float]]],
    found: Found,
) -> str:
    """The model card, Markdown; pictures are never named."""
    rows = list(csv.DictReader((home / "manifest.csv").read_text("utf-8").splitlines()))
    sources = sorted({f"{row['source'].split()[0]}, {row['licence']}" for row in rows if row.get("source")})
    learn = [picture for part in parts for picture in part]
    outlines = [part for picture in learn for part in picture.outlined]
    vessels = sum(part.vessel for part in outlines)
    return "\n".join(
        [
            f"# Model card: {model.name}",
            "",
            "Outlines one nerve or vessel, cut across, in a box or at a click; other nerves and vessels of",
            "the window are told from it, so that outlines do not overlap. A nerve's outline takes in its",
            "bright rim. Research use only.",
            "",
            f"- {len(parts)} networks in one file, ONNX, {len(model.onnx) / 1e6:.1f} MB, SHA-256",
            f"  `{model.sha256}`; made by `usimg.train.nerves.train_nerves`.",
            *(f"- Pictures and outlines: {source}." for source in sources),
            f"- Learnt from: {len(learn)} pictures of {len({p.group for p in learn})} groups (splits train",
            f"  and val), {len(outlines) - vessels} nerves and {vessels} vessels; one device, one examiner,",
            f"  volunteers; each network without one of {len(parts)} parts of the groups. And phantoms of",
            f"  wrists and forearms, {plan.phantoms:.0%} of the windows.",
            f"- {plan.steps} batches of {plan.batch} for each network, the rate falling over the last",
            f"  {plan.cool:.0%}, seed {plan.seed}.",
            "",
            "## Figures on groups left out",
            "",
            "Each network alone, on groups it had not learnt from, with constants fitted on the other folds.",
            "The mean of all, which is what is shipped, is judged on the untouched test split",
            "(`benchmarks/nerves.md`, `scope.toml`). Box sides, clicks and second points miss by N(0, 5 %).",
            "",
            f"| prompt | outlines | Dice | p10 | area error, median | p90 | bias | over {RIGHT:.0%} |",
            "|---" * 8 + "|",
            *(_figures(name, [case for case, _ in figures[kind]]) for kind, name in NAMES.items()),
            "",
            f"Without a prompt: {found.line()}.",
            "",
            f"### Confidence: said, and how often the area was right to {RIGHT:.0%}",
            "",
            "| prompt | confidence | said | was |",
            "|---" * 4 + "|",
            *(line for kind, name in NAMES.items() for line in _reliability(name, figures[kind])),
            "",
            "## Known failures",
            "",
            "Much of the overlap is the box's: the outline follows a box that is wrong. Bundles of several",
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


def _reliability(name: str, judged: Sequence[tuple[Case, float]]) -> list[str]:
    said = np.array([confidence for _, confidence in judged])
    right = np.array([abs(case.error) <= RIGHT for case, _ in judged])
    lines = []
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        here = (said >= low) & (said < high)
        if here.any():
            was = share(int(right[here].sum()), int(here.sum()))
            lines.append(f"| {name} | {low:.1f}-{min(high, 1.0):.1f} | {said[here].mean():.2f} | {was} |")
    return lines
