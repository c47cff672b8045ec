"""Does it give my old numbers? Old values beside new ones, and what explains the difference best.

Explanations are tried on all matched values of a measure and scored on patients that were left out: a
constant factor (another unit, one scale for all pictures), one factor for each device, a constant distance
(fascia in rather than out, its middle rather than its inner edge), and each definition that was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from usimg.agreement.comparing import compare
from usimg.agreement.from_study import counting_rows, tidy_rows
from usimg.agreement.result import Agreement, Explanation, Unmatched
from usimg.agreement.table import FEWEST, TEXTS, named, tidy
from usimg.errors import StudyRefused
from usimg.study import Study

FloatArray = NDArray[np.float64]
# Definitions of a measure that a study keeps beside the one that it reports.
DEFINITIONS = {
    "thickness_mm": (
        "thickness_mm",
        "thickness_mean_vertical_mm",
        "thickness_mid_vertical_mm",
        "thickness_max_vertical_mm",
        "thickness_mean_perpendicular_mm",
        "thickness_mid_perpendicular_mm",
        "thickness_max_perpendicular_mm",
    ),
    "csa_mm2": ("csa_mm2",),
    "echo_intensity": ("echo_intensity", "echo_intensity_protocol"),
}
FACTORS = (10.0, 0.1, 100.0, 0.01)
_PLACE = ["subject", "visit", "structure", "site", "side"]
OLD, NEW = "old numbers", "usimg"


@dataclass(frozen=True)
class _Tried:
    """A definition and a rule that turns it into old numbers; fewer `free` numbers are fitted first."""

    definition: str
    rule: str
    free: int
    errors: FloatArray  # per patient, mean squared log error when left out
    bias: float
    fitted: str


def study_values(study: Study, *, include_unvalidated: bool = False) -> pd.DataFrame:
    """New values of a study that count, one per picture and measure, with every definition beside them."""
    rows = counting_rows(study, include_unvalidated=include_unvalidated)
    if rows.empty:
        return rows
    wanted = sorted({name for names in DEFINITIONS.values() for name in names})
    key = ["scan_key"]
    rows = rows.assign(scan_key=np.arange(len(rows)).astype(str))
    values = tidy_rows(rows.assign(version=rows["scan_key"])).rename(columns={"version": "scan_key"})
    merged = values[values["value"].notna()].merge(rows[[*key, *wanted]], on=key)
    return merged.assign(method="")


def compare_old(old: pd.DataFrame, new: pd.DataFrame, subjects: dict[str, str] | None = None) -> Agreement:
    """Old numbers against new ones.

    Parameters
    ----------
    old : DataFrame
        Of `usimg.agreement.column_map.read_old`.
    new : DataFrame
        Tidy rows (`usimg.agreement.table.tidy`), definitions beside them where known.
    subjects : dict, optional
        Old name of a subject -> study id.

    Returns
    -------
    Agreement
        Between methods ``old numbers`` and ``usimg``, with `Agreement.explanations` and
        `Agreement.unmatched`.

    Raises
    ------
    StudyRefused
        Fewer than three patients match.
    """
    known = subjects or {}
    new = new.assign(**{name: "" for name in TEXTS if name not in new})
    old = old.assign(subject=[known.get(name, name) for name in old["subject"]])
    matched, unmatched = _match(old, new)
    if len(set(matched["subject"])) < FEWEST:
        why = "; ".join(sorted({one.reason for one in unmatched})[:3])
        raise StudyRefused(
            f"{len(set(matched['subject']))} patients of the old table match; at least {FEWEST} are needed"
            + (f" ({why})" if why else "")
        )
    explanations = [one for _, rows in matched.groupby("measure", sort=True) for one in explain(rows)]
    both = pd.concat([matched.assign(method=OLD, value=matched["old"]), matched.assign(method=NEW)])
    found = compare(tidy(both.reset_index(drop=True)), "methods")
    notes = [f"{len(matched)} old numbers match, {len(unmatched)} old or new ones do not."]
    other = int((matched["images"] != matched["mean_of"]).sum())
    if other:
        notes.append(f"{other} of them are means of another number of images than the new values.")
    notes += [f"{one.measure}: {one.sentence}" for one in explanations if one.best]
    averaged = sorted(set(matched["mean_of"]))
    if len(averaged) == 1 and averaged[0] > 1:
        estimates = [replace(one, images=f"mean of {averaged[0]} images") for one in found.estimates]
        found = replace(found, estimates=estimates)
    return replace(found, explanations=explanations, unmatched=unmatched, notes=notes)


def _match(old: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, list[Unmatched]]:
    """Old rows with their new value, and what has no partner."""
    unmatched: list[Unmatched] = []
    rows: list[dict[str, object]] = []
    used: set[int] = set()
    extra = [name for names in DEFINITIONS.values() for name in names if name in new]
    numbers = ["value", *dict.fromkeys(extra)]
    places = dict(list(new.groupby(["subject", "measure"], sort=False)))
    for line, row in old.iterrows():
        what = named(*(str(row[name]) for name in ("structure", "site", "side", "measure")))
        group = places.get((row["subject"], row["measure"]))
        why = "no new value of this subject"
        if group is not None:
            for name in ("structure", "side", "site", "visit", "repeat"):
                if row[name]:
                    group = group[group[name].astype(str) == str(row[name])]
                    why = f"no new value of this {name}"
                    if group.empty:
                        break
        if group is None or group.empty:
            unmatched.append(Unmatched("old", f"line {line}: {what}", why))
            continue
        apart = group[["visit", "structure", "site", "side"]].drop_duplicates()
        if len(apart) > 1:
            several = [str(name) for name in apart if len(set(apart[name])) > 1]
            unmatched.append(
                Unmatched("old", f"line {line}: {what}", f"several new values: map {', '.join(several)}")
            )
            continue
        used |= set(group.index)
        first = group.iloc[0]
        rows.append(
            {name: first[name] for name in (*_PLACE, "measure", "unit", "rule")}
            | {
                "repeat": str(row["repeat"]),
                "old": row["old"],
                "images": len(group),
                "mean_of": row["mean_of"],
            }
            | {"device": str(row["device"]) or str(first["device"])}
            | {name: group[name].mean() for name in numbers}
        )
    asked = new[new["measure"].isin(set(old["measure"])) & ~new.index.isin(sorted(used))]
    missing = asked[[*_PLACE, "measure"]].drop_duplicates().astype(str).to_numpy().tolist()
    unmatched += [
        Unmatched("new", f"{subject}, {named(structure, site, side, measure)}", "not in the old table")
        for subject, _, structure, site, side, measure in missing
    ]
    matched = pd.DataFrame(rows) if rows else pd.DataFrame(columns=["subject", "measure", "old", *numbers])
    if matched.empty:
        return matched, unmatched
    twice = matched.duplicated([*_PLACE, "measure", "repeat"], keep=False)
    if twice.any():
        one = matched[twice].iloc[0]
        raise StudyRefused(
            f"the old table has {named(one['structure'], one['site'], one['side'], one['measure'])} of"
            f" {one['subject']} more than once; map what tells the lines apart (repeat, visit, site)"
        )
    return matched, unmatched


def explain(rows: pd.DataFrame) -> list[Explanation]:
    """Every explanation of one measure, best first.

    Parameters
    ----------
    rows : DataFrame
        Matched values: ``subject``, ``device``, ``measure``, ``old``, ``value`` and definitions.
    """
    measure = str(rows["measure"].iloc[0])
    names = [name for name in DEFINITIONS.get(measure, ()) if name in rows and rows[name].notna().any()]
    if measure in names:
        names = [
            measure,
            *(name for name in names if not np.allclose(rows[name], rows[measure], equal_nan=True)),
        ]
    else:
        names = ["value"]
    known = rows[(rows["old"] > 0) & (rows[names] > 0).all(axis=1)]
    if known["subject"].nunique() < FEWEST:
        return []
    tried = [one for name in names for one in _tries(known, name)]
    tried.sort(key=lambda one: float(one.errors.mean()))
    lowest = tried[0]
    # Of what cannot be told from the best, the plainest: fewer fitted numbers, then the reported definition.
    level = [one for one in tried if not _worse(one, lowest)]
    chosen = min(level, key=lambda one: (one.free, names.index(one.definition), float(one.errors.mean())))
    order = [chosen, *(other for other in tried if other is not chosen)]
    return [
        Explanation(
            measure=measure,
            definition=measure if one.definition == "value" else one.definition,
            rule=one.rule,
            fitted=one.fitted,
            patients=len(one.errors),
            n_values=len(known),
            error_percent=100 * float(np.sqrt(one.errors.mean())),
            bias_percent=100 * one.bias,
            best=one is chosen,
            as_good=one is not chosen and not _worse(one, lowest),
        )
        for one in order
    ]


def _tries(rows: pd.DataFrame, definition: str) -> list[_Tried]:
    old = rows["old"].to_numpy(dtype=np.float64)
    new = rows[definition].to_numpy(dtype=np.float64)
    who = pd.factorize(rows["subject"])[0]
    ratio = np.log(old / new)
    one = np.zeros(len(rows), dtype=np.int64)
    found = [_made(definition, "as it is", 0, ratio, who, f"{np.exp(ratio.mean()):.3f}")]
    found += [
        _made(definition, f"times {factor:g}", 0, ratio - np.log(factor), who, f"{factor:g}")
        for factor in FACTORS
    ]
    factor, left = _factors(ratio, one, who)
    found.append(_made(definition, "one factor for all", 1, left, who, f"{np.exp(factor[0]):.3f}"))
    devices, of = np.unique(rows["device"].astype(str), return_inverse=True)
    if len(devices) > 1:
        factor, left = _factors(ratio, of, who)
        said = ", ".join(f"{name}: {np.exp(value):.3f}" for name, value in zip(devices, factor, strict=True))
        found.append(_made(definition, "one factor for each device", len(devices), left, who, said))
    apart, left = _constant(old, new, who)
    found.append(
        _made(definition, "a constant difference", 1, left, who, f"{apart:+.2f}".replace("-", "\u2212"))
    )
    return [one for one in found if np.isfinite(one.errors).all()]


def _made(
    definition: str, rule: str, free: int, left: FloatArray, who: NDArray[np.int64], fitted: str
) -> _Tried:
    errors = np.bincount(who, left**2) / np.bincount(who)
    return _Tried(definition, rule, free, errors, float(left.mean()), fitted)


def _factors(
    ratio: FloatArray, of: NDArray[np.int64], who: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Log factor of each group, and what is left of each value with its patient out of the fit."""
    groups, people = int(of.max()) + 1, int(who.max()) + 1
    sums, counts = np.zeros((people, groups)), np.zeros((people, groups))
    np.add.at(sums, (who, of), ratio)
    np.add.at(counts, (who, of), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        others = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)
    return sums.sum(axis=0) / counts.sum(axis=0), np.asarray(ratio - others[who, of])


def _constant(old: FloatArray, new: FloatArray, who: NDArray[np.int64]) -> tuple[float, FloatArray]:
    apart = old - new
    sums, counts = np.bincount(who, apart), np.bincount(who)
    others = (sums.sum() - sums) / (counts.sum() - counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.log(old) - np.log(new + others[who])
    return float(apart.mean()), np.asarray(left)


def _worse(one: _Tried, best: _Tried) -> bool:
    """Whether it errs more than the best in more patients than chance would have it (95 %)."""
    apart = one.errors - best.errors
    n = len(apart)
    if one is best or np.ptp(apart) == 0:
        return bool(apart.mean() > 0)
    error = float(apart.std(ddof=1)) / np.sqrt(n)
    return bool(apart.mean() > float(t.ppf(0.975, n - 1)) * error)


def aliases(study: Study, names: Sequence[str]) -> dict[str, str]:
    """Study ids of what an old table calls its subjects (``private/subjects.csv``)."""
    return {name: study.subjects.of_manifest(name, None) for name in dict.fromkeys(names)}
