"""A trained network as an ONNX file, checked against torch before it is believed."""

from __future__ import annotations

import hashlib
import io
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from usimg.errors import UsimgError
from usimg.outline.layer_model import LayerNetwork, read_model
from usimg.outline.network import INPUT_CHANNELS, INPUT_SHAPE
from usimg.outline.onnx_file import LARGEST
from usimg.train.backend import require_torch

# onnxruntime and OpenCV both read it; nothing newer is needed.
OPSET = 20
# Largest difference of a logit that leaves every edge where it was (a hundredth of a row).
CLOSE = 1e-3


def export(net: Any, path: Path) -> LayerNetwork:
    """Write ``NAME.onnx`` and ``NAME.toml``, and read them back as `usimg.segment` will.

    The constants are set to nothing; `usimg.train.constants` fits them with the file that is read here.

    Raises
    ------
    UsimgError
        OpenCV does not answer as torch does.
    """
    content = to_onnx(net)
    if len(content) > LARGEST:
        raise UsimgError(
            f"the network takes {len(content) / 1e6:.0f} MB; at most {LARGEST / 1e6:.0f} MB are read"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    write_constants(path, {"edges": {"upper_offset": 0.0, "lower_offset": 0.0}})
    model = read_model(path)
    apart = difference(net, model)
    if apart > CLOSE:
        raise UsimgError(f"{path}: OpenCV and torch differ by {apart:.2g}; the file cannot be trusted")
    return model


def to_onnx(net: Any) -> bytes:
    """The network in ONNX, for one picture at a time."""
    torch = require_torch()
    net = net.eval().to("cpu", memory_format=torch.contiguous_format)
    buffer = io.BytesIO()
    sample = torch.zeros(1, INPUT_CHANNELS, *INPUT_SHAPE)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # torch's own imports warn of torch's own changes; `difference` judges what comes out.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net,
            (sample,),
            input_names=["field"],
            output_names=["layers"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    program.save(buffer, external_data=False)
    return buffer.getvalue()


def write_constants(path: Path, tables: Mapping[str, Mapping[str, float]]) -> None:
    """``NAME.toml`` beside the network: its hash and the fitted constants."""
    lines = [
        "# Written by usimg advanced train. Edge offsets are shares of the picture's depth; the confidence",
        "# is a logistic model over usimg.outline.selfcheck.DESCRIBED.",
        f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"',
    ]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {value:.6f}" for key, value in table.items())]
    path.with_suffix(".toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def difference(net: Any, model: LayerNetwork) -> float:
    """Largest difference of a logit between torch and OpenCV on noise and on a blank picture."""
    torch = require_torch()
    rng = np.random.default_rng(0)
    worst = 0.0
    with torch.no_grad():
        for spread in (0.0, 0.5):
            picture = (spread * rng.standard_normal((INPUT_CHANNELS, *INPUT_SHAPE))).astype(np.float32)
            ours = net(torch.from_numpy(picture[None])).numpy()[0]
            worst = max(worst, float(np.abs(ours - model.logits(picture)).max()))
    return worst
