"""``usimg advanced train``: a folder of labelled pictures to a network that `usimg.segment` can use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from usimg.errors import StudyRefused
from usimg.outline.layer_model import LayerNetwork, as_confidence, read_model
from usimg.train.backend import require_torch
from usimg.train.card import Account, write
from usimg.train.constants import RIGHT, Judged, fit_confidence, fit_offsets, judge
from usimg.train.dataset import Example, divide, load, read_manifest
from usimg.train.export import export, write_constants
from usimg.train.figures import Figures, figures
from usimg.train.fit import Fitted, Plan, fit
from usimg.train.phantoms import phantoms
from usimg.train.recipe import RECIPES
from usimg.train.watch import Look

# Structures that can be trained: what masks show, and which network they need.
STRUCTURES = ("muscle",)


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training gave.

    Attributes
    ----------
    model : LayerNetwork
    figures : tuple of Figures
        Val split, and every device as one that was left out.
    card : path
        The model card; its curve and worst pictures lie beside it.
    """

    model: LayerNetwork
    figures: tuple[Figures, ...]
    card: Path


def train(
    dataset: str | Path,
    output: str | Path,
    *,
    structure: str = "muscle",
    recipe: str = "wide",
    plan: Plan | None = None,
    leave_out: Sequence[str] | None = None,
    fold_steps: int | None = None,
    skip: Collection[str] = (),
    resume: bool = False,
    progress: Callable[[str, Look], None] | None = None,
) -> Trained:
    """Train a network for one structure on the train split of a folder.

    Parameters
    ----------
    dataset : path
        The folder; `usimg.train.dataset` says how it is laid out.
    output : path
        ``NAME.onnx``; ``NAME.toml`` (constants), ``NAME.md`` (card) and checkpoints (``NAME.runs/``) go
        beside it.
    structure : str
        ``"muscle"``.
    recipe : str
        ``"wide"``: pictures of machines and people never seen shall be outlined too; ``"narrow"``: those of
        this folder only.
    plan : Plan, optional
        Steps, batch, rate, seed, phantoms.
    leave_out : sequence of str, optional
        Devices that a network is also trained without, each of them when left out: they give the figures for
        a machine never seen, and the confidence, which without any stays unfitted, so that no outline is
        trusted.
    fold_steps : int, optional
        Batches of each of these; a quarter of the plan's when left out.
    skip : collection of str
        Training pictures (the manifest's ``file``) to leave out because their label is misleading.
    resume : bool
        Take up every run where it was stopped.
    progress : callable, optional
        Called with the run's name and a `Look`.

    Raises
    ------
    DependencyMissing
        PyTorch is not installed.
    StudyRefused
        The folder cannot be used, or there is nothing to resume.
    """
    require_torch()
    if structure not in STRUCTURES:
        raise StudyRefused(f"no network for {structure!r} can be trained; there are: {', '.join(STRUCTURES)}")
    if recipe not in RECIPES:
        raise StudyRefused(f"no augmentation is called {recipe!r}; there are: {', '.join(RECIPES)}")
    folder, path = Path(dataset), Path(output).with_suffix(".onnx")
    plan = plan or Plan()
    runs = path.with_suffix(".runs")
    if resume and not runs.is_dir():
        raise StudyRefused(f"{runs}: nothing to resume; start without --resume")
    examples, left = load(folder, skip=skip)
    synthetic = phantoms(plan.phantom_count, seed=plan.seed)

    def run(name: str, leave_out: str | None, steps: int) -> tuple[Fitted, list[Example], list[Example]]:
        learn, watch = divide(examples, leave_out=leave_out)
        fitted = fit(
            [*learn, *synthetic],
            watch,
            plan=plan if leave_out is None else plan.with_steps(steps),
            recipe=RECIPES[recipe],
            folder=runs / name,
            resume=resume and (runs / name / "checkpoint.pt").is_file(),
            progress=None if progress is None else lambda look: progress(name, look),
        )
        return fitted, learn, watch

    fitted, learn, watch = run("all", None, plan.steps)
    model = export(fitted.net, path)
    unseen: list[tuple[Judged, float]] = []
    devices = sorted({e.device for e in learn}) if leave_out is None else list(leave_out)
    # With one device nothing is left to learn from.
    for device in devices if len({e.device for e in learn}) > 1 else ():
        name = f"without-{device}"
        other, others, theirs = run(name, device, fold_steps or plan.steps // 4)
        unseen += _errors(export(other.net, runs / name / "model.onnx"), others, theirs)
    edges = fit_offsets(judge(model, learn))
    confidence = fit_confidence([j.described for j, _ in unseen], [abs(e) <= RIGHT for _, e in unseen])
    write_constants(path, {"edges": edges} | ({"confidence": confidence} if confidence else {}))
    model = read_model(path)
    judged = judge(model, watch)
    errors = [j.error(model.upper_offset, model.lower_offset) for j in judged]
    rows = [*_unseen_figures(unseen), *_val_figures(model, judged, errors)]
    account = Account(
        model=model,
        plan=plan,
        recipe=RECIPES[recipe],
        learnt=[*learn, *synthetic],
        left=left,
        looks=fitted.looks,
        figures=rows,
        sources=_sources(folder),
    )
    return Trained(model, tuple(rows), write(account, judged, errors, path))


def _errors(
    model: LayerNetwork, learn: Sequence[Example], watch: Sequence[Example]
) -> list[tuple[Judged, float]]:
    """Errors on watched pictures, offsets fitted on the learnt ones."""
    edges = fit_offsets(judge(model, learn))
    return [(j, j.error(edges["upper_offset"], edges["lower_offset"])) for j in judge(model, watch)]


def _trust(model: LayerNetwork, judged: Sequence[Judged]) -> list[float]:
    return [model.confidence(j.described) if model.confidence else 0.0 for j in judged]


def _unseen_figures(unseen: Sequence[tuple[Judged, float]]) -> list[Figures]:
    """Every device as one that neither the network nor the confidence has seen, and all together."""
    rows: list[Figures] = []
    trust: dict[int, float] = {}
    for device in sorted({j.example.device for j, _ in unseen}):
        here = [k for k, (j, _) in enumerate(unseen) if j.example.device == device]
        rest = [one for k, one in enumerate(unseen) if k not in set(here)]
        table = fit_confidence([j.described for j, _ in rest], [abs(e) <= RIGHT for _, e in rest])
        confidence = as_confidence(table) if table else None
        trust |= {k: confidence(unseen[k][0].described) if confidence else 0.0 for k in here}
        rows.append(_row(f"unseen device: {device}", [unseen[k] for k in here], [trust[k] for k in here]))
    if len(rows) > 1:
        rows.insert(0, _row("unseen device: all", unseen, [trust[k] for k in range(len(unseen))]))
    return rows


def _row(name: str, judged: Sequence[tuple[Judged, float]], trust: Sequence[float]) -> Figures:
    return figures(name, [e for _, e in judged], [j.example.group for j, _ in judged], trust)


def _val_figures(model: LayerNetwork, judged: Sequence[Judged], errors: Sequence[float]) -> list[Figures]:
    rows = []
    for device in [None, *sorted({j.example.device for j in judged})]:
        some = [(j, e) for j, e in zip(judged, errors, strict=True) if device in (None, j.example.device)]
        trust = [model.confidence(j.described) if model.confidence else 0.0 for j, _ in some]
        rows.append(_row(f"val: {device or 'all'}", some, trust))
    return rows


def _sources(folder: Path) -> list[str]:
    """Source, commit and licence of the pictures that may teach, each once."""
    found = {
        ", ".join(filter(None, (row.get("source_repo"), row.get("source_commit"), row.get("licence"))))
        for row in read_manifest(folder)
        if row["split"] == "train" and row["usable"] == "yes"
    }
    return sorted(found - {""})
