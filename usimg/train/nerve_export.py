"""Trained networks for nerves as one ONNX file, checked against torch before it is believed."""

from __future__ import annotations

import hashlib
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from usimg.errors import UsimgError
from usimg.outline.nerve_model import NerveNetwork, read_model
from usimg.outline.nerve_network import CHANNELS, SIDE
from usimg.outline.nerve_prompts import DESCRIBED, UNFITTED
from usimg.train.backend import require_torch
from usimg.train.export import OPSET
from usimg.train.nerve_constants import KINDS

# Largest difference of a logit between torch and OpenCV: a thousandth of a px at a border.
CLOSE = 1e-3
# Before anything was fitted: as the networks say, and trusted with even odds.
UNJUDGED = {**UNFITTED, "intercept": 0.0, **dict.fromkeys(DESCRIBED, 0.0)}


def export(
    nets: Sequence[Any], path: Path, constants: Mapping[str, Mapping[str, float]] | None = None
) -> NerveNetwork:
    """Write networks as one ``NAME.onnx`` and ``NAME.toml``, and read them back as `usimg.segment` will.

    Raises
    ------
    UsimgError
        OpenCV does not answer as torch does.
    """
    torch = require_torch()
    net = together(nets)
    buffer = io.BytesIO()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # torch's own imports warn of torch's own changes; the comparison below judges what comes out.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net,
            (torch.zeros(1, CHANNELS, SIDE, SIDE),),
            input_names=["window"],
            output_names=["classes"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    program.save(buffer, external_data=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    write_constants(path, len(nets), constants or dict.fromkeys((*KINDS, "none"), UNJUDGED))
    model = read_model(path)
    apart = difference(net, model)
    if apart > CLOSE:
        raise UsimgError(f"{path}: OpenCV and torch differ by {apart:.2g}; the file cannot be trusted")
    return model


def together(nets: Sequence[Any]) -> Any:
    """Networks as one whose answers stand side by side, (n, networks * CLASSES, GRID, GRID)."""
    torch = require_torch()
    Module: Any = torch.nn.Module

    class Together(Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.nets = torch.nn.ModuleList(nets)

        def forward(self, x: Any) -> Any:
            return torch.cat([net(x) for net in self.nets], dim=1)

    return Together().eval().to("cpu", memory_format=torch.contiguous_format)


def write_constants(path: Path, networks: int, tables: Mapping[str, Mapping[str, float]]) -> None:
    """``NAME.toml`` beside the networks: their hash and number, and the fitted constants."""
    lines = [
        "# Written with the networks; fitted on pictures that the network asked had not learnt from. trust,",
        "# box, at: how the networks' answer and the place in the box are weighed; level: the share at which",
        "# outlines are drawn; the rest: a logistic model of 'the area is right to 15 %'.",
        f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"',
        "",
        "[networks]",
        f"count = {networks}",
    ]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {value:.6f}" for key, value in table.items())]
    path.with_suffix(".toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def difference(net: Any, model: NerveNetwork) -> float:
    """Largest difference of a logit between torch and OpenCV on noise and on blank windows."""
    torch = require_torch()
    rng = np.random.default_rng(0)
    worst = 0.0
    with torch.no_grad():
        for spread in (0.0, 1.0):
            pictures = (spread * rng.standard_normal((2, CHANNELS, SIDE, SIDE))).astype(np.float32)
            ours = net(torch.from_numpy(pictures)).numpy()
            worst = max(worst, float(np.abs(ours - model.logits(pictures)).max()))
    return worst
