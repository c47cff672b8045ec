"""What scenes share: an empty canvas on a field, a person, and the cover of skin, fat and fascia."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usimg.simulate.acoustics import Scanner
from usimg.simulate.field import Display, Field
from usimg.simulate.tissue import (
    FASCIA_DB,
    Canvas,
    Curve,
    FloatArray,
    level_curve,
    paint_fascia,
    paint_fat,
    paint_skin,
)


@dataclass(frozen=True, slots=True)
class Person:
    """How a body differs from the textbook; drawn once per subject, so that views agree.

    Attributes
    ----------
    severity : float
        0 healthy .. 1 severely denervated: thinner, brighter, borders and bone fade.
    build : float
        Muscle size, about 0.85-1.15.
    fat : float
        Fat thickness, about 0.6-1.6.
    """

    severity: float = 0.0
    build: float = 1.0
    fat: float = 1.0

    @property
    def bulk(self) -> float:
        """Share of the textbook's muscle thickness that is left.

        21 of 29 mm, the means of ALS and controls in Cartwright 2011, at severity 0.75.
        """
        return self.build * (1.0 - 0.37 * self.severity)

    @property
    def fascia_db(self) -> float:
        """Fasciae stand out less from diseased muscle."""
        return FASCIA_DB - 5.0 * self.severity


HEALTHY = Person()


@dataclass(frozen=True, slots=True)
class Setup:
    """Probe, settings and screen of a scene.

    Attributes
    ----------
    scanner : Scanner or None
        None takes what suits the view.
    field : Field or None
        None takes what suits the view.
    shape : tuple of int
        (rows, cols) of the frame.
    window : tuple of int or None
        (r0, c0, r1, c1) of the frame that the field may fill; None leaves margins.
    pixel_aspect : float
        col_mm / row_mm.
    """

    scanner: Scanner | None = None
    field: Field | None = None
    shape: tuple[int, int] = (600, 800)
    window: tuple[int, int, int, int] | None = None
    pixel_aspect: float = 1.0


USUAL = Setup()


@dataclass(frozen=True, slots=True)
class Stage:
    """An empty canvas on a field, shown on a screen, a person and a generator."""

    canvas: Canvas
    field: Field
    display: Display
    scanner: Scanner
    person: Person
    rng: np.random.Generator

    @classmethod
    def set(cls, seed: int, person: Person, setup: Setup, field: Field, scanner: Scanner) -> Stage:
        """Empty tissue in the setup's field and scanner, or else in those given."""
        rng = np.random.default_rng([seed, 20_260_101])
        rows, cols = setup.shape
        window = setup.window or (rows // 12, cols // 10, rows - rows // 16, cols - cols // 10)
        field, scanner = setup.field or field, setup.scanner or scanner
        display = Display.fitted(field, setup.shape, window, pixel_aspect=setup.pixel_aspect)
        return cls(blank_canvas(field, scanner, rng), field, display, scanner, person, rng)

    def deepest(self, x: FloatArray) -> FloatArray:
        """A border below everything."""
        return np.full_like(x, self.field.depth_mm + 50.0)


@dataclass(frozen=True, slots=True)
class Cover:
    """Borders of what lies over the muscle, in mm, and the depth where muscle begins in the middle."""

    fat_top: Curve
    fat_end: Curve
    muscle_top: Curve
    muscle_mm: float


def plan_cover(stage: Stage, *, skin_mm: float, fat_mm: float, fascia_mm: float) -> Cover:
    """Skin, fat and superficial fascia of a person: where they lie."""
    fat_mm = fat_mm * stage.person.fat
    field, rng = stage.field, stage.rng
    slope = rng.uniform(-0.02, 0.02)
    level = level_curve(rng, skin_mm + fat_mm, slope=slope, bow=0.4, wave_mm=min(0.3, 0.12 * fat_mm))

    def fat_top(x: FloatArray) -> FloatArray:
        return field.below_face(x, skin_mm)

    def fat_end(x: FloatArray) -> FloatArray:
        # A curved probe dents what lies under it, less so with depth; the sag is 0 under a flat one.
        return level(x) + 0.6 * (fat_top(x) - skin_mm)

    return Cover(fat_top, fat_end, thickened(rng, fat_end, fascia_mm), skin_mm + fat_mm + fascia_mm)


def paint_cover(stage: Stage, cover: Cover, *, skin_mm: float, fascia_db: float) -> None:
    """Skin, fat and superficial fascia: onto the canvas, after the muscles below."""
    paint_fat(stage.canvas, cover.fat_top, cover.fat_end, stage.rng)
    paint_fascia(stage.canvas, cover.fat_end, cover.muscle_top, stage.rng, level_db=fascia_db)
    paint_skin(stage.canvas, skin_mm, stage.rng)


def thickened(rng: np.random.Generator, upper: Curve, thickness_mm: float) -> Curve:
    """The lower border of a fascia of uneven thickness under ``upper``."""
    uneven = level_curve(rng, 0.0, wave_mm=0.12 * thickness_mm)

    def lower(x: FloatArray) -> FloatArray:
        return upper(x) + thickness_mm * np.clip(1.0 + uneven(x) / thickness_mm, 0.6, 1.5)

    return lower


def blank_canvas(field: Field, scanner: Scanner, rng: np.random.Generator) -> Canvas:
    """A canvas fine enough for the scanner's pulse and narrowest beam."""
    samples = int(np.ceil(field.depth_mm / (0.28 * scanner.wavelength_mm))) + 1
    narrowest = float(scanner.lateral_sd_mm(np.linspace(0.0, field.depth_mm, 50)).min())
    face = field.width_mm if not field.half_angle_deg else 1.3 * field.width_mm
    lines = int(np.ceil(face / (0.62 * narrowest))) + 1
    return Canvas.blank(field, samples, lines, rng)
