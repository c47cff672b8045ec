"""Phantoms as training pictures: muscles whose edges are known exactly."""

from __future__ import annotations

import numpy as np

from usimg import simulate
from usimg.outline.field import Pane
from usimg.simulate import Field, Person, Phantom, Scanner, Setup
from usimg.train.dataset import Example, FloatArray, unfit

# The superficial muscle of each scene, which is what experts' first two bands bound; and depths of field, mm,
# that show all of the scene's layers.
SCENES = (
    (simulate.posterior_lower_leg, "gastrocnemius_medialis", (52.0, 68.0)),
    (simulate.muscle, "muscle", (34.0, 55.0)),
)
# Phantoms state inner edges alone. Experts' stripes (dltrack_apo train) are this thick, share of depth.
BAND = 0.023


def phantoms(number: int, *, seed: int = 0) -> list[Example]:
    """``number`` phantoms of different people, probes and settings; the same for the same seed."""
    found = []
    for k in range(number):
        rng = np.random.default_rng((seed, k))
        make, structure, depth_mm = SCENES[k % len(SCENES)]
        person = Person(severity=rng.uniform(0, 0.8), build=rng.uniform(0.8, 1.15), fat=rng.uniform(0.4, 2.2))
        setup = Setup(
            scanner=Scanner(
                focus_mm=rng.uniform(10, 25),
                frequency_mhz=rng.uniform(7, 13),
                looks=int(rng.integers(1, 5)),
                dynamic_range_db=rng.uniform(50, 72),
                gamma=rng.uniform(0.9, 1.5),
            ),
            field=Field.linear(rng.uniform(*depth_mm), rng.uniform(32, 55)),
            shape=(420, 520),
        )
        example = as_example(make(int(rng.integers(2**31)), person=person, setup=setup), structure, k)
        if not unfit(example.truth, example.pane):
            found.append(example)
    return found


def as_example(phantom: Phantom, structure: str, number: int) -> Example:
    """A phantom's field and the edges of one of its layers."""
    rows = np.flatnonzero(phantom.scan_area.any(axis=1))
    cols = np.flatnonzero(phantom.scan_area.any(axis=0))
    box = (int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
    usable = phantom.scan_area[box[0] : box[2], box[1] : box[3]]
    gray = phantom.image[box[0] : box[2], box[1] : box[3]].astype(np.float32)
    layer = phantom.layer(structure)
    truth = banded(
        layer.upper - np.array(box[:2]), layer.lower - np.array(box[:2]), usable.shape, BAND * len(usable)
    )
    pane = Pane(gray, usable, np.zeros_like(usable), box, None)
    return Example(f"phantom {number}", f"phantom {number}", "phantom", "train", pane, truth)


def banded(upper: FloatArray, lower: FloatArray, shape: tuple[int, int], band: float) -> FloatArray:
    """Four edges (4, cols) from two inner ones, (N, 2) (row, col), with bands of ``band`` px outside them."""
    truth = np.full((4, shape[1]), np.nan, np.float32)
    columns = np.arange(shape[1])
    inside = (columns >= upper[0, 1]) & (columns <= upper[-1, 1])
    inside &= (columns >= lower[0, 1]) & (columns <= lower[-1, 1])
    top = np.interp(columns, upper[:, 1], upper[:, 0])
    bottom = np.interp(columns, lower[:, 1], lower[:, 0])
    truth[:, inside] = np.stack([top - band, top, bottom, bottom + band])[:, inside]
    return truth
