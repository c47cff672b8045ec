"""Rows and facts out of a study: what counts now, what each patient was scanned with, and who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from usimg.errors import StudyRefused

if TYPE_CHECKING:
    from usimg.study import Study

# What people did to the outlines: as it counts; only what a person accepted or corrected; what usimg
# found before anybody looked.
AS_IT_COUNTS, PEOPLE_ONLY, AUTOMATIC_ONLY = "as it counts", "people only", "automatic only"
_KEY = ["subject", "visit"]


def rows_of(study: Study, *, include_unvalidated: bool = False, outlines: str = AS_IT_COUNTS) -> pd.DataFrame:
    """One row per patient and visit (`usimg.study.tables.wide`).

    Parameters
    ----------
    study : Study
    include_unvalidated : bool
        Let automatic outlines count that nobody validated.
    outlines : str
        ``"as it counts"``, ``"people only"`` or ``"automatic only"``.
    """
    from usimg.study.fold import automatic_rows, newest, untouched  # noqa: PLC0415  pyarrow, when needed
    from usimg.study.tables import counted, wide  # noqa: PLC0415

    if outlines == AUTOMATIC_ONLY:
        held, _ = automatic_rows(study, geometry=False)
        rows = untouched(newest(held, study.fold(geometry=False).method))
        return wide(counted(rows, include_unvalidated=include_unvalidated)).table
    rows = study.current(include_unvalidated=include_unvalidated)
    if outlines == PEOPLE_ONLY:
        rows.loc[rows["state"] == "automatic", "counts"] = False
    return wide(rows).table


def facts_of(study: Study, visits: pd.Series[str], *, include_unvalidated: bool = False) -> pd.DataFrame:
    """Device, sex, age and height of each patient at the visit taken.

    Parameters
    ----------
    visits : Series of str
        By subject.

    Returns
    -------
    DataFrame
        By subject; a patient scanned with two devices has both, and so a key of their own.
    """
    from usimg.study.tables import current_of  # noqa: PLC0415  as in `rows_of`
    from usimg.study.visits import visits_of  # noqa: PLC0415

    held = study.fold(geometry=False)
    current = current_of(study, held, include_unvalidated=include_unvalidated)
    taken = _taken(current, visits)
    found = pd.DataFrame(index=visits.index)
    devices = taken["device"].fillna("").astype(str).groupby(taken["subject"])
    found["device"] = devices.agg(lambda key: " + ".join(sorted(set(key) - {""}))).reindex(visits.index)
    known = visits_of(study, held, current).set_index("subject")
    facts = known[known["visit"] == known.index.map(visits.to_dict())].reindex(visits.index)
    for theirs, ours in (("sex", "sex"), ("age_years", "age"), ("height_cm", "height_cm")):
        if theirs in facts and facts[theirs].notna().any():
            found[ours] = facts[theirs].replace("", None)
    if "years_since_onset" in facts and facts["years_since_onset"].notna().any():
        found["months_since_onset"] = 12 * facts["years_since_onset"].astype(float)
    return found


def settings_of(study: Study, visits: pd.Series[str], *, include_unvalidated: bool = False) -> pd.DataFrame:
    """Settings behind each echo intensity at the visit taken: ``subject``, ``place``, ``settings``.

    A place is a column's ``structure__site__side``. The key (`usimg.study.settings`) holds depth and preset,
    which differ between muscles by protocol; what matters is whether they differ between patients in one.
    """
    from usimg.study.tables import current_of  # noqa: PLC0415  as in `rows_of`

    current = current_of(study, study.fold(geometry=False), include_unvalidated=include_unvalidated)
    taken = _taken(current, visits)
    taken = taken[taken["echo_intensity"].notna()]
    names = taken[["structure", "site", "muscle_state", "posture", "side"]].fillna("").astype(str)
    place = [  # as `usimg.study.tables` names columns
        f"{structure}__{'.'.join(filter(None, (site, state, posture)))}__{side}"
        for structure, site, state, posture, side in names.itertuples(index=False, name=None)
    ]
    return pd.DataFrame(
        {
            "subject": taken["subject"].astype(str),
            "place": place,
            "settings": taken["settings"].fillna("").astype(str),
        }
    )


def dates_of(study: Study) -> dict[tuple[str, str], str]:
    """Date of each subject's visit, for joining and for months between visits; it goes into no table."""
    from usimg.study.days import date_of  # noqa: PLC0415  as in `rows_of`

    rows = study.fold(geometry=False).rows
    known = rows.loc[rows["day"].notna(), ["subject", "visit", "day"]].drop_duplicates(_KEY)
    return {
        (str(subject), str(visit)): date_of(int(number), str(subject), study.secret).isoformat()
        for subject, visit, number in known.itertuples(index=False, name=None)
    }


def _taken(current: pd.DataFrame, visits: pd.Series[str]) -> pd.DataFrame:
    """The outlines that count behind the visit taken of each patient."""
    rows = current[current["counts"].astype(bool)]
    return rows[rows["visit"].fillna("").astype(str) == rows["subject"].map(visits).fillna("").astype(str)]


def together(known: pd.DataFrame, given: pd.DataFrame | None) -> pd.DataFrame:
    """What a study knows and what a clinical table says, of which the table wins.

    Raises
    ------
    StudyRefused
        The table shares no patient with the study.
    """
    if given is None:
        return known
    if not given.index.isin(known.index).any():
        raise StudyRefused("the clinical table and the study share no subject: both name them by study id")
    return given.combine_first(known).reindex(known.index)
