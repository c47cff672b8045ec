"""What every pixel source shares: a few decoded frames kept, and the hash of the file's bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from usimg.errors import FileRefused
from usimg.scan import Pixels

# Frames kept decoded per file: enough to step back and forth in a viewer, 15 MB for a large colour clip.
KEPT_FRAMES = 4
# No ultrasound picture seen has 8192 x 8192 pixels; a header that says more is wrong or hostile.
MAX_PIXELS = 8192 * 8192
MAX_FRAMES = 100_000


class FileSource:
    """A `usimg.scan.PixelSource` over one file.

    Keeps the `KEPT_FRAMES` frames touched last; an older one is decoded again when it is touched. Safe to use
    from several threads (each decode opens the file for itself; two threads may decode one frame twice).

    Parameters
    ----------
    path : Path
    decode : callable
        ``decode(index) -> Pixels``.
    """

    def __init__(self, path: Path, decode: Callable[[int], Pixels]) -> None:
        self.path = path
        self._decode = decode
        self._kept: OrderedDict[int, Pixels] = OrderedDict()
        self._lock = threading.Lock()

    def pixels(self, index: int) -> Pixels:
        """Frame ``index``, read-only; decoded now or kept from before."""
        with self._lock:
            kept = self._kept.get(index)
            if kept is not None:
                self._kept.move_to_end(index)
                return kept
        pixels = self._decode(index)
        pixels.gray.setflags(write=False)
        if pixels.rgb is not None:
            pixels.rgb.setflags(write=False)
        with self._lock:
            self._kept[index] = pixels
            while len(self._kept) > KEPT_FRAMES:
                self._kept.popitem(last=False)
        return pixels

    def sha256(self) -> str:
        """Hex digest of the file's bytes, streamed when first asked for."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise FileRefused(
                f"{self.path.name}: can no longer be read ({error.strerror}); was it moved?"
            ) from None


def check_size(name: str, rows: int, cols: int, frames: int = 1) -> None:
    """Refuse declared sizes that no ultrasound picture has, before memory is taken for them."""
    if rows < 1 or cols < 1:
        raise FileRefused(f"{name}: states a picture of {rows} x {cols} pixels; nothing can be shown")
    if rows * cols > MAX_PIXELS:
        raise FileRefused(
            f"{name}: states a picture of {rows} x {cols} pixels, more than any ultrasound picture has"
            f" ({MAX_PIXELS:,} allowed); export it smaller if it is real"
        )
    if not 1 <= frames <= MAX_FRAMES:
        raise FileRefused(
            f"{name}: states {frames} frames ({MAX_FRAMES:,} allowed); split the clip if it is real"
        )
