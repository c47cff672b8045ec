"""The training loop: one core, every step the same for the same seed, stopped and taken up at will.

What a step sees depends on the seed and on the step's number alone, so a run that was stopped and resumed
ends with the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from usimg.errors import StudyRefused
from usimg.train.backend import require_torch
from usimg.train.batches import Sampler, batch, loss_of
from usimg.train.dataset import Example
from usimg.train.net import WIDTHS, build
from usimg.train.recipe import WIDE, Recipe
from usimg.train.watch import Look, look_at

# Largest norm of a step's gradient: a saturated picture that is all wrong must not undo a hundred others.
STEEPEST = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train.

    Attributes
    ----------
    steps : int
        Batches in all. The rate is held, then falls to zero over the last ``cool`` of them, so a run can be
        prolonged from where it was held: resume it with more steps.
    batch : int
        Pictures a step.
    rate, weight_decay : float
        Of AdamW.
    warm_steps : int
        Steps over which the rate rises.
    cool : float
        Share of the steps over which it falls.
    keep : float
        Of the moving average of the weights, which is what is judged and exported.
    watch_every : int
        Steps between looks at the watched pictures, and checkpoints.
    patience : int or None
        Stop after so many looks without a better one, and keep the best; None: go on to the end.
    phantoms : float
        Share of phantoms in a batch, where there are any.
    phantom_count : int
        How many there are.
    seed : int
    threads : int
        Of torch.
    """

    steps: int = 3000
    batch: int = 8
    rate: float = 2e-3
    weight_decay: float = 0.02
    warm_steps: int = 100
    cool: float = 0.4
    keep: float = 0.995
    watch_every: int = 100
    patience: int | None = None
    phantoms: float = 0.2
    phantom_count: int = 120
    seed: int = 0
    threads: int = 1

    @property
    def held(self) -> int:
        """Steps before the rate falls."""
        return round(self.steps * (1 - self.cool))

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        rate = self.rate * min(1.0, (step + 1) / max(1, self.warm_steps))
        if step < self.held:
            return rate
        return rate * 0.5 * (1 + math.cos(math.pi * (step - self.held) / max(1, self.steps - self.held)))

    def with_steps(self, steps: int) -> Plan:
        """The same for another number of steps."""
        return replace(self, steps=steps)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network.

    Attributes
    ----------
    net : torch.nn.Module
        With the averaged weights.
    looks : tuple of Look
        How it got there.
    step : int
        The step its weights are from.
    """

    net: Any
    looks: tuple[Look, ...]
    step: int


def fit(
    learn: Sequence[Example],
    watch: Sequence[Example],
    *,
    folder: Path,
    plan: Plan | None = None,
    recipe: Recipe = WIDE,
    resume: bool = False,
    progress: Callable[[Look], None] | None = None,
    widths: Sequence[int] = WIDTHS,
) -> Fitted:
    """Train on ``learn``; judge on ``watch``.

    Parameters
    ----------
    folder : path
        Gets ``checkpoint.pt`` (all that resuming needs), ``held.pt`` (the last one before the rate fell)
        and ``looks.csv``.
    resume : bool
        Go on from ``folder/checkpoint.pt``.

    Raises
    ------
    DependencyMissing
        PyTorch is not installed.
    StudyRefused
        Nothing to learn from, a checkpoint of another network, early stopping with nothing to watch.
    """
    torch = require_torch()
    plan = plan or Plan()
    if not learn:
        raise StudyRefused("no picture to learn from: none has split 'train' and usable 'yes'")
    if plan.patience is not None and not watch:
        raise StudyRefused("early stopping needs pictures to watch: leave a device out, or give val pictures")
    torch.set_num_threads(plan.threads)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run.start(plan, widths)
    if resume:
        run.load(folder / "checkpoint.pt")
    draw = Sampler(learn, plan.phantoms)
    losses: list[float] = []
    began = time.monotonic()
    while run.step < plan.steps and not run.out_of_patience(plan):
        inputs, targets = batch(draw, recipe, size=plan.batch, seed=plan.seed, step=run.step)
        losses.append(run.learn(inputs, targets, plan))
        if run.step % plan.watch_every and run.step < plan.steps:
            continue
        seconds = time.monotonic() - began
        found = look_at(run.mean, watch, step=run.step, loss=float(np.mean(losses)), seconds=seconds)
        run.looked(found)
        run.save(folder / "checkpoint.pt", plan, recipe)
        if run.step <= plan.held:
            run.save(folder / "held.pt", plan, recipe)
        _write_looks(folder / "looks.csv", run.looks)
        if progress is not None:
            progress(found)
        losses, began = [], time.monotonic()
    if plan.patience is not None and run.best is not None:
        run.mean.load_state_dict(run.best[1])
        return Fitted(run.mean.eval(), tuple(run.looks), run.best[2])
    return Fitted(run.mean.eval(), tuple(run.looks), run.step)


@dataclass(eq=False)
class _Run:
    """What changes while a network is trained, and what a checkpoint holds."""

    net: Any
    mean: Any
    optimiser: Any
    step: int = 0
    looks: list[Look] = field(default_factory=list)
    # (share over 10 %, median error), weights, step
    best: tuple[tuple[float, float], dict[str, Any], int] | None = None

    @classmethod
    def start(cls, plan: Plan, widths: Sequence[int]) -> _Run:
        torch = require_torch()
        net = build(widths, seed=plan.seed).to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=plan.weight_decay)
        return cls(net, build(widths, seed=plan.seed), optimiser)

    def learn(self, inputs: Any, targets: Sequence[Any], plan: Plan) -> float:
        """One step; its loss."""
        torch = require_torch()
        for group in self.optimiser.param_groups:
            group["lr"] = plan.rate_at(self.step)
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        shown = torch.from_numpy(inputs).to(memory_format=torch.channels_last)
        loss = loss_of(self.net(shown), [torch.from_numpy(t) for t in targets])
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

    def looked(self, found: Look) -> None:
        """Keep a look, and the weights when it was the best."""
        self.looks.append(found)
        worth = (found.over_10, found.median)
        if self.best is None or worth < self.best[0]:
            weights = {name: value.clone() for name, value in self.mean.state_dict().items()}
            self.best = (worth, weights, found.step)

    def out_of_patience(self, plan: Plan) -> bool:
        if plan.patience is None or self.best is None:
            return False
        return self.step - self.best[2] >= plan.patience * plan.watch_every

    def save(self, path: Path, plan: Plan, recipe: Recipe) -> None:
        state = {
            "net": self.net.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "looks": [asdict(look) for look in self.looks],
            "best": self.best,
            "plan": asdict(plan),
            "recipe": asdict(recipe),
        }
        # Renamed into place: a run that is killed while writing leaves the last whole checkpoint.
        part = path.with_suffix(".part")
        require_torch().save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        if not path.is_file():
            raise StudyRefused(f"{path}: no checkpoint to resume; start without --resume")
        try:
            state = require_torch().load(path, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.mean.load_state_dict(state["mean"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.best = state["step"], state["best"]
            self.looks = [Look(**look) for look in state["looks"]]
        except (RuntimeError, KeyError, ValueError, TypeError, EOFError) as error:
            raise StudyRefused(f"{path}: not a checkpoint of this network ({error})") from None


def _write_looks(path: Path, looks: Sequence[Look]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(asdict(looks[0])))
        writer.writeheader()
        writer.writerows(asdict(look) for look in looks)
