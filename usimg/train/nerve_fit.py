"""Training of the network for nerves and vessels: one core, the same for the same seed, resumable.

The plan is the layers' (`usimg.train.fit.Plan`); what a step sees depends on the seed and its number alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.errors import StudyRefused
from usimg.outline.nerve_network import OTHER_NERVE, SIDE, THIS, Window, shown
from usimg.train.backend import require_torch
from usimg.train.fit import STEEPEST, Plan
from usimg.train.nerve_crops import Clumsiness, answer, drawn, moved, sampled
from usimg.train.nerve_dataset import Labelled, Part
from usimg.train.nerve_net import WIDTHS, build

FloatArray = NDArray[np.float32]

# Share of nerves among the prompts: they are what is hard.
NERVES = 0.72
# Weights of overlap, of area and of the overlap of the other nerves against cross-entropy.
OVERLAP, AREA, OTHERS = 1.0, 0.5, 0.3
# Log area errors below this hardly count: experts do not repeat themselves more closely.
CLOSE_AREA = 0.05
USUAL = Plan(
    steps=2800,
    batch=16,
    rate=2e-3,
    weight_decay=0.03,
    cool=0.25,
    keep=0.996,
    watch_every=150,
    phantoms=0.1,
)


class Drawer:
    """Draws prompts: phantoms or pictures, nerves or vessels, then a group, then a part of it."""

    def __init__(self, pictures: Sequence[Labelled], made: Sequence[Labelled], phantoms: float) -> None:
        self.phantoms = phantoms if made else 0.0
        self.made = [(p, part) for p in made for part in p.outlined]
        self.by_kind: list[list[list[tuple[Labelled, Part]]]] = []
        for vessel in (False, True):
            groups: dict[str, list[tuple[Labelled, Part]]] = {}
            for picture in pictures:
                for part in picture.outlined:
                    if part.vessel == vessel:
                        groups.setdefault(picture.group, []).append((picture, part))
            self.by_kind.append([groups[name] for name in sorted(groups)])

    def __call__(self, rng: np.random.Generator) -> tuple[Labelled, Part]:
        """One picture and the part of it that is meant."""
        if rng.random() < self.phantoms:
            return self.made[rng.integers(len(self.made))]
        groups = self.by_kind[int(rng.random() >= NERVES and bool(self.by_kind[1]))]
        # A group with two nerves is drawn 1.4 times as often as one with one.
        weight = np.sqrt([len(g) for g in groups])
        group = groups[rng.choice(len(groups), p=weight / weight.sum())]
        return group[rng.integers(len(group))]


def batch(
    draw: Drawer, clumsy: Clumsiness, *, size: int, seed: int, step: int
) -> tuple[FloatArray, FloatArray]:
    """Inputs (size, CHANNELS, SIDE, SIDE) and answers (size, CLASSES, GRID, GRID)."""
    rng = np.random.default_rng((seed, step))
    rows: list[tuple[FloatArray, FloatArray]] = []
    while len(rows) < size:
        one = drawn(*draw(rng), rng, clumsy)
        if one is not None:
            rows.append(one)
    return np.stack([r[0] for r in rows]), np.stack([r[1] for r in rows])


def loss_of(logits: Any, truth: Any) -> Any:
    """Cross-entropy with shares, 1 - Dice of this structure and of other nerves, and the area's log error.

    Other nerves are rare: their Dice is that of the batch as a whole.
    """
    torch = require_torch()
    log_share = torch.log_softmax(logits, dim=1)
    entropy = -(truth * log_share).sum(dim=1).mean()
    share, real = log_share[:, THIS].exp(), truth[:, THIS]
    both = (share * real).sum(dim=(1, 2))
    mine, true = share.sum(dim=(1, 2)), real.sum(dim=(1, 2))
    overlap = 1 - ((2 * both + 1) / (mine + true + 1)).mean()
    error = torch.log((mine + 1) / (true + 1)).clamp(-1, 1)
    area = ((error.square() + CLOSE_AREA**2).sqrt() - CLOSE_AREA).mean()
    share, real = log_share[:, OTHER_NERVE].exp(), truth[:, OTHER_NERVE]
    others = 1 - (2 * (share * real).sum() + 1) / (share.sum() + real.sum() + 1)
    return entropy + OVERLAP * overlap + AREA * area + OTHERS * others


def watched(pictures: Sequence[Labelled], *, spread: float = 0.05, seed: int = 7) -> list[Any]:
    """(input, true share, whole area in places) of every nerve, in two clumsy boxes and at its centre."""
    rng = np.random.default_rng(seed)
    rows = []
    for picture in pictures:
        for part in picture.outlined:
            if part.vessel or part.cut:
                continue
            high, wide = part.box[2] - part.box[0], part.box[3] - part.box[1]
            prompts: list[tuple[str, Any, Window]] = []
            for _ in range(2):
                box = moved(part.box, spread, rng)
                prompts.append(("box", box, Window.of_box(box)))
            side = max(high, wide) * 2.0
            prompts.append(("seed", part.centre, Window(*part.centre, side, side)))
            for name, prompt, window in prompts:
                grid = np.meshgrid(*window.places(SIDE), indexing="ij")
                at = (np.ascontiguousarray(grid[0]), np.ascontiguousarray(grid[1]))
                level, there = sampled(picture, *at, window.step)
                inputs = shown(level, there, window, **{name: prompt})
                rows.append((name, inputs, answer(picture, part.number, *at)[THIS]))
    return rows


def look_at(net: Any, rows: Sequence[Any], *, blank: bool = False) -> dict[str, float]:
    """Mean Dice and median area error on watched windows (their parts outside the window left out)."""
    torch = require_torch()
    net.eval()
    found: dict[str, list[tuple[float, float]]] = {"box": [], "seed": []}
    with torch.no_grad():
        for start in range(0, len(rows), 32):
            inputs = np.stack([r[1] for r in rows[start : start + 32]])
            if blank:
                inputs[:, 0] = 0
            logits = net(torch.from_numpy(inputs)).numpy()
            for (name, _, truth), one in zip(rows[start : start + 32], logits, strict=True):
                mine = one.argmax(axis=0) == THIS
                both = mine.sum() + truth.sum()
                dice = 2 * (mine * truth).sum() / both
                found[name].append((float(dice), float(mine.sum() / truth.sum() - 1)))
    out = {}
    for name, scores in found.items():
        dice, area = np.array(scores).T
        out[f"{name}_dice"] = round(float(dice.mean()), 4)
        out[f"{name}_area"] = round(float(np.median(np.abs(area))), 4)
        out[f"{name}_bias"] = round(float(area.mean()), 4)
    return out


def fit(
    learn: Sequence[Labelled],
    watch: Sequence[Labelled],
    *,
    folder: Path,
    made: Sequence[Labelled] = (),
    plan: Plan = USUAL,
    clumsy: Clumsiness | None = None,
    resume: bool = False,
    progress: Callable[[dict[str, float]], None] | None = None,
    widths: Sequence[int] = WIDTHS,
) -> Any:
    """Train on ``learn`` (and phantoms ``made``), look at ``watch``; the network with averaged weights.

    ``folder`` gets ``checkpoint.pt``, ``held.pt`` (the last one before the rate fell: a run is prolonged from
    there with more steps) and ``looks.jsonl``.

    Raises
    ------
    DependencyMissing
        PyTorch is not installed.
    StudyRefused
        Nothing to learn from, or no checkpoint to resume.
    """
    torch = require_torch()
    if not any(picture.outlined for picture in learn):
        raise StudyRefused("no outline to learn from: no usable picture of split 'train' has one")
    torch.set_num_threads(plan.threads)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run.start(plan, widths)
    if resume:
        run.load(folder / "checkpoint.pt")
    draw, rows = Drawer(learn, made, plan.phantoms), watched(watch)
    losses: list[float] = []
    began = time.monotonic()
    while run.step < plan.steps:
        inputs, truth = batch(draw, clumsy or Clumsiness(), size=plan.batch, seed=plan.seed, step=run.step)
        losses.append(run.learn(inputs, truth, plan))
        if run.step % plan.watch_every and run.step < plan.steps:
            continue
        look = {"step": run.step, "loss": float(np.mean(losses)), "seconds": time.monotonic() - began}
        look |= look_at(run.mean, rows) if rows else {}
        run.save(folder / "checkpoint.pt")
        if run.step <= plan.held:
            run.save(folder / "held.pt")
        with (folder / "looks.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(look) + "\n")
        if progress is not None:
            progress(look)
        losses, began = [], time.monotonic()
    return run.mean.eval()


@dataclass(eq=False)
class _Run:
    """What changes while a network is trained, and what a checkpoint holds."""

    net: Any
    mean: Any
    optimiser: Any
    step: int = 0

    @classmethod
    def start(cls, plan: Plan, widths: Sequence[int]) -> _Run:
        torch = require_torch()
        net = build(widths, seed=plan.seed).to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=plan.weight_decay)
        return cls(net, build(widths, seed=plan.seed), optimiser)

    def learn(self, inputs: FloatArray, truth: FloatArray, plan: Plan) -> float:
        """One step; its loss."""
        torch = require_torch()
        for group in self.optimiser.param_groups:
            group["lr"] = plan.rate_at(self.step)
        # What is dropped depends on the step alone, as all else does.
        torch.manual_seed(plan.seed * 1_000_003 + self.step)
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        given = torch.from_numpy(inputs).to(memory_format=torch.channels_last)
        loss = loss_of(self.net(given), torch.from_numpy(truth))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), STEEPEST)
        self.optimiser.step()
        # The average follows quickly at first, or it would keep the random start for long.
        keep = min(plan.keep, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            theirs = self.net.state_dict()
            for name, ours in self.mean.state_dict().items():
                if ours.dtype.is_floating_point:
                    ours.lerp_(theirs[name], 1.0 - keep)
                else:
                    ours.copy_(theirs[name])
        self.step += 1
        return float(loss.detach())

    def save(self, path: Path) -> None:
        state = {
            "net": self.net.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        # Renamed into place: a run that is killed while writing leaves the last whole checkpoint.
        part = path.with_suffix(".part")
        require_torch().save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        if not path.is_file():
            raise StudyRefused(f"{path}: no checkpoint to resume; start without resuming")
        try:
            state = require_torch().load(path, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.mean.load_state_dict(state["mean"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = state["step"]
        except (RuntimeError, KeyError, ValueError, EOFError) as error:
            raise StudyRefused(f"{path}: not a checkpoint of this network ({error})") from None
