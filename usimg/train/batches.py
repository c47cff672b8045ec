"""What a training step is shown, drawn and changed at random, and the loss of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.outline.network import ANY_BAND, BAND_1, BAND_2, BEGINS, ENDS, LAYERS, network_input
from usimg.train.appearance import change
from usimg.train.backend import require_torch
from usimg.train.dataset import Example
from usimg.train.layout import place
from usimg.train.recipe import Recipe
from usimg.train.targets import target

FloatArray = NDArray[np.float32]

# Weights of the parts of the loss: choosing the right lines (layers) is the limit, placing them is not
# (pilot, 3.3, 1); an edge's cross-entropy is some twenty times a layer's.
LAYER_WEIGHT, EDGE_WEIGHT, BAND_WEIGHT = 3.0, 0.15, 0.5


class Sampler:
    """Draws pictures: first a device, then a group, then a picture of it.

    A device counts by the root of its number of groups, half-way between "as often as it has groups" and "as
    often as any": seven pictures of one device should not be a quarter of all.
    """

    def __init__(self, examples: Sequence[Example], phantom_share: float) -> None:
        self._phantoms = [e for e in examples if e.device == "phantom"]
        devices: dict[str, dict[str, list[Example]]] = {}
        for example in examples:
            if example.device != "phantom":
                devices.setdefault(example.device, {}).setdefault(example.group, []).append(example)
        self._devices = [devices[d] for d in sorted(devices)]
        size = np.sqrt([len(groups) for groups in self._devices])
        self._weights = size / size.sum() if devices else size
        self._phantom_share = (phantom_share if devices else 1.0) if self._phantoms else 0.0

    def __call__(self, rng: np.random.Generator) -> Example:
        """One picture."""
        if rng.random() < self._phantom_share:
            return self._phantoms[rng.integers(len(self._phantoms))]
        groups = self._devices[rng.choice(len(self._devices), p=self._weights)]
        names = sorted(groups)
        group = groups[names[rng.integers(len(names))]]
        return group[rng.integers(len(group))]


def batch(
    draw: Sampler, recipe: Recipe, *, size: int, seed: int, step: int
) -> tuple[FloatArray, list[FloatArray]]:
    """Inputs (size, channels, rows, cols) and targets of one step, the same for the same seed and step.

    Targets are the fields of `targets.Target`, in their order.
    """
    inputs, targets = [], []
    for k in range(size):
        rng = np.random.default_rng((seed, step, k))
        placed = change(place(draw(rng), recipe, rng), recipe, rng)
        inputs.append(network_input(placed.gray, placed.usable))
        truth = target(placed.edges)
        targets.append((truth.layers, truth.begins, truth.ends, truth.band_known, truth.columns))
    return np.stack(inputs), [np.stack(field) for field in zip(*targets, strict=True)]


def loss_of(logits: Any, targets: Sequence[Any]) -> Any:
    """Cross-entropies of layers, edges and bands, over the columns where both bands are drawn.

    None is weighted towards bands: probabilities stay calibrated and edges unbiased (pilot, 3.3, 5).

    Parameters
    ----------
    logits : torch tensor
        (size, `OUTPUT_CHANNELS`, rows, cols).
    targets : sequence of torch tensors
        As `batch` gives them.
    """
    functional = require_torch().nn.functional
    layers, begins, ends, band_known, columns = targets
    seen = columns.sum().clamp(min=1.0)
    per_pixel = -(layers * functional.log_softmax(logits[:, :LAYERS], dim=1)).sum(dim=1)
    layer_loss = (per_pixel.mean(dim=1) * columns).sum() / seen
    edge_loss = 0.0
    for truth, channel in ((begins, BEGINS), (ends, ENDS)):
        per_column = -(truth * functional.log_softmax(logits[:, channel], dim=1)).sum(dim=1)
        edge_loss = edge_loss + (per_column * columns).sum() / seen
    band = layers[:, BAND_1] + layers[:, BAND_2]
    per_pixel = functional.binary_cross_entropy_with_logits(logits[:, ANY_BAND], band, reduction="none")
    band_loss = (per_pixel * band_known).sum() / band_known.sum().clamp(min=1.0)
    return LAYER_WEIGHT * layer_loss + EDGE_WEIGHT * edge_loss + BAND_WEIGHT * band_loss
