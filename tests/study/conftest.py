"""Builders: a study, and automatic rows as a run writes them."""

from __future__ import annotations

from typing import Any

import pytest

import usimg
from usimg.study import Study, Target
from usimg.study.schema import outline_id, outline_of, write_part

SCAN = "a" * 64
SQUARE = [[10.0, 10.0], [10.0, 60.0], [40.0, 60.0], [40.0, 10.0]]


@pytest.fixture
def study(tmp_path) -> Study:
    return Study.create(tmp_path / "study")


@pytest.fixture
def automatic_row():
    """Make a row that a run might write; keywords replace its fields."""

    def _row(**fields: Any) -> dict[str, Any]:
        row: dict[str, Any] = {
            "status": "measured",
            "subject": "P1",
            "visit": "1",
            "view": "",
            "structure": "biceps_brachii",
            "site": "mid_arm",
            "side": "left",
            "plane": "transverse",
            "repeat": 1,
            "scan": SCAN,
            "frame": 0,
            "region": None,
            "thickness_mm": 20.0,
            "thickness_rule": "mean_vertical",
            "echo_intensity": 60.0,
            "confidence": 0.9,
            "validated": True,
            "flags": [],
            "reason": "",
            "method": "classical 1",
            "run": "run1",
            "generation": 1,
        } | fields
        row |= outline_of(usimg.Roi(polygon=row.pop("polygon", SQUARE)))
        target = Target(
            **{k: row[k] for k in ("scan", "frame", "region", "structure", "site", "side", "repeat")}
        )
        return row | {"outline": outline_id(target, row["method"], row)}

    return _row


@pytest.fixture
def add_run(study):
    """Write rows as one part of a run."""

    def _add(*rows: dict[str, Any], run: str = "run1", generation: int = 1) -> None:
        named = [row | {"run": run, "generation": generation} for row in rows]
        write_part(study.automatic / f"{run}-0001.parquet", named)

    return _add
