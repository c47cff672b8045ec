"""Roi: an outline or a caliper line, whoever drew it, with what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.errors import OutlineRefused

FloatArray = NDArray[np.float64]

# An outline of more vertices than this is a mistake or an attack, not a drawing.
MAX_VERTICES = 100_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Roi:
    """One structure in one frame: closed polygons, or a caliper line.

    Attributes
    ----------
    polygons : tuple of (N, 2) float arrays
        (row, col) in px of the full frame, pixel centres at integers; summed, so a bifid nerve is
        one Roi in two parts. Empty when a prompt failed (``flags`` say why) or for a line.
    polygon : (N, 2) float array or None
        The first polygon. Giving ``polygon=`` alone is the short way for one part.
    line : (2, 2) float array or None
        Caliper ends; gives a thickness only.
    upper, lower : (M, 2) float arrays or None
        Inner edges of a layer, left to right.
    structure, site, side, plane : str
        Names of the anatomy list; side is ``"left"``, ``"right"``, ``"midline"`` or ``""``.
    region : int or None
        Index into ``frame.regions``.
    alternatives : tuple of Roi
        Next best, ready to be taken.
    trace_rule : str
        Which contour this is: ``"inside_rim"``, ``"outside_rim"``, ``"inner_edges"``, ...
    method : str
        Who or what drew it.
    confidence : float
        0..1, a probability; 1 for a person's.
    validated : bool
        Whether human-labelled validation exists for this structure, plane and kind of device.
    flags : tuple of str
        Reasons to look again; empty when there is nothing to say.

    Raises
    ------
    OutlineRefused
        Fewer than three vertices, not finite, wrong shape, or polygon and polygons disagree.

    Examples
    --------
    >>> import usimg
    >>> roi = usimg.Roi(polygon=[[0, 0], [0, 10], [10, 10]], structure="median_nerve")
    >>> len(roi.polygons)
    1
    """

    structure: str = "muscle"
    polygons: tuple[FloatArray, ...] = ()
    polygon: FloatArray | None = None
    line: FloatArray | None = None
    upper: FloatArray | None = None
    lower: FloatArray | None = None
    site: str = ""
    side: str = ""
    plane: str = ""
    region: int | None = None
    alternatives: tuple[Roi, ...] = ()
    trace_rule: str = ""
    method: str = "drawn"
    confidence: float = 1.0
    validated: bool = False
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        polygons = tuple(_points(p, "polygon", least=3) for p in self.polygons)
        if self.polygon is not None:
            first = _points(self.polygon, "polygon", least=3)
            if not polygons:
                polygons = (first,)
            elif not np.array_equal(first, polygons[0]):
                raise OutlineRefused(
                    "polygon and polygons disagree; to change an outline use roi.with_polygons(...)"
                )
        set_ = object.__setattr__  # frozen: the normalised arrays are set once, here
        set_(self, "polygons", polygons)
        set_(self, "polygon", polygons[0] if polygons else None)
        if self.line is not None:
            line = _points(self.line, "line", least=2)
            if len(line) != 2:
                raise OutlineRefused(f"a caliper line has two ends, not {len(line)}")
            set_(self, "line", line)
        for name in ("upper", "lower"):
            chain = getattr(self, name)
            if chain is not None:
                set_(self, name, _points(chain, name, least=2))
        if not 0.0 <= self.confidence <= 1.0:
            raise OutlineRefused(f"confidence is {self.confidence}; it is a probability, 0 to 1")

    @property
    def trusted(self) -> bool:
        """Confidence of at least 0.5, and validated for this structure, plane and kind of device."""
        return self.confidence >= 0.5 and self.validated

    @property
    def points(self) -> FloatArray:
        """All vertices, (N, 2); empty when there is nothing drawn."""
        if self.polygons:
            return np.concatenate(self.polygons)
        return self.line if self.line is not None else np.empty((0, 2))

    def with_polygons(self, *polygons: Any, **changes: Any) -> Roi:
        """A new Roi with other polygons; edges of the old ones do not carry over."""
        fields: dict[str, Any] = {
            "upper": None,
            "lower": None,
            "line": None,
            "alternatives": (),
        } | changes
        return replace(self, polygons=tuple(polygons), polygon=None, **fields)


def _points(values: Any, what: str, *, least: int) -> FloatArray:
    try:
        points = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OutlineRefused(f"{what} is not an array of (row, col) numbers: {error}") from None
    if points.ndim != 2 or points.shape[1] != 2 or not least <= len(points) <= MAX_VERTICES:
        raise OutlineRefused(
            f"{what} has shape {points.shape}; it needs ({least} or more, 2): (row, col) in px"
        )
    if not np.isfinite(points).all():
        raise OutlineRefused(f"{what} has a vertex that is not finite")
    points.setflags(write=False)
    return points
