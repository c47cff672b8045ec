"""Builder: a study in which readers decided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import usimg
from usimg.study import Study, Target
from usimg.study.schema import outline_id, outline_of, write_part

SIZE_PX = 40.0


def square(side_px: float, moved_px: float = 0.0) -> list[list[float]]:
    top = 10.0 + moved_px
    return [[top, 10.0], [top, 10.0 + side_px], [top + side_px, 10.0 + side_px], [top + side_px, 10.0]]


@pytest.fixture
def row_of():
    """One automatic row: a square of `size` px at 0.1 mm."""

    def _row(number: int, size: float, **fields: Any) -> dict[str, Any]:
        row: dict[str, Any] = {
            "status": "measured",
            "subject": f"P{number:02d}",
            "visit": "1",
            "view": "",
            "structure": "median_nerve",
            "site": "wrist",
            "side": "left",
            "plane": "transverse",
            "repeat": 1,
            "session": "",
            "operator": "",
            "scan": f"{number:064x}",
            "frame": 0,
            "region": None,
            "csa_mm2": (size / 10) ** 2,
            "trace_rule": "inside_rim",
            "echo_intensity": 50.0 + size,
            "row_mm": 0.1,
            "col_mm": 0.1,
            "device": "synthetic",
            "confidence": 0.9,
            "validated": True,
            "flags": [],
            "reason": "",
            "method": "classical 1",
            "usimg_version": "0.1.0",
        } | fields
        row |= outline_of(usimg.Roi(polygon=square(size)))
        names = ("scan", "frame", "region", "structure", "site", "side", "repeat")
        target = Target(**{name: row[name] for name in names})
        return row | {"outline": outline_id(target, row["method"], row)}

    return _row


@pytest.fixture
def study(tmp_path) -> Study:
    return Study.create(tmp_path / "study")


@pytest.fixture
def add_run(study):
    def _add(rows, run: str = "run1", generation: int = 1) -> None:
        write_part(
            study.automatic / f"{run}-0001.parquet",
            [row | {"run": run, "generation": generation} for row in rows],
        )

    return _add


@pytest.fixture
def sizes():
    return np.random.default_rng(0).normal(SIZE_PX, 6, 14).round(1)
