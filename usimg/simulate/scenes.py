"""Views of limb muscles: what lies where, from the skin down.

Sizes are those of the reference where it has them (biceps and brachialis 29 mm in health, 21 mm in
ALS: Cartwright 2011), else chosen here to look like real scans; none of them is a norm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usimg.simulate.acoustics import Scanner
from usimg.simulate.field import Display, Field
from usimg.simulate.phantom import LayerPlan, Phantom, blank_canvas, develop
from usimg.simulate.sections import Oval, irregular, paint_central_tendon, paint_vessel
from usimg.simulate.tissue import (
    FASCIA_DB,
    Canvas,
    Curve,
    FloatArray,
    level_curve,
    muscle_level_db,
    paint_bone,
    paint_fascia,
    paint_fat,
    paint_muscle_longitudinal,
    paint_muscle_transverse,
    paint_skin,
    shifted,
)

Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stage:
    """What every scene needs: an empty canvas on a field, shown on a screen, and a generator."""

    canvas: Canvas
    field: Field
    display: Display
    scanner: Scanner
    rng: np.random.Generator


def set_stage(
    seed: int,
    field: Field,
    scanner: Scanner,
    shape: Shape,
    *,
    window: tuple[int, int, int, int] | None = None,
    pixel_aspect: float = 1.0,
) -> Stage:
    """Empty tissue in ``field``, shown in ``window`` (r0, c0, r1, c1) of a frame of ``shape``."""
    rng = np.random.default_rng([seed, 20_260_101])
    if window is None:
        window = (shape[0] // 12, shape[1] // 10, shape[0] - shape[0] // 16, shape[1] - shape[1] // 10)
    display = Display.fitted(field, shape, window, pixel_aspect=pixel_aspect)
    return Stage(blank_canvas(field, scanner, rng), field, display, scanner, rng)


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
        """Share of the textbook's muscle thickness that is left (21 of 29 mm at severity 0.75)."""
        return self.build * (1.0 - 0.37 * self.severity)

    @property
    def fascia_db(self) -> float:
        """Fasciae stand out less from diseased muscle."""
        return FASCIA_DB - 5.0 * self.severity


HEALTHY = Person()


def _cover(
    stage: Stage, person: Person, skin_mm: float, fat_mm: float, fascia_mm: float
) -> tuple[Curve, Curve, Curve]:
    """Skin, fat and the superficial fascia; gives fat's upper and lower edge, muscle's upper edge."""
    field = stage.field
    fat_top: Curve = lambda x: field.below_face(x, skin_mm)  # noqa: E731  a border, like all others
    fat_end = level_curve(
        stage.rng, skin_mm + fat_mm * person.fat, slope=stage.rng.uniform(-0.02, 0.02), bow=0.4, wave_mm=0.3
    )
    muscle_top = _thickened(stage.rng, fat_end, fascia_mm)
    paint_fat(stage.canvas, fat_top, fat_end, stage.rng)
    return fat_top, fat_end, muscle_top


def _thickened(rng: np.random.Generator, upper: Curve, thickness_mm: float) -> Curve:
    """The lower border of a fascia of uneven thickness under ``upper``."""
    uneven = level_curve(rng, 0.0, wave_mm=0.12 * thickness_mm)

    def lower(x: FloatArray) -> FloatArray:
        return upper(x) + thickness_mm * np.clip(1.0 + uneven(x) / thickness_mm, 0.6, 1.5)

    return lower


def _deepest(field: Field) -> Curve:
    return lambda x: np.full_like(x, field.depth_mm + 50.0)


def upper_arm(
    seed: int = 0,
    *,
    person: Person = HEALTHY,
    scanner: Scanner | None = None,
    field: Field | None = None,
    shape: Shape = (600, 800),
    window: tuple[int, int, int, int] | None = None,
    pixel_aspect: float = 1.0,
) -> Phantom:
    """Anterior upper arm across: fat, biceps, brachialis, humerus."""
    field = field or Field.linear(45.0, 44.0)
    stage = set_stage(
        seed, field, scanner or Scanner(focus_mm=16.0), shape, window=window, pixel_aspect=pixel_aspect
    )
    rng, canvas = stage.rng, stage.canvas
    fat_top, fat_end, biceps_top = _cover(stage, person, 1.5, 4.0, 0.75)
    at = 6.3 + 4.0 * (person.fat - 1.0)
    biceps_mm, brachialis_mm = 17.0 * person.bulk, 11.5 * person.bulk
    biceps_end = level_curve(rng, at + biceps_mm, slope=rng.uniform(-0.05, 0.05), bow=-1.2, wave_mm=0.5)
    brachialis_top = _thickened(rng, biceps_end, 0.6)
    bone_x = rng.uniform(-4.0, 4.0)
    bone_top = at + biceps_mm + 0.6 + brachialis_mm
    humerus: Curve = lambda x: (  # noqa: E731
        bone_top + 11.0 - np.sqrt(np.maximum(121.0 - (x - bone_x) ** 2, 1e-3))
    )
    flank = level_curve(rng, bone_top + 2.6, bow=2.0, wave_mm=0.4)
    on_bone = lambda x: humerus(x) < flank(x)  # noqa: E731
    brachialis_end: Curve = lambda x: np.minimum(humerus(x), flank(x))  # noqa: E731
    flank_end = _thickened(rng, flank, 0.6)

    paint_muscle_transverse(canvas, flank_end, _deepest(field), rng, severity=person.severity)
    paint_muscle_transverse(canvas, biceps_top, biceps_end, rng, severity=person.severity)
    paint_central_tendon(
        canvas,
        (bone_x - 9.0, at + 0.72 * biceps_mm),
        (bone_x + 3.0, at + 0.55 * biceps_mm),
        rng,
        thickness_mm=0.5,
        level_db=person.fascia_db - 8.0,
    )
    paint_muscle_transverse(canvas, brachialis_top, brachialis_end, rng, severity=person.severity)
    vein = Oval(bone_x + 13.0, at + biceps_mm - 1.9, 1.7, 1.2, 10.0, irregular(rng))
    paint_fascia(canvas, flank, flank_end, rng, level_db=person.fascia_db - 3.0)
    paint_fascia(canvas, biceps_end, brachialis_top, rng, level_db=person.fascia_db - 1.0)
    paint_fascia(canvas, fat_end, biceps_top, rng, level_db=person.fascia_db)
    paint_bone(canvas, humerus, rng, where=on_bone)
    paint_vessel(canvas, vein, rng)
    paint_skin(canvas, 1.5, rng)
    level = muscle_level_db(person.severity)
    return develop(
        canvas, field, stage.display, stage.scanner, rng, view="upper_arm", plane="transverse",
        severity=person.severity,
        layers=(
            LayerPlan("subcutaneous_fat", fat_top, fat_end),
            LayerPlan("biceps_brachii", biceps_top, biceps_end, level),
            LayerPlan("brachialis", brachialis_top, brachialis_end, level, on_bone=True),
            LayerPlan("biceps_brachialis", biceps_top, brachialis_end, None, on_bone=True, combined=True),
        ),
    )  # fmt: skip


def anterior_thigh(
    seed: int = 0,
    *,
    person: Person = HEALTHY,
    scanner: Scanner | None = None,
    field: Field | None = None,
    shape: Shape = (600, 800),
    window: tuple[int, int, int, int] | None = None,
    pixel_aspect: float = 1.0,
) -> Phantom:
    """Anterior thigh across: fat, rectus femoris with its central tendon, vastus intermedius, femur."""
    field = field or Field.linear(58.0, 46.0)
    stage = set_stage(
        seed,
        field,
        scanner or Scanner(frequency_mhz=9.0, focus_mm=22.0),
        shape,
        window=window,
        pixel_aspect=pixel_aspect,
    )
    rng, canvas = stage.rng, stage.canvas
    fat_top, fat_end, rectus_top = _cover(stage, person, 1.6, 7.5, 0.8)
    at = 9.9 + 7.5 * (person.fat - 1.0)
    rectus_mm, vastus_mm = 19.0 * person.bulk, 16.0 * person.bulk
    rectus_end = level_curve(rng, at + rectus_mm, slope=rng.uniform(-0.05, 0.05), bow=-2.0, wave_mm=0.5)
    vastus_top = _thickened(rng, rectus_end, 0.9)
    bone_x = rng.uniform(-3.0, 3.0)
    bone_top = at + rectus_mm + 0.9 + vastus_mm
    femur: Curve = lambda x: (  # noqa: E731
        bone_top + 14.0 - np.sqrt(np.maximum(196.0 - (x - bone_x) ** 2, 1e-3))
    )
    flank = level_curve(rng, bone_top + 4.5, bow=1.5, wave_mm=0.5)
    on_bone = lambda x: femur(x) < flank(x)  # noqa: E731
    vastus_end: Curve = lambda x: np.minimum(femur(x), flank(x))  # noqa: E731
    flank_end = _thickened(rng, flank, 0.7)

    paint_muscle_transverse(canvas, flank_end, _deepest(field), rng, severity=person.severity)
    paint_muscle_transverse(canvas, rectus_top, rectus_end, rng, severity=person.severity)
    lean = rng.uniform(-3.0, 3.0)
    paint_central_tendon(
        canvas,
        (lean - 4.0, at + 0.18 * rectus_mm),
        (lean + 5.0, at + 0.72 * rectus_mm),
        rng,
        bow_mm=2.0,
        thickness_mm=0.8,
        level_db=person.fascia_db - 1.0,
    )
    paint_muscle_transverse(canvas, vastus_top, vastus_end, rng, severity=person.severity)
    paint_fascia(canvas, flank, flank_end, rng, level_db=person.fascia_db - 4.0)
    paint_fascia(canvas, rectus_end, vastus_top, rng, level_db=person.fascia_db)
    paint_fascia(canvas, fat_end, rectus_top, rng, level_db=person.fascia_db)
    paint_bone(canvas, femur, rng, where=on_bone)
    paint_skin(canvas, 1.6, rng)
    level = muscle_level_db(person.severity)
    return develop(
        canvas, field, stage.display, stage.scanner, rng, view="anterior_thigh", plane="transverse",
        severity=person.severity,
        layers=(
            LayerPlan("subcutaneous_fat", fat_top, fat_end),
            LayerPlan("rectus_femoris", rectus_top, rectus_end, level),
            LayerPlan("vastus_intermedius", vastus_top, vastus_end, level, on_bone=True),
            LayerPlan("quadriceps_rf_vi", rectus_top, vastus_end, None, on_bone=True, combined=True),
        ),
    )  # fmt: skip


def posterior_lower_leg(
    seed: int = 0,
    *,
    person: Person = HEALTHY,
    scanner: Scanner | None = None,
    field: Field | None = None,
    shape: Shape = (600, 800),
    window: tuple[int, int, int, int] | None = None,
    pixel_aspect: float = 1.0,
) -> Phantom:
    """Calf along its length: gastrocnemius medialis between two aponeuroses, soleus below."""
    field = field or Field.linear(50.0, 50.0)
    stage = set_stage(
        seed,
        field,
        scanner or Scanner(focus_mm=18.0, looks=2),
        shape,
        window=window,
        pixel_aspect=pixel_aspect,
    )
    rng, canvas = stage.rng, stage.canvas
    fat_top, fat_end, muscle_top = _cover(stage, person, 1.4, 4.2, 0.7)
    at = 6.4 + 4.2 * (person.fat - 1.0)
    thick = 18.0 * person.bulk
    slope = rng.uniform(0.0, 0.09)
    muscle_end = level_curve(rng, at + thick, slope=slope, bow=0.3, wave_mm=0.25)
    soleus_top = _thickened(rng, muscle_end, 1.0)
    soleus_end = level_curve(rng, at + thick + 1.0 + 15.0 * person.bulk, slope=0.8 * slope, wave_mm=0.4)
    deep_top = _thickened(rng, soleus_end, 0.9)
    pennation = float(rng.uniform(17.0, 23.0)) * (1.0 - 0.3 * person.severity)
    common = {"severity": person.severity}
    paint_muscle_longitudinal(canvas, deep_top, _deepest(field), rng, pennation_deg=4.0, **common)
    paint_muscle_longitudinal(canvas, soleus_top, soleus_end, rng, pennation_deg=-9.0, **common)
    paint_muscle_longitudinal(canvas, muscle_top, muscle_end, rng, pennation_deg=pennation, **common)
    paint_fascia(canvas, soleus_end, deep_top, rng, level_db=person.fascia_db - 2.0)
    paint_fascia(canvas, muscle_end, soleus_top, rng, level_db=person.fascia_db + 2.0)
    paint_fascia(canvas, fat_end, muscle_top, rng, level_db=person.fascia_db + 1.0)
    paint_skin(canvas, 1.4, rng)
    level = muscle_level_db(person.severity)
    return develop(
        canvas, field, stage.display, stage.scanner, rng, view="posterior_lower_leg", plane="longitudinal",
        severity=person.severity,
        layers=(
            LayerPlan("subcutaneous_fat", fat_top, fat_end),
            LayerPlan("gastrocnemius_medialis", muscle_top, muscle_end, level),
        ),
    )  # fmt: skip
