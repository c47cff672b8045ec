"""Views of the median nerve at the wrist and in the forearm.

The nerve's area is asked for and met in closed form. Pooled means are 8.3 mm2 at the wrist and
6.4 mm2 in the forearm (reference section 2.3), the defaults here.
"""

from __future__ import annotations

import numpy as np

from usimg.simulate.acoustics import Scanner
from usimg.simulate.field import Field
from usimg.simulate.phantom import LayerPlan, Phantom, SectionPlan, develop
from usimg.simulate.sections import Oval, irregular, paint_nerve, paint_tendon, paint_vessel
from usimg.simulate.stage import (
    HEALTHY,
    USUAL,
    Person,
    Setup,
    Stage,
    paint_cover,
    plan_cover,
    thickened,
)
from usimg.simulate.tissue import (
    BoolArray,
    FloatArray,
    level_curve,
    paint_bone,
    paint_connective,
    paint_fascia,
    paint_muscle_transverse,
    shaft,
)

RIM_MM = 0.28


def median_nerve_wrist(
    seed: int = 0, *, area_mm2: float = 8.3, person: Person = HEALTHY, setup: Setup = USUAL
) -> Phantom:
    """Carpal inlet across: the nerve under the flexor retinaculum, tendons below, radial artery, radius.

    Parameters
    ----------
    area_mm2 : float
        Inside the rim.
    """
    scanner = Scanner(frequency_mhz=14.0, focus_mm=7.0, looks=4)
    stage = Stage.set(seed, person, setup, Field.linear(25.0, 32.0), scanner)
    rng, canvas = stage.rng, stage.canvas
    cover = plan_cover(stage, skin_mm=1.1, fat_mm=1.2, fascia_mm=0.55)
    middle = float(rng.uniform(-2.0, 2.0))
    floor = level_curve(rng, 16.0, bow=1.5, wave_mm=0.4)
    floor_end = thickened(rng, floor, 0.6)
    bone = shaft(rng, middle + 6.0, 16.6, 13.0)

    def on_bone(x: FloatArray) -> BoolArray:
        return np.asarray((x > middle - 3.0) & (x < middle + 15.0))

    inner = Oval.of_area(
        area_mm2,
        x=middle,
        z=0.0,
        flattening=float(rng.uniform(1.9, 2.4)),
        tilt_deg=float(rng.uniform(-8.0, 8.0)),
        waves=irregular(rng, 0.06),
    )
    top = cover.muscle_mm + 0.9
    inner = Oval(inner.x, top + inner.b + RIM_MM, inner.a, inner.b, inner.tilt_deg, inner.waves)
    outer = inner.shrunk(-RIM_MM)

    paint_connective(canvas, cover.muscle_top, floor, rng)
    paint_muscle_transverse(canvas, floor_end, stage.deepest, rng)
    for tendon, level in _flexor_tendons(outer, rng):
        paint_tendon(canvas, tendon, rng, level_db=level)
    artery = Oval(middle + 12.0, cover.muscle_mm + 2.6, 1.25, 1.05, 0.0, irregular(rng))
    paint_vessel(canvas, artery, rng, wall_mm=0.3)
    paint_fascia(canvas, floor, floor_end, rng, level_db=person.fascia_db - 4.0)
    paint_bone(canvas, bone, rng, where=on_bone)
    paint_nerve(canvas, outer, RIM_MM, rng, count=int(np.clip(round(area_mm2 * 1.1), 6, 20)))
    paint_cover(stage, cover, skin_mm=1.1, fascia_db=person.fascia_db - 2.0)
    layers = (LayerPlan("subcutaneous_fat", cover.fat_top, cover.fat_end),)
    sections = (SectionPlan("median_nerve", "wrist", outer, inner),)
    return develop(stage, "median_nerve_wrist", "transverse", site="wrist", layers=layers, sections=sections)


def _flexor_tendons(nerve: Oval, rng: np.random.Generator) -> list[tuple[Oval, float]]:
    """Superficial and deep finger flexors below the nerve, one beside it on either hand, and levels.

    A tendon that the beam meets a few degrees off square is dark (anisotropy), so levels differ.
    """
    below = nerve.z + nerve.b
    places = []
    for depth, shift in ((1.5, -0.6), (4.5, 1.3)):
        for k in range(4):
            jitter = rng.normal(0.0, 0.4, 2)
            x = nerve.x + (k - 1.5) * 4.5 + shift
            places.append((x + float(jitter[0]), below + depth + float(jitter[1])))
    places += [(nerve.x - nerve.a - 3.0, nerve.z + 0.6), (nerve.x + nerve.a + 3.4, nerve.z + 0.2)]
    tendons = []
    for x, z in places:
        size = float(rng.uniform(1.2, 1.75))
        tilt = float(rng.uniform(-20.0, 20.0))
        oval = Oval(x, z, float(rng.uniform(1.15, 1.7)) * size, size, tilt, irregular(rng, 0.09))
        tendons.append((oval, float(rng.uniform(-35.0, -24.0))))
    return tendons


def median_nerve_forearm(
    seed: int = 0, *, area_mm2: float = 6.4, person: Person = HEALTHY, setup: Setup = USUAL
) -> Phantom:
    """Mid forearm across: the nerve in the fascia between superficial and deep finger flexors.

    Parameters
    ----------
    area_mm2 : float
        Inside the rim.
    """
    scanner = Scanner(frequency_mhz=12.0, focus_mm=11.0, looks=4)
    stage = Stage.set(seed, person, setup, Field.linear(30.0, 36.0), scanner)
    rng, canvas, ill = stage.rng, stage.canvas, person.severity
    cover = plan_cover(stage, skin_mm=1.3, fat_mm=2.4, fascia_mm=0.5)
    between_mm = cover.muscle_mm + 8.0 * person.bulk
    upper_end = level_curve(rng, between_mm, slope=rng.uniform(-0.06, 0.06), wave_mm=0.5)
    lower_top = thickened(rng, upper_end, 0.5)
    floor = level_curve(rng, between_mm + 0.5 + 9.0 * person.bulk, bow=1.0, wave_mm=0.3)
    floor_end = thickened(rng, floor, 0.5)
    bone_x = float(rng.uniform(9.0, 12.0))
    radius = shaft(rng, bone_x, float(floor(np.array(bone_x))) - 1.0, 7.0)

    def on_bone(x: FloatArray) -> BoolArray:
        return np.asarray(np.abs(x - bone_x) < 5.5)

    x = float(rng.uniform(-5.0, 2.0))
    inner = Oval.of_area(
        area_mm2,
        x=x,
        z=float(upper_end(np.array(x))) + 0.25,
        flattening=float(rng.uniform(1.4, 2.0)),
        tilt_deg=float(rng.uniform(-12.0, 12.0)),
        waves=irregular(rng, 0.06),
    )
    outer = inner.shrunk(-RIM_MM)
    paint_muscle_transverse(canvas, floor_end, stage.deepest, rng, severity=ill)
    paint_muscle_transverse(canvas, lower_top, floor, rng, severity=ill)
    paint_muscle_transverse(canvas, cover.muscle_top, upper_end, rng, severity=ill)
    paint_fascia(canvas, upper_end, lower_top, rng, level_db=person.fascia_db - 5.0)
    paint_fascia(canvas, floor, floor_end, rng, level_db=person.fascia_db - 3.0)
    paint_bone(canvas, radius, rng, where=on_bone, severity=ill)
    artery = Oval(bone_x - 1.0, cover.muscle_mm + 3.2, 1.2, 1.05, 0.0, irregular(rng))
    paint_vessel(canvas, artery, rng, wall_mm=0.3)
    paint_nerve(canvas, outer, RIM_MM, rng, count=int(np.clip(round(area_mm2 * 1.3), 6, 18)))
    paint_cover(stage, cover, skin_mm=1.3, fascia_db=person.fascia_db - 1.0)
    layers = (LayerPlan("subcutaneous_fat", cover.fat_top, cover.fat_end),)
    sections = (SectionPlan("median_nerve", "forearm", outer, inner),)
    return develop(
        stage, "median_nerve_forearm", "transverse", site="forearm", layers=layers, sections=sections
    )
