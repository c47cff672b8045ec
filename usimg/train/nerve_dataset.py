"""Pictures with closed outlines of nerves and vessels: the layout of ``nerve_vessel``, and phantoms.

A folder with ``manifest.csv`` (columns ``file, mask, group, split, usable``) and masks whose value is 1 in
nerves and 2 in vessels. Connected parts are outlined one by one.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from usimg import simulate
from usimg.simulate import Field, Phantom, Scanner, Setup
from usimg.vision import cv2

FloatArray = NDArray[np.float32]

NERVE, VESSEL = 1, 2
# Smaller parts are leftovers of drawing (reference: specks under 150 px).
LEAST_PX = 150


@dataclass(frozen=True, eq=False)
class Part:
    """One outlined nerve or vessel.

    Attributes
    ----------
    number : int
        Its value in the picture's ``parts``.
    vessel : bool
    box : (r0, c0, r1, c1)
        Bounding box, px, edges of pixels.
    centre : (row, col)
        Centroid.
    cut : bool
        By the picture's border.
    """

    number: int
    vessel: bool
    box: tuple[float, float, float, float]
    centre: tuple[float, float]
    cut: bool


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture and its parts.

    Attributes
    ----------
    name, group, split : str
    gray : (rows, cols) float32
    parts : (rows, cols) uint8
        Number of the part, 0 elsewhere.
    kinds : (numbers,) uint8
        NERVE or VESSEL by number; 0 for 0.
    outlined : list of Part
    soft : dict
        The picture blurred by 0.45 of 2, 3, 4 px (`nerve_network.blur_of`), made when first asked for.
    """

    name: str
    group: str
    split: str
    gray: FloatArray
    parts: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    outlined: tuple[Part, ...]
    soft: dict[float, FloatArray] = field(default_factory=dict)

    def blurred(self, spread: float) -> FloatArray:
        """The picture blurred by the nearest third of a px."""
        near = round(3 * spread) / 3
        if near < 0.3:
            return self.gray
        if near not in self.soft:
            self.soft[near] = cv2.GaussianBlur(self.gray, (0, 0), near)
        return self.soft[near]


def read(home: Path, splits: Sequence[str]) -> list[Labelled]:
    """The pictures of some splits, in the order of the manifest; those not usable are left out.

    ``usable`` may be ``yes`` or ``edge`` (a part is cut by the border: its outline is true where it is).
    """
    found = []
    with (home / "manifest.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["split"] not in splits or row["usable"] not in ("yes", "edge"):
                continue
            gray = np.asarray(Image.open(home / row["file"]).convert("L"), np.float32)
            mask = np.asarray(Image.open(home / row["mask"]))
            found.append(labelled(Path(row["file"]).stem, row["group"], row["split"], gray, mask))
    return found


def folds(pictures: Sequence[Labelled], count: int, *, seed: int = 0) -> list[list[Labelled]]:
    """The pictures in ``count`` parts of about equal numbers of groups; no group is in two of them."""
    groups = sorted({picture.group for picture in pictures})
    np.random.default_rng(seed).shuffle(groups)
    part = {group: k % count for k, group in enumerate(groups)}
    return [[picture for picture in pictures if part[picture.group] == k] for k in range(count)]


def labelled(name: str, group: str, split: str, gray: FloatArray, mask: NDArray[np.uint8]) -> Labelled:
    """A picture with its mask taken apart."""
    numbers = np.zeros(mask.shape, np.uint8)
    kinds, outlined = [0], []
    for kind in (NERVE, VESSEL):
        parts, _ = ndimage.label(mask == kind, structure=np.ones((3, 3)))
        for k, where in enumerate(ndimage.find_objects(parts), start=1):
            here = parts == k
            number = len(kinds)
            numbers[here] = number
            kinds.append(kind)
            if here.sum() < LEAST_PX:
                continue
            (r0, r1), (c0, c1) = ((s.start, s.stop) for s in where)
            cut = r0 == 0 or c0 == 0 or r1 == mask.shape[0] or c1 == mask.shape[1]
            row, col = np.argwhere(here).mean(axis=0)
            box = (r0 - 0.5, c0 - 0.5, r1 - 0.5, c1 - 0.5)
            outlined.append(Part(number, kind == VESSEL, box, (float(row), float(col)), cut))
    return Labelled(name, group, split, gray, numbers, np.array(kinds, np.uint8), tuple(outlined))


def phantoms(count: int, *, seed: int = 0) -> list[Labelled]:
    """``count`` phantoms of wrists and forearms, different in probe, settings and size of the nerve."""
    found = []
    for k in range(count):
        rng = np.random.default_rng((seed, k))
        make = (simulate.median_nerve_wrist, simulate.median_nerve_forearm)[k % 2]
        setup = Setup(
            scanner=Scanner(
                focus_mm=rng.uniform(5, 15),
                frequency_mhz=rng.uniform(9, 17),
                looks=int(rng.integers(1, 5)),
                dynamic_range_db=rng.uniform(50, 72),
                gamma=rng.uniform(0.9, 1.5),
            ),
            field=Field.linear(rng.uniform(22, 32), rng.uniform(28, 42)),
            shape=(420, 520),
        )
        area = float(np.exp(rng.uniform(np.log(5.0), np.log(22.0))))
        found.append(as_labelled(make(int(rng.integers(2**31)), area_mm2=area, setup=setup), f"phantom {k}"))
    return found


def as_labelled(phantom: Phantom, name: str) -> Labelled:
    """A phantom's picture; nerves are masked by their outside rim, as experts' masks are."""
    mask = np.zeros(phantom.image.shape, np.uint8)
    for section in phantom.sections:
        kind = VESSEL if "artery" in section.structure or "vein" in section.structure else NERVE
        if kind == NERVE and "nerve" not in section.structure:
            continue
        points = np.round(section.outside_rim[:, ::-1] * 16).astype(np.int32)
        cv2.fillPoly(mask, [points[:, None]], kind, shift=4)
    return labelled(name, name, "train", phantom.image.astype(np.float32), mask)
