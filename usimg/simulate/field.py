"""Where the beams run: linear, trapezoid and curved fields, and their scan conversion.

Tissue is described in Cartesian mm, x to the right from the middle of the probe and z down from its
face; a beam in polar terms, its line and the range along it. The picture on the screen is Cartesian,
so truth needs one affine map (`Display`) whatever the probe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Field:
    """A probe's field of view.

    Attributes
    ----------
    depth_mm : float
        Along the middle beam.
    width_mm : float
        Of the probe's face; for a curved probe the chord of its face.
    half_angle_deg : float
        Of the outermost beam against the middle one; 0 for a linear field.
    radius_mm : float
        Of the probe's face; 0 for a flat one.
    """

    depth_mm: float
    width_mm: float
    half_angle_deg: float = 0.0
    radius_mm: float = 0.0

    @classmethod
    def linear(cls, depth_mm: float, width_mm: float) -> Field:
        """Parallel beams."""
        return cls(depth_mm, width_mm)

    @classmethod
    def trapezoid(cls, depth_mm: float, width_mm: float, half_angle_deg: float = 10.0) -> Field:
        """A flat face with beams that fan out ("virtual convex")."""
        return cls(depth_mm, width_mm, half_angle_deg)

    @classmethod
    def curved(cls, depth_mm: float, radius_mm: float = 50.0, half_angle_deg: float = 29.0) -> Field:
        """A curved-array probe: the picture is a sector of a ring."""
        width = 2.0 * radius_mm * float(np.sin(np.radians(half_angle_deg)))
        return cls(depth_mm, width, half_angle_deg, radius_mm)

    @property
    def _half_angle(self) -> float:
        return float(np.radians(self.half_angle_deg))

    @property
    def _apex_mm(self) -> float:
        """Height of the beams' common point above the face."""
        if self.radius_mm:
            return self.radius_mm
        return self.width_mm / 2.0 / float(np.tan(self._half_angle))

    @property
    def top_mm(self) -> float:
        """Z of the highest point shown; negative for a curved probe, whose ends lie above its middle."""
        return self.radius_mm * (float(np.cos(self._half_angle)) - 1.0) if self.radius_mm else 0.0

    @property
    def half_width_mm(self) -> float:
        """Largest |x| shown."""
        if not self.half_angle_deg:
            return self.width_mm / 2.0
        reach = self.depth_mm + self._apex_mm
        return reach * float(np.sin(self._half_angle) if self.radius_mm else np.tan(self._half_angle))

    def points(self, line: FloatArray, along: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(x, z) in mm of beam positions: ``line`` -1..1 across the probe, ``along`` mm from its face."""
        if not self.half_angle_deg:
            x, z = np.broadcast_arrays(line * self.width_mm / 2.0, along)
            return x, z
        angle = line * self._half_angle
        if self.radius_mm:
            reach = self.radius_mm + along
            return reach * np.sin(angle), reach * np.cos(angle) - self.radius_mm
        return self._apex_mm * np.tan(angle) + along * np.sin(angle), along * np.cos(angle)

    def beam(self, x: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(line, along) of Cartesian points: the inverse of `points`."""
        if not self.half_angle_deg:
            return x / (self.width_mm / 2.0), z + 0.0 * x
        angle = np.arctan2(x, z + self._apex_mm)
        along = np.hypot(x, z + self.radius_mm) - self.radius_mm if self.radius_mm else z / np.cos(angle)
        return angle / self._half_angle, along

    def below_face(self, x: FloatArray, depth_mm: float) -> FloatArray:
        """Z of what lies ``depth_mm`` under the probe's face at x: skin follows a curved probe."""
        if not self.radius_mm:
            return np.full_like(x, depth_mm)
        reach = self.radius_mm + depth_mm
        return np.sqrt(np.maximum(reach**2 - x**2, 0.0)) - self.radius_mm

    def line_step_mm(self, lines: int, along: FloatArray) -> FloatArray:
        """Distance between neighbouring beams, in mm, at each range."""
        if not self.half_angle_deg:
            return np.full_like(along, self.width_mm / (lines - 1))
        return 2.0 * self._half_angle / (lines - 1) * (self._apex_mm + along)


@dataclass(frozen=True, slots=True)
class Display:
    """Where a field lies on the screen.

    Attributes
    ----------
    shape : tuple of int
        (rows, cols) of the frame.
    box : tuple of int
        (r0, c0, r1, c1), half-open: the rectangle around the field.
    spacing : tuple of float
        (row_mm, col_mm).
    top, middle : float
        Row of z = 0, column of x = 0; pixel centres at integers.
    """

    shape: tuple[int, int]
    box: tuple[int, int, int, int]
    spacing: tuple[float, float]
    top: float
    middle: float

    @classmethod
    def fitted(
        cls,
        field: Field,
        shape: tuple[int, int],
        window: tuple[int, int, int, int],
        *,
        pixel_aspect: float = 1.0,
    ) -> Display:
        """The largest display of ``field`` in ``window``, centred across and at its top.

        ``pixel_aspect`` is col_mm / row_mm.
        """
        r0, c0, r1, c1 = window
        height, width = field.depth_mm - field.top_mm, 2.0 * field.half_width_mm
        row_mm = max(height / (r1 - r0), width / (c1 - c0) / pixel_aspect)
        col_mm = row_mm * pixel_aspect
        rows, cols = int(height / row_mm + 1e-6), int(width / col_mm + 1e-6)
        left = c0 + (c1 - c0 - cols) // 2
        return cls(
            shape=shape,
            box=(r0, left, r0 + rows, left + cols),
            spacing=(row_mm, col_mm),
            top=r0 - 0.5 - field.top_mm / row_mm,
            middle=left + (cols - 1) / 2.0,
        )

    def to_pixels(self, x: FloatArray, z: FloatArray) -> FloatArray:
        """(N, 2) array of (row, col) of points in mm."""
        return np.stack([self.top + z / self.spacing[0], self.middle + x / self.spacing[1]], axis=-1)

    def to_mm(self, rows: FloatArray, cols: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(x, z) in mm of pixel positions."""
        return (cols - self.middle) * self.spacing[1], (rows - self.top) * self.spacing[0]

    def grid_mm(self) -> tuple[FloatArray, FloatArray]:
        """(x, z) of every pixel centre of the frame, as (1, cols) and (rows, 1) arrays."""
        rows = np.arange(self.shape[0], dtype=np.float64)[:, None]
        cols = np.arange(self.shape[1], dtype=np.float64)[None, :]
        return self.to_mm(rows, cols)


def scan_convert(beams: FloatArray, field: Field, display: Display) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Beam samples to screen pixels, bilinear, as scanners do after log compression.

    Parameters
    ----------
    beams : (samples, lines) array
        First sample at the face, last at ``field.depth_mm``; first line leftmost.

    Returns
    -------
    picture : (rows, cols) float array
        0 outside the field.
    scan_area : (rows, cols) bool array
        Pixel centres inside the field.
    """
    r0, c0, r1, c1 = display.box
    x, z = display.grid_mm()
    line, along = field.beam(*np.broadcast_arrays(x[:, c0:c1], z[r0:r1]))
    within = (np.abs(line) <= 1.0) & (along >= 0.0) & (along <= field.depth_mm)
    samples, lines = beams.shape
    at = [
        along[within] / field.depth_mm * (samples - 1),
        (line[within] + 1.0) / 2.0 * (lines - 1),
    ]
    inside = np.zeros(display.shape, dtype=bool)
    inside[r0:r1, c0:c1] = within
    picture = np.zeros(display.shape)
    picture[inside] = ndimage.map_coordinates(beams, at, order=1, mode="nearest")
    return picture, inside
