"""Which frame of a file a label is about, with the scale that the label gives."""

from __future__ import annotations

import numpy as np

from usimg.errors import UsimgError
from usimg.scan import Calibration, Frame, Scan
from usimg.study.manifest import Label
from usimg.study.protocol import FrameRule
from usimg.vision import cv2

_GIVEN = {"given": "given in the manifest", "person": "given by a person in the viewer"}


def chosen_frame(scan: Scan, label: Label, rule: FrameRule = "middle") -> Frame:
    """The frame that a label names, else the one that the protocol's rule takes, with the label's scale.

    Parameters
    ----------
    scan : Scan
    label : Label
    rule : str or int
        ``"middle"``, ``"sharpest"``, or a number from 0; of a still it is always the one frame.

    Raises
    ------
    UsimgError
        The file has no such frame or region.
    """
    frame = scan.frames[_index(scan, label, rule)]
    if label.region is not None and label.region not in {region.index for region in frame.regions}:
        raise UsimgError(
            f"{scan.name}: the manifest asks for region {label.region}; the file has"
            f" {[region.index for region in frame.regions] or 'none'}"
        )
    if label.spacing is None:
        return frame
    row_mm, col_mm = label.spacing
    return frame.with_calibration(
        Calibration(
            row_mm, col_mm, label.scale_source, region=label.region, detail=_GIVEN[label.scale_source]
        )
    )


def _index(scan: Scan, label: Label, rule: FrameRule) -> int:
    count = len(scan.frames)
    if label.frame is not None:
        index, who = label.frame, "the manifest"
    elif count == 1:
        return 0
    elif isinstance(rule, int):
        index, who = rule, "the protocol"
    else:
        return sharpest(scan) if rule == "sharpest" else count // 2
    if not 0 <= index < count:
        raise UsimgError(f"{scan.name}: {who} asks for frame {index}; the file has {count}, from 0")
    return index


def sharpest(scan: Scan) -> int:
    """Number of the frame with the sharpest picture, the first of equals.

    Sharpness is the variance of the Laplacian in the scan area (LAPV; Pech-Pacheco 2000, DOI
    10.1109/ICPR.2000.903548; one of the best of the focus measures compared in Pertuz 2013, DOI
    10.1016/j.patcog.2012.11.011). Every frame is decoded, one at a time.
    """
    best, most = 0, -1.0
    for number, frame in enumerate(scan.frames):
        edges = cv2.Laplacian(frame.gray, cv2.CV_32F)
        area = frame.scan_area
        value = float(np.var(edges[area] if area.any() else edges, dtype=np.float64))
        if value > most:
            best, most = number, value
    return best
