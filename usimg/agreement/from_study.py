"""The tidy table of a study, and the outlines behind it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from usimg.agreement.comparing import compare
from usimg.agreement.outlines import outline_agreement
from usimg.agreement.result import Agreement
from usimg.agreement.table import BETWEEN, REREAD, natural
from usimg.errors import StudyRefused
from usimg.study import Fold, Study, target_of
from usimg.study.decisions import ADJUDICATED
from usimg.study.fold import automatic_rows, newest
from usimg.study.methods import SEPARATOR

# Measure -> column of the rule it was measured by.
MEASURES = {
    "thickness_mm": "thickness_rule",
    "csa_mm2": "trace_rule",
    "echo_intensity": "",
    "echo_intensity_protocol": "echo_rule",
}
# A reading says something of its reader when it was finished; a rejected one failed.
_FINISHED = ("accepted", "corrected", "rejected")
_PLACE = ["subject", "visit", "session", "structure", "site", "side"]
_PICTURE = ["scan", "frame", "region"]


@dataclass(frozen=True)
class Read:
    """Rows of a study, ready to be compared.

    Attributes
    ----------
    rows : DataFrame
        Of a fold, one per picture, structure and level, with ``start``, ``edited``, ``reading``,
        ``version`` and ``outlined`` beside its columns.
    notes : list of str
    """

    rows: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def compare_study(study: Study, between: str, *, include_unvalidated: bool = False) -> Agreement:
    """Agreement within a study: numbers and, where pictures were read again, outlines.

    Parameters
    ----------
    study : Study
    between : str
        As in `usimg.agreement.compare`. Readers and readings: what people decided, blind sittings
        before open ones. Repeats, sessions, operators: the values that count. Methods and versions:
        automatic outlines, and people's beside them.
    include_unvalidated : bool
        Let automatic outlines count that nobody validated (repeats, sessions, operators).

    Raises
    ------
    StudyRefused
        Nothing in the study can be compared like this.
    """
    if between in ("methods", "versions"):
        read = _of_methods(study, between)
    elif between in ("readers", "readings"):
        read = _of_readers(study.fold(), between)
    elif between in BETWEEN:
        read = _that_count(study, include_unvalidated=include_unvalidated)
    else:
        raise StudyRefused(f"cannot compare between {between!r}; choose one of {', '.join(BETWEEN)}")
    if read.rows.empty:
        raise StudyRefused(f"{study.root.name}: nothing to compare between {between}; {' '.join(read.notes)}")
    rows = _numbered(read.rows)
    found = compare(tidy_rows(rows), between)
    outlines = outline_agreement(rows, BETWEEN[between]) if between in REREAD else []
    return replace(found, outlines=outlines, notes=read.notes)


def tidy_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per measure of rows of a study; measures that no row has are left out."""
    tables = []
    for measure, rule in MEASURES.items():
        value = rows[measure].astype("float64")
        # Of a structure that never has this number it is not missing, it does not exist.
        exists = value.notna().groupby([rows["structure"], rows["site"]]).transform("any")
        table = rows.assign(
            measure=measure,
            value=value,
            rule=rows[rule].fillna("") if rule else "",
        )[exists]
        tables.append(table[[*_PLACE, "operator", "repeat", "device", *_BESIDE, "measure", "rule", "value"]])
    return pd.concat(tables, ignore_index=True)


_BESIDE = ("reader", "reading", "method", "version", "start", "edited")


def counting_rows(study: Study, *, include_unvalidated: bool = False) -> pd.DataFrame:
    """Rows of a study that count, one per picture and structure; readers of one picture averaged."""
    read = _that_count(study, include_unvalidated=include_unvalidated)
    return read.rows if read.rows.empty else _numbered(read.rows)


def counting_values(study: Study, *, include_unvalidated: bool = False) -> pd.DataFrame:
    """One row per value that counts and picture, with ``settings``, ``origin`` and ``rule``.

    ``origin`` is whose outline it is: automatic, accepted or corrected.
    """
    rows = counting_rows(study, include_unvalidated=include_unvalidated)
    if rows.empty:
        return rows
    tidy = tidy_rows(rows.assign(method=rows["state"]))
    tidy = tidy.rename(columns={"device": "settings", "method": "origin"})
    return tidy[tidy["value"].notna()]


def _of_readers(held: Fold, between: str) -> Read:
    rows = held.rows
    rows = rows[(rows["reader"] != "") & rows["state"].isin(_FINISHED) & (rows["arm"] != ADJUDICATED)]
    if rows.empty:
        why = "nobody has accepted or rejected an outline; usimg review, one sitting for each reader."
        return Read(rows, [why])
    notes: list[str] = []
    blind = rows["arm"] != ""
    if blind.any():
        if not blind.all():
            notes.append(f"{int((~blind).sum())} readings outside of a blind sitting were left out.")
        rows = rows[blind]
    else:
        notes.append("No sitting was blind: a reader may have seen what another decided.")
    if held.conflicts:
        notes.append(f"{len(held.conflicts)} readings with two decisions that disagree were left out.")
    saw = {(one.target, one.reader, one.arm): one.saw_automatic for one in held.readings}
    started = [
        "automatic" if saw[target_of(row), str(row["reader"]), str(row["arm"])] else "scratch"
        for row in ({str(name): value for name, value in r.items()} for r in rows.to_dict("records"))
    ]
    edited = np.where(np.array(started) == "scratch", "", np.where(rows["state"] == "accepted", "no", "yes"))
    rows = rows.assign(start=started, edited=np.where(rows["state"] == "rejected", "", edited), version="")
    # Several arms of one reader, picture and start are readings of their own, in the order of their names.
    arms = rows.groupby([*_PICTURE, "structure", "site", "side", "reader", "start"], dropna=False)["arm"]
    rows = rows.assign(reading=arms.rank("dense").astype(int).astype(str), method="")
    if between == "readers" and (rows["reading"] != "1").any():
        notes.append("Of pictures that a reader read more than once the first reading was taken.")
        rows = rows[rows["reading"] == "1"]
    return Read(_outlined(rows), notes)


def _that_count(study: Study, *, include_unvalidated: bool) -> Read:
    rows = study.current(include_unvalidated=include_unvalidated)
    rows = rows[rows["counts"] & (rows["subject"].fillna("") != "")]
    if rows.empty:
        why = "no value counts: accept outlines, or take those that nobody validated (--include-unvalidated)."
        return Read(rows, [why])
    # Readers of one picture are averaged, as in patient rows.
    rows = rows.drop_duplicates([*_PICTURE, "structure", "site", "side"]).merge(
        rows.groupby([*_PICTURE, "structure", "site", "side"], dropna=False)[list(MEASURES)].mean(),
        on=[*_PICTURE, "structure", "site", "side"],
        suffixes=("_one", ""),
    )
    # Grey levels compare under one settings key alone.
    beside = dict.fromkeys(("reader", "reading", "method", "version", "start", "edited"), "")
    rows = rows.assign(**beside, device=rows["settings"])
    automatic = int((rows["state"] == "automatic").sum())
    said = f"{len(rows)} values that count, {automatic} of them automatic."
    if not (rows["session"].fillna("") != "").any():
        said += " No session is named; two visits are no sessions, since the patient changes between them."
    return Read(_outlined(rows), [said])


def _of_methods(study: Study, between: str) -> Read:
    automatic, _ = automatic_rows(study, geometry=True)
    held = study.fold()
    names = held.methods
    family = {name: name.split(SEPARATOR)[0].rpartition(" ")[0] or name.split(SEPARATOR)[0] for name in names}
    if between == "versions":
        ours = family.get(held.method, "")
        chosen = {name: name for name in names if family[name] == ours}
    else:
        chosen = {family[name]: name for name in names}  # the newest of each
    notes = [f"Automatic outlines of {', '.join(sorted(chosen.values()))}."]
    tables = [
        newest(automatic, name).assign(method=label, version=name, reader="")
        for label, name in chosen.items()
    ]
    if between == "methods":
        people = _people(held)
        if not people.empty:
            tables.append(people)
            notes.append(
                "People: mean of the readers of a picture"
                + (", who started from scratch." if (people["start"] == "scratch").all() else
                   ", who started from the automatic outline, so that they are not independent of it.")
            )  # fmt: skip
    rows = pd.concat([table for table in tables if len(table)], ignore_index=True) if tables else automatic
    rows = rows[rows["status"] != "failed"]
    rows = rows.assign(**{"method" if between == "versions" else "version": ""})
    return Read(_outlined(rows.assign(start="", edited="", reading="")), notes)


def _people(held: Fold) -> pd.DataFrame:
    """People's outlines as one more method: from scratch where there are any."""
    rows = _of_readers(held, "readers").rows
    rows = rows[rows["state"] != "rejected"] if len(rows) else rows
    if rows.empty:
        return rows
    scratch = rows[rows["start"] == "scratch"]
    rows = scratch if len(scratch) else rows
    key = [*_PICTURE, "structure", "site", "side"]
    means = rows.groupby(key, dropna=False)[list(MEASURES)].mean()
    first = rows.sort_values("reader", kind="stable").drop_duplicates(key).drop(columns=list(MEASURES))
    return first.merge(means, on=key).assign(method="people", reader="", version="")


def _outlined(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether there is an outline at all, and texts in place of what is not known."""
    texts = [*_PLACE, "operator", "device"]
    filled = {name: rows[name].fillna("").astype(str).astype(object) for name in texts}
    has = rows["state"] != "rejected" if "state" in rows else pd.Series(data=True, index=rows.index)
    return rows.assign(**filled, outlined=(has & (rows["status"] == "measured")).fillna(value=False))


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """Each picture of a place with a repeat of its own: as labelled, else in the order of the files."""
    pictures = rows[[*_PLACE, "repeat", *_PICTURE]].drop_duplicates([*_PLACE, *_PICTURE])
    labelled = pictures["repeat"].notna() & ~pictures.duplicated([*_PLACE, "repeat"], keep=False)
    whole = labelled.groupby([pictures[name] for name in _PLACE]).transform("all")
    order = pictures.sort_values([*_PLACE, "repeat", *_PICTURE], kind="stable")
    counted = order.groupby(_PLACE).cumcount() + 1
    number = pictures["repeat"].where(whole, counted.astype("Int32"))
    named = pictures[[*_PLACE, *_PICTURE]].assign(repeat=number.astype("Int32").astype(str).astype(object))
    merged = rows.drop(columns="repeat").merge(named, on=[*_PLACE, *_PICTURE], how="left")
    return merged.sort_values([*_PLACE, "repeat"], key=lambda c: c.map(natural) if c.name == "repeat" else c)
