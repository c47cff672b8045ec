"""Phantoms with truth: synthetic B-mode scans whose every edge, area and level is known.

>>> from usimg import simulate
>>> phantom = simulate.upper_arm(seed=1, shape=(300, 400))
>>> phantom.layer("biceps_brachii").upper.shape[1]
2
"""

from __future__ import annotations

from usimg.simulate.acoustics import Scanner
from usimg.simulate.field import Display, Field
from usimg.simulate.phantom import Layer, Phantom, Section
from usimg.simulate.scenes import Person, anterior_thigh, posterior_lower_leg, upper_arm

__all__ = [
    "Display",
    "Field",
    "Layer",
    "Person",
    "Phantom",
    "Scanner",
    "Section",
    "anterior_thigh",
    "posterior_lower_leg",
    "upper_arm",
]
