"""Phantoms with truth: synthetic B-mode scans whose every edge, area and level is known, and cohorts.

>>> from usimg import simulate
>>> phantom = simulate.upper_arm(seed=1, setup=simulate.Setup(shape=(300, 400)))
>>> phantom.layer("biceps_brachii").upper.shape[1]
2
"""

from __future__ import annotations

from usimg.simulate.acoustics import Scanner
from usimg.simulate.cohorts import Cohort, cohort
from usimg.simulate.field import Display, Field
from usimg.simulate.muscles import (
    anterior_lower_leg,
    anterior_thigh,
    hand_dorsal,
    muscle,
    posterior_lower_leg,
    upper_arm,
)
from usimg.simulate.nerves import median_nerve_forearm, median_nerve_wrist
from usimg.simulate.phantom import Layer, Phantom, Section
from usimg.simulate.readers import Parts, ReaderStudy, reader_study
from usimg.simulate.stage import Person, Setup

__all__ = [
    "Cohort",
    "Display",
    "Field",
    "Layer",
    "Parts",
    "Person",
    "Phantom",
    "ReaderStudy",
    "Scanner",
    "Section",
    "Setup",
    "anterior_lower_leg",
    "anterior_thigh",
    "cohort",
    "hand_dorsal",
    "median_nerve_forearm",
    "median_nerve_wrist",
    "muscle",
    "posterior_lower_leg",
    "reader_study",
    "upper_arm",
]
