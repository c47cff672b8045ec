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
# 40-70 with fascia near saturation). Attenuation is both ways, at the probe's own frequency.
MUSCLE_DB = -48.5
FAT_DB = -45.0
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

    def columns(self) -> FloatArray:
        """X for evaluating curves: (1, lines) where the beams are parallel, else (samples, lines)."""
        return self.x[:1] if self.x.strides[0] == 0 else self.x

    def between(self, upper: Curve, lower: Curve) -> BoolArray:
        """(samples, lines) mask of what lies between two curves."""
        x = self.columns()
        return np.asarray((self.z > upper(x)) & (self.z < lower(x)))


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


def nearer(first: Curve, second: Curve, blend_mm: float = 0.9) -> Curve:
    """The upper of two borders, running into each other over about ``blend_mm``."""

    def curve(x: FloatArray) -> FloatArray:
        a, b = first(x), second(x)
        # log-sum-exp, written so that it cannot overflow
        return np.minimum(a, b) - blend_mm * np.log1p(np.exp(-np.abs(a - b) / blend_mm))

    return curve


def shaft(rng: np.random.Generator, x_mm: float, top_mm: float, radius_mm: float) -> Curve:
    """Near surface of a long bone cut across: a circle's upper side, slightly uneven."""
    uneven = level_curve(rng, 0.0, wave_mm=0.35)
    squeeze = rng.uniform(-0.06, 0.06)

    def curve(x: FloatArray) -> FloatArray:
        from_top = np.minimum(np.abs(x - x_mm) / radius_mm, 0.999)
        return (
            top_mm
            + radius_mm * (1.0 - np.sqrt(1.0 - from_top**2))
            + squeeze * (x - x_mm)
            + 0.6 * (uneven(x) - uneven(np.array(x_mm)))
            + 30.0 * np.maximum(np.abs(x - x_mm) / radius_mm - 0.999, 0.0)
        )

    return curve


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
    steep = np.hypot(down, across)
    # Where the noise is flat its zero line is a patch; a least steepness keeps that thin.
    least = 0.8 * float(np.sqrt(np.mean(steep**2)))
    strand = np.exp(-((noise / (np.maximum(steep, least) * width_mm)) ** 2))
    return strand, np.abs(down) / (steep + 1e-9)


def paint_skin(canvas: Canvas, thickness_mm: float, rng: np.random.Generator) -> None:
    """Face of the probe, epidermis and dermis: level bright layers that follow the probe."""
    rows = slice(0, int(np.ceil(1.6 * thickness_mm / canvas.step[0])) + 1)
    x = canvas.x[rows]
    along = np.broadcast_to(canvas.along[rows], x.shape)
    end = thickness_mm + 0.12 * smooth_noise(rng, x, 0.0 * x, 2.5, 1.0)
    layers = smooth_noise(rng, x, along, 3.5, 0.14)
    block, sheet = canvas.level_db[rows], canvas.coherence[rows]
    dermis = along < end
    block[dermis] = (-30.0 + 3.0 * layers + 1.5 * smooth_noise(rng, x, along, 0.9, 0.3))[dermis]
    sheet[dermis] = 0.35
    entry = np.exp(-(((along - 0.1) / 0.12) ** 2))
    deep = 0.8 * np.exp(-(((along - end) / 0.12) ** 2))
    for weight, level in ((entry, -2.0), (deep, -19.0)):
        block += weight * np.maximum(level + 3.0 * layers - block, 0.0)
        np.maximum(sheet, 0.9 * weight, out=sheet)
    canvas.mirror[rows] = 0.5 * entry


def paint_fat(canvas: Canvas, upper: Curve, lower: Curve, rng: np.random.Generator) -> None:
    """Dark lobules between thin bright septa that run mostly level, and a membrane or two."""
    where = canvas.between(upper, lower)
    rows = _slab(where)
    x, z = canvas.x[rows], canvas.z[rows]
    inside = where[rows]
    ground = FAT_DB + 1.8 * smooth_noise(rng, x, z, 5.0, 1.8) + 1.2 * smooth_noise(rng, x, z, 1.2, 0.5)
    warp = smooth_noise(rng, x, z, 6.0, 3.0)
    seen = _smoothstep(smooth_noise(rng, x, z, 5.0, 2.2), -0.8, 1.0)
    septa = np.zeros_like(ground)
    for long_mm, thin_mm, width_mm, strength in ((9.0, 2.4, 0.13, 1.0), (4.5, 1.5, 0.09, 0.55)):
        lobules = smooth_noise(rng, x, z + 0.7 * warp, long_mm, thin_mm)
        strand, flat = ridges(canvas, rows, lobules, width_mm)
        septa = np.maximum(septa, strength * strand * flat**3 * seen)
    septa *= 0.85 + 0.3 * warp
    level = ground + np.clip(septa, 0.0, 1.0) * np.maximum(-13.0 + 2.0 * warp - ground, 0.0)
    canvas.level_db[rows] = np.where(inside, level, canvas.level_db[rows])
    canvas.coherence[rows] = np.where(inside, 0.8 * np.clip(septa, 0.0, 1.0), canvas.coherence[rows])


def paint_fascia(
    canvas: Canvas,
    upper: Curve,
    lower: Curve,
    rng: np.random.Generator,
    *,
    level_db: float = FASCIA_DB,
    laminae_db: float = 5.5,
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
    laminae = smooth_noise(rng, x, follow, 6.0, 0.11)
    along = smooth_noise(rng, x, follow, 3.5, 0.5)
    # Echo of a sheet falls off within some 20 degrees from square to the beam.
    specular = -9.0 * np.minimum((tilt / 0.36) ** 2, 2.5)
    # Here and there two sheets come apart.
    split = _smoothstep(smooth_noise(rng, x, 0.0 * x, 6.0, 1.0), 0.0, 1.0) * np.exp(-((across / 0.3) ** 2))
    canvas.level_db[where] = (
        level_db - 6.0 * across**4 + laminae_db * laminae + 3.6 * along + specular - 12.0 * split
    )
    canvas.coherence[where] = 0.85
    canvas.sheets[where] = smooth_noise_complex(rng, x, follow, 4.0, 0.09)
    canvas.mirror[where] = 0.5


# Width and height of the meshes, thickness of the strands (mm) and strength of perimysium's two nets.
_NETS = ((5.0, 2.8, 0.2, 1.0), (2.3, 1.2, 0.13, 0.8))
# Length, thickness (mm), bend and rarity (SD) of the three sizes of perimysial flecks.
_FLECKS = ((2.2, 0.2, 0.8, 1.15), (1.0, 0.17, -0.9, 1.25), (0.5, 0.2, 0.3, 1.45))


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
    ground = muscle_level_db(severity) + (2.2 + 0.8 * severity) * smooth_noise(rng, x, z, 7.0, 3.5)
    ground += (2.0 + 0.6 * severity) * smooth_noise(rng, x, z, 1.5, 0.7)
    warp = smooth_noise(rng, x, z, 4.0, 2.6)
    contrast = 1.0 - 0.75 * severity**2
    seen = _smoothstep(smooth_noise(rng, x, z, 4.5, 2.5), -1.1, 1.0)
    # Perimysium as two nets: coarse bundles, and the fascicles inside them.
    net = np.zeros_like(ground)
    for wide_mm, high_mm, width_mm, strength in _NETS:
        cells = smooth_noise(rng, x + 0.9 * warp, z + 0.6 * warp, wide_mm, high_mm)
        strand, flat = ridges(canvas, rows, cells, width_mm)
        net = np.maximum(net, strength * strand * (0.4 + 0.6 * flat**2) * seen)
    net *= 0.75 + 0.35 * smooth_noise(rng, x, z, 1.1, 0.8)
    net = np.clip(net, 0.0, 1.2)
    # Short curved strands and dots: perimysium that happens to lie square to the beam.
    stars = np.zeros_like(ground)
    for long_mm, thin_mm, bend, rare in _FLECKS:
        flecks = smooth_noise(rng, x, z + bend * warp, long_mm, thin_mm)
        stars = np.maximum(stars, _smoothstep(flecks, rare, rare + 1.7))
    lit = 0.35 + 0.65 * _smoothstep(smooth_noise(rng, x, z, 3.0, 2.0), -0.6, 1.0)
    stars *= contrast * lit
    net *= contrast
    level = ground + 25.0 * net
    level += stars * np.maximum(-18.0 + 4.0 * warp - level, 0.0)
    canvas.level_db[rows] = np.where(inside, level, canvas.level_db[rows])
    bright = np.maximum(net, stars)
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
    u = x * np.cos(angle) - z * np.sin(angle)
    v = x * np.sin(angle) + z * np.cos(angle) + 0.002 * u**2
    v = v + 0.3 * smooth_noise(rng, u, v, 14.0, 9.0) + 0.09 * smooth_noise(rng, u, v, 4.0, 1.5)
    ground = muscle_level_db(severity) - 1.5 + 2.2 * smooth_noise(rng, u, v, 9.0, 2.4)
    ground += (3.0 - 1.5 * severity) * smooth_noise(rng, u, v, 3.0, 0.35)
    contrast = 1.0 - 0.7 * severity**2
    seen = _smoothstep(smooth_noise(rng, u, v, 7.0, 1.5), -1.6, 0.8)
    broken = 0.8 + 0.35 * smooth_noise(rng, u, v, 1.8, 0.3)
    strand = np.zeros_like(ground)
    for long_mm, thin_mm, rare, strength in ((7.5, 0.32, 0.0, 1.0), (3.5, 0.22, 0.3, 0.85)):
        lines = smooth_noise(rng, u, v, long_mm, thin_mm)
        strand = np.maximum(strand, strength * _smoothstep(lines, rare, rare + 1.9))
    strand = np.clip(strand * broken, 0.0, 1.0) * seen * contrast
    level = ground + strand * np.maximum(-14.0 - 5.0 * np.abs(np.tan(angle)) - ground, 0.0)
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
    severity: float = 0.0,
) -> None:
    """Bright near surface of the cortex, nothing but noise and a faint repeat below it.

    ``where`` limits the bone in x. Under diseased muscle the echo of bone is lost (Heckmatt 1982).
    """
    columns = canvas.columns()
    depth = canvas.z - surface(columns)
    here = depth > 0.0
    if where is not None:
        here &= where(columns)
    tilt = (surface(columns + 0.05) - surface(columns - 0.05)) / 0.1
    dim = np.broadcast_to(-12.0 * np.minimum((tilt / 0.6) ** 2, 2.0), depth.shape)
    # What lies behind stays tissue and goes dark for want of light, so the shadow's flanks are soft.
    canvas.coherence[here] = 0.0
    canvas.attenuation_db[here] = 14.0
    cortex = here & (depth < 1.4)
    x, deep = canvas.x[cortex], depth[cortex]
    uneven = 2.5 * smooth_noise(rng, x, deep, 3.0, 1.0)
    canvas.level_db[cortex] = (
        CORTEX_DB - 14.0 * severity + dim[cortex] + uneven - 12.0 * np.maximum(deep - 0.3, 0.0)
    )
    canvas.coherence[cortex] = 0.85
    canvas.attenuation_db[here & (depth < 0.5)] = TISSUE_DB_PER_MM
    canvas.sheets[cortex] = smooth_noise_complex(rng, x, deep, 3.0, 0.2)
    canvas.mirror[cortex] = 1.0


def muscle_level_db(severity: float) -> float:
    """Ground level of muscle; denervated muscle is brighter (fat and fibrous tissue scatter more)."""
    return MUSCLE_DB + 13.0 * severity


def muscle_attenuation(severity: float) -> float:
    """Both ways, dB per mm; fatty muscle takes more, so that its deep part and the bone fade."""
    return TISSUE_DB_PER_MM + 0.05 + 0.3 * severity


def paint_connective(canvas: Canvas, upper: Curve, lower: Curve, rng: np.random.Generator) -> None:
    """Fibrofatty tissue around tendons and nerves: grey, with fine level strands."""
    where = canvas.between(upper, lower)
    rows = _slab(where)
    if rows.stop <= rows.start:
        return
    inside = where[rows]
    x, z = canvas.x[rows], canvas.z[rows]
    warp = smooth_noise(rng, x, z, 3.0, 2.0)
    ground = -42.0 + 3.0 * smooth_noise(rng, x, z, 3.0, 1.5) + 2.0 * smooth_noise(rng, x, z, 0.9, 0.4)
    fibres = np.zeros_like(ground)
    for long_mm, thin_mm, bend, rare in ((3.5, 0.22, 0.7, 0.5), (1.6, 0.18, -0.6, 0.8)):
        lines = smooth_noise(rng, x, z + bend * warp, long_mm, thin_mm)
        fibres = np.maximum(fibres, _smoothstep(lines, rare, rare + 2.0))
    level = ground + fibres * np.maximum(-17.0 - ground, 0.0)
    canvas.level_db[rows] = np.where(inside, level, canvas.level_db[rows])
    canvas.coherence[rows] = np.where(inside, 0.6 * fibres, canvas.coherence[rows])
