"""The trained network for muscle layers, with the constants that were fitted with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.outline.network import INPUT_CHANNELS, INPUT_SHAPE, OUTPUT_CHANNELS, OUTPUT_COLS
from usimg.outline.onnx_file import Runner, read_onnx, try_out
from usimg.outline.selfcheck import DESCRIBED, Confidence

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LayerNetwork:
    """A network for layers and the constants that were fitted with it.

    Attributes
    ----------
    name : str
        File name and the first eight digits of the hash: recorded with every outline.
    sha256 : str
    upper_offset, lower_offset : float
        Added to the edges, as shares of the picture's depth; fitted on training pictures.
    confidence : Confidence or None
        None before it was fitted: nothing is then trusted.
    onnx : bytes
    """

    name: str
    sha256: str
    upper_offset: float
    lower_offset: float
    confidence: Confidence | None
    onnx: bytes

    _run: Runner = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_run", Runner(self.onnx))

    def logits(self, picture: FloatArray) -> FloatArray:
        """(channels, rows, cols) in, (`OUTPUT_CHANNELS`, rows, `OUTPUT_COLS`) out."""
        out: FloatArray = self._run(picture[None])[0]
        return out


def read_model(path: Path | Traversable, constants: Path | Traversable | None = None) -> LayerNetwork:
    """Read a network written by ``usimg advanced train``, and the constants beside it.

    Parameters
    ----------
    path : path
        ``NAME.onnx``.
    constants : path, optional
        ``NAME.toml``; looked for beside ``path`` when left out.

    Raises
    ------
    FileRefused
        A file is missing, too large, changed since it was written, or no network of this kind.
    """
    read, (upper, lower, confidence) = read_onnx(path, constants, _parsed)
    model = LayerNetwork(read.name, read.sha256, upper, lower, confidence, read.onnx)
    try_out(
        path,
        model.logits,
        (INPUT_CHANNELS, *INPUT_SHAPE),
        (OUTPUT_CHANNELS, INPUT_SHAPE[0], OUTPUT_COLS),
    )
    return model


def _parsed(table: dict[str, Any]) -> tuple[float, float, Confidence | None]:
    edges = table["edges"]
    confidence = as_confidence(table["confidence"]) if "confidence" in table else None
    return float(edges["upper_offset"]), float(edges["lower_offset"]), confidence


def as_confidence(table: Mapping[str, float]) -> Confidence:
    """From ``intercept`` and weights by the names of `selfcheck.DESCRIBED`; raises KeyError for others."""
    unknown = set(table) - {"intercept", *DESCRIBED}
    if unknown:
        raise KeyError(*unknown)
    weights = {name: float(weight) for name, weight in table.items() if name != "intercept"}
    return Confidence(weights, float(table["intercept"]))


@cache
def shipped(name: str) -> LayerNetwork:
    """A network that travels with the package."""
    folder = files("usimg.outline.weights")
    return read_model(folder / f"{name}.onnx", folder / f"{name}.toml")
