"""What kind of picture a frame is, with the evidence.

Kinds: ``b_mode``; ``colour_doppler``, a B-mode picture with flow painted on it; ``m_mode``,
``spectral_doppler`` and ``waveform``, whose columns are time, when there is no B-mode picture beside them;
``other``, where no field of tissue is seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usimg.scan import Kind, Region
from usimg.vision import cv2

# Painted flow has bodies, marks and calipers have strokes: what an opening of this size leaves is flow.
_BODY_PX = 7
# Chosen here: the real colour pictures have 2 % and more of the field in colour, others under 0.1 %.
_FLOW_SHARE = 0.004
_TIMELINES = {"m_mode": "m_mode", "spectral": "spectral_doppler", "waveform": "waveform"}


def find_kind(regions: tuple[Region, ...], area: NDArray[np.bool_], coloured: NDArray[np.bool_]) -> Kind:
    """Kind of picture from the file's regions and the share of the field that is coloured.

    Parameters
    ----------
    regions : tuple of Region
    area, coloured : (rows, cols) bool arrays
    """
    evidence = tuple(f"region {r.index}: {r.kind}, {r.content}" for r in regions if r.kind != "none")
    if not any(r.is_tissue for r in regions):
        for region in regions:
            if region.kind in _TIMELINES:
                return Kind(_TIMELINES[region.kind], evidence)
    field = int(area.sum())
    if field == 0:
        return Kind("other", (*evidence, "no field of tissue seen"))
    body = cv2.morphologyEx(
        (coloured & area).astype(np.uint8), cv2.MORPH_OPEN, np.ones((_BODY_PX, _BODY_PX), np.uint8)
    )
    share = float(body.sum()) / field
    if share > _FLOW_SHARE:
        return Kind("colour_doppler", (*evidence, f"{100 * share:.1f} % of the field is in colour"))
    return Kind("b_mode", (*evidence, f"field of {100 * field / area.size:.0f} % of the frame"))
