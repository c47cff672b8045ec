"""The numbers of a comparison as tables, one row per thing, for CSV."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from usimg.agreement.icc import Interval
from usimg.agreement.result import Agreement, Estimate


def tables(found: Agreement) -> dict[str, pd.DataFrame]:
    """Tables by name, those without rows left out.

    ``agreement``, ``errors``, ``pairs``, ``components``, ``averages``, ``levels``, ``outlines``,
    ``explanations``, ``unmatched`` and ``left_out``.
    """
    made: dict[str, Iterable[Mapping[str, Any]]] = {
        "agreement": (_agreement(one) for one in found.estimates),
        "errors": (
            {
                "error": error.kind,
                "images": error.images,
                **_spread("sem", error.sem),
                **_spread("mdc95", error.mdc95),
                "mdc95_any_reader_low": error.any_reader[0],
                "mdc95_any_reader_high": error.any_reader[1],
                "reason": error.reason,
            }
            | _key(one)
            for one in found.estimates
            for error in one.errors
        ),
        "pairs": (
            {
                "first": pair.first,
                "second": pair.second,
                "patients": pair.patients,
                "pairs": pair.n_pairs,
                **_spread("bias", pair.bias),
                **_spread("lower_limit", pair.lower),
                **_spread("upper_limit", pair.upper),
                "sd": pair.sd,
                **_spread("slope", pair.slope),
                "slope_p": pair.slope_p,
                "spread_grows_p": pair.spread_p,
                "ratio_lower_limit": pair.ratio_lower,
                "ratio_upper_limit": pair.ratio_upper,
            }
            | _key(one)
            for one in found.estimates
            for pair in one.pairs
        ),
        "components": (
            {"component": part.name, **_spread("variance", part.variance), "sd": part.sd} | _key(one)
            for one in found.estimates
            for part in one.components
        ),
        "averages": (
            {"sessions": plan.sessions, "images": plan.images, "readers": plan.readers}
            | _spread("sem", plan.sem)
            | _spread("mdc95", plan.mdc95)
            | _key(one)
            for one in found.estimates
            for plan in one.plans
        ),
        "levels": (
            {
                "level": level.name,
                "values": level.n_values,
                "failed_without_value": level.failed,
                "failed_with_value": level.marked,
                "unedited_share": level.unedited,
            }
            | _key(one)
            for one in found.estimates
            for level in one.levels
        ),
        "outlines": (
            {
                "comparison": one.name,
                "first": one.first,
                "second": one.second,
                "patients": one.patients,
                "pictures": one.pictures,
                "lacking": one.lacking,
                **_spread("dice", one.dice),
                "dice_p10": one.dice_p10,
                "dice_lacking_as_0": one.dice_with_failures,
                "hausdorff95_mm_median": one.hausdorff95_mm,
                "hausdorff95_mm_p90": one.hausdorff95_mm_p90,
                "identical_share": one.identical,
            }
            for one in found.outlines
        ),
        "explanations": map(asdict, found.explanations),
        "unmatched": map(asdict, found.unmatched),
        "left_out": ({"comparison": one.name, "reason": one.reason} for one in found.excluded),
    }
    return {name: table for name, rows in made.items() if len(table := _framed(rows))}


def _agreement(one: Estimate) -> dict[str, Any]:
    values: dict[str, Any] = {
        "patients": one.patients,
        "incomplete_patients": one.incomplete,
        "levels": len(one.comparison.levels),
        "value_is": one.images,
        "mean": one.mean,
        "between_subject_sd": one.between_sd,
    }
    for form, icc in one.icc.items():
        values |= _spread(re.sub(r"\W+", "_", form.lower()).strip("_"), icc)
    close = one.close
    return (
        values
        | {
            "within_10_percent": close.measured,
            "within_10_percent_failures_as_misses": close.with_failures,
            "notes": "; ".join(one.notes),
        }
        | _key(one)
    )


def _key(one: Estimate) -> dict[str, str]:
    of = one.comparison
    return {
        "structure": of.structure,
        "site": of.site,
        "side": of.side,
        "measure": of.measure,
        "unit": of.unit,
        "rule": of.rule,
        "start": of.start,
        "reader": of.reader,
        "failures": one.failures,
    }


def _spread(name: str, value: Interval) -> dict[str, float]:
    return {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}


def _framed(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Where it is from first, then the numbers."""
    table = pd.DataFrame(list(rows))
    first = [name for name in ("structure", "site", "side", "measure", "unit", "rule") if name in table]
    first += [name for name in ("start", "reader", "failures") if name in table and (table[name] != "").any()]
    dropped = [name for name in ("start", "reader", "failures") if name in table and name not in first]
    return table[[*first, *[n for n in table if n not in (*first, *dropped)]]]
