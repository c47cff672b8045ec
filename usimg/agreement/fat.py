"""Echo intensity corrected for subcutaneous fat, with the user's own coefficients and in its own column.

Off unless asked for: published equations belong to one device and preset, they differ by 5 to 10 %, and raw
echo intensity rose with fat in some muscles of living people. No coefficient is built in.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from usimg.agreement.values import FAT
from usimg.errors import StudyRefused

_KEYS = ("per_cm", "source", "settings", "structures", "range_mm")


@dataclass(frozen=True)
class FatCorrection:
    """corrected = raw + per_cm * fat thickness in cm.

    Attributes
    ----------
    per_cm : float
        Grey levels per centimetre of fat.
    source : str
        Where the coefficient is from.
    settings : str
        Device and settings that it holds for.
    structures : tuple of str
        Which it holds for; empty: all.
    range_mm : (float, float)
        Thicknesses of fat that it was made with.
    """

    per_cm: float
    source: str
    settings: str
    range_mm: tuple[float, float]
    structures: tuple[str, ...] = ()


def read_fat_correction(path: Path) -> FatCorrection:
    """The table ``[fat_correction]`` of a TOML file.

    Raises
    ------
    StudyRefused
        It is not there, or lacks coefficient, source, settings or range.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))["fat_correction"]
        low, high = (float(value) for value in said["range_mm"])
        source, settings = str(said["source"]).strip(), str(said["settings"]).strip()
        structures = tuple(map(str, said.get("structures", ())))
        made = FatCorrection(float(said["per_cm"]), source, settings, (low, high), structures)
    except KeyError as error:
        raise StudyRefused(
            f"{path.name}: {error.args[0]} is missing; a fat correction is [fat_correction] with"
            " per_cm, source, settings and range_mm"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise StudyRefused(f"{path.name}: {error}") from None
    unknown = sorted(set(said) - set(_KEYS))
    if unknown:
        raise StudyRefused(f"{path.name}: {', '.join(unknown)} is not known; known are {', '.join(_KEYS)}")
    if not source or not settings:
        raise StudyRefused(f"{path.name}: source and settings must say something")
    return made


def fat_corrected(values: pd.DataFrame, correction: FatCorrection) -> pd.DataFrame:
    """Values with ``echo_intensity_fat_corrected``, its source, and why one is missing; raw stays first.

    Parameters
    ----------
    values : DataFrame
        Of `usimg.agreement.values.read`.
    """
    rows = values[
        ["subject", "visit", "structure", "site", "side", "measure", "settings", "value", FAT]
    ].copy()
    fat = rows[FAT].to_numpy(dtype=np.float64)
    reason = np.full(len(rows), "", dtype=object)

    def leave_out(where: pd.Series[bool] | np.ndarray[tuple[int], np.dtype[np.bool_]], why: str) -> None:
        reason[np.asarray(where) & (reason == "")] = why

    leave_out(~rows["measure"].str.startswith("echo_intensity"), "no echo intensity")
    if correction.structures:
        leave_out(~rows["structure"].isin(correction.structures), "the correction is of other structures")
    leave_out(rows["settings"] != correction.settings, "not under the settings that the correction holds for")
    leave_out(~np.isfinite(fat), "thickness of fat is not known")
    low, high = correction.range_mm
    leave_out((fat < low) | (fat > high), f"fat outside of the {low:g} to {high:g} mm of the correction")
    value = rows["value"].to_numpy(dtype=np.float64) + correction.per_cm * fat / 10
    usable = reason == ""
    return rows.assign(
        echo_intensity_fat_corrected=np.where(usable, value, np.nan),
        fat_correction=np.where(usable, f"{correction.per_cm:g} per cm, {correction.source}", ""),
        reason=reason,
    )
