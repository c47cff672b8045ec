"""`usimg.read`: the one place where readers and the picture room meet."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usimg.errors import FileRefused
from usimg.readers import open_scan
from usimg.scan import Kind, Picture

if TYPE_CHECKING:
    from usimg.scan import Frame, Scan

# Two masks a frame, 1.5 MB for 1024 x 768; as many as decoded frames are kept.
_KEPT_PICTURES = 4


def read(path: str | Path, *, spacing_mm: Any = None, kind: str = "", calibrate: str = "") -> Scan:
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
    kind : str, optional
        What a person says the picture is (one of `usimg.picture.KINDS`, mostly ``"b_mode"``), where usimg
        takes it for something else and would not measure it. What was seen stays in the evidence.
    calibrate : str, optional
        ``"ruler"`` reads the marks beside the picture: where the file states no scale they give it, where it
        states one they check it, and two that differ leave none. ``"ruler:10"`` says that a mark stands for
        10 mm, which the marks alone do not always tell. Frames are decoded for it.

    Returns
    -------
    Scan

    Raises
    ------
    FileRefused
        No such file, a folder, empty, no ultrasound picture, sizes that cannot be, a spacing that
        is no number greater than 0, or no such kind.
    PixelsRefused
        Stored in a way that nothing here decodes (video, JPEG XL).

    Examples
    --------
    >>> import usimg
    >>> scan = usimg.read("sample.dcm")  # doctest: +SKIP
    >>> scan.frames[0].calibration  # doctest: +SKIP
    """
    scan = open_scan(path, spacing_mm=spacing_mm, describe=_Describer(_known_kind(path, kind)))
    if not calibrate:
        return scan
    from usimg.picture.by_ruler import by_ruler  # noqa: PLC0415  decodes frames, which is asked for

    return by_ruler(scan, calibrate)


def _known_kind(path: str | Path, kind: str) -> str:
    if not kind:
        return kind
    from usimg.picture import KINDS  # noqa: PLC0415  loads OpenCV, which a header does not need

    if kind not in KINDS:
        raise FileRefused(
            f"{Path(path).name}: {kind!r} is no kind of picture; it is one of {', '.join(KINDS)}"
        )
    return kind


class _Describer:
    """`usimg.picture.describe` with the few pictures described last kept."""

    def __init__(self, said: str = "") -> None:
        self._said = said
        self._kept: OrderedDict[Any, Picture] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, frame: Frame) -> Picture:
        from usimg.picture import describe  # noqa: PLC0415  as above

        # What a picture shows does not depend on its scale, only on where its regions lie.
        key = (frame.index, tuple((r.kind, r.content, r.box) for r in frame.regions))
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
        picture = describe(frame)
        if self._said:
            picture = Picture(_as_said(picture.kind, self._said), picture.scan_area, picture.overlays)
        with self._lock:
            self._kept[key] = picture
            while len(self._kept) > _KEPT_PICTURES:
                self._kept.popitem(last=False)
        return picture


def _as_said(seen: Kind, said: str) -> Kind:
    """The kind a person gave, what was seen kept beside it."""
    from usimg.picture import KINDS  # noqa: PLC0415  as above

    evidence = (*seen.evidence, f"a person says {said}")
    if said == seen.name:
        return Kind(said, evidence, KINDS[said], seen.flags)
    why = seen.evidence[-1] if seen.evidence else "nothing"
    flag = f"a person says {said}, usimg took it for {seen.name} ({why})"
    return Kind(said, evidence, KINDS[said], (*seen.flags, flag))
