"""Labelled pictures for training: the folder's layout, the label curves, the groups.

A training folder holds pictures, masks and one table::

    DATASET/
      manifest.csv      one row a picture
      images/…  masks/…

``manifest.csv`` has the columns ``file`` and ``mask`` (paths inside the folder), ``group`` (pictures of
one person, or of one clip: never divided between splits), ``split`` (``train`` or ``val``), ``usable``
(``yes``, or the reason why not) and ``device_group`` (any name for the kind of machine). A mask shows the
bands that bound the layer, the aponeuroses, as non-zero pixels on zero; the two uppermost bands that run
over 30 % of the picture's width bound the muscle. Columns where only one of them is drawn teach nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy import ndimage

from usimg.errors import StudyRefused
from usimg.opening import read
from usimg.outline.field import Pane, panes
from usimg.vision import cv2

FloatArray = NDArray[np.float32]

COLUMNS = ("file", "mask", "group", "split", "usable", "device_group")
# Grid that a picture's field is kept at while training: twice the network's input, so that a stretched
# layer still has detail to show.
SOURCE_SHAPE = (512, 256)
# A band shorter than this share of the width bounds nothing (definition of the outside check).
LEAST_BAND_WIDTH = 0.3
# Two bands nearer than this share of the depth are one split fascia, not a muscle: dltrack_apo train
# holds one such picture (2.4 %); its thinnest muscle takes 17 % (seen on train).
LEAST_GAP = 0.04


@dataclass(frozen=True, eq=False)
class Example:
    """One picture's field, and where its muscle begins and ends.

    Attributes
    ----------
    name, group, device, split : str
        As in the manifest; phantoms have the device ``"phantom"``.
    pane : Pane
        The field at its own resolution.
    truth : (4, cols of the pane) float32 array
        Rows of band 1's top and bottom and band 2's top and bottom, px of the pane; NaN in columns where
        the expert drew only one band.
    """

    name: str
    group: str
    device: str
    split: str
    pane: Pane
    truth: FloatArray

    @cached_property
    def gray(self) -> NDArray[np.uint8]:
        """The field resampled to `SOURCE_SHAPE`."""
        high, wide = SOURCE_SHAPE
        shrink = cv2.INTER_AREA if self.pane.gray.shape[0] > high else cv2.INTER_LINEAR
        small = cv2.resize(self.pane.gray, (wide, high), interpolation=shrink)
        return np.asarray(np.clip(np.round(small), 0, 255), np.uint8)

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """Inside the scan area, at `SOURCE_SHAPE`."""
        high, wide = SOURCE_SHAPE
        inside = self.pane.usable.astype(np.uint8)
        return np.asarray(cv2.resize(inside, (wide, high), interpolation=cv2.INTER_NEAREST) > 0)

    @cached_property
    def edges(self) -> FloatArray:
        """``truth`` in rows of `SOURCE_SHAPE`, (4, 256)."""
        rows, cols = self.pane.gray.shape
        high, wide = SOURCE_SHAPE
        at = (np.arange(wide) + 0.5) * cols / wide - 0.5
        return np.asarray((_at_columns(self.truth, at) + 0.5) * high / rows - 0.5, np.float32)

    @cached_property
    def curves(self) -> FloatArray:
        """``edges``, continued straight into columns where they are unknown."""
        cols = np.arange(SOURCE_SHAPE[1])
        known = np.isfinite(self.edges).all(axis=0)
        inside = np.clip(cols, cols[known][0], cols[known][-1])
        out = np.empty_like(self.edges)
        for k, curve in enumerate(self.edges):
            slope = np.polyfit(cols[known], curve[known], 1)[0] if known.sum() > 8 else 0.0
            out[k] = np.interp(inside, cols[known], curve[known]) + slope * (cols - inside)
        return out


@dataclass(frozen=True, slots=True)
class Left:
    """A picture that was left out, and why."""

    name: str
    reason: str


def load(folder: Path, *, skip: Collection[str] = ()) -> tuple[list[Example], list[Left]]:
    """All usable pictures of a training folder, and those left out with the reason.

    Parameters
    ----------
    folder : path
    skip : collection of str
        Training pictures (the manifest's ``file``) whose label someone found misleading. Val pictures stay:
        what is hard must not leave the figures.

    Raises
    ------
    StudyRefused
        No manifest, missing columns, a group in two splits, a file that is not there.
    """
    rows = read_manifest(folder)
    train = {row["file"] for row in rows if row["split"] == "train"}
    if unknown := sorted(set(skip) - train):
        raise StudyRefused(f"{folder}: no training picture is called {', '.join(unknown)}")
    examples: list[Example] = []
    left: list[Left] = []
    for row in rows:
        name = row["file"]
        if row["usable"] != "yes":
            left.append(Left(name, row["usable"]))
            continue
        if name in skip:
            left.append(Left(name, "left out by hand: its label is misleading"))
            continue
        found = _example(folder, row)
        if isinstance(found, Example):
            examples.append(found)
        else:
            left.append(Left(name, found))
    if not any(e.split == "train" for e in examples):
        raise StudyRefused(
            f"{folder}: no usable picture with split 'train'; see manifest.csv, columns usable and split"
        )
    return examples, left


def read_manifest(folder: Path) -> list[dict[str, str]]:
    """Rows of ``manifest.csv``, checked: columns, files, and no group in two splits."""
    table = folder / "manifest.csv"
    if not table.is_file():
        raise StudyRefused(f"{folder}: no manifest.csv; it needs the columns {', '.join(COLUMNS)}")
    with table.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    missing = [c for c in COLUMNS if not rows or c not in rows[0]]
    if missing:
        raise StudyRefused(f"{table}: column {', '.join(missing)} is missing, or the table is empty")
    seen: dict[str, str] = {}
    for row in rows:
        if row["split"] not in ("train", "val"):
            raise StudyRefused(f"{table}: {row['file']} has split {row['split']!r}; it is 'train' or 'val'")
        if seen.setdefault(row["group"], row["split"]) != row["split"]:
            raise StudyRefused(
                f"{table}: group {row['group']} is in train and in val; pictures of one person or clip"
                " belong on one side"
            )
    return rows


def _example(folder: Path, row: dict[str, str]) -> Example | str:
    path, mask_path = folder / row["file"], folder / row["mask"]
    for needed in (path, mask_path):
        if not needed.is_file():
            raise StudyRefused(f"{folder / 'manifest.csv'}: {needed} is not there")
    try:
        drawn = np.asarray(Image.open(mask_path).convert("L")) > 0
    except (UnidentifiedImageError, OSError) as error:
        raise StudyRefused(f"{mask_path}: not a mask that can be opened ({error})") from None
    frame = read(path).frames[0]
    if drawn.shape != frame.shape:
        raise StudyRefused(f"{mask_path}: {drawn.shape} pixels, the picture has {frame.shape}")
    edges = band_edges(drawn)
    if edges is None:
        return "fewer than two bands over 30 % of the width"
    found = panes(frame)
    if not found:
        return "no scan area found"
    pane = found[0]
    truth = edges[:, pane.box[1] : pane.box[3]] - pane.box[0]
    reason = unfit(truth, pane)
    if reason:
        return reason
    return Example(row["file"], row["group"], row["device_group"], row["split"], pane, truth)


def unfit(truth: FloatArray, pane: Pane) -> str:
    """Why a picture cannot teach; empty when it can."""
    if not np.isfinite(truth).all(axis=0).any():
        return "no column of the field has both bands"
    gap = float(np.nanmean(truth[2] - truth[1])) / pane.gray.shape[0]
    if gap < LEAST_GAP:
        return f"the first two bands are {100 * gap:.1f} % of the depth apart: one split fascia"
    return ""


def _at_columns(edges: FloatArray, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Curves (k, cols) read at fractional columns; NaN where the nearest column is NaN."""
    cols = np.arange(edges.shape[1])
    nearest = np.clip(np.round(at).astype(np.intp), 0, edges.shape[1] - 1)
    out = np.full((len(edges), len(at)), np.nan)
    for k, curve in enumerate(edges):
        known = np.isfinite(curve)
        if known.any():
            out[k] = np.interp(at, cols[known], curve[known])
            out[k, ~known[nearest]] = np.nan
    return out


def band_edges(drawn: NDArray[np.bool_]) -> FloatArray | None:
    """Top and bottom rows of the two uppermost bands of a mask, (4, cols); None with fewer than two.

    An edge lies half-way between the last band pixel and the first pixel beside it.
    """
    labels, count = ndimage.label(drawn, structure=np.ones((3, 3)))
    rows, cols = drawn.shape
    bands = []
    for index, where in enumerate(ndimage.find_objects(labels), start=1):
        if where is None or where[1].stop - where[1].start - 1 <= LEAST_BAND_WIDTH * cols:
            continue
        band = labels == index
        bands.append((float(np.nonzero(band)[0].mean()), band))
    if count < 2 or len(bands) < 2:
        return None
    bands.sort(key=lambda b: b[0])
    first, second = bands[0][1], bands[1][1]
    both = first.any(axis=0) & second.any(axis=0)
    edges = np.full((4, cols), np.nan, np.float32)
    for k, band in enumerate((first, second)):
        edges[2 * k] = band.argmax(axis=0) - 0.5
        edges[2 * k + 1] = rows - 1 - band[::-1].argmax(axis=0) + 0.5
    edges[:, ~both] = np.nan
    return edges


def divide(
    examples: Sequence[Example], *, leave_out: str | None = None
) -> tuple[list[Example], list[Example]]:
    """(to learn from, to watch): train and val, or all devices but one and that device's train pictures.

    Pictures of the val split never teach; with ``leave_out`` they are not even watched, so that choices
    made on what is watched leave the val figures honest.
    """
    train = [e for e in examples if e.split == "train"]
    if leave_out is None:
        return train, [e for e in examples if e.split == "val"]
    devices = sorted({e.device for e in train})
    if leave_out not in devices:
        raise StudyRefused(f"no training picture of device {leave_out!r}; there are {', '.join(devices)}")
    return [e for e in train if e.device != leave_out], [e for e in train if e.device == leave_out]
