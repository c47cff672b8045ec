"""One row per visit: what is there, what the protocol misses, who signed, and what is known of the person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg.study.days import VisitNames, date_of
from usimg.study.decisions import Decision
from usimg.study.manifest import Label
from usimg.study.protocol import Missing, StudyProtocol
from usimg.study.schema import LEFT_OUT, plain
from usimg.study.signing import all_signatures
from usimg.study.subjects import covariates, read_people

if TYPE_CHECKING:
    from usimg.study.fold import Fold
    from usimg.study.store import Study

COVARIATES = ("sex", "age_years", "height_cm", "weight_kg", "years_since_onset")
COLUMNS = (
    *("subject", "visit", "days_since_first", *COVARIATES, "device", "settings", "depth_mm", "pictures"),
    *("counting", "complete", "missing", "not_done", "unsettled", "signed_by", "signature"),
)
# A capture that gives nothing: it has to be taken again, as if it had not been.
_NO_CAPTURE = ("failed", "rejected")
_PICTURE = ["scan", "frame", "region", "view", "shown", "place", "side", "muscle_state", "repeat"]


@dataclass(frozen=True)
class Lacking:
    """What a visit lacks of its protocol.

    Attributes
    ----------
    missing : tuple of Missing
    not_done : tuple of (Missing, str)
        What a person said was not done, and why.
    """

    missing: tuple[Missing, ...] = ()
    not_done: tuple[tuple[Missing, str], ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all that is essential is there."""
        return not any(one.entry.essential for one in (*self.missing, *(one for one, _ in self.not_done)))


def lacking(
    rows: pd.DataFrame,
    protocol: StudyProtocol,
    not_done: Iterable[Decision] = (),
    subject: str = "",
    visit: str = "",
) -> Lacking:
    """What the pictures of one visit lack; rejected and unreadable ones do not count.

    Parameters
    ----------
    rows : DataFrame
        Of a fold, one visit's.
    not_done : iterable of Decision
        Of that kind, of any visit.
    """
    names = VisitNames(rows)
    reasons = {
        (one.target.structure, one.target.side): str(one.content["reason"])
        for one in not_done
        if names.of(one) == (subject, visit)
    }
    left: list[Missing] = []
    said: list[tuple[Missing, str]] = []
    for one in protocol.missing(pictures(rows)):
        why = reasons.get((one.entry.what, one.side)) or reasons.get((one.entry.what, ""))
        if why is None:
            left.append(one)
        else:
            said.append((one, why))
    return Lacking(tuple(left), tuple(said))


def pictures(rows: pd.DataFrame) -> list[Label]:
    """One label for each capture of a visit that gives something."""
    gone = rows["state"].isin(_NO_CAPTURE) | rows["reason"].fillna("").str.startswith(LEFT_OUT)
    held = rows[~gone.to_numpy(dtype=bool)]
    by_view = held["view"].fillna("") != ""
    # One picture of a view has a row for each structure in it.
    held = held.assign(
        shown=held["structure"].where(~by_view, ""), place=held["site"].fillna("").where(~by_view, "")
    )
    return [
        Label(
            view=str(plain(one["view"]) or ""),
            structure=str(one["shown"] or ""),
            site=str(one["place"] or ""),
            side=str(plain(one["side"]) or ""),
            state=str(plain(one["muscle_state"]) or ""),
        )
        for one in held.drop_duplicates(_PICTURE)[_PICTURE].to_dict("records")
    ]


def visits_of(study: Study, held: Fold, current: pd.DataFrame) -> pd.DataFrame:
    """`COLUMNS` of every visit; no date is in it.

    Parameters
    ----------
    held : Fold
    current : DataFrame
        `usimg.study.tables.current_of` of it.

    Notes
    -----
    ``complete`` is empty where the protocol asks for nothing. Ages are those of ``subjects.csv``, else of
    the tags.
    """
    protocol, signed = study.protocol, all_signatures(study, held)
    people = read_people(study.private / "subjects.csv")
    not_done = [decision for decision in held.others if decision.kind == "not_done"]
    found: list[dict[str, Any]] = []
    keys = current[["subject", "visit"]].fillna("")
    for (subject, visit), rows in current.groupby([keys["subject"], keys["visit"]], sort=True):
        if not subject:
            continue
        person = people.get(str(subject))
        when = _day(rows)
        known: Mapping[str, Any] = {"age_years": plain(rows["age_years"].max())}
        if person is not None:
            stated = covariates(
                person, "" if when is None else date_of(when, person.id, study.secret).isoformat()
            )
            known = {**known, **{name: value for name, value in stated.items() if value not in (None, "")}}
        lacks = lacking(rows, protocol, not_done, str(subject), str(visit))
        signatures = signed.get((str(subject), str(visit)), [])
        counts = rows[rows["counts"].to_numpy(dtype=bool)]
        found.append(
            {
                "subject": subject,
                "visit": visit,
                "days_since_first": plain(rows["days_since_first"].min()),
                **{name: known.get(name) for name in COVARIATES},
                "device": _several(rows["device"]),
                "settings": _several(rows["settings"]),
                "depth_mm": _range(rows["depth_mm"]),
                "pictures": len(pictures(rows)),
                "counting": len(counts),
                "complete": ("yes" if lacks.complete else "no") if protocol.entries else "",
                "missing": "; ".join(map(str, lacks.missing)),
                "not_done": "; ".join(f"{one}: {why}" for one, why in lacks.not_done),
                "unsettled": int((rows["state"] == "conflict").sum()),
                "signed_by": ", ".join(dict.fromkeys(one.author for one in signatures if one.holds)),
                "signature": _signature(signatures),
            }
        )
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"sex": "string", "depth_mm": "string"})


def _signature(signatures: list[Any]) -> str:
    if any(one.holds for one in signatures):
        return "holds"
    return f"void: {signatures[0].changes}" if signatures else ""


def _day(rows: pd.DataFrame) -> int | None:
    day = plain(rows["day"].min())
    return None if day is None else int(day)


def _several(column: pd.Series[Any]) -> str:
    return " + ".join(sorted({str(value) for value in column.dropna()} - {""}))


def _range(column: pd.Series[Any]) -> str:
    values = column.dropna()
    if values.empty:
        return ""
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low}-{high}"
