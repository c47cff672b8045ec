"""Overlap of the outlines that two levels drew in the same pictures, summed up by structure."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from usimg.agreement.icc import Interval
from usimg.agreement.overlap import Overlap, overlap
from usimg.agreement.resampling import Ratios, interval
from usimg.agreement.result import OutlineAgreement
from usimg.agreement.table import natural
from usimg.study import roi_of

_PICTURE = ["scan", "frame", "region"]


def outline_agreement(rows: pd.DataFrame, level: str) -> list[OutlineAgreement]:
    """Dice and Hausdorff distance between each two levels, by structure, site, side and start.

    Parameters
    ----------
    rows : DataFrame
        Of a fold with its outlines, and ``level`` and ``start`` beside them; one per picture and level.
    level : str
        Column that tells the levels apart.
    """
    found: list[OutlineAgreement] = []
    for key, group in rows.groupby(["structure", "site", "side", "start"], sort=True):
        levels = sorted(set(group[level]), key=natural)
        by_level = {one: _by_picture(group[group[level] == one]) for one in levels}
        place = ", ".join(str(part).replace("_", " ") for part in key[:3] if part)
        name = place + (f", started from {key[3]}" if key[3] else "")
        for first, second in combinations(levels, 2):
            made = _of_two(name, first, second, by_level[first], by_level[second])
            if made is not None:
                found.append(made)
    return found


def _by_picture(rows: pd.DataFrame) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {
        tuple(str(row[part]) for part in _PICTURE): {str(name): value for name, value in row.items()}
        for row in rows.to_dict("records")
    }


def _of_two(
    name: str,
    first: str,
    second: str,
    mine: dict[tuple[Any, ...], dict[str, Any]],
    theirs: dict[tuple[Any, ...], dict[str, Any]],
) -> OutlineAgreement | None:
    """None where no picture has an area outlined by both."""
    compared: list[tuple[str, Overlap]] = []
    lacking = 0
    for picture in sorted(mine.keys() & theirs.keys()):
        one, other = mine[picture], theirs[picture]
        alike = overlap(roi_of(one), roi_of(other), _spacing(one))
        if alike is not None:
            compared.append((str(one["subject"]), alike))
        # A caliper line is no failure: it has no area by nature.
        elif bool(one["outlined"]) != bool(other["outlined"]):
            lacking += 1
    if not compared:
        return None
    dice = np.array([alike.dice for _, alike in compared])
    distance = np.array([alike.hausdorff95_mm for _, alike in compared])
    distance = distance[np.isfinite(distance)]
    patients, who = np.unique([subject for subject, _ in compared], return_inverse=True)
    return OutlineAgreement(
        name,
        first,
        second,
        len(patients),
        len(compared),
        lacking,
        _mean(dice, who),
        float(np.percentile(dice, 10)),
        float(dice.sum() / (len(dice) + lacking)),
        float(np.median(distance)) if len(distance) else float("nan"),
        float(np.percentile(distance, 90)) if len(distance) else float("nan"),
        float(np.mean([alike.identical for _, alike in compared])),
    )


def _mean(values: NDArray[np.float64], who: NDArray[np.int64]) -> Interval:
    """Mean over pictures; its interval is over patients, made for 1 - Dice, which is 0 or more."""
    sums, counts = np.bincount(who, 1 - values).astype(np.float64), np.bincount(who).astype(np.float64)
    gap = interval(Ratios(sums[:, None], counts[:, None], np.ones(1)))
    return Interval(1 - gap.value, 1 - gap.high, 1 - gap.low)


def _spacing(row: dict[str, Any]) -> tuple[float, float] | None:
    spacing = (row.get("row_mm"), row.get("col_mm"))
    if any(value is None or pd.isna(value) for value in spacing):
        return None
    return float(spacing[0]), float(spacing[1])  # type: ignore[arg-type]
