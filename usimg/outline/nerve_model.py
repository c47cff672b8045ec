"""The trained networks for nerves and vessels, with the constants that were fitted with them."""

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

from usimg.outline.nerve_network import CHANNELS, CLASSES, GRID, SIDE
from usimg.outline.onnx_file import Runner, read_onnx, try_out

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NerveNetwork:
    """Networks for closed outlines at a prompt, in one file, and the constants that were fitted with them.

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

    _run: Runner = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_run", Runner(self.onnx))

    def logits(self, pictures: FloatArray) -> FloatArray:
        """(n, CHANNELS, SIDE, SIDE) in, (n, networks * CLASSES, GRID, GRID) out."""
        return self._run(pictures)


def read_model(path: Path | Traversable, constants: Path | Traversable | None = None) -> NerveNetwork:
    """Read a network and the constants beside it (``NAME.onnx``, ``NAME.toml``).

    Raises
    ------
    FileRefused
        A file is missing, too large, changed since it was written, or no network of this kind.
    """
    read, numbers = read_onnx(path, constants, _parsed)
    model = NerveNetwork(read.name, read.sha256, numbers, read.onnx)
    networks = round(numbers["networks"]["count"])
    try_out(path, model.logits, (2, CHANNELS, SIDE, SIDE), (2, networks * CLASSES, GRID, GRID))
    return model


def _parsed(table: dict[str, Any]) -> dict[str, dict[str, float]]:
    tables = {name: {key: float(value) for key, value in rows.items()} for name, rows in table.items()}
    # A table without the number of networks is another kind of file.
    _ = tables["networks"]["count"]
    return tables


@cache
def shipped() -> NerveNetwork:
    """The network that travels with the package."""
    folder = files("usimg.outline.weights")
    return read_model(folder / "nerve.onnx", folder / "nerve.toml")
