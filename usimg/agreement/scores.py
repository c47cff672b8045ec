"""z-scores: where a value lies among controls, or why that cannot be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from usimg.agreement.icc import LEVEL
from usimg.agreement.reference import Model, Reference
from usimg.agreement.table import unit_of
from usimg.agreement.values import FAT
from usimg.study.settings import is_known

_KEPT = (
    "subject",
    "visit",
    "structure",
    "site",
    "side",
    "measure",
    "unit",
    "value",
    "images",
    "rule",
    "settings",
)


@dataclass(frozen=True, slots=True)
class Score:
    """One value among controls; NaN where `reason` says why.

    Attributes
    ----------
    expected, sd : float
        Of controls of that age, sex and size, for a mean of as many images.
    z, z_low, z_high : float
        (value - expected) / sd, with its 95 % interval from the number of controls.
    n : int
        Controls.
    sign : str
        What a positive z says.
    note : str
        What differs between value and controls without forbidding the comparison.
    reason : str
    """

    expected: float = float("nan")
    sd: float = float("nan")
    z: float = float("nan")
    z_low: float = float("nan")
    z_high: float = float("nan")
    n: int = 0
    sign: str = ""
    note: str = ""
    reason: str = ""


def score(values: pd.DataFrame, reference: Reference) -> pd.DataFrame:
    """z-scores of values, those with and without fat as a covariate beside each other.

    Parameters
    ----------
    values : DataFrame
        Of `usimg.agreement.values.read`.
    reference : Reference

    Returns
    -------
    DataFrame
        A row per value: what it is, the fields of `Score`, and ``z_with_fat``, ``z_with_fat_low``,
        ``z_with_fat_high``, ``reason_with_fat`` where a model has fat. Values stay as they are.
    """
    rows = []
    any_fat = any(model.with_fat for model in reference.models)
    for value in ({str(k): v for k, v in row.items()} for row in values.to_dict("records")):
        row = {name: value[name] for name in _KEPT}
        row |= asdict(_score(value, reference, with_fat=False))
        if any_fat and str(value["measure"]).startswith("echo"):
            fat = _score(value, reference, with_fat=True)
            row |= {
                "z_with_fat": fat.z,
                "z_with_fat_low": fat.z_low,
                "z_with_fat_high": fat.z_high,
                "reason_with_fat": fat.reason,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _score(value: Mapping[str, Any], reference: Reference, *, with_fat: bool) -> Score:
    if not np.isfinite(float(value["value"])):
        return Score(reason="images under several settings have no common grey level")
    model = _model_for(value, reference, with_fat=with_fat)
    if isinstance(model, str):
        return Score(reason=model)
    why = _outside(value, model)
    if why:
        return Score(n=model.n, reason=why)
    x = _terms(value, model)
    expected = float(x @ np.array(model.coefficients))
    sd = (
        model.sd if model.sd_by_age is None else model.sd_by_age[0] + model.sd_by_age[1] * float(value["age"])
    )
    variance = sd**2
    if value["images"] != model.images:
        if model.image_variance is None:
            return Score(
                n=model.n,
                reason=f"a mean of {value['images']} images; controls are means of {model.images}, and how"
                " much single images vary is not in the file",
            )
        variance += model.image_variance * (1 / int(value["images"]) - 1 / model.images)
        if variance <= 0:
            return Score(n=model.n, reason="the images of the controls vary more than the controls do")
    sd = float(np.sqrt(variance))
    z = (float(value["value"]) - expected) / sd
    # Of the expected value, and of the SD (its relative error is 1 / sqrt(2 df)).
    error = np.sqrt(x @ np.array(model.covariance) @ x / variance + z**2 / (2 * model.freedom))
    half = float(t.ppf(1 - (1 - LEVEL) / 2, model.freedom) * error)
    origin = str(value["origin"])
    note = f"outline {origin}; controls {model.origin}" if origin and model.origin not in ("", origin) else ""
    return Score(expected, sd, z, z - half, z + half, model.n, model.sign, note)


def _terms(value: Mapping[str, Any], model: Model) -> NDArray[np.float64]:
    """The terms of a model for one value; as `usimg.agreement.reference.design` for many."""
    known = {"1": 1.0, f"sex={value['sex']}": 1.0}
    return np.array(
        [
            known.get(term, 0.0) if term == "1" or term.startswith("sex=") else value[term]
            for term in model.terms
        ],
        dtype=np.float64,
    )


def _model_for(value: Mapping[str, Any], reference: Reference, *, with_fat: bool) -> Model | str:
    """The equation for a value, or why there is none."""
    found = [
        model
        for model in reference.models
        if (model.structure, model.site, model.measure)
        == (value["structure"], value["site"], value["measure"])
        and model.with_fat == with_fat
    ]
    if not found:
        return "no controls of this structure, site and measure" + (" with fat" if with_fat else "")
    unit = value["unit"] or unit_of(str(value["measure"]))
    if all(unit and model.unit and unit != model.unit for model in found):
        return f"in {unit}; controls are in {found[0].unit}"
    ruled = [model for model in found if model.rule == value["rule"]]
    if not ruled:
        rules = " or ".join(sorted({model.rule or "no stated rule" for model in found}))
        return f"measured by {value['rule'] or 'no stated rule'}; controls by {rules}"
    if str(value["measure"]).startswith("echo"):
        key = str(value["settings"])
        if not is_known(key):
            return "device and settings are not fully known, and what is unknown equals nothing (devices.csv)"
        ruled = [model for model in ruled if model.settings == key]
        if not ruled:
            return f"grey levels under other settings ({key}) than those of the controls"
    same = [model for model in ruled if model.origin == value["origin"]]
    return (same or ruled)[0]


def _outside(value: Mapping[str, Any], model: Model) -> str:
    """Which fact of the person is missing or beyond the controls; empty when none is."""
    for name, reach in model.ranges.items():
        fact = value[name]
        if name == "sex":
            if fact not in reach:
                return f"sex is {fact or 'not known'}; controls are {' and '.join(map(str, reach))}"
            continue
        words = {"height_cm": "height", "weight_kg": "weight", FAT: "fat"}.get(name, name)
        if not np.isfinite(float(fact)):
            return f"{words} is not known"
        if not reach[0] <= float(fact) <= reach[1]:
            return f"{words} {float(fact):g} is outside of the controls' {reach[0]:g} to {reach[1]:g}"
    return ""
