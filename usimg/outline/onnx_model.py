"""A trained network read from an ONNX file and run by OpenCV: one thread, no torch, checked by its hash."""

from __future__ import annotations

import hashlib
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.errors import FileRefused
from usimg.outline.network import INPUT_CHANNELS, INPUT_SHAPE, OUTPUT_CHANNELS, OUTPUT_COLS
from usimg.outline.selfcheck import DESCRIBED, Confidence
from usimg.vision import cv2

FloatArray = NDArray[np.float32]

# Weights above this size are not what `usimg train` writes (issue: under 10 MB each).
LARGEST = 20_000_000


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "_local", threading.local())

    def logits(self, picture: FloatArray) -> FloatArray:
        """(channels, rows, cols) in, (`OUTPUT_CHANNELS`, rows, `OUTPUT_COLS`) out."""
        local: Any = self._local  # type: ignore[attr-defined]
        if not hasattr(local, "net"):
            # OpenCV's networks keep their buffers: one a thread.
            local.net = cv2.dnn.readNetFromONNX(np.frombuffer(self.onnx, np.uint8))
        local.net.setInput(np.ascontiguousarray(picture[None], np.float32))
        out: FloatArray = local.net.forward()[0]
        return out


def read_model(path: Path | Traversable, constants: Path | Traversable | None = None) -> LayerNetwork:
    """Read a network written by ``usimg train``, and the constants beside it.

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
    if constants is None:
        constants = Path(str(path)).with_suffix(".toml")
    if not path.is_file() or not constants.is_file():
        raise FileRefused(
            f"{path}: a network is two files, NAME.onnx and NAME.toml; write them with usimg train"
        )
    content = path.read_bytes()
    if len(content) > LARGEST:
        raise FileRefused(f"{path}: {len(content) / 1e6:.0f} MB is not a network that usimg train wrote")
    try:
        table = tomllib.loads(constants.read_text("utf-8"))
        digest, edges = str(table["sha256"]), table["edges"]
        upper, lower = float(edges["upper_offset"]), float(edges["lower_offset"])
        confidence = as_confidence(table["confidence"]) if "confidence" in table else None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise FileRefused(f"{constants}: not the constants of a network ({error!r})") from None
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise FileRefused(f"{path}: changed since it was written (hash {found[:8]}, expected {digest[:8]})")
    stem = path.name.removesuffix(".onnx")
    model = LayerNetwork(f"{stem}-{found[:8]}", found, upper, lower, confidence, content)
    try:
        shape = model.logits(np.zeros((INPUT_CHANNELS, *INPUT_SHAPE), np.float32)).shape
    except cv2.error as error:
        raise FileRefused(f"{path}: OpenCV cannot run this network ({error.err})") from None
    if shape != (OUTPUT_CHANNELS, INPUT_SHAPE[0], OUTPUT_COLS):
        raise FileRefused(f"{path}: a network for something else, its output is {shape}")
    return model


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
