"""Scan, Frame, Region, Calibration: what a file holds, without knowing about files.

A :class:`Scan` is one file's frames. A :class:`Frame` decodes its pixels when they are touched,
through a :class:`PixelSource` that the readers supply, and learns what its picture shows through a
``describe`` callable that :func:`usimg.read` supplies; so nothing here imports a reader or the
picture room. Everything is immutable; arrays are read-only.

Axis order is (row, col) everywhere, pixel centres lie at integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

from usimg.errors import CalibrationRefused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Two scales count as one when they differ by no more than this (reference: 0.016 % between a real
# probe's axes is rounding, 0.1 % of 30 mm is below any reader's repeatability).
SAME_SCALE = 1e-3
# An outline may overhang its region by a pixel: vendors write Max X1 = Columns (one past the last).
REGION_SLACK_PX = 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Size of one pixel, and where that knowledge comes from.

    Attributes
    ----------
    row_mm, col_mm : float
        Millimetres from one pixel centre to the next, down and across. Not always equal.
    source : str
        ``"region"`` (US Region Calibration), ``"pixel_spacing"``, ``"given"`` (the caller),
        ``"sidecar"``, ``"ruler"`` or ``"person"``.
    region : int or None
        Index into ``Frame.regions`` when it holds for that region alone.
    detail : str
        One sentence for the report: tag, file or author.
    flags : tuple of str
        Doubts that do not forbid its use.
    """

    row_mm: float
    col_mm: float
    source: str
    region: int | None = None
    detail: str = ""
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for axis, size in (("row", self.row_mm), ("column", self.col_mm)):
            if not (0.0 < size < float("inf")):
                raise CalibrationRefused(
                    f"{axis} spacing of {size!r} mm is not a size; give millimetres per pixel,"
                    " (row, col), greater than 0"
                )

    @property
    def spacing(self) -> tuple[float, float]:
        """(row_mm, col_mm)."""
        return (self.row_mm, self.col_mm)

    def same_scale(self, other: Calibration) -> bool:
        """Whether both axes agree to 0.1 %."""
        return (
            abs(self.row_mm / other.row_mm - 1.0) <= SAME_SCALE
            and abs(self.col_mm / other.col_mm - 1.0) <= SAME_SCALE
        )


@dataclass(frozen=True, slots=True)
class Timeline:
    """Scale of a picture whose columns are time (M-mode).

    Attributes
    ----------
    row_mm : float
        Millimetres from one row to the next.
    col_s : float
        Seconds from one column to the next.
    """

    row_mm: float
    col_s: float


@dataclass(frozen=True, slots=True)
class Region:
    """One rectangle of the US Region Calibration module (DICOM PS3.3 C.8.5.5).

    Attributes
    ----------
    index : int
        Place in the file's sequence.
    kind : str
        ``"2d"``, ``"m_mode"``, ``"spectral"``, ``"waveform"``, ``"graphics"`` or ``"none"``.
    content : str
        ``"tissue"``, ``"colour_flow"``, ``"ecg"``, ``"grey_bar"``, ... or ``"none"``.
    box : tuple of int
        (r0, c0, r1, c1), half-open, clipped to the frame. Empty (r0 == r1) when nothing is inside.
    declared : tuple of int
        The same as the file states it, half-open, not clipped.
    calibration : Calibration or None
        None when the region gives no length; ``reason`` says why.
    reason : str
        Empty when calibrated.
    timeline : Timeline or None
        Of an M-mode region: millimetres down, seconds across.
    """

    index: int
    kind: str
    content: str
    box: tuple[int, int, int, int]
    declared: tuple[int, int, int, int]
    calibration: Calibration | None = None
    reason: str = ""
    timeline: Timeline | None = None

    @property
    def is_tissue(self) -> bool:
        """Whether a B-mode picture (or colour on one) is drawn here."""
        r0, c0, r1, c1 = self.box
        return self.kind == "2d" and self.content in ("tissue", "colour_flow") and r1 > r0 and c1 > c0

    @property
    def area_px(self) -> int:
        """Pixels inside the clipped box."""
        r0, c0, r1, c1 = self.box
        return max(0, r1 - r0) * max(0, c1 - c0)

    def holds(self, points: NDArray[np.float64]) -> bool:
        """Whether all (N, 2) points lie inside, give or take one pixel."""
        r0, c0, r1, c1 = self.box
        low = points.min(axis=0)
        high = points.max(axis=0)
        return bool(
            low[0] >= r0 - 0.5 - REGION_SLACK_PX
            and low[1] >= c0 - 0.5 - REGION_SLACK_PX
            and high[0] <= r1 - 0.5 + REGION_SLACK_PX
            and high[1] <= c1 - 0.5 + REGION_SLACK_PX
        )


@dataclass(frozen=True, slots=True)
class Pixels:
    """One decoded frame.

    Attributes
    ----------
    gray : (rows, cols) uint8 array
        Luminance of the whole stored frame; nothing cropped, no window applied.
    rgb : (rows, cols, 3) uint8 array or None
        Colours as displayed, None for a file that stores grey.
    grey_rule : str
        How ``gray`` came about, e.g. ``"Y of YBR_FULL_422"``.
    decoder : str
        Library and function that decoded the stream, with version.
    """

    gray: NDArray[np.uint8]
    rgb: NDArray[np.uint8] | None
    grey_rule: str
    decoder: str


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of picture a frame is (``"b_mode"``, ``"colour_doppler"``, ``"m_mode"``, ...) and why.

    Attributes
    ----------
    name : str
        One of `usimg.picture.KINDS`.
    evidence : tuple of str
        What says so: tags, regions, pixels, or a person.
    automatic : bool
        Whether it is outlined and measured without a person: depth is depth in it, and grey is tissue.
    flags : tuple of str
        Doubts that do not forbid that, e.g. a colour map over the whole picture.
    """

    name: str
    evidence: tuple[str, ...] = ()
    automatic: bool = True
    flags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """As people write it."""
        return self.name.replace("b_mode", "B-mode").replace("m_mode", "M-mode").replace("_", " ")


@dataclass(frozen=True, slots=True)
class Picture:
    """What the picture room found in one frame: its kind and two (rows, cols) bool masks."""

    kind: Kind
    scan_area: NDArray[np.bool_]
    overlays: NDArray[np.bool_]


class PixelSource(Protocol):
    """Hands out decoded frames and the hash of the bytes they come from."""

    def pixels(self, index: int) -> Pixels:
        """Decode frame ``index`` (0-based); raises `PixelsRefused`. Keeps a few recent ones."""

    def sha256(self) -> str:
        """Hex digest of the file's bytes: the identity of the scan."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a scan: its pixels, decoded on touch, its scale, and what it shows.

    Attributes
    ----------
    name : str
        File name, for messages.
    index : int
        0-based.
    shape : tuple of int
        (rows, cols).
    regions : tuple of Region
        As stored; empty for files without them.
    calibration : Calibration or None
        The scale when one holds for all of the picture's tissue; ``calibration_reason`` says why not.
    image_type : tuple of str
        What the file calls the picture (DICOM Image Type); a hint, for makers differ.
    """

    name: str
    index: int
    shape: tuple[int, int]
    source: PixelSource = field(repr=False)
    describe: Callable[[Frame], Picture] = field(repr=False)
    regions: tuple[Region, ...] = ()
    calibration: Calibration | None = None
    calibration_reason: str = ""
    image_type: tuple[str, ...] = ()

    @property
    def pixels(self) -> Pixels:
        """The decoded frame with the rule and decoder that made it."""
        return self.source.pixels(self.index)

    @property
    def gray(self) -> NDArray[np.uint8]:
        """(rows, cols) uint8 luminance of the whole stored frame, nothing cropped; read-only."""
        return self.pixels.gray

    @property
    def picture(self) -> Picture:
        """Kind, scan area and overlays, found on first touch."""
        return self.describe(self)

    @property
    def kind(self) -> Kind:
        """Kind of picture, with its evidence."""
        return self.picture.kind

    @property
    def scan_area(self) -> NDArray[np.bool_]:
        """(rows, cols) bool: where tissue is shown."""
        return self.picture.scan_area

    @property
    def overlays(self) -> NDArray[np.bool_]:
        """(rows, cols) bool: what was drawn over the tissue (calipers, text, colour)."""
        return self.picture.overlays

    @property
    def tissue_regions(self) -> tuple[Region, ...]:
        """Regions with a B-mode picture, largest first; colour boxes inside a larger one left out."""
        panes: list[Region] = []
        for region in sorted((r for r in self.regions if r.is_tissue), key=lambda r: -r.area_px):
            if not any(_inside(region.box, pane.box) for pane in panes):
                panes.append(region)
        return tuple(panes)

    def region_at(self, points: NDArray[np.float64]) -> Region | None:
        """The smallest tissue region that holds all (N, 2) points, or None."""
        holding = [r for r in self.regions if r.is_tissue and r.holds(points)]
        return min(holding, key=lambda r: r.area_px) if holding else None

    def calibration_at(self, points: NDArray[np.float64]) -> Calibration:
        """Scale of the region that holds the outline.

        Parameters
        ----------
        points : (N, 2) array
            (row, col) in px of the full frame.

        Raises
        ------
        CalibrationRefused
            No scale there, the outline crosses two pictures, overlapping regions disagree, or columns are
            time there and it is no line along the rows.
        """
        over_time = next((r for r in self.regions if r.timeline is not None and r.holds(points)), None)
        if over_time is not None:
            return _down_the_rows(self.name, over_time, points)
        whole = self.calibration
        if whole is not None and whole.region is None:
            return whole
        if not any(r.is_tissue for r in self.regions):
            raise CalibrationRefused(f"{self.name}: {self.calibration_reason or 'no scale'}")
        holding = [r for r in self.regions if r.is_tissue and r.holds(points)]
        if not holding:
            touched = sum(_touches(r, points) for r in self.tissue_regions)
            raise CalibrationRefused(
                f"{self.name}: the outline crosses two pictures of this frame; draw it inside one of them"
                if touched > 1
                else f"{self.name}: the outline reaches outside the calibrated region; draw it inside"
            )
        scales = [r.calibration for r in holding if r.calibration is not None]
        if not scales:
            raise CalibrationRefused(f"{self.name}: {holding[0].reason}")
        if any(not scales[0].same_scale(s) for s in scales[1:]):
            raise CalibrationRefused(
                f"{self.name}: overlapping regions give two scales there"
                f" ({', '.join(f'{s.row_mm:.5f}' for s in scales)} mm per row);"
                " calibrate by the ruler (usimg review, two points)"
            )
        return scales[0]

    def with_calibration(self, calibration: Calibration) -> Frame:
        """A new Frame whose scale a ruler, a caller or a person found.

        With ``calibration.region`` set it holds for that region alone, else for the whole frame.
        """
        if calibration.region is None:
            return replace(self, calibration=calibration, calibration_reason="")
        regions = tuple(
            replace(r, calibration=calibration, reason="") if r.index == calibration.region else r
            for r in self.regions
        )
        chosen, reason = choose_calibration(regions)
        return replace(self, regions=regions, calibration=chosen, calibration_reason=reason)


@dataclass(frozen=True, slots=True)
class Header:
    """Named tags of a file that usimg uses; None where absent. `patient_*` never leaves the screen."""

    format: str = ""
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    transfer_syntax: str | None = None
    photometric: str | None = None
    bits_stored: int | None = None
    manufacturer: str | None = None
    model: str | None = None
    software: str | None = None
    probe: str | None = None
    protocol_name: str | None = None
    series_description: str | None = None
    body_part: str | None = None
    laterality: str | None = None
    image_type: tuple[str, ...] = ()
    study_date: str | None = None
    acquired_at: str | None = None
    lossy: bool | None = None
    frame_time_ms: float | None = None
    frame_times_ms: tuple[float, ...] = ()  # from one frame to the next, the first 0
    patient_id: str | None = field(default=None, repr=False)
    patient_name: str | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class Scan:
    """One file: its frames, its header, and what was odd about it.

    Attributes
    ----------
    name : str
        File name, for messages.
    frames : tuple of Frame
        Decoded one at a time, when touched.
    notes : tuple of str
        What a careful reader would want to know: repaired tags, clamped regions, doubts.
    """

    name: str
    header: Header
    frames: tuple[Frame, ...]
    source: PixelSource = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def times_ms(self) -> tuple[float, ...] | None:
        """When each frame was taken, from the first; None where the file does not say."""
        steps = self.header.frame_times_ms
        if len(steps) == len(self.frames) > 1 and all(0.0 <= step < float("inf") for step in steps):
            return tuple(accumulate((0.0, *steps[1:])))
        if self.header.frame_time_ms is None:
            return None
        return tuple(self.header.frame_time_ms * i for i in range(len(self.frames)))

    @property
    def id(self) -> str:
        """SHA-256 of the file's bytes: the scan's identity wherever it lies."""
        return self.source.sha256()


def choose_calibration(regions: tuple[Region, ...]) -> tuple[Calibration | None, str]:
    """The one scale of a frame's tissue, or None and the reason.

    Several tissue regions of equal scale (to 0.1 %) give the largest region's; different scales
    give none: the outline decides then (`Frame.calibration_at`).
    """
    tissue = sorted((r for r in regions if r.is_tissue), key=lambda r: -r.area_px)
    if not tissue:
        why = "no region of this file shows tissue with a scale" if regions else "the file states no scale"
        return None, why
    scales = [r.calibration for r in tissue if r.calibration is not None]
    if not scales:
        return None, tissue[0].reason
    if any(not scales[0].same_scale(s) for s in scales[1:]):
        listed = " and ".join(f"{s.row_mm:.5f}" for s in scales)
        return None, f"two scales in one picture ({listed} mm per row): the outline's region decides"
    if len(scales) < len(tissue):
        return (
            None,
            f"one picture has a scale, another not: {next(r.reason for r in tissue if r.reason)}",
        )
    return scales[0], ""


def _down_the_rows(name: str, region: Region, points: NDArray[np.float64]) -> Calibration:
    """Scale for a line within one column of an M-mode; nothing else has a length there."""
    timeline = region.timeline
    if timeline is None or len(points) != 2 or abs(points[0, 1] - points[1, 1]) > REGION_SLACK_PX:
        raise CalibrationRefused(
            f"{name}: columns of an M-mode are time; only a line straight down its rows has a length there"
        )
    detail = f"US Region Calibration (0018,6011), item {region.index}: rows in mm, columns in seconds"
    return Calibration(timeline.row_mm, timeline.row_mm, "region", region=region.index, detail=detail)


def _inside(inner: tuple[int, int, int, int], outer: tuple[int, int, int, int]) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _touches(region: Region, points: NDArray[np.float64]) -> bool:
    r0, c0, r1, c1 = region.box
    rows, cols = points[:, 0], points[:, 1]
    return bool(((rows >= r0 - 0.5) & (rows < r1 - 0.5) & (cols >= c0 - 0.5) & (cols < c1 - 0.5)).any())
