"""What counts, and patient rows. Averages run over repeats and over nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from usimg.study.decisions import ADJUDICATED
from usimg.study.schema import LEFT_OUT, TARGET
from usimg.study.values import measurement_ids, value_id

# Design: trusted is a probability of at least one half, and validated.
TRUSTED = 0.5
KEY = ["subject", "visit", "session", "structure", "site", "side", "muscle_state", "posture"]
# A number counts only among numbers made by the same rule; grey levels only among those of one device.
RULE_OF = {
    "thickness_mm": "thickness_rule",
    "csa_mm2": "trace_rule",
    "perimeter_mm": "trace_rule",
    "roundness": "trace_rule",
    "echo_intensity": "device",
    "echo_intensity_sd": "device",
    "echovariation": "device",
    "echo_intensity_protocol": "echo_rule",
}
ALSO_ONE = {"echo_intensity_protocol": "device"}
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
RULE = (
    "Of one structure in one picture the adjudicated outline counts; else what the primary reader accepted;"
    " else the mean of the readers who accepted one; else the automatic outline, when its confidence is at"
    f" least {TRUSTED} and its method is validated for this structure. Readings in a blind arm never count"
    " by themselves. A person's decision is never replaced by an automatic outline."
)
RULE_UNVALIDATED = "Automatic outlines that nobody validated were let in (--include-unvalidated)."


@dataclass(frozen=True)
class Wide:
    """Patient rows, and what stayed out of them.

    Attributes
    ----------
    table : DataFrame
        ``subject``, ``visit`` (and ``session`` where one is named), then
        ``structure__site__side__feature`` (an empty place is an empty part between double
        underscores; a muscle state or posture follows its site after a dot) and
        ``...__n_automatic``, ``n_accepted``, ``n_corrected``.
    left_out : DataFrame
        ``subject, visit, structure, site, side, feature, reason``: one row per value that could
        have been and is not.
    long : DataFrame
        One row per value of ``table``: its ``value_id``, place, ``feature``, ``column``, ``value``,
        ``n`` (repeats), ``sd`` (between repeats; NaN of one), ``rule``, counts by state, ``inputs``
        (measurement ids).
    counting : DataFrame
        The rows behind them, with ``measurement_id``.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame
    long: pd.DataFrame
    counting: pd.DataFrame


def counted(
    rows: pd.DataFrame, *, primary_reader: str = "", include_unvalidated: bool = False
) -> pd.DataFrame:
    """Add ``counts`` and ``counts_reason`` to the rows of a fold; `RULE` says how.

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
    leave_out(~rows["arm"].fillna("").isin(["", ADJUDICATED]), "read in a blind arm of a reader study")
    leave_out(state == "conflict", "two decisions of one reader disagree")
    leave_out(state == "rejected", "rejected")
    leave_out(state == "draft", "drawn, not yet accepted")
    leave_out(state == "moved", "the picture's label was changed after it was accepted; accept it again")
    left_out = rows["reason"].fillna("").str.startswith(LEFT_OUT).to_numpy(dtype=bool)
    leave_out((state == "empty") & left_out, LEFT_OUT)
    leave_out(state.isin(["empty", "failed"]), "no outline")
    leave_out(automatic & (confidence < TRUSTED), f"automatic, confidence under {TRUSTED}")
    if not include_unvalidated:
        leave_out(automatic & ~validated, "automatic, not validated for this structure")
    _who_counts(rows, reason, primary_reader)
    return rows.assign(counts=(reason == "").to_numpy(), counts_reason=reason.astype("string"))


def _who_counts(rows: pd.DataFrame, reason: pd.Series[str], primary_reader: str) -> None:
    """Adjudicated before the primary reader before all readers, target by target."""
    arm = rows["arm"].fillna("")
    read = rows.index[(rows["reader"].fillna("") != "") & arm.isin(["", ADJUDICATED])]
    several = rows.loc[read, list(TARGET)].duplicated(keep=False)
    read = read[several.to_numpy()]
    for _, group in rows.loc[read].groupby(list(TARGET), dropna=False, sort=False):
        settled = group.index[(arm.loc[group.index] == ADJUDICATED) & (group["state"] != "draft")]
        first = group.index[group["reader"] == primary_reader] if primary_reader else settled[:0]
        if len(settled):
            _others_do_not(reason, group.index, settled, "adjudicated otherwise")
            first = settled
        elif len(first):
            _others_do_not(reason, group.index, first, f"{primary_reader}'s reading counts")
        counting = [at for at in (first if len(first) else group.index) if reason.loc[at] == ""]
        if not len(first) and counting and (group["state"] == "rejected").any():
            reason.loc[counting] = "accepted by one reader, rejected by another; adjudicate it"
        elif len(counting) > 1 and len(set(group.loc[counting, "outline"])) == 1:
            reason.loc[counting[1:]] = "the same outline, accepted by several readers, counts once"
        elif len(settled) > 1 and len(counting) > 1:
            reason.loc[counting] = "adjudicated twice, differently"


def _others_do_not(reason: pd.Series[str], group: pd.Index, those: pd.Index, why: str) -> None:
    others = group.difference(those)
    reason.loc[others] = reason.loc[others].where(reason.loc[others] != "", why)


def wide(current: pd.DataFrame) -> Wide:
    """One row per subject and visit from rows with ``counts`` (see `counted`).

    Readers of one picture are averaged, then repeats. Two measurements that nothing tells apart (the
    same or no repeat number), and repeats measured by different rules, are not: the value stays empty
    and `Wide.left_out` says why.
    """
    rows = current.assign(**{name: current[name].fillna("").astype(str) for name in KEY})
    nameless = rows["counts"] & (rows["subject"] == "")
    rows.loc[nameless, "counts_reason"] = "no subject: name it in a manifest"
    rows.loc[nameless, "counts"] = False
    uncounted = rows.loc[~rows["counts"], [*KEY, "counts_reason"]]
    left_out = [uncounted.rename(columns={"counts_reason": "reason"}).assign(feature="")]

    counting = rows[rows["counts"]].copy()
    # Numbers instead of texts: 200,000 rows are grouped a dozen times below.
    counting["place"] = counting.groupby(KEY, sort=True).ngroup()
    counting["picture"] = counting.groupby(list(TARGET), sort=False, dropna=False).ngroup()
    places = counting.drop_duplicates("place").set_index("place")[KEY].sort_index()
    by_place = counting.drop_duplicates(["place", "picture"]).groupby("place")
    size, repeats = by_place.size(), by_place["repeat"].nunique()
    apart = (size == 1) | (repeats == size)
    for count in size[~apart].unique():
        why = f"{count} measurements that nothing tells apart: number them (repeat), or give site and side"
        left_out.append(_left(places[(~apart & (size == count)).to_numpy()], "", why))
    counting = counting[counting["place"].isin(apart.index[apart])]

    features = list(WIDE_FEATURES)
    pictures = counting.groupby(["place", "picture"])[features].mean()
    by_place = pictures.groupby("place")
    means, spread, number = by_place.mean(), by_place.std(), by_place.count()
    for feature, rule in [*RULE_OF.items(), *ALSO_ONE.items()]:
        rules = counting[rule].where(counting[feature].notna())
        several = rules.groupby(counting["place"]).nunique()
        mixed = several.index[several > 1]
        means.loc[mixed, feature] = float("nan")
        why = "repeats from different devices" if rule == "device" else "repeats measured by different rules"
        left_out.append(_left(places.loc[mixed], feature, why))
    counting = counting.assign(measurement_id=measurement_ids(counting))
    values = _long(means, spread, number, places, counting)
    gone = pd.concat(left_out, ignore_index=True)[[*KEY, "feature", "reason"]]
    return Wide(_spread(values), gone, values, counting)


def _long(
    means: pd.DataFrame,
    spread: pd.DataFrame,
    number: pd.DataFrame,
    places: pd.DataFrame,
    counting: pd.DataFrame,
) -> pd.DataFrame:
    """One row per value that exists, with its id and what it was made of."""
    values, sd, n = (
        table.reset_index().melt("place", var_name="feature") for table in (means, spread, number)
    )
    values = values.assign(sd=sd["value"], n=n["value"]).dropna(subset="value")
    values = values.sort_values(["place", "feature"], ignore_index=True)
    for state in STATES_THAT_COUNT:
        so = (counting["state"] == state).groupby(counting["place"]).sum()
        values[f"n_{state}"] = so.reindex(values["place"]).to_numpy().astype("int64")
    values = values.join(places, on="place").astype(dict.fromkeys(KEY, object))
    values["rule"] = ""
    for feature, rule in RULE_OF.items():
        if rule != "device":
            where = values["feature"] == feature
            rules = counting.groupby("place")[rule].first()
            values.loc[where, "rule"] = rules.reindex(values.loc[where, "place"]).fillna("").to_numpy()
    inputs = counting.groupby("place")["measurement_id"].agg(tuple)
    values["inputs"] = inputs.reindex(values["place"]).to_numpy()
    names = zip(*(values[name] for name in (*KEY, "feature")), strict=True)
    values["value_id"] = [
        value_id(place, made_of) for place, made_of in zip(names, values["inputs"], strict=True)
    ]
    fields = (values[name] for name in ("structure", "site", "side", "muscle_state", "posture", "feature"))
    values["column"] = [
        f"{structure}__{'.'.join(filter(None, (site, state, posture)))}__{side}__{feature}"
        for structure, site, side, state, posture, feature in zip(*fields, strict=True)
    ]
    return values.drop(columns="place")


def _spread(values: pd.DataFrame) -> pd.DataFrame:
    """From one row per value to one per subject and visit, empty columns left out."""
    index = ["subject", "visit"]
    if (values["session"] != "").any():
        index.append("session")
    numbers = values.pivot_table("value", index, "column", aggfunc="first")
    once = values.drop_duplicates([*KEY]).assign(
        stem=lambda rows: [name.rpartition("__")[0] for name in rows["column"]]
    )
    tables = [numbers]
    for state in STATES_THAT_COUNT:
        counts = once.pivot_table(f"n_{state}", index, "stem", aggfunc="first")
        tables.append(counts.add_suffix(f"__n_{state}").astype("Int64"))
    table = pd.concat(tables, axis=1)
    return table[sorted(table.columns)].rename_axis(columns=None).reset_index()


def _left(places: pd.DataFrame, feature: str, reason: str) -> pd.DataFrame:
    return places.reset_index(drop=True).assign(feature=feature, reason=reason)
