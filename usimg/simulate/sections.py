"""Painting what is cut across: nerves, vessels, tendons; ovals whose area is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from usimg.simulate.noise import smooth_noise, smooth_noise_complex
from usimg.simulate.tissue import Canvas

FloatArray = NDArray[np.float64]

RIM_DB = -20.0
FASCICLE_DB = -45.0
LUMEN_DB = -66.0


@dataclass(frozen=True, slots=True)
class Oval:
    """An ellipse with a gently irregular contour.

    In the ellipse's own axes the contour is (a rho cos t, b rho sin t) with
    rho(t) = 1 + sum_k (c_k cos k t + s_k sin k t), so its area is pi a b (1 + sum (c_k^2 + s_k^2) / 2).

    Attributes
    ----------
    x, z : float
        Centre in mm.
    a, b : float
        Semi-axes in mm, across and down before tilting.
    tilt_deg : float
        Right end down.
    waves : tuple of (int, float, float)
        (k, c_k, s_k), k >= 2.
    """

    x: float
    z: float
    a: float
    b: float
    tilt_deg: float = 0.0
    waves: tuple[tuple[int, float, float], ...] = ()

    @property
    def _roughness(self) -> float:
        return 1.0 + sum(c * c + s * s for _, c, s in self.waves) / 2.0

    @property
    def area_mm2(self) -> float:
        """Closed form."""
        return float(np.pi * self.a * self.b * self._roughness)

    def rho(self, angle: FloatArray) -> FloatArray:
        """Radius against the plain ellipse, at an angle of the ellipse's own parameter."""
        out = np.ones_like(angle)
        for k, c, s in self.waves:
            out += c * np.cos(k * angle) + s * np.sin(k * angle)
        return out

    def contour(self, vertices: int = 720) -> tuple[FloatArray, FloatArray]:
        """(x, z) in mm of points on the contour, evenly spaced in parameter."""
        angle = np.linspace(0.0, 2.0 * np.pi, vertices, endpoint=False)
        along = self.a * self.rho(angle) * np.cos(angle)
        across = self.b * self.rho(angle) * np.sin(angle)
        tilt = np.radians(self.tilt_deg)
        return (
            self.x + along * np.cos(tilt) - across * np.sin(tilt),
            self.z + along * np.sin(tilt) + across * np.cos(tilt),
        )

    def ratio(self, x: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Distance from the centre as a share of the contour's, and the parameter angle, of points."""
        tilt = np.radians(self.tilt_deg)
        along = (x - self.x) * np.cos(tilt) + (z - self.z) * np.sin(tilt)
        across = (z - self.z) * np.cos(tilt) - (x - self.x) * np.sin(tilt)
        angle = np.arctan2(across / self.b, along / self.a)
        return np.hypot(along / self.a, across / self.b) / self.rho(angle), angle

    def shrunk(self, by_mm: float) -> Oval:
        """The same shape with both semi-axes ``by_mm`` shorter."""
        return replace(self, a=self.a - by_mm, b=self.b - by_mm)

    @classmethod
    def of_area(
        cls,
        area_mm2: float,
        *,
        x: float,
        z: float,
        flattening: float,
        tilt_deg: float = 0.0,
        waves: tuple[tuple[int, float, float], ...] = (),
    ) -> Oval:
        """The oval of that area whose width is ``flattening`` times its height."""
        unit = cls(x, z, flattening**0.5, flattening**-0.5, tilt_deg, waves)
        scale = float(np.sqrt(area_mm2 / unit.area_mm2))
        return replace(unit, a=unit.a * scale, b=unit.b * scale)


def irregular(rng: np.random.Generator, size: float = 0.05) -> tuple[tuple[int, float, float], ...]:
    """Random waves for an `Oval`, flatter the shorter they are."""
    draws = rng.normal(0.0, 1.0, (3, 2))
    return tuple((k, float(size * c / k), float(size * s / k)) for k, (c, s) in enumerate(draws, start=2))


def _window(canvas: Canvas, oval: Oval, margin_mm: float) -> tuple[slice, slice]:
    reach = max(oval.a, oval.b) * 1.3 + margin_mm
    near = (np.abs(canvas.x - oval.x) < reach) & (np.abs(canvas.z - oval.z) < reach)
    rows = np.flatnonzero(near.any(axis=1))
    cols = np.flatnonzero(near.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)


def fascicles(oval: Oval, count: int, rng: np.random.Generator) -> FloatArray:
    """Circles packed into an oval, each placed as far as possible from those before, then grown.

    Best-candidate placing is Mitchell's (SIGGRAPH 1991).

    Returns
    -------
    (count, 3) float array
        x, z, radius in mm.
    """
    small = min(oval.a, oval.b)
    points = np.empty((count, 2))
    for k in range(count):
        radius, angle = np.sqrt(rng.random(300)) * 0.9, rng.random(300) * 2.0 * np.pi
        x, z = oval.a * radius * np.cos(angle), oval.b * radius * np.sin(angle)
        room = 1.2 * (1.0 - radius) * small
        for px, pz in points[:k]:
            room = np.minimum(room, 0.5 * np.hypot(x - px, z - pz))
        best = int(np.argmax(room))
        points[k] = x[best], z[best]
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) + 1e9 * np.eye(count)
    to_edge = (1.0 - np.hypot(points[:, 0] / oval.a, points[:, 1] / oval.b)) * small
    size = np.minimum(apart.min(axis=1) / 2.0, to_edge)
    for k in range(count):  # the first placed take what room is left
        size[k] = min(float((apart[k] - size).min()), float(to_edge[k]), 0.42 * small)
    tilt = np.radians(oval.tilt_deg)
    x = oval.x + points[:, 0] * np.cos(tilt) - points[:, 1] * np.sin(tilt)
    z = oval.z + points[:, 0] * np.sin(tilt) + points[:, 1] * np.cos(tilt)
    return np.stack([x, z, np.maximum(size, 0.1) * rng.uniform(0.85, 0.97, count)], axis=1)


def paint_nerve(
    canvas: Canvas,
    outer: Oval,
    rim_mm: float,
    rng: np.random.Generator,
    *,
    count: int,
    rim_db: float = RIM_DB,
) -> None:
    """Dark fascicles in bright connective tissue, inside a bright rim: a honeycomb.

    The rim lies between ``outer`` and ``outer.shrunk(rim_mm)``; it is dimmer at the flanks, which
    the beam only grazes.
    """
    window = _window(canvas, outer, 1.0)
    x, z = canvas.x[window], canvas.z[window]
    inner = outer.shrunk(rim_mm)
    share_outer, angle = outer.ratio(x, z)
    share_inner, _ = inner.ratio(x, z)
    texture = smooth_noise(rng, x, z, 0.8, 0.3)
    level = -27.0 + 3.0 * texture
    for cx, cz, radius in fascicles(inner, count, rng):
        inside = np.clip((radius - np.hypot(x - cx, z - cz)) / 0.09 + 0.5, 0.0, 1.0)
        level = level + inside * np.minimum(FASCICLE_DB + 2.0 * texture - level, 0.0)
    flank = np.abs(np.cos(angle)) ** 3
    rim = rim_db - 8.0 * flank + 3.0 * smooth_noise(rng, x, z, 1.4, 0.6)
    whole = np.where(share_inner < 1.0, level, rim)
    here = share_outer < 1.0
    canvas.level_db[window] = np.where(here, whole, canvas.level_db[window])
    sheet = np.where(share_inner < 1.0, 0.3 * (level > -35.0), 0.8 * (1.0 - flank))
    canvas.coherence[window] = np.where(here, sheet, canvas.coherence[window])
    # Around it lies a thin bright halo of loose tissue that makes the rim's outer edge soft.
    halo = np.exp(-(((share_outer - 1.0) * min(outer.a, outer.b) / 0.25) ** 2)) * (share_outer >= 1.0)
    block = canvas.level_db[window]
    block += halo * np.maximum(-31.0 + 2.0 * texture - block, 0.0) * 0.7


def paint_vessel(canvas: Canvas, lumen: Oval, rng: np.random.Generator, *, wall_mm: float = 0.35) -> None:
    """Black lumen, bright wall above and below, more light behind: blood takes almost nothing."""
    window = _window(canvas, lumen, 1.5)
    x, z = canvas.x[window], canvas.z[window]
    share, angle = lumen.ratio(x, z)
    size = min(lumen.a, lumen.b)
    outside_mm = (share - 1.0) * size
    wall = np.exp(-(((outside_mm - 0.5 * wall_mm) / (0.5 * wall_mm)) ** 2)) * (share >= 1.0)
    wall = wall * (0.08 + 0.92 * np.abs(np.sin(angle)) ** 4)
    block = canvas.level_db[window]
    block += wall * np.maximum(-16.0 - block, 0.0)
    canvas.coherence[window] = np.maximum(canvas.coherence[window], 0.85 * wall)
    inside = share < 1.0 + 0.05 * smooth_noise(rng, x, z, 0.8, 0.5)
    haze = LUMEN_DB + 4.0 * smooth_noise(rng, x, z, 1.5, 0.6)
    canvas.level_db[window] = np.where(inside, haze, canvas.level_db[window])
    canvas.coherence[window] = np.where(inside, 0.0, canvas.coherence[window])
    canvas.attenuation_db[window] = np.where(inside, -0.1, canvas.attenuation_db[window])


def paint_tendon(canvas: Canvas, oval: Oval, rng: np.random.Generator, *, level_db: float = -27.0) -> None:
    """A tendon in cross-section: fine bristles, a thin bright surface, a dark halo of synovium."""
    window = _window(canvas, oval, 1.0)
    x, z = canvas.x[window], canvas.z[window]
    share, angle = oval.ratio(x, z)
    size = min(oval.a, oval.b)
    inside = np.clip((1.0 - share) * size / 0.3 + 0.5, 0.0, 1.0)
    level = level_db + 5.0 * smooth_noise(rng, x, z, 0.6, 0.14)
    level += 3.0 * smooth_noise(rng, x, z, 1.4, 0.7)
    surface = 0.7 * np.exp(-(((share - 0.97) * size / 0.13) ** 2)) * np.abs(np.sin(angle)) ** 4
    level += surface * np.maximum(-17.0 + 4.0 * smooth_noise(rng, x, z, 1.0, 1.0) - level, 0.0)
    halo = np.exp(-(((share - 1.12) * size / 0.25) ** 2)) * (share >= 1.0)
    block = canvas.level_db[window] - 3.0 * halo
    canvas.level_db[window] = block + inside * (level - block)
    sheet = canvas.coherence[window]
    canvas.coherence[window] = sheet + inside * (np.where(surface > 0.3, 0.7, 0.35) - sheet)
    canvas.attenuation_db[window] += 0.25 * inside


def paint_central_tendon(
    canvas: Canvas,
    start: tuple[float, float],
    end: tuple[float, float],
    rng: np.random.Generator,
    *,
    bow_mm: float = 1.5,
    thickness_mm: float = 0.7,
    level_db: float = -16.0,
) -> None:
    """The sheet inside rectus femoris or tibialis anterior: a bowed bright line from start to end (x, z)."""
    (x0, z0), (x1, z1) = start, end
    length = float(np.hypot(x1 - x0, z1 - z0))
    ux, uz = (x1 - x0) / length, (z1 - z0) / length
    u = (canvas.x - x0) * ux + (canvas.z - z0) * uz
    v = (canvas.z - z0) * ux - (canvas.x - x0) * uz
    near = (u > -1.0) & (u < length + 1.0) & (np.abs(v) < abs(bow_mm) + 3.0 * thickness_mm)
    un, vn = u[near], v[near]
    vn = vn - 4.0 * bow_mm * un / length * (1.0 - un / length) + 0.3 * smooth_noise(rng, un, vn, 4.0, 9.0)
    taper = np.clip(un / 2.0, 0.0, 1.0) * np.clip((length - un) / 3.0, 0.0, 1.0)
    weight = taper * np.exp(-((vn / (0.6 * thickness_mm)) ** 2))
    # Sheets along the beam send little back.
    bright = level_db - 9.0 * abs(uz) ** 2 + 3.0 * smooth_noise(rng, un, vn, 2.5, 0.25)
    block = canvas.level_db[near]
    canvas.level_db[near] = block + weight * np.maximum(bright - block, 0.0)
    canvas.coherence[near] = np.maximum(canvas.coherence[near], 0.7 * weight)
    canvas.sheets[near] = np.where(
        weight > 0.3, smooth_noise_complex(rng, un, vn, 2.5, 0.12), canvas.sheets[near]
    )
