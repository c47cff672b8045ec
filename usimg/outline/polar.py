"""The frame in which closed contours are found: rays and radii scaled to a box.

A box becomes a superellipse; rays run from its middle, radius 1 lies on the superellipse that touches the
box. Shape, size and place are taken out, so that a contour is one radius per ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.outline.lines import best_path
from usimg.outline.segmenter import Box
from usimg.vision import cv2

Array = NDArray[np.float64]

RAYS = 72
# Exponent of the superellipse: mean shape of the nerves of nerve_vessel train in their boxes.
EXPONENT = 2.3
RADII = np.linspace(0.3, 1.35, 40)
RADIUS_STEP = float(RADII[1] - RADII[0])
ANGLES = np.arange(RAYS) * (2 * np.pi / RAYS)
UNIT = (np.abs(np.cos(ANGLES)) ** EXPONENT + np.abs(np.sin(ANGLES)) ** EXPONENT) ** (-1 / EXPONENT)
# Harmonics of a contour above this are faded out: experts' outlines are smooth.
HARMONICS = 9.0


def superellipse_radius(down: NDArray[np.floating], right: NDArray[np.floating]) -> NDArray[np.floating]:
    """Radius, 1 on the superellipse that touches the box, of places given as shares of its half sides."""
    return np.asarray((np.abs(down) ** EXPONENT + np.abs(right) ** EXPONENT) ** (1 / EXPONENT))


@dataclass(frozen=True, slots=True)
class PolarFrame:
    """Middle and half sides of a box, px."""

    row: float
    col: float
    half_rows: float
    half_cols: float

    @classmethod
    def of_box(cls, box: Box) -> PolarFrame:
        """The frame of a box (r0, c0, r1, c1)."""
        r0, c0, r1, c1 = box
        return cls((r0 + r1) / 2, (c0 + c1) / 2, (r1 - r0) / 2, (c1 - c0) / 2)

    @property
    def size(self) -> float:
        """Geometric mean of the half sides, px."""
        return float(np.sqrt(self.half_rows * self.half_cols))

    def points(self, radius: Array) -> tuple[Array, Array]:
        """(rows, cols) of radii given per ray; (RAYS,) or (RAYS, n)."""
        down, right = UNIT * np.sin(ANGLES), UNIT * np.cos(ANGLES)
        if radius.ndim == 2:
            down, right = down[:, None], right[:, None]
        return self.row + self.half_rows * down * radius, self.col + self.half_cols * right * radius

    def polygon(self, radius: Array) -> Array:
        """(RAYS, 2) contour of one radius per ray."""
        return np.column_stack(self.points(radius))


@dataclass(frozen=True, eq=False)
class PolarImage:
    """Grey levels on the rays of a frame, (RAYS, len(RADII)) each.

    Attributes
    ----------
    fine, coarse : arrays
        Smoothed by 5 and 12 % of the size; mean 0 and spread 1 over the rays.
    """

    fine: Array
    coarse: Array


def sample(gray: NDArray[np.float32], frame: PolarFrame) -> PolarImage:
    """Grey levels along the rays of a frame."""
    reach = int(1.6 * max(frame.half_rows, frame.half_cols)) + 4
    r0, c0 = max(0, int(frame.row) - reach), max(0, int(frame.col) - reach)
    crop = gray[r0 : int(frame.row) + reach, c0 : int(frame.col) + reach]
    rows, cols = frame.points(np.broadcast_to(RADII, (RAYS, len(RADII))))
    rows, cols = (rows - r0).astype(np.float32), (cols - c0).astype(np.float32)

    def along(sigma: float) -> Array:
        smooth = cv2.GaussianBlur(crop, (0, 0), sigma)
        return np.asarray(
            cv2.remap(smooth, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float64
        )

    fine, coarse = along(max(0.6, 0.05 * frame.size)), along(max(0.6, 0.12 * frame.size))
    middle, spread = coarse.mean(), fine.std() + 3.0  # 3 grey levels: flat regions stay flat
    fine = (fine - middle) / spread
    fine = 0.5 * fine + 0.25 * (np.roll(fine, 1, axis=0) + np.roll(fine, -1, axis=0))
    return PolarImage(fine, (coarse - middle) / spread)


def closed_path(gain: Array) -> Array:
    """Radius per ray of the smooth closed path of greatest summed ``gain``.

    Parameters
    ----------
    gain : (RAYS, radii) array
        What is won by letting the contour pass at ``RADII + RADIUS_STEP / 2``.
    """
    count = gain.shape[1]
    # Three turns, the middle one kept: its ends meet.
    path = best_path(np.concatenate([gain] * 3).T.astype(np.float32), steepest=1, bend_cost=0.0)
    at = np.clip(path[RAYS : 2 * RAYS], 1, count - 2)
    ray = np.arange(RAYS)
    before, here, after = gain[ray, at - 1], gain[ray, at], gain[ray, at + 1]
    bend = before - 2 * here + after
    safe = np.where(bend < -1e-6, bend, -1.0)
    shift = np.where(bend < -1e-6, np.clip(0.5 * (before - after) / safe, -0.5, 0.5), 0.0)
    radius = RADII[0] + (at + 0.5 + shift) * RADIUS_STEP
    return smooth_contour(radius)


def smooth_contour(radius: Array) -> Array:
    """Radii with their higher harmonics faded out."""
    waves = np.fft.rfft(radius)
    waves *= np.exp(-((np.arange(len(waves)) / HARMONICS) ** 4))
    return np.fft.irfft(waves, len(radius))
