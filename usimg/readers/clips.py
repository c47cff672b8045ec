"""AVI and MP4 clips, as scanners and screen recorders export them: lossy pictures in time, without a scale.

OpenCV decodes them, one frame when it is touched. A clip's container tells how often its frames are shown,
which is when they were taken only if the recorder kept the scanner's rate; the scan's notes say so.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usimg.errors import FileRefused, PixelsRefused
from usimg.readers.grey import Stored, to_grey
from usimg.readers.source import FileSource, check_size
from usimg.scan import Calibration, Frame, Header, Pixels, Scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from usimg.scan import Picture

NAME = "clips"

# Up to so many frames ahead it is quicker, and surer, to decode than to seek.
_NEAR = 64


def sniff(path: Path, head: bytes) -> bool:
    """Whether the file begins as AVI or MP4 (MOV) does; ``head`` is its first 256 bytes."""
    return (head[:4] == b"RIFF" and head[8:12] == b"AVI ") or head[4:8] == b"ftyp"


def open_scan(
    path: Path, *, spacing_mm: tuple[float, float] | None, describe: Callable[[Frame], Picture]
) -> Scan:
    """Read a clip's size, number and rate of frames; pixels wait until a frame is touched.

    Raises
    ------
    FileRefused
        No readable clip, or sizes that cannot be.
    """
    name = path.name
    decoder = _Decoder(path)
    rows, cols, frames, rate = decoder.properties()
    check_size(name, rows, cols, max(frames, 1))
    calibration = (
        None if spacing_mm is None else Calibration(*spacing_mm, "given", detail="given by the caller")
    )
    reason = (
        "" if calibration else "a clip states no scale; give spacing_mm=(row, col) or calibrate by the ruler"
    )
    source = FileSource(path, decoder)
    notes = ["a clip of lossy frames: grey levels are the recorder's"]
    if 0.0 < rate < 1000.0:
        notes.append(
            f"frame times follow the clip's rate of {rate:.4g} a second, which a recorder may change"
        )
    else:
        notes.append("the file does not say when its frames were taken")
    header = Header(
        format="AVI or MP4",
        photometric="RGB",
        lossy=True,
        frame_time_ms=1000.0 / rate if 0.0 < rate < 1000.0 else None,
    )
    made = tuple(
        Frame(name, i, (rows, cols), source, describe, (), calibration, reason) for i in range(max(frames, 1))
    )
    return Scan(name, header, made, source, tuple(notes))


class _Decoder:
    """Decodes single frames of a clip; goes on from where it is when the next one is near."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._capture: Any = None
        self._next = 0

    def properties(self) -> tuple[int, int, int, float]:
        """Rows, columns, number of frames and frames a second, as the container states them."""
        from usimg.vision import cv2  # noqa: PLC0415  only clips need it to be opened

        capture = self._opened()
        kinds = (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_COUNT)
        rows, cols, frames = (int(capture.get(kind)) for kind in kinds)
        return rows, cols, frames, float(capture.get(cv2.CAP_PROP_FPS))

    def __call__(self, index: int) -> Pixels:
        """Frame ``index``, 0-based; raises `PixelsRefused`."""
        with self._lock:
            stored = self._frame(index)
        gray, rgb, rule = to_grey(Stored(np.ascontiguousarray(stored[..., ::-1]), "RGB", stream_colour="RGB"))
        from usimg.vision import cv2  # noqa: PLC0415  as above

        return Pixels(gray, rgb, rule, f"OpenCV {cv2.__version__} VideoCapture")

    def _frame(self, index: int) -> Any:
        from usimg.vision import cv2  # noqa: PLC0415  as above

        if self._capture is None or index < self._next:
            self._capture, self._next = self._opened(), 0
        if index - self._next > _NEAR:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            self._next = index
        while True:
            read, frame = self._capture.read() if index == self._next else (self._capture.grab(), None)
            if not read:
                self._capture = None
                raise PixelsRefused(
                    f"{self._path.name}: frame {index + 1} cannot be read; export the clip again, or as DICOM"
                )
            self._next += 1
            if frame is not None:
                return frame

    def _opened(self) -> Any:
        from usimg.vision import cv2  # noqa: PLC0415  as above

        # one thread: a library call starts none of its own
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not capture.isOpened():
            raise FileRefused(f"{self._path.name}: is no readable clip; export it again, or as DICOM")
        return capture
