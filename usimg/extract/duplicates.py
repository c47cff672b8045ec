"""Pictures that are one picture: stored twice, or a clean frame and its twin with calipers on it.

Of two captures of one place the speckle differs nearly everywhere; of one capture stored twice it is the
same nearly everywhere. Which of a pair is measured is for a person to say: the clean one is proposed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.errors import UsimgError
from usimg.extract.index import Index, Picture
from usimg.opening import read
from usimg.scan import Frame

# Grey levels that lossy compression may change (chosen here: JPEG of quality 75 changes speckle by fewer in
# 99 of 100 pixels of the phantoms).
TOLERANCE = 12
# Share of equal pixels from which two pictures are one. Of two captures of a phantom a quarter is equal.
SAME_SHARE = 0.9
# Every so-many-th row and column is enough to tell candidates.
_STEP = 4
_TISSUE = 16  # darker than this in both: black screen, equal everywhere
# Marks cover so much of what differs, and so many times what they do in the clean picture (chosen here: a
# caliper's crosses are strokes, the box behind a printed value is dark).
_MARKED_SHARE, _MARKED_MORE = 0.2, 2.0

ByteImage = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two files that show one picture.

    Attributes
    ----------
    keep, drop : str
        Paths below the archive; which of them to measure is a proposal.
    why : str
        Names no file.
    """

    keep: str
    drop: str
    why: str


def find_duplicates(found: Index, *, on_picture: Callable[[int], None] | None = None) -> list[Duplicate]:
    """Look for pictures that are stored more than once; decodes one frame of every file.

    Compared are files of one day and one size of frame, whoever's they are said to be: a twin may lie
    under a misspelt id. Of a clip its middle frame stands for it.

    Parameters
    ----------
    found : Index
    on_picture : callable, optional
        Told how many files were looked at.
    """
    groups: dict[tuple[str, tuple[int, int]], list[tuple[str, ByteImage]]] = defaultdict(list)
    paths = {file.relative: file.path for file in found.survey.readable}
    days = {picture.file: picture.order[0][:8] for picture in found.pictures}
    for count, (relative, path) in enumerate(sorted(paths.items()), start=1):
        frame = _frame(path)
        if frame is not None:
            coarse = frame.gray[::_STEP, ::_STEP].copy()
            groups[(days.get(relative, ""), frame.shape)].append((relative, coarse))
        if on_picture is not None:
            on_picture(count)
    pairs = (pair for group in groups.values() for pair in _candidates(group))
    judged = (_judged(one, other, paths) for one, other in sorted(pairs))
    return _without_chains(duplicate for duplicate in judged if duplicate is not None)


def _frame(path: str) -> Frame | None:
    """The middle frame of a file; None when it cannot be decoded, which is extract's to report."""
    try:
        scan = read(path)
        frame = scan.frames[len(scan.frames) // 2]
        _ = frame.gray
    except (UsimgError, IndexError):
        return None
    return frame


def _candidates(group: list[tuple[str, ByteImage]]) -> Iterator[tuple[str, str]]:
    names = [name for name, _ in group]
    coarse = np.stack([grey for _, grey in group]).reshape(len(group), -1).astype(np.int16)  # (n, pixels)
    for i in range(len(group) - 1):
        others = coarse[i + 1 :]
        seen = np.maximum(others, coarse[i]) > _TISSUE
        equal = (np.abs(others - coarse[i]) <= TOLERANCE) & seen
        share = equal.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        for j in np.flatnonzero((share >= SAME_SHARE) & seen.any(axis=1)):
            yield names[i], names[i + 1 + int(j)]


def _judged(one: str, other: str, paths: dict[str, str]) -> Duplicate | None:
    a, b = _frame(paths[one]), _frame(paths[other])
    if a is None or b is None:
        return None
    area = a.scan_area | b.scan_area
    differs = (np.abs(a.gray.astype(np.int16) - b.gray.astype(np.int16)) > TOLERANCE) & area
    changed = int(differs.sum())
    if changed == 0:
        return Duplicate(one, other, "the same picture, pixel for pixel within its field")
    if changed > (1.0 - SAME_SHARE) * int(area.sum()):
        return None
    marks_a, marks_b = (int((frame.overlays & differs).sum()) / changed for frame in (a, b))
    share = f"{100 * changed / int(area.sum()):.1f} % of the field differ"
    for keep, drop, clean, marked in ((one, other, marks_a, marks_b), (other, one, marks_b, marks_a)):
        if marked >= _MARKED_SHARE and marked >= _MARKED_MORE * clean:
            return Duplicate(keep, drop, f"the same picture with marks drawn on it ({share})")
    return Duplicate(one, other, f"nearly the same picture, and none of the two is clean of marks ({share})")


def _without_chains(pairs: Iterable[Duplicate]) -> list[Duplicate]:
    """Of three copies the third is a copy of the first alone; what is dropped is nobody's clean twin."""
    kept: list[Duplicate] = []
    dropped: set[str] = set()
    for pair in sorted(pairs, key=lambda pair: ("marks drawn" not in pair.why, pair.keep, pair.drop)):
        if pair.keep in dropped or pair.drop in dropped:
            continue
        dropped.add(pair.drop)
        kept.append(pair)
    return kept


def is_dropped(picture: Picture, duplicates: Iterable[Duplicate]) -> str:
    """Why a picture is proposed to be left out; empty when it is not."""
    return next((pair.why for pair in duplicates if pair.drop == picture.file), "")
