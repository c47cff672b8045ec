"""What counts, and patient rows. Averages run over repeats and over nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg.study.days import since_first
from usimg.study.decisions import ADJUDICATED
from usimg.study.devices import read_devices
from usimg.study.schema import LEFT_OUT, TARGET
from usimg.study.settings import differences, with_settings
from usimg.study.values import measurement_ids, value_id

if TYPE_CHECKING:
    from usimg.study.fold import Fold
    from usimg.study.protocol import StudyProtocol
    from usimg.study.store import Study

# Design: trusted is a probability of at least one half, and validated.
TRUSTED = 0.5
KEY = ["subject", "visit", "session", "structure", "site", "side", "muscle_state", "posture"]
# A number counts only among numbers made by the same rule; grey levels only among those of one device.
RULE_OF = {
    "thickness_mm": "thickness_rule",
    "csa_mm2": "trace_rule",
    "perimeter_mm": "trace_rule",
    "roundness": "trace_rule",
    "echo_intensity": "settings",
    "echo_intensity_sd": "settings",
    "echovariation": "settings",
    "echo_intensity_protocol": "echo_rule",
}
ALSO_ONE = {"echo_intensity_protocol": "settings"}
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
# Of these the protocol's word on repeats is said; of the others it would say the same again.
REMARKED = ("thickness_mm", "csa_mm2", "echo_intensity", "echo_intensity_protocol")
_ASKED = ("structure", "site", "side", "muscle_state")
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
        ``n`` (repeats), ``sd`` (between repeats; NaN of one), ``rule``, ``settings`` (the key under
        which grey levels were taken; of lengths all there were), counts by state, ``remarks`` (of the
        protocol on the repeats), ``inputs`` (measurement ids).
    counting : DataFrame
        The rows behind them, with ``measurement_id``.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame
    long: pd.DataFrame
    counting: pd.DataFrame


def current_of(study: Study, held: Fold, *, include_unvalidated: bool = False) -> pd.DataFrame:
    """What holds in a study with what counts, every row's settings key and the days since the first scan.

    Parameters
    ----------
    held : Fold
        With or without outlines.

    Raises
    ------
    StudyRefused
        ``devices.csv`` is not understood.
    """
    declared = read_devices(study.root / "devices.csv")
    rows = with_settings(held.rows, declared, study.secret)
    rows = rows.assign(days_since_first=since_first(rows))
    return counted(rows, primary_reader=study.primary_reader, include_unvalidated=include_unvalidated)


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


def wide(current: pd.DataFrame, protocol: StudyProtocol | None = None) -> Wide:
    """One row per subject and visit from rows with ``counts`` (see `counted`).

    Parameters
    ----------
    current : DataFrame
    protocol : StudyProtocol, optional
        Says of which averages there are too few repeats, or repeats that lie too far apart.

    Notes
    -----
    Readers of one picture are averaged, then repeats. Two measurements that nothing tells apart (the
    same or no repeat number), and repeats measured by different rules, are not: the value stays empty
    and `Wide.left_out` says why.
    """
    if "settings" not in current:
        current = with_settings(current)
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
        rules: pd.Series[Any] = counting[rule].where(counting[feature].notna())
        several = rules.groupby(counting["place"]).nunique()
        mixed = several.index[several > 1]
        means.loc[mixed, feature] = float("nan")
        if rule != "settings":
            left_out.append(_left(places.loc[mixed], feature, "repeats measured by different rules"))
            continue
        for place in mixed:
            why = differences(sorted(set(rules[counting["place"] == place].dropna())))
            left_out.append(_left(places.loc[[place]], feature, f"repeats with different settings: {why}"))
    counting = counting.assign(measurement_id=measurement_ids(counting))
    extremes = (by_place.min(), by_place.max())
    values = _remarked(_long(means, spread, number, extremes, places, counting), protocol)
    values = values.drop(columns=["place", "lowest", "highest"])
    gone = pd.concat(left_out, ignore_index=True)[[*KEY, "feature", "reason"]]
    return Wide(_spread(values), gone, values, counting)


def _long(
    means: pd.DataFrame,
    spread: pd.DataFrame,
    number: pd.DataFrame,
    extremes: tuple[pd.DataFrame, pd.DataFrame],
    places: pd.DataFrame,
    counting: pd.DataFrame,
) -> pd.DataFrame:
    """One row per value that exists, with its id and what it was made of."""
    values, sd, n, lowest, highest = (
        table.reset_index().melt("place", var_name="feature") for table in (means, spread, number, *extremes)
    )
    columns = {"sd": sd, "n": n, "lowest": lowest, "highest": highest}
    values = values.assign(**{name: table["value"] for name, table in columns.items()})
    values = values.dropna(subset="value")
    values = values.sort_values(["place", "feature"], ignore_index=True)
    for state in STATES_THAT_COUNT:
        so = (counting["state"] == state).groupby(counting["place"]).sum()
        values[f"n_{state}"] = so.reindex(values["place"]).to_numpy().astype("int64")
    values = values.join(places, on="place").astype(dict.fromkeys(KEY, object))
    values["rule"] = ""
    for feature, rule in RULE_OF.items():
        if rule != "settings":
            where = values["feature"] == feature
            rules = counting.groupby("place")[rule].first()
            values.loc[where, "rule"] = rules.reindex(values.loc[where, "place"]).fillna("").to_numpy()
    keys = counting.groupby("place")["settings"].agg(lambda those: "; ".join(sorted(set(those.dropna()))))
    values["settings"] = keys.reindex(values["place"]).to_numpy()
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
    return values


def _remarked(values: pd.DataFrame, protocol: StudyProtocol | None) -> pd.DataFrame:
    """Values with what the protocol has to say of their repeats."""
    if protocol is None or not (protocol.entries or protocol.spread):
        return values.assign(remarks="")
    asked = {
        place: protocol.entry_of(*place)
        for place in values[list(_ASKED)].drop_duplicates().itertuples(index=False, name=None)
    }
    columns = (values[name] for name in (*_ASKED, "feature", "n", "lowest", "highest", "value"))
    return values.assign(
        remarks=[
            "; ".join(protocol.remarks(asked[tuple(place)], int(n), lowest, highest, value))
            if feature in REMARKED
            else ""
            for *place, feature, n, lowest, highest, value in zip(*columns, strict=True)
        ]
    )


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
