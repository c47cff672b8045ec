"""What counts, and patient rows. Averages run over repeats and over nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from usimg.study.schema import TARGET

# Design: trusted is a probability of at least one half, and validated.
TRUSTED = 0.5
KEY = ["subject", "visit", "structure", "site", "side"]
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
    rows = current.assign(**{name: current[name].fillna("").astype(str) for name in KEY})
    nameless = rows["counts"] & (rows["subject"] == "")
    rows.loc[nameless, "counts_reason"] = "no subject: name it in a manifest"
    rows.loc[nameless, "counts"] = False
    uncounted = rows.loc[~rows["counts"], [*KEY, "counts_reason"]]
    left_out = [uncounted.rename(columns={"counts_reason": "reason"}).assign(feature="")]

    counting = rows[rows["counts"]]
    by_place = counting.groupby(KEY, sort=True)
    size, repeats = by_place.size(), by_place["repeat"].nunique()
    are_repeats = (size == 1) | (repeats == size)
    means = by_place[list(WIDE_FEATURES)].mean()
    for count in size[~are_repeats].unique():
        why = f"{count} measurements that nothing tells apart: number them (repeat), or give site and side"
        left_out.append(_left(are_repeats.index[~are_repeats & (size == count)], "", why))
    means = means[are_repeats]
    for feature, rule in RULE_OF.items():
        rules = counting[rule].where(counting[feature].notna())
        spread = rules.groupby([counting[name] for name in KEY])
        mixed = spread.nunique() > 1  # noqa: PD101  of every place at once
        refused = means.index[mixed.reindex(means.index)]
        means.loc[refused, feature] = float("nan")
        left_out.append(_left(refused, feature, "repeats measured by different rules"))
    for state in STATES_THAT_COUNT:
        counted_so = (counting["state"] == state).groupby([counting[name] for name in KEY]).sum()
        means[f"n_{state}"] = counted_so.reindex(means.index)
    return Wide(_spread(means), pd.concat(left_out, ignore_index=True)[[*KEY, "feature", "reason"]])


def _spread(means: pd.DataFrame) -> pd.DataFrame:
    """From one row per place to one per subject and visit, empty columns left out."""
    long = means.reset_index().melt(KEY, var_name="feature").dropna(subset="value")
    parts = (long[name] for name in ("structure", "site", "side", "feature"))
    long["name"] = ["__".join(place) for place in zip(*parts, strict=True)]
    table = long.pivot_table("value", ["subject", "visit"], "name", aggfunc="first")
    counts = [name for name in table.columns if name.endswith(tuple(f"__n_{s}" for s in STATES_THAT_COUNT))]
    return table.astype(dict.fromkeys(counts, "Int64")).rename_axis(columns=None).reset_index()


def _left(places: pd.Index, feature: str, reason: str) -> pd.DataFrame:
    return places.to_frame(index=False).assign(feature=feature, reason=reason)
