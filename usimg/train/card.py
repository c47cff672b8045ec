"""What a trained network comes with: a model card, its learning curve and its worst pictures.

No file name and no path is written: on a lab's own pictures they may name a patient. Pictures are called by
their row in the manifest.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from usimg.outline.layer_model import LayerNetwork
from usimg.train.constants import Judged
from usimg.train.dataset import Example, Left
from usimg.train.figures import Figures, table
from usimg.train.fit import Plan
from usimg.train.recipe import Recipe
from usimg.train.watch import Look
from usimg.vision import cv2

ByteImage = NDArray[np.uint8]

# Worst pictures shown, and how high.
WORST = 12
TILE_PX = 300
# Okabe and Ito's colours: the expert, the network.
EXPERT, NETWORK = (86, 180, 233), (230, 159, 0)


@dataclass(frozen=True, eq=False)
class Account:
    """Everything a card tells.

    Attributes
    ----------
    model : LayerNetwork
    plan, recipe
        How it was trained.
    learnt : sequence of Example
        From what.
    left : sequence of Left
        What was left out of the folder.
    looks : sequence of Look
        The learning curve.
    figures : sequence of Figures
    sources : sequence of str
        Where the pictures come from and their licence, as the manifest says.
    """

    model: LayerNetwork
    plan: Plan
    recipe: Recipe
    learnt: Sequence[Example]
    left: Sequence[Left]
    looks: Sequence[Look]
    figures: Sequence[Figures]
    sources: Sequence[str]


def card(account: Account) -> str:
    """The model card, Markdown."""
    devices = Counter(e.device for e in account.learnt)
    groups = {d: len({e.group for e in account.learnt if e.device == d}) for d in devices}
    reasons = Counter(item.reason for item in account.left)
    learnt = [f"- {device}: {n} pictures of {groups[device]} groups" for device, n in sorted(devices.items())]
    left = [f"- {n} left out: {reason}" for reason, n in sorted(reasons.items())]
    size = len(account.model.onnx) / 1e6
    return "\n".join(
        [
            f"# Model card: {account.model.name}",
            "",
            "Outlines the muscle between its two aponeuroses (inner edges) in one field of a B-mode picture.",
            "Research use only.",
            "",
            f"- ONNX, {size:.1f} MB, SHA-256 `{account.model.sha256}`;",
            "  made by `usimg advanced train`.",
            *(f"- Pictures: {source}" for source in account.sources),
            "",
            "## Learnt from",
            "",
            *learnt,
            *left,
            "",
            f"{account.plan.steps} batches of {account.plan.batch}, seed {account.plan.seed}. Augmentation:",
            "",
            "```",
            *(f"{name} = {value}" for name, value in asdict(account.recipe).items()),
            "```",
            "",
            "## Figures",
            "",
            "Error of the mean thickness, vertical between inner edges, over the columns where the",
            "expert drew both bands; a compartment that overlaps the expert's by less than half counts as",
            "100 %. Accepted: confidence at least 0.5. In brackets the 95 % interval of Clopper and Pearson;",
            "pictures of one group are not independent, so the true intervals are wider.",
            "",
            table(account.figures),
            "",
            "## Known failures",
            "",
            "Parallel fasciae of which the muscle's own is the faintest; an aponeurosis that forks or",
            "leaves the field; saturated pictures in which a thick white complex takes the place of a band.",
            "The worst pictures (blue: expert, orange: network) are beside this card. Muscles other than the",
            "first below the fat, and cross-sections, are not what it was taught. Fat between two bright",
            "lines right under the skin may be taken for the muscle.",
            "",
        ]
    )


def curve(looks: Sequence[Look]) -> str:
    """The learning curve as SVG."""
    from matplotlib.figure import Figure  # noqa: PLC0415  a second's import that only a training needs

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    losses, errors = figure.subplots(1, 2)
    step = [look.step for look in looks]
    losses.plot(step, [look.loss for look in looks], color="#0072B2")
    losses.set(xlabel="batches", ylabel="loss on what is learnt")
    errors.plot(step, [100 * look.median for look in looks], color="#0072B2", label="median")
    errors.plot(step, [100 * look.p90 for look in looks], color="#D55E00", linestyle="--", label="p90")
    errors.set(xlabel="batches", ylabel="thickness error, watched (%)", yscale="log")
    errors.legend(frameon=False)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def worst(judged: Sequence[Judged], errors: Sequence[float], offsets: tuple[float, float]) -> ByteImage:
    """The pictures of the largest errors, expert's and network's edges drawn in, (rows, cols, 3)."""
    order = np.argsort(-np.abs(np.array(errors)), kind="stable")[:WORST]
    tiles = [_tile(judged[i], errors[i], offsets) for i in order]
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % 4)
    return np.concatenate([np.concatenate(tiles[k : k + 4], axis=1) for k in range(0, len(tiles), 4)])


def _tile(one: Judged, error: float, offsets: tuple[float, float]) -> ByteImage:
    pane = one.example.pane
    depth, width = pane.gray.shape
    gray = np.clip(cv2.resize(pane.gray, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA), 0, 255)
    tile = np.ascontiguousarray(np.stack([gray] * 3, axis=-1).astype(np.uint8))
    ours = (one.upper + offsets[0] * depth, one.lower + offsets[1] * depth)
    for edges, colour in ((one.example.truth[1:3], EXPERT), (ours, NETWORK)):
        for edge in edges:
            known = np.flatnonzero(np.isfinite(edge))
            x = (known + 0.5) * TILE_PX / width - 0.5
            y = (np.asarray(edge)[known] + 0.5) * TILE_PX / depth - 0.5
            points = np.round(np.column_stack([x, y])).astype(np.int32)
            cv2.polylines(
                tile, [points[:, None]], isClosed=False, color=colour, thickness=1, lineType=cv2.LINE_AA
            )
    label = f"{100 * error:+.0f} %"
    cv2.putText(tile, label, (6, TILE_PX - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    return tile


def write(account: Account, judged: Sequence[Judged], errors: Sequence[float], path: Path) -> Path:
    """``NAME.md``, and beside it ``NAME.curve.svg`` and ``NAME.worst.jpg``; the card's path."""
    stem = path.with_suffix("")
    if account.looks:
        stem.with_suffix(".curve.svg").write_text(curve(account.looks), encoding="utf-8")
    if judged:
        offsets = (account.model.upper_offset, account.model.lower_offset)
        Image.fromarray(worst(judged, errors, offsets)).save(stem.with_suffix(".worst.jpg"), quality=80)
    at = stem.with_suffix(".md")
    at.write_text(card(account), encoding="utf-8")
    return at
