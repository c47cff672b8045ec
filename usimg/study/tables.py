"""What counts, and patient rows. Averages run over repeats and over nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from usimg.study.schema import TARGET

# Design: trusted is a probability of at least one half, and validated.
TRUSTED = 0.5
PLACE = ("structure", "site", "side")
# A number counts only among numbers made by the same rule.
RULE_OF = {
    "thickness_mm": "thickness_rule",
    "csa_mm2": "trace_rule",
    "perimeter_mm": "trace_rule",
    "roundness": "trace_rule",
    "echo_intensity_protocol": "echo_rule",
}
# Numbers of a patient row: what is reported of a patient. None in pixels, which differ between devices;
# the other definitions of thickness and the shape of the histogram stay in the long table.
WIDE_FEATURES = (
    "thickness_mm",
    "csa_mm2",
    "perimeter_mm",
    "roundness",
    "echo_intensity",
    "echo_intensity_sd",
    "echovariation",
    "echo_intensity_protocol",
)
STATES_THAT_COUNT = ("automatic", "accepted", "corrected")


@dataclass(frozen=True)
class Wide:
    """Patient rows, and what stayed out of them.

    Attributes
    ----------
    table : DataFrame
        ``subject``, ``visit``, then ``structure__site__side__feature`` (an empty place is an empty
        part between double underscores) and ``...__n_automatic``, ``n_accepted``, ``n_corrected``.
    left_out : DataFrame
        ``subject, visit, structure, site, side, feature, reason``: one row per value that could
        have been and is not.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame


def counted(
    rows: pd.DataFrame, *, primary_reader: str = "", include_unvalidated: bool = False
) -> pd.DataFrame:
    """Add ``counts`` and ``counts_reason`` to the rows of a fold.

    What a person accepted or corrected counts; of several readers the primary one's, or any when
    all accepted the same outline. An automatic outline counts when no person decided, and it is
    trusted: confidence of at least 0.5 and validated. Readings in an arm never count.

    Parameters
    ----------
    rows : DataFrame
        `usimg.study.fold.Fold.rows`.
    primary_reader : str
        Whose reading counts where several people read one picture.
    include_unvalidated : bool
        Let automatic outlines count whose method is not validated for their structure.
    """
    reason = pd.Series("", index=rows.index, dtype=object)

    def leave_out(where: Any, why: str) -> None:
        reason.loc[where & (reason == "")] = why

    state = rows["state"].astype(object)
    automatic = state == "automatic"
    confidence = rows["confidence"].fillna(0.0)
    validated = rows["validated"].fillna(value=False).astype(bool)
    leave_out(rows["arm"].fillna("") != "", "read in an arm of a reader study")
    leave_out(state == "conflict", "two decisions of one reader disagree")
    leave_out(state == "rejected", "rejected")
    leave_out(state == "draft", "drawn, not yet accepted")
    leave_out(state == "moved", "the picture's label was changed after it was accepted; accept it again")
    leave_out(state.isin(["empty", "failed"]), "no outline")
    leave_out(automatic & (confidence < TRUSTED), f"automatic, confidence under {TRUSTED}")
    if not include_unvalidated:
        leave_out(automatic & ~validated, "automatic, not validated for this structure")
    _one_reader(rows, reason, primary_reader)
    return rows.assign(counts=(reason == "").to_numpy(), counts_reason=reason.astype("string"))


def _one_reader(rows: pd.DataFrame, reason: pd.Series[str], primary_reader: str) -> None:
    read = rows.index[(rows["reader"].fillna("") != "") & (rows["arm"].fillna("") == "")]
    for _, group in rows.loc[read].groupby(list(TARGET), dropna=False, sort=False):
        if len(group) == 1:
            continue
        if primary_reader and (group["reader"] == primary_reader).any():
            others = group.index[group["reader"] != primary_reader]
            reason.loc[others] = f"{primary_reader}'s reading counts"
        elif len(set(group["outline"])) == 1 and (reason.loc[group.index] == "").all():
            reason.loc[group.index[1:]] = "the same outline, accepted by several readers, counts once"
        else:
            reason.loc[group.index] = "read by several people; name primary_reader in study.toml"


def wide(current: pd.DataFrame) -> Wide:
    """One row per subject and visit from rows with ``counts`` (see `counted`).

    Repeats are averaged. Two measurements that nothing tells apart (the same or no repeat number),
    and repeats measured by different rules, are not: the value stays empty and `Wide.left_out` says why.
    """
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    left_out: list[dict[str, Any]] = []
    rows = current.copy()
    for name in ("subject", "visit", *PLACE):
        rows[name] = rows[name].fillna("").astype(str)
    nameless = rows["counts"] & (rows["subject"] == "")
    rows.loc[nameless, "counts_reason"] = "no subject: name it in a manifest"
    rows.loc[nameless, "counts"] = False
    for row in rows[~rows["counts"]].to_dict("records"):
        left_out.append(_left(row, "", str(row["counts_reason"])))  # noqa: PERF401  reads as the loop below
    for key, group in rows[rows["counts"]].groupby(["subject", "visit", *PLACE], sort=True):
        subject, visit, *place = (str(part) for part in key)
        cell = cells.setdefault((subject, visit), {"subject": subject, "visit": visit})
        values, refused = _averaged(group)
        prefix = "__".join(place)
        cell |= {f"{prefix}__{name}": value for name, value in values.items()}
        head = group.iloc[0].to_dict()
        left_out += [_left(head, feature, why) for feature, why in refused]
    table = pd.DataFrame(list(cells.values()))
    if table.empty:
        table = pd.DataFrame({"subject": [], "visit": []}, dtype=object)
    counts = [name for name in table.columns if name.endswith(tuple(f"__n_{s}" for s in STATES_THAT_COUNT))]
    table = table.astype(dict.fromkeys(counts, "Int64"))
    names = ["subject", "visit", *sorted(set(table.columns) - {"subject", "visit"})]
    return Wide(
        table[names].sort_values(["subject", "visit"], ignore_index=True),
        pd.DataFrame(left_out, columns=["subject", "visit", *PLACE, "feature", "reason"]),
    )


def _averaged(group: pd.DataFrame) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    refused: list[tuple[str, str]] = []
    values: dict[str, Any] = {}
    if len(group) > 1 and not _are_repeats(group):
        why = (
            f"{len(group)} measurements that nothing tells apart: number them (repeat), or give site and side"
        )
        return {}, [("", why)]
    for feature, numbers in _numbers(group):
        rule = RULE_OF.get(feature)
        rules = set() if rule is None else set(group.loc[numbers.index, rule].dropna())
        if len(rules) > 1:
            refused.append((feature, f"repeats measured by different rules: {', '.join(sorted(rules))}"))
        else:
            values[feature] = float(np.mean(numbers.to_numpy()))
    for state in STATES_THAT_COUNT:
        values[f"n_{state}"] = int((group["state"] == state).sum())
    return values, refused


def _are_repeats(group: pd.DataFrame) -> bool:
    repeats = group["repeat"]
    return bool(repeats.notna().all() and repeats.is_unique)


def _numbers(group: pd.DataFrame) -> Iterator[tuple[str, pd.Series[float]]]:
    for feature in WIDE_FEATURES:
        numbers = group[feature].dropna()
        if len(numbers):
            yield feature, numbers


def _left(row: dict[Any, Any], feature: str, reason: str) -> dict[str, Any]:
    return {name: row[name] for name in ("subject", "visit", *PLACE)} | {
        "feature": feature,
        "reason": reason,
    }
