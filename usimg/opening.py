"""`usimg.read`: the one place where readers and the picture room meet."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usimg.readers import open_scan

if TYPE_CHECKING:
    from usimg.scan import Frame, Picture, Scan

# Two masks a frame, 1.5 MB for 1024 x 768; as many as decoded frames are kept.
_KEPT_PICTURES = 4


def read(path: str | Path, *, spacing_mm: Any = None) -> Scan:
    """Open a scan: DICOM, or a PNG, TIFF, JPEG, BMP or WebP picture.

    Only the header is read. A frame's pixels are decoded when they are touched, one frame at a time; of
    each scan the four frames (and what was found in them) touched last are kept, older ones are decoded
    again on the next touch. Hold on to ``frame.gray`` itself when a loop comes back to it often.

    Parameters
    ----------
    path : path
    spacing_mm : float or (row, col), optional
        Millimetres per pixel, where the file does not say or says it wrongly. Without it a picture may
        have a sidecar, e.g. ``scan.png.json`` with ``{"spacing_mm": [0.0667, 0.0667]}``, else it has no
        scale: lengths then come in pixels only.

    Returns
    -------
    Scan

    Raises
    ------
    FileRefused
        No such file, a folder, empty, no ultrasound picture, sizes that cannot be, or a spacing that
        is no number greater than 0.
    PixelsRefused
        Stored in a way that nothing here decodes (video, JPEG XL).

    Examples
    --------
    >>> import usimg
    >>> scan = usimg.read("sample.dcm")  # doctest: +SKIP
    >>> scan.frames[0].calibration  # doctest: +SKIP
    """
    return open_scan(path, spacing_mm=spacing_mm, describe=_Describer())


class _Describer:
    """`usimg.picture.describe` with the few pictures described last kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, Picture] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, frame: Frame) -> Picture:
        from usimg.picture import describe  # noqa: PLC0415  loads OpenCV, which a header does not need

        # What a picture shows does not depend on its scale, only on where its regions lie.
        key = (frame.index, tuple((r.kind, r.content, r.box) for r in frame.regions))
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
        picture = describe(frame)
        with self._lock:
            self._kept[key] = picture
            while len(self._kept) > _KEPT_PICTURES:
                self._kept.popitem(last=False)
        return picture
