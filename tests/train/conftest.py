"""Layered pictures whose edges are known, and a folder of them as a lab would label it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from usimg.outline.field import Pane
from usimg.train.dataset import Example


def layered(seed: int, *, shape: tuple[int, int] = (220, 200), device: str = "bright") -> Example:
    """Dark fat, a bright band, speckled muscle, a bright band, darker muscle: edges are straight lines."""
    rng = np.random.default_rng(seed)
    rows, cols = shape
    x = np.linspace(-1, 1, cols)
    band = 0.03 * rows
    top = rows * rng.uniform(0.12, 0.3) + rng.normal(0, 3) * x
    bottom = top + rows * rng.uniform(0.25, 0.45) + rng.normal(0, 3) * x
    truth = np.stack([top - band, top, bottom, bottom + band]).astype(np.float32)
    row = np.arange(rows)[:, None]
    level = np.select(
        [row < truth[0], row < truth[1], row < truth[2], row < truth[3]], [40, 210, 70, 210], 50
    )
    gray = np.clip(level * (1 + 0.25 * rng.standard_normal(shape)), 0, 255).astype(np.float32)
    return Example(
        name=f"picture {seed}",
        group=f"person {seed}",
        device=device,
        split="train" if seed % 4 else "val",
        pane=Pane(gray, np.ones(shape, bool), np.zeros(shape, bool), (0, 0, rows, cols), None),
        truth=truth,
    )


def write_folder(folder: Path, examples: list[Example]) -> Path:
    """Pictures, band masks and manifest."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    with (folder / "manifest.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["file", "mask", "group", "split", "usable", "device_group", "licence"])
        for k, e in enumerate(examples):
            row = np.arange(e.pane.gray.shape[0])[:, None]
            bands = ((row > e.truth[0]) & (row < e.truth[1])) | ((row > e.truth[2]) & (row < e.truth[3]))
            Image.fromarray(e.pane.gray.astype(np.uint8)).save(folder / f"images/{k}.png")
            Image.fromarray(bands.astype(np.uint8)).save(folder / f"masks/{k}.png")
            table.writerow(
                [f"images/{k}.png", f"masks/{k}.png", e.group, e.split, "yes", e.device, "CC0-1.0"]
            )
    return folder


@pytest.fixture
def torch(require):
    """PyTorch, or a skip that says so."""
    require("module:torch", package="the extra train")
    import torch

    return torch
