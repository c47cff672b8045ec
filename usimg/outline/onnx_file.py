"""An ONNX file with the constants beside it: checked by its hash, run by OpenCV on one thread, no torch."""

from __future__ import annotations

import hashlib
import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from usimg.errors import FileRefused
from usimg.vision import cv2

FloatArray = NDArray[np.float32]
Shape = tuple[int, ...]
Constants = TypeVar("Constants")

# Weights above this size are not what `usimg.train` writes (under 10 MB each).
LARGEST = 20_000_000


class Runner:
    """Runs a network; one copy a thread, because OpenCV's networks keep their buffers.

    Parameters
    ----------
    onnx : bytes
    """

    def __init__(self, onnx: bytes) -> None:
        self._onnx = onnx
        self._local = threading.local()

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """(n, channels, rows, cols) in, the network's only output out."""
        if not hasattr(self._local, "net"):
            self._local.net = cv2.dnn.readNetFromONNX(np.frombuffer(self._onnx, np.uint8))
        self._local.net.setInput(np.ascontiguousarray(inputs, np.float32))
        out: FloatArray = self._local.net.forward()
        return out


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What was read: ``name`` is the file's and the first eight digits of its hash."""

    name: str
    sha256: str
    onnx: bytes


def read_onnx(
    path: Path | Traversable,
    constants: Path | Traversable | None,
    parsed: Callable[[dict[str, Any]], Constants],
) -> tuple[OnnxFile, Constants]:
    """Read a network and the constants beside it.

    Parameters
    ----------
    path : path
        ``NAME.onnx``.
    constants : path or None
        ``NAME.toml``; looked for beside ``path`` when None.
    parsed : callable
        Makes the constants of the table, without its ``sha256``; may raise what a wrong table raises.

    Raises
    ------
    FileRefused
        A file is missing, too large, changed since it was written, or no constants of this kind.
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
        numbers = parsed(table)
    except (tomllib.TOMLDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FileRefused(f"{constants}: not the constants of a network ({error!r})") from None
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise FileRefused(f"{path}: changed since it was written (hash {found[:8]}, expected {digest[:8]})")
    return OnnxFile(f"{path.name.removesuffix('.onnx')}-{found[:8]}", found, content), numbers


def try_out(
    path: Path | Traversable, run: Callable[[FloatArray], FloatArray], given: Shape, wanted: Shape
) -> None:
    """Run a network once on nothing; raises `FileRefused` unless an output of shape ``wanted`` comes out."""
    try:
        shape = run(np.zeros(given, np.float32)).shape
    except cv2.error as error:
        raise FileRefused(f"{path}: OpenCV cannot run this network ({error.err})") from None
    if shape != wanted:
        raise FileRefused(f"{path}: a network for something else, its output is {shape}")
