"""Views of limb muscles: what lies where, from the skin down.

Sizes are those of the reference where it has them (biceps and brachialis 29 mm in health, 21 mm in
ALS: Cartwright 2011), else chosen here to look like real scans; none of them is a norm.
"""

from __future__ import annotations

import numpy as np

from usimg.simulate.acoustics import Scanner
from usimg.simulate.field import Field
from usimg.simulate.phantom import LayerPlan, Phantom, develop
from usimg.simulate.sections import Oval, irregular, paint_central_tendon, paint_vessel
from usimg.simulate.stage import HEALTHY, USUAL, Person, Setup, Stage, paint_cover, plan_cover, thickened
from usimg.simulate.tissue import (
    BoolArray,
    FloatArray,
    level_curve,
    muscle_level_db,
    nearer,
    paint_bone,
    paint_fascia,
    paint_muscle_longitudinal,
    paint_muscle_transverse,
    shaft,
)


def upper_arm(seed: int = 0, *, person: Person = HEALTHY, setup: Setup = USUAL) -> Phantom:
    """Anterior upper arm across: fat, biceps, brachialis, humerus."""
    stage = Stage.set(seed, person, setup, Field.linear(45.0, 44.0), Scanner(focus_mm=16.0))
    rng, canvas, ill = stage.rng, stage.canvas, person.severity
    cover = plan_cover(stage, skin_mm=1.5, fat_mm=4.0, fascia_mm=0.75)
    biceps_mm, brachialis_mm = 17.0 * person.bulk, 11.5 * person.bulk
    septum_mm = cover.muscle_mm + biceps_mm
    biceps_end = level_curve(rng, septum_mm, slope=rng.uniform(-0.05, 0.05), bow=-1.2, wave_mm=0.5)
    brachialis_top = thickened(rng, biceps_end, 0.6)
    bone_x, bone_mm = float(rng.uniform(-4.0, 4.0)), septum_mm + 0.6 + brachialis_mm
    humerus = shaft(rng, bone_x, bone_mm, 11.0)
    flank = level_curve(rng, bone_mm + 2.6, bow=2.0, wave_mm=0.4)
    brachialis_end = nearer(humerus, flank)
    flank_end = thickened(rng, brachialis_end, 0.6)

    def on_bone(x: FloatArray) -> BoolArray:
        return np.asarray(humerus(x) < flank(x))

    paint_muscle_transverse(canvas, flank_end, stage.deepest, rng, severity=ill)
    paint_muscle_transverse(canvas, cover.muscle_top, biceps_end, rng, severity=ill)
    tendon = ((bone_x - 9.0, septum_mm - 0.28 * biceps_mm), (bone_x + 3.0, septum_mm - 0.45 * biceps_mm))
    paint_central_tendon(canvas, *tendon, rng, thickness_mm=0.5, level_db=person.fascia_db - 8.0)
    paint_muscle_transverse(canvas, brachialis_top, brachialis_end, rng, severity=ill)
    paint_fascia(canvas, brachialis_end, flank_end, rng, level_db=person.fascia_db - 5.0)
    paint_fascia(canvas, biceps_end, brachialis_top, rng, level_db=person.fascia_db - 1.0)
    paint_bone(canvas, brachialis_end, rng, where=on_bone, severity=ill)
    paint_vessel(canvas, Oval(bone_x + 13.0, septum_mm - 1.9, 1.7, 1.1, 10.0, irregular(rng)), rng)
    paint_cover(stage, cover, skin_mm=1.5, fascia_db=person.fascia_db)
    level = muscle_level_db(ill)
    layers = (
        LayerPlan("subcutaneous_fat", cover.fat_top, cover.fat_end),
        LayerPlan("biceps_brachii", cover.muscle_top, biceps_end, level),
        LayerPlan("brachialis", brachialis_top, brachialis_end, level, on_bone=True),
        LayerPlan("biceps_brachialis", cover.muscle_top, brachialis_end, on_bone=True, combined=True),
    )
    return develop(stage, "upper_arm", "transverse", layers=layers)


def anterior_thigh(seed: int = 0, *, person: Person = HEALTHY, setup: Setup = USUAL) -> Phantom:
    """Anterior thigh across: fat, rectus femoris with its central tendon, vastus intermedius, femur."""
    scanner = Scanner(frequency_mhz=9.0, focus_mm=22.0)
    stage = Stage.set(seed, person, setup, Field.linear(58.0, 46.0), scanner)
    rng, canvas, ill = stage.rng, stage.canvas, person.severity
    cover = plan_cover(stage, skin_mm=1.6, fat_mm=7.5, fascia_mm=0.8)
    rectus_mm, vastus_mm = 19.0 * person.bulk, 16.0 * person.bulk
    septum_mm = cover.muscle_mm + rectus_mm
    rectus_end = level_curve(rng, septum_mm, slope=rng.uniform(-0.05, 0.05), bow=-2.0, wave_mm=0.5)
    vastus_top = thickened(rng, rectus_end, 0.9)
    bone_x, bone_mm = float(rng.uniform(-3.0, 3.0)), septum_mm + 0.9 + vastus_mm
    femur = shaft(rng, bone_x, bone_mm, 14.0)
    flank = level_curve(rng, bone_mm + 4.5, bow=1.5, wave_mm=0.5)
    vastus_end = nearer(femur, flank)
    flank_end = thickened(rng, vastus_end, 0.7)

    def on_bone(x: FloatArray) -> BoolArray:
        return np.asarray(femur(x) < flank(x))

    paint_muscle_transverse(canvas, flank_end, stage.deepest, rng, severity=ill)
    paint_muscle_transverse(canvas, cover.muscle_top, rectus_end, rng, severity=ill)
    lean = float(rng.uniform(-3.0, 3.0))
    tendon = ((lean - 4.0, septum_mm - 0.82 * rectus_mm), (lean + 5.0, septum_mm - 0.28 * rectus_mm))
    paint_central_tendon(canvas, *tendon, rng, bow_mm=2.0, thickness_mm=0.8, level_db=person.fascia_db - 1.0)
    paint_muscle_transverse(canvas, vastus_top, vastus_end, rng, severity=ill)
    paint_fascia(canvas, vastus_end, flank_end, rng, level_db=person.fascia_db - 5.0)
    paint_fascia(canvas, rectus_end, vastus_top, rng, level_db=person.fascia_db)
    paint_bone(canvas, vastus_end, rng, where=on_bone, severity=ill)
    paint_cover(stage, cover, skin_mm=1.6, fascia_db=person.fascia_db)
    level = muscle_level_db(ill)
    layers = (
        LayerPlan("subcutaneous_fat", cover.fat_top, cover.fat_end),
        LayerPlan("rectus_femoris", cover.muscle_top, rectus_end, level),
        LayerPlan("vastus_intermedius", vastus_top, vastus_end, level, on_bone=True),
        LayerPlan("quadriceps_rf_vi", cover.muscle_top, vastus_end, on_bone=True, combined=True),
    )
    return develop(stage, "anterior_thigh", "transverse", layers=layers)


def anterior_lower_leg(seed: int = 0, *, person: Person = HEALTHY, setup: Setup = USUAL) -> Phantom:
    """Anterior lower leg across: fat, tibialis anterior around its tendon, the interosseous membrane.

    The tibia rises at the left and shadows the corner.
    """
    stage = Stage.set(seed, person, setup, Field.linear(42.0, 40.0), Scanner(focus_mm=16.0))
    rng, canvas, ill = stage.rng, stage.canvas, person.severity
    cover = plan_cover(stage, skin_mm=1.4, fat_mm=3.0, fascia_mm=0.8)
    thick_mm = 24.0 * person.bulk
    end_mm = cover.muscle_mm + thick_mm
    membrane = level_curve(rng, end_mm, slope=rng.uniform(0.0, 0.06), bow=-1.5, wave_mm=0.4)
    # The medial third of the muscle rests on the tibia's lateral face, which slopes away from the skin.
    tibia = level_curve(rng, end_mm + 7.5, slope=0.62, wave_mm=0.3)
    muscle_end = nearer(membrane, tibia)
    below = thickened(rng, muscle_end, 0.8)

    def on_tibia(x: FloatArray) -> BoolArray:
        return np.asarray(tibia(x) < membrane(x))

    paint_muscle_transverse(canvas, below, stage.deepest, rng, severity=ill)
    paint_muscle_transverse(canvas, cover.muscle_top, muscle_end, rng, severity=ill)
    middle = end_mm - 0.5 * thick_mm
    tendon = ((-9.0, middle + 1.5), (9.0, middle - 0.5))
    paint_central_tendon(canvas, *tendon, rng, bow_mm=-1.8, thickness_mm=0.9, level_db=person.fascia_db)
    paint_fascia(canvas, muscle_end, below, rng, level_db=person.fascia_db - 1.0)
    paint_bone(canvas, muscle_end, rng, where=on_tibia, severity=ill)
    paint_cover(stage, cover, skin_mm=1.4, fascia_db=person.fascia_db)
    layers = (
        LayerPlan("subcutaneous_fat", cover.fat_top, cover.fat_end),
        LayerPlan("tibialis_anterior", cover.muscle_top, muscle_end, muscle_level_db(ill), on_bone=True),
    )
    return develop(stage, "anterior_lower_leg", "transverse", layers=layers)


def hand_dorsal(seed: int = 0, *, person: Person = HEALTHY, setup: Setup = USUAL) -> Phantom:
    """First web space across: first dorsal interosseous over adductor pollicis, a metacarpal at the right."""
    scanner = Scanner(frequency_mhz=13.0, focus_mm=9.0)
    stage = Stage.set(seed, person, setup, Field.linear(25.0, 30.0), scanner)
    rng, canvas, ill = stage.rng, stage.canvas, person.severity
    cover = plan_cover(stage, skin_mm=1.2, fat_mm=1.2, fascia_mm=0.45)
    end_mm = cover.muscle_mm + 11.0 * person.bulk
    muscle_end = level_curve(rng, end_mm, slope=rng.uniform(-0.08, 0.0), bow=-2.0, wave_mm=0.3)
    adductor_top = thickened(rng, muscle_end, 0.5)
    metacarpal = shaft(rng, 15.0, end_mm + 0.9, 4.5)

    def on_bone(x: FloatArray) -> BoolArray:
        return np.asarray(x > 10.6)

    paint_muscle_transverse(canvas, adductor_top, stage.deepest, rng, severity=ill)
    paint_muscle_transverse(canvas, cover.muscle_top, muscle_end, rng, severity=ill)
    paint_fascia(canvas, muscle_end, adductor_top, rng, level_db=person.fascia_db - 1.0)
    paint_bone(canvas, metacarpal, rng, where=on_bone, severity=ill)
    paint_vessel(canvas, Oval(-8.0, end_mm + 1.9, 0.9, 0.8, 0.0, irregular(rng)), rng, wall_mm=0.25)
    paint_cover(stage, cover, skin_mm=1.2, fascia_db=person.fascia_db)
    layers = (
        LayerPlan("subcutaneous_fat", cover.fat_top, cover.fat_end),
        LayerPlan("first_dorsal_interosseous", cover.muscle_top, muscle_end, muscle_level_db(ill)),
    )
    return develop(stage, "hand_dorsal", "transverse", layers=layers)


def posterior_lower_leg(seed: int = 0, *, person: Person = HEALTHY, setup: Setup = USUAL) -> Phantom:
    """Calf along its length: gastrocnemius medialis between two aponeuroses, soleus below."""
    stage = Stage.set(seed, person, setup, Field.linear(50.0, 50.0), Scanner(focus_mm=18.0, looks=2))
    rng, canvas, ill = stage.rng, stage.canvas, person.severity
    cover = plan_cover(stage, skin_mm=1.4, fat_mm=4.2, fascia_mm=0.7)
    end_mm = cover.muscle_mm + 18.0 * person.bulk
    slope = float(rng.uniform(0.0, 0.09))
    muscle_end = level_curve(rng, end_mm, slope=slope, bow=0.3, wave_mm=0.25)
    soleus_top = thickened(rng, muscle_end, 1.0)
    soleus_end = level_curve(rng, end_mm + 1.0 + 15.0 * person.bulk, slope=0.8 * slope, wave_mm=0.4)
    deep_top = thickened(rng, soleus_end, 0.9)
    pennation = float(rng.uniform(17.0, 23.0)) * (1.0 - 0.3 * ill)
    for upper, lower, angle in (
        (deep_top, stage.deepest, 4.0),
        (soleus_top, soleus_end, -9.0),
        (cover.muscle_top, muscle_end, pennation),
    ):
        paint_muscle_longitudinal(canvas, upper, lower, rng, pennation_deg=angle, severity=ill)
    paint_fascia(canvas, soleus_end, deep_top, rng, level_db=person.fascia_db - 2.0)
    paint_fascia(canvas, muscle_end, soleus_top, rng, level_db=person.fascia_db + 2.0)
    paint_cover(stage, cover, skin_mm=1.4, fascia_db=person.fascia_db + 1.0)
    layers = (
        LayerPlan("subcutaneous_fat", cover.fat_top, cover.fat_end),
        LayerPlan("gastrocnemius_medialis", cover.muscle_top, muscle_end, muscle_level_db(ill)),
        LayerPlan("soleus", soleus_top, soleus_end, muscle_level_db(ill)),
    )
    return develop(stage, "posterior_lower_leg", "longitudinal", layers=layers)


def muscle(seed: int = 0, *, person: Person = HEALTHY, setup: Setup = USUAL) -> Phantom:
    """Any muscle across: fat, one compartment between two fasciae, another muscle below."""
    stage = Stage.set(seed, person, setup, Field.linear(40.0, 40.0), Scanner(focus_mm=15.0))
    rng, canvas, ill = stage.rng, stage.canvas, person.severity
    cover = plan_cover(stage, skin_mm=1.5, fat_mm=4.0, fascia_mm=0.7)
    end_mm = cover.muscle_mm + 17.0 * person.bulk
    muscle_end = level_curve(rng, end_mm, slope=rng.uniform(-0.08, 0.08), wave_mm=0.5)
    below = thickened(rng, muscle_end, 0.8)
    paint_muscle_transverse(canvas, below, stage.deepest, rng, severity=ill)
    paint_muscle_transverse(canvas, cover.muscle_top, muscle_end, rng, severity=ill)
    paint_fascia(canvas, muscle_end, below, rng, level_db=person.fascia_db)
    paint_cover(stage, cover, skin_mm=1.5, fascia_db=person.fascia_db)
    layers = (
        LayerPlan("subcutaneous_fat", cover.fat_top, cover.fat_end),
        LayerPlan("muscle", cover.muscle_top, muscle_end, muscle_level_db(ill)),
    )
    return develop(stage, "", "transverse", layers=layers)
