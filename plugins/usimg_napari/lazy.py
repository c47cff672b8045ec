"""A scan's frames as one array that decodes a frame when it is looked at. No Qt, no threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.scan import Frame


class FrameStack:
    """(frames, rows, cols) uint8, read-only: what napari's image layer needs of an array.

    A still is a stack of one, so that stills and clips take turns in one layer. A frame that cannot
    be decoded raises `PixelsRefused` when it is looked at, not before.

    Parameters
    ----------
    frames : sequence of Frame
        Of one shape.
    """

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = tuple(frames)
        self.shape = (len(self.frames), *self.frames[0].shape)
        self.dtype = np.dtype(np.uint8)
        self.ndim = 3
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        chosen: Any = np.arange(len(self.frames))[first]
        if np.ndim(chosen) == 0:
            one: NDArray[np.uint8] = self.frames[int(chosen)].gray[tuple(rest)]
            return one
        return np.stack([self.frames[int(index)].gray[tuple(rest)] for index in chosen])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Every frame decoded: only for code that asks for the whole clip."""
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)
