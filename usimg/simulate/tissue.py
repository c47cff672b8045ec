"""Painting tissue onto the grid of beam samples: skin, fat, fascia, muscle, bone.

Every painter takes a `Canvas`, says where (curves z(x) in mm) and how strong (dB; 0 is white), and
draws its irregularity from the generator it is given. Bright strands are brightest square to the
beam, as collagen is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.simulate.acoustics import Echoes
from usimg.simulate.field import Field
from usimg.simulate.noise import ComplexArray, smooth_noise, smooth_noise_complex, wavy_line

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Curve = Callable[[FloatArray], FloatArray]

# Levels in dB below white, chosen here by eye on real muscle and nerve scans (fields of mean grey
# 40-70 with fascia near saturation). Attenuation is both ways at 10 MHz.
MUSCLE_DB = -43.0
FAT_DB = -44.0
FASCIA_DB = -13.0
CORTEX_DB = -3.0
TISSUE_DB_PER_MM = 0.62


@dataclass(eq=False)
class Canvas:
    """Beam samples being painted; all arrays are (samples, lines) or broadcast to that.

    Attributes
    ----------
    x, z : float arrays
        Position in mm.
    along : (samples, 1) float array
        Range along the beam in mm.
    step : tuple
        Sample distance in mm, and (samples, 1) line distance in mm.
    """

    x: FloatArray
    z: FloatArray
    along: FloatArray
    step: tuple[float, FloatArray]
    level_db: FloatArray
    attenuation_db: FloatArray
    coherence: FloatArray
    sheets: ComplexArray
    mirror: FloatArray

    @classmethod
    def blank(cls, field: Field, samples: int, lines: int, rng: np.random.Generator) -> Canvas:
        """Uniform weakly scattering tissue over the whole field."""
        along = np.linspace(0.0, field.depth_mm, samples)[:, None]
        line = np.linspace(-1.0, 1.0, lines)[None, :]
        shape = (samples, lines)
        x, z = (np.broadcast_to(a, shape) for a in field.points(line, along))
        return cls(
            x=x,
            z=z,
            along=along,
            step=(field.depth_mm / (samples - 1), field.line_step_mm(lines, along)),
            level_db=np.full(shape, MUSCLE_DB),
            attenuation_db=np.full(shape, TISSUE_DB_PER_MM),
            coherence=np.zeros(shape),
            sheets=smooth_noise_complex(rng, x, z, 2.6, 0.07),
            mirror=np.zeros(shape),
        )

    def echoes(self) -> Echoes:
        """What the scanner sees."""
        return Echoes(self.level_db, self.attenuation_db, self.coherence, self.sheets, self.mirror)

    def between(self, upper: Curve, lower: Curve) -> BoolArray:
        """(samples, lines) mask of what lies between two curves."""
        return (self.z > upper(self.x)) & (self.z < lower(self.x))


def level_curve(
    rng: np.random.Generator, depth_mm: float, *, slope: float = 0.0, bow: float = 0.0, wave_mm: float = 0.25
) -> Curve:
    """A gently wavy border: z(x) = depth + slope x + bow (x/20)^2 + waves.

    ``bow`` is how much deeper the border lies 20 mm from the middle, in mm.
    """
    heights, numbers, phases = wavy_line(rng, wave_mm)

    def curve(x: FloatArray) -> FloatArray:
        flat = depth_mm + slope * x + bow * (x / 20.0) ** 2
        for height, number, phase in zip(heights, numbers, phases, strict=True):
            flat = flat + height * np.sin(number * x + phase)
        return flat

    return curve


def shifted(curve: Curve, by_mm: float) -> Curve:
    """The same border ``by_mm`` deeper."""
    return lambda x: curve(x) + by_mm


def _slab(where: BoolArray) -> slice:
    rows = np.flatnonzero(where.any(axis=1))
    return slice(rows[0], rows[-1] + 1) if rows.size else slice(0, 0)


def _smoothstep(values: FloatArray, low: float, high: float) -> FloatArray:
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def ridges(canvas: Canvas, rows: slice, noise: FloatArray, width_mm: float) -> tuple[FloatArray, FloatArray]:
    """Zero lines of a noise field as strands of even width, and how level each runs.

    Returns
    -------
    strand : float array
        0..1 across the strand.
    level : float array
        1 where the strand runs square to the beam, 0 along it.
    """
    step_z, step_x = canvas.step[0], canvas.step[1][rows]
    down = np.gradient(noise, axis=0) / step_z
    across = np.gradient(noise, axis=1) / step_x
    steep = np.hypot(down, across) + 1e-9
    return np.exp(-((noise / (steep * width_mm)) ** 2)), np.abs(down) / steep


def paint_skin(canvas: Canvas, thickness_mm: float, rng: np.random.Generator) -> None:
    """Face of the probe, epidermis and dermis: level bright layers that follow the probe."""
    rows = slice(0, int(np.ceil(1.6 * thickness_mm / canvas.step[0])) + 1)
    along = np.broadcast_to(canvas.along[rows], canvas.x[rows].shape)
    layers = smooth_noise(rng, canvas.x[rows], along, 9.0, 0.16)
    dermis = along < thickness_mm
    canvas.level_db[rows] = np.where(dermis, -27.0 + 3.5 * layers, canvas.level_db[rows])
    canvas.coherence[rows] = np.where(dermis, 0.45, canvas.coherence[rows])
    entry = np.exp(-(((along - 0.12) / 0.14) ** 2))
    deep = 0.6 * np.exp(-(((along - thickness_mm) / 0.12) ** 2))
    for weight, level in ((entry, -4.0), (deep, -14.0)):
        block = canvas.level_db[rows]
        block += weight * np.maximum(level + 2.0 * layers - block, 0.0)
        canvas.coherence[rows] = np.maximum(canvas.coherence[rows], 0.9 * weight)
    canvas.mirror[rows] = 0.5 * entry


def paint_fat(canvas: Canvas, upper: Curve, lower: Curve, rng: np.random.Generator) -> None:
    """Dark lobules between thin bright septa that run mostly level."""
    where = canvas.between(upper, lower)
    rows = _slab(where)
    x, z = canvas.x[rows], canvas.z[rows]
    canvas.level_db[where] = FAT_DB
    canvas.coherence[where] = 0.0
    warp = smooth_noise(rng, x, z, 9.0, 4.0)
    lobules = smooth_noise(rng, x, z + 0.5 * warp, 8.0, 1.9)
    strand, flat = ridges(canvas, rows, lobules, 0.11)
    seen = _smoothstep(smooth_noise(rng, x, z, 6.0, 2.5), -0.3, 1.0)
    inside = where[rows]
    canvas.level_db[rows][inside] += (2.0 * smooth_noise(rng, x, z, 5.0, 2.0))[inside]
    weight = strand * flat**3 * seen
    block = canvas.level_db[rows]
    block += np.where(inside, weight * np.maximum(-15.0 - block, 0.0), 0.0)
    canvas.coherence[rows] = np.maximum(canvas.coherence[rows], np.where(inside, 0.8 * weight, 0.0))


def paint_fascia(
    canvas: Canvas,
    upper: Curve,
    lower: Curve,
    rng: np.random.Generator,
    *,
    level_db: float = FASCIA_DB,
    laminae_db: float = 4.0,
) -> None:
    """A collagen band between two curves: sheets along it, a dense core, dimmer where it tilts.

    The level falls to the edges, so that after the pulse's blur the steepest grey lies on the curve.
    """
    where = canvas.between(upper, lower)
    if not where.any():
        return
    x, z = canvas.x[where], canvas.z[where]
    top, bottom = upper(x), lower(x)
    middle = (top + bottom) / 2.0
    across = (z - middle) / np.maximum((bottom - top) / 2.0, 1e-6)
    tilt = (lower(x + 0.05) - lower(x - 0.05)) / 0.1
    follow = z - middle
    laminae = smooth_noise(rng, x, follow, 7.0, 0.13)
    along = smooth_noise(rng, x, follow, 5.0, 3.0)
    # Echo of a sheet falls off within some 20 degrees from square to the beam.
    specular = -9.0 * np.minimum((tilt / 0.36) ** 2, 2.5)
    canvas.level_db[where] = level_db - 7.0 * across**4 + laminae_db * laminae + 2.2 * along + specular
    canvas.coherence[where] = 0.85
    canvas.sheets[where] = smooth_noise_complex(rng, x, follow, 4.0, 0.09)
    canvas.mirror[where] = 0.5


def paint_muscle_transverse(
    canvas: Canvas, upper: Curve, lower: Curve, rng: np.random.Generator, *, severity: float = 0.0
) -> None:
    """Dark fascicles, a broken net of perimysium, short curved strands and dots ("starry night").

    ``severity`` 0..1 brightens and coarsens the ground, drowns the septa and takes more of the beam.
    """
    where = canvas.between(upper, lower)
    rows = _slab(where)
    if rows.stop <= rows.start:
        return
    inside = where[rows]
    x, z = canvas.x[rows], canvas.z[rows]
    ground = muscle_level_db(severity) + (1.6 + 1.4 * severity) * smooth_noise(rng, x, z, 7.0, 4.0)
    ground += (1.2 + 1.5 * severity) * smooth_noise(rng, x, z, 1.6, 0.9)
    warp = smooth_noise(rng, x, z, 5.0, 3.5)
    net = smooth_noise(rng, x + 0.8 * warp, z + 0.8 * warp, 3.4, 1.9)
    strand, flat = ridges(canvas, rows, net, 0.12)
    seen = _smoothstep(smooth_noise(rng, x, z, 3.0, 2.0), -0.2, 1.4)
    contrast = 1.0 - 0.75 * severity
    perimysium = strand * (0.25 + 0.75 * flat**4) * seen * contrast
    flecks = smooth_noise(rng, x, z + 0.55 * warp, 1.5, 0.24)
    dots = smooth_noise(rng, x, z - 0.4 * warp, 0.55, 0.22)
    stars = np.maximum(_smoothstep(flecks, 1.15, 2.5), 0.8 * _smoothstep(dots, 1.6, 3.0)) * contrast
    level = ground + 20.0 * perimysium
    level += stars * np.maximum(-19.0 + 3.0 * warp - level, 0.0)
    canvas.level_db[rows] = np.where(inside, level, canvas.level_db[rows])
    bright = np.maximum(perimysium, stars)
    canvas.coherence[rows] = np.where(inside, 0.7 * bright, canvas.coherence[rows])
    canvas.attenuation_db[where] = muscle_attenuation(severity)


def paint_muscle_longitudinal(
    canvas: Canvas,
    upper: Curve,
    lower: Curve,
    rng: np.random.Generator,
    *,
    pennation_deg: float,
    severity: float = 0.0,
) -> None:
    """Long bright perimysial lines at the pennation angle on a dark ground.

    A positive angle runs from deep left to superficial right.
    """
    where = canvas.between(upper, lower)
    rows = _slab(where)
    if rows.stop <= rows.start:
        return
    inside = where[rows]
    x, z = canvas.x[rows], canvas.z[rows]
    angle = np.radians(pennation_deg)
    bend = smooth_noise(rng, x, z, 14.0, 9.0)
    u = x * np.cos(angle) - z * np.sin(angle)
    v = x * np.sin(angle) + z * np.cos(angle) + 0.25 * bend + 0.0045 * u**2
    ground = muscle_level_db(severity) - 2.0 + 1.8 * smooth_noise(rng, u, v, 9.0, 2.2)
    ground += (3.2 - 1.8 * severity) * smooth_noise(rng, u, v, 5.0, 0.42)
    lines = smooth_noise(rng, u, v, 6.5, 0.36)
    seen = _smoothstep(smooth_noise(rng, u, v, 8.0, 1.6), -0.8, 1.2)
    contrast = 1.0 - 0.75 * severity
    strand = _smoothstep(lines, 0.35, 2.1) * seen * contrast
    level = ground + strand * np.maximum(-17.0 - 4.0 * np.abs(np.tan(angle)) - ground, 0.0)
    canvas.level_db[rows] = np.where(inside, level, canvas.level_db[rows])
    canvas.coherence[rows] = np.where(inside, 0.6 * strand, canvas.coherence[rows])
    field = smooth_noise_complex(rng, u, v, 3.2, 0.09)
    canvas.sheets[rows] = np.where(inside, field, canvas.sheets[rows])
    canvas.attenuation_db[where] = muscle_attenuation(severity)


def paint_bone(
    canvas: Canvas,
    surface: Curve,
    rng: np.random.Generator,
    *,
    where: Callable[[FloatArray], BoolArray] | None = None,
    level_db: float = CORTEX_DB,
) -> None:
    """Bright near surface of the cortex, nothing but noise and a faint repeat below it.

    ``where`` limits the bone in x.
    """
    z0 = surface(canvas.x)
    here = canvas.z > z0
    if where is not None:
        here &= where(canvas.x)
    depth = canvas.z - z0
    tilt = (surface(canvas.x + 0.05) - surface(canvas.x - 0.05)) / 0.1
    dim = -11.0 * np.minimum((tilt / 0.7) ** 2, 2.2)
    cortex = here & (depth < 0.9)
    glow = level_db + dim - 26.0 * np.maximum(depth - 0.25, 0.0)
    canvas.level_db[here] = -75.0
    canvas.coherence[here] = 0.0
    canvas.attenuation_db[here] = 6.0
    canvas.level_db[cortex] = glow[cortex] + 2.0 * smooth_noise(
        rng, canvas.x[cortex], depth[cortex], 4.0, 0.3
    )
    canvas.coherence[cortex] = 0.9
    canvas.attenuation_db[cortex] = TISSUE_DB_PER_MM
    canvas.sheets[cortex] = smooth_noise_complex(rng, canvas.x[cortex], depth[cortex], 5.0, 0.2)
    canvas.mirror[cortex] = 1.0


def muscle_level_db(severity: float) -> float:
    """Ground level of muscle; denervated muscle is brighter (fat and fibrous tissue scatter more)."""
    return MUSCLE_DB + 11.0 * severity


def muscle_attenuation(severity: float) -> float:
    """Both ways, dB per mm; fatty muscle takes more, so that its deep part and the bone fade."""
    return TISSUE_DB_PER_MM + 0.45 * severity
