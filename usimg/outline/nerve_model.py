"""The trained network for nerves and vessels: an ONNX file, checked, run by OpenCV on one thread."""

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
from usimg.outline.nerve_network import CHANNELS, CLASSES, GRID, SIDE
from usimg.outline.onnx_model import LARGEST
from usimg.vision import cv2

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NerveNetwork:
    """A network for closed outlines at a prompt, and the constants that were fitted with it.

    Attributes
    ----------
    name : str
        File name and the first eight digits of the hash: recorded with every outline.
    sha256 : str
    constants : mapping
        Tables of numbers by prompt, as ``NAME.toml`` has them.
    onnx : bytes
    """

    name: str
    sha256: str
    constants: Mapping[str, Mapping[str, float]]
    onnx: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "_local", threading.local())

    def logits(self, pictures: FloatArray) -> FloatArray:
        """(n, CHANNELS, SIDE, SIDE) in, (n, CLASSES, GRID, GRID) out."""
        local: Any = self._local  # type: ignore[attr-defined]
        if not hasattr(local, "net"):
            # OpenCV's networks keep their buffers: one a thread.
            local.net = cv2.dnn.readNetFromONNX(np.frombuffer(self.onnx, np.uint8))
        local.net.setInput(np.ascontiguousarray(pictures, np.float32))
        out: FloatArray = local.net.forward()
        return out


def read_model(path: Path | Traversable, constants: Path | Traversable | None = None) -> NerveNetwork:
    """Read a network and the constants beside it (``NAME.onnx``, ``NAME.toml``).

    Raises
    ------
    FileRefused
        A file is missing, too large, changed since it was written, or no network of this kind.
    """
    if constants is None:
        constants = Path(str(path)).with_suffix(".toml")
    if not path.is_file() or not constants.is_file():
        raise FileRefused(f"{path}: a network is two files, NAME.onnx and NAME.toml; one is missing")
    content = path.read_bytes()
    if len(content) > LARGEST:
        raise FileRefused(f"{path}: {len(content) / 1e6:.0f} MB is not a network of this toolkit")
    try:
        table = tomllib.loads(constants.read_text("utf-8"))
        digest = str(table.pop("sha256"))
        numbers = {name: {key: float(value) for key, value in rows.items()} for name, rows in table.items()}
    except (tomllib.TOMLDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FileRefused(f"{constants}: not the constants of a network ({error!r})") from None
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise FileRefused(f"{path}: changed since it was written (hash {found[:8]}, expected {digest[:8]})")
    model = NerveNetwork(f"{path.name.removesuffix('.onnx')}-{found[:8]}", found, numbers, content)
    try:
        shape = model.logits(np.zeros((2, CHANNELS, SIDE, SIDE), np.float32)).shape
    except cv2.error as error:
        raise FileRefused(f"{path}: OpenCV cannot run this network ({error.err})") from None
    if shape != (2, CLASSES, GRID, GRID):
        raise FileRefused(f"{path}: a network for something else, its output is {shape}")
    return model


@cache
def shipped() -> NerveNetwork:
    """The network that travels with the package."""
    folder = files("usimg.outline.weights")
    return read_model(folder / "nerve.onnx", folder / "nerve.toml")
