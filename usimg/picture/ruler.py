"""The ruler beside a picture: marks at equal distances, long and short, and what distance they can stand for.

The marks give pixels per mark to a few tenths of a per cent. What a mark stands for is not written in them;
it follows from how many short marks lie between long ones, and from how wide and deep pictures of a linear or
a curved probe can be. Where two readings are possible there is none: a person says it then (``mark_mm``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from usimg.errors import CalibrationRefused
from usimg.vision import cv2

if TYPE_CHECKING:
    from usimg.scan import Frame

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
UInt8 = NDArray[np.uint8]

# Marks are at most so high, stand out by so much from what lies above and below, and are so far apart.
_MARK_ROWS, _STANDS_OUT, _LEAST_PERIOD = 7, 22, 9.0
# At least so many in a line, of so large a share of their places, none off by more than this (px).
_LEAST_MARKS, _MOST_MARKS, _COVERAGE, _OFF_PX = 5, 60, 0.75, 1.1
# Other marks (focus, icons) between them, as a share of theirs; writing has more.
_OTHERS = 0.4
# Long marks reach further than short ones by this factor.
_LONGER = 1.35
# Marks may lie in the rim of the field (reference 2.5: ticks on the last columns); not deep inside.
_RIM_PX = 21
# Short marks per long one -> mm a short one may stand for. Seen: 0.2/1 cm, 1/5 cm, 0.5/1 cm, 0.5/2 cm and
# plain 1 cm (reference 2.5 and the DICOM collection); 0.1/1 cm and 1/2 cm for other makers' sake.
_MEANINGS = {10: (1.0,), 5: (2.0, 10.0), 4: (5.0,), 2: (5.0, 10.0), 1: (10.0, 5.0)}
# A ruler runs along so much of the picture; lines of writing at equal distances run along less.
_ALONG = 0.4
# Of the long marks so many keep their rhythm; a focus mark on a short one makes it long.
_IN_RHYTHM = 0.75
# Fields of linear probes are 15 to 65 mm wide and 10 to 130 mm deep; those of curved and phased ones 40 mm
# deep and more (reference 2.3.8 and users_and_peers).
_LINEAR_WIDTH_MM, _LINEAR_DEPTH_MM, _FAN_DEPTH_MM = (15.0, 65.0), (10.0, 130.0), (40.0, 330.0)
_LINEAR_FILL = 0.97  # of its bounding box


@dataclass(frozen=True, slots=True)
class Ruler:
    """Marks in one line.

    Attributes
    ----------
    period_px : float
        Pixels from one mark to the next.
    marks_px : (N,) float array
        Where they are seen: rows of a depth ruler, columns of a width ruler.
    line_px : int
        Column of a depth ruler, row of a width ruler.
    per_long : int
        Short marks to one long one; 1 when all are alike.
    """

    period_px: float
    marks_px: FloatArray
    line_px: int
    per_long: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What the rulers of a picture say.

    Attributes
    ----------
    depth : Ruler or None
    width : Ruler or None
    meanings_mm : tuple of float
        What one mark of the depth ruler can stand for; one value is an answer.
    """

    depth: Ruler | None
    width: Ruler | None
    meanings_mm: tuple[float, ...]


def read_rulers(gray: UInt8, area: BoolArray) -> Reading:
    """Depth and width rulers of a picture.

    Parameters
    ----------
    gray : (rows, cols) uint8 array
    area : (rows, cols) bool array
        Scan area: its shape and size decide what marks can stand for.
    """
    depth = _ruler(gray, area)
    width = _ruler(np.ascontiguousarray(gray.T), np.ascontiguousarray(area.T))
    return Reading(depth, width, () if depth is None else _meanings(depth, area))


def scale_of(frame: Frame, mark_mm: float | None = None) -> tuple[float, float, str]:
    """(row_mm, col_mm) by the ruler, and how.

    Parameters
    ----------
    frame : Frame
    mark_mm : float or None
        What one mark stands for, where a person says.

    Raises
    ------
    CalibrationRefused
        No ruler is seen, or its marks can stand for more than one distance.
    """
    if frame.kind.name == "split":
        raise CalibrationRefused(
            f"{frame.name}: several pictures with rulers of their own; give the spacing, or calibrate"
            " with two points in usimg review"
        )
    if frame.kind.name == "panoramic" and mark_mm is None:
        raise CalibrationRefused(
            f"{frame.name}: the width of a sweep says nothing of its ruler; say what a mark stands for, e.g."
            " --calibrate ruler:10"
        )
    reading = read_rulers(frame.gray, frame.scan_area)
    depth = reading.depth
    if depth is None:
        raise CalibrationRefused(
            f"{frame.name}: no ruler is seen beside the picture (at least {_LEAST_MARKS} marks at equal"
            " distances); give the spacing in mm, or calibrate with two points in usimg review"
        )
    meanings = (mark_mm,) if mark_mm is not None else reading.meanings_mm
    if len(meanings) != 1:
        could = " or ".join(f"{mm:g}" for mm in meanings) or "no believable number of"
        raise CalibrationRefused(
            f"{frame.name}: the ruler's marks are {depth.period_px:.1f} px apart and could stand for"
            f" {could} mm; say which, e.g. --calibrate ruler:10"
        )
    mm = meanings[0]
    row_mm = col_mm = mm / depth.period_px
    said = (
        f"{depth.marks_px.size} marks of {mm:g} mm, {depth.period_px:.2f} px apart, at column {depth.line_px}"
    )
    across = _same_marks(reading.width, depth)
    if across is None:
        return row_mm, col_mm, f"{said}; pixels are taken for square"
    return row_mm, mm / across, f"{said}; across {across:.2f} px"


def _same_marks(width: Ruler | None, depth: Ruler) -> float | None:
    """Pixels across per mark of the depth ruler, when the width ruler's can be told to mean the same."""
    if width is None:
        return None
    ratio = width.period_px / depth.period_px
    for times in (1.0, 2.0, 5.0, 0.5, 0.2):
        if abs(ratio / times - 1.0) <= 0.02:
            # pixels of scanners are square to this; what is less is the error of reading
            return width.period_px / times if abs(ratio / times - 1.0) > 0.005 else depth.period_px
    return None


def _meanings(ruler: Ruler, area: BoolArray) -> tuple[float, ...]:
    height, width = _extent(area)
    if not height:
        return ()
    linear = area.sum() >= _LINEAR_FILL * height * width
    # the depth of a dark fan may be seen less far than its ruler runs
    height = max(height, float(np.ptp(ruler.marks_px)))
    found = []
    for mm in _MEANINGS.get(ruler.per_long, ()):
        deep, wide = height * mm / ruler.period_px, width * mm / ruler.period_px
        if linear:
            believable = _between(wide, _LINEAR_WIDTH_MM) and _between(deep, _LINEAR_DEPTH_MM)
        else:
            believable = _between(deep, _FAN_DEPTH_MM)
        if believable:
            found.append(mm)
    return tuple(found)


def _extent(area: BoolArray) -> tuple[float, float]:
    rows, cols = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    return (float(np.ptp(rows)) + 1.0, float(np.ptp(cols)) + 1.0) if rows.size else (0.0, 0.0)


def _between(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _ruler(gray: UInt8, area: BoolArray) -> Ruler | None:
    """The finest line of marks down the picture, or None."""
    if min(gray.shape) < 64:
        return None
    stroke = np.ones((_MARK_ROWS + 2, 1), np.uint8)
    marks = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, stroke) >= _STANDS_OUT
    deep = cv2.erode(area.astype(np.uint8), np.ones((_RIM_PX, _RIM_PX), np.uint8), borderValue=0)
    deep = deep.astype(bool)
    beside = (marks & ~deep).sum(axis=0)
    along = _ALONG * (_extent(area)[0] or gray.shape[0])
    found = []
    for col in np.flatnonzero((beside >= _LEAST_MARKS) & (beside >= 0.5 * marks.sum(axis=0))):
        centres = _centres(marks[:, col], gray[:, col])
        if not _LEAST_MARKS <= centres.size <= _MOST_MARKS:
            continue
        grid = _progression(centres)
        if grid is None:
            continue
        period, inliers = grid
        if np.ptp(inliers) < along or deep[np.rint(inliers).astype(int), col].mean() > 0.5:
            continue
        found.append((period, inliers, int(col)))
    if not found:
        return None
    # short marks are in fewer columns than long ones: the column with most marks has both
    period, inliers, line = max(found, key=lambda one: (one[1].size, -one[0]))
    return Ruler(period, inliers, line, _per_long(marks, inliers, line))


def _centres(on: BoolArray, levels: UInt8) -> FloatArray:
    """Rows of the runs of one column, weighted by level; higher ones are no marks."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    short = stops - starts <= _MARK_ROWS
    return np.array(
        [
            np.average(np.arange(a, b), weights=levels[a:b].astype(np.float64))
            for a, b in zip(starts[short], stops[short], strict=True)
        ]
    )


def _progression(rows: FloatArray) -> tuple[float, FloatArray] | None:
    """Period and members of the fullest arithmetic progression among (N,) sorted rows, or None."""
    best: tuple[int, float, FloatArray] | None = None
    for i in range(rows.size - _LEAST_MARKS + 1):
        for j in range(i + 1, min(i + 5, rows.size)):
            step = float(rows[j] - rows[i])
            if step < _LEAST_PERIOD:
                continue
            fitted = _fit(*_grown(rows, i, step))
            if fitted is None or (best is not None and (fitted[1].size, fitted[0]) <= best[:2]):
                continue
            period, members = fitted
            span = (rows >= members[0] - 1) & (rows <= members[-1] + 1)
            if span.sum() - members.size <= _OTHERS * members.size:
                best = (members.size, period, members)
    return None if best is None else best[1:]


def _grown(rows: FloatArray, start: int, step: float) -> tuple[FloatArray, FloatArray]:
    """Members and places from one mark downwards, the step learned on the way; two running may be missing."""
    members, places, place = [float(rows[start])], [0], 0
    while place - places[-1] < 3:
        place += 1
        expected = members[0] + step * place
        near = int(np.argmin(np.abs(rows - expected)))
        if abs(rows[near] - expected) <= _OFF_PX:
            members.append(float(rows[near]))
            places.append(place)
            step = (members[-1] - members[0]) / place
    return np.array(members), np.array(places, dtype=np.float64)


def _fit(rows: FloatArray, places: FloatArray) -> tuple[float, FloatArray] | None:
    """Least squares through marks at their places; None when they are too few, off, or too full of holes."""
    if rows.size < _LEAST_MARKS:
        return None
    period, start = np.polyfit(places, rows, 1)
    if np.abs(rows - start - period * places).max() > _OFF_PX or rows.size < _COVERAGE * (np.ptp(places) + 1):
        return None
    return float(period), rows


def _per_long(marks: BoolArray, rows: FloatArray, col: int) -> int:
    """How many marks there are to a long one; 1 when they are alike, 0 when their lengths follow no rule."""
    reach = []
    for row in np.rint(rows).astype(int):
        line = np.asarray(marks[max(row - 1, 0) : row + 2].any(axis=0))
        left, right = col, col
        while left > 0 and line[left - 1]:
            left -= 1
        while right < line.size - 1 and line[right + 1]:
            right += 1
        reach.append(right - left + 1)
    lengths = np.array(reach, dtype=np.float64)
    step = float(np.median(np.diff(rows)))
    places = np.rint((rows - rows[0]) / step).astype(int)
    usual = float(np.median(lengths))
    long: BoolArray = np.greater_equal(lengths, max(_LONGER * usual, usual + 2.0))
    if not long.any():
        short: BoolArray = np.less_equal(lengths, min(usual / _LONGER, usual - 2.0))
        if not short.any():
            return 1
        long = np.invert(short).astype(bool)  # half and half: the median is a long one
    for count in (2, 4, 5, 10):
        phases = np.bincount(places[long] % count, minlength=count)
        phase = int(np.argmax(phases))
        kept = phases[phase] >= max(2, _IN_RHYTHM * long.sum())
        if kept and long[places % count == phase].mean() >= _IN_RHYTHM:
            return count
    return 0
