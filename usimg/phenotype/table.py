"""From the table a user gives to the one that can be clustered, with a reason for all that is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from usimg import anatomy
from usimg.errors import AnatomyUnknown, StudyRefused

# Role of a column -> sign of its change with severity. Severe is thinner and brighter (reference
# study, Wang 2026). Nerves shrink in some of these diseases and swell in others, and fat follows
# nutrition: neither orients.
ORIENTS = {"muscle_thickness": -1.0, "muscle_csa": -1.0, "muscle_echo": 1.0}
ROLES = (*ORIENTS, "nerve_csa", "fat", "other")

# A feature measured in fewer than four patients of five would cost more patients (complete cases)
# than it tells; chosen here, and stated with every feature it drops.
MAX_MISSING = 0.2
# Below this, relative to a column's largest value, differences are rounding, not measurement.
CONSTANT = 1e-9
# Two groups of two, the least for which a silhouette can be more than arithmetic; chosen here.
MIN_PATIENTS = 4
MIN_FEATURES = 2


@dataclass(frozen=True, eq=False)
class Prepared:
    """What goes into the clustering.

    Attributes
    ----------
    standardised : DataFrame
        (patients, features) of mean 0 and SD 1, rows and columns in an order of their own, so that
        the order in which a table was written changes no bit of the result.
    roles : dict
        Feature to role, for the features kept.
    excluded, dropped : dict
        Patient, and feature, to the reason it is not in.
    """

    standardised: pd.DataFrame
    roles: dict[str, str]
    excluded: dict[object, str]
    dropped: dict[str, str]


def prepare(features: pd.DataFrame, roles: Mapping[str, str] | None) -> Prepared:
    """Check, leave out with a reason, standardise.

    Features that are empty, constant or missing in more than `MAX_MISSING` of the patients are
    dropped; then patients who lack any of the rest are excluded (complete cases).

    Raises
    ------
    StudyRefused
        The table cannot be used, or too little of it is left.
    """
    table = _numbers(features)
    known = _roles(table.columns, roles)
    table = table.loc[sorted(table.index, key=_order), sorted(table.columns)]

    dropped: dict[str, str] = {}
    for name in table.columns:
        missing = float(table[name].isna().mean())
        if missing == 1.0:
            dropped[name] = "empty: no patient has a value"
        elif missing > MAX_MISSING:
            dropped[name] = f"missing in {missing:.0%} of the patients (more than {MAX_MISSING:.0%})"
        elif _is_constant(table[name]):
            dropped[name] = "the same value in every patient"
    table = table.drop(columns=list(dropped))

    incomplete = table[table.isna().any(axis=1)]
    excluded = {patient: _lacks(row) for patient, row in incomplete.iterrows()}
    table = table.drop(index=list(excluded))

    for name in [name for name in table.columns if len(table) and _is_constant(table[name])]:
        dropped[name] = "the same value in every patient who has all features"
        table = table.drop(columns=name)
    _refuse_too_little(table, excluded, dropped)

    kept = {name: known[name] for name in table.columns}
    if not any(role in ORIENTS for role in kept.values()):
        raise StudyRefused(
            f"no feature says which way is severe: of {_some(table.columns)} none is a muscle thickness,"
            " muscle area or muscle echo intensity by its name (structure__site__side__feature);"
            f" give roles={{column: role}} with one of {', '.join(ROLES)}"
        )
    standardised = (table - table.mean()) / table.std(ddof=0)
    return Prepared(standardised, kept, excluded, dropped)


def columns_with_role(columns: pd.Index | list[str]) -> dict[str, str]:
    """The columns of a wide table that the anatomy list gives a role, in their order.

    >>> columns_with_role(["subject", "rectus_femoris__mid_thigh__left__thickness_px"])
    {}
    """
    named = {str(name): _role_by_name(str(name)) for name in columns}
    return {name: role for name, role in named.items() if role != "other"}


def _numbers(features: pd.DataFrame) -> pd.DataFrame:
    """The table as floats, or the reason it is none."""
    if not isinstance(features, pd.DataFrame):
        raise StudyRefused(
            f"features is a {type(features).__name__}; it must be a pandas.DataFrame, one row per patient"
        )
    if features.empty:
        raise StudyRefused("the table of features is empty: no patient, or no column")
    if len(features) < MIN_PATIENTS:
        raise StudyRefused(f"{len(features)} patient(s); clustering needs at least {MIN_PATIENTS}")
    if features.index.hasnans:
        raise StudyRefused("a row of the table of features has no patient: fill its index or remove it")
    for what, labels in (("patient", features.index), ("column", features.columns.map(str))):
        twice = labels[labels.duplicated()].unique()
        if len(twice):
            raise StudyRefused(
                f"{what} {_some(twice)} stands more than once in the table of features;"
                + (" give one row per patient (one visit, repeats averaged)" if what == "patient" else "")
            )
    columns = {str(name): _floats(str(name), column) for name, column in features.items()}
    return pd.DataFrame(columns, index=features.index)


def _floats(name: str, column: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(column) or not (
        pd.api.types.is_numeric_dtype(column) or column.isna().all() or _all_numbers(column)
    ):
        patient, value = next((p, v) for p, v in column.items() if pd.notna(v) and not _is_number(v))
        raise StudyRefused(
            f"column {name!r} is not a measurement: patient {patient} has {value!r}; leave a missing"
            " value empty, and give device, sex, site and the like in `clinical`"
        )
    values = column.astype("float64")
    if np.isinf(values).any():
        raise StudyRefused(f"column {name!r} holds an infinite value; leave a missing value empty")
    return values


def _all_numbers(column: pd.Series) -> bool:
    return all(_is_number(value) for value in column.dropna())


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _roles(columns: pd.Index, roles: Mapping[str, str] | None) -> dict[str, str]:
    given = {str(name): role for name, role in (roles or {}).items()}
    unknown = [name for name in given if name not in columns]
    if unknown:
        raise StudyRefused(f"roles names {_some(unknown)}, which the table of features does not have")
    wrong = sorted({role for role in given.values() if role not in ROLES})
    if wrong:
        raise StudyRefused(f"{_some(wrong)} is not a role; a role is one of {', '.join(ROLES)}")
    return {name: given.get(name) or _role_by_name(name) for name in columns}


def _role_by_name(column: str) -> str:
    """Role by the anatomy list of a ``structure__site__side__feature`` column; "other" without one."""
    parts = column.split("__")
    if len(parts) < 2:
        return "other"
    try:
        return anatomy.role(parts[0], parts[-1]) or "other"
    except AnatomyUnknown:
        return "other"


def _is_constant(column: pd.Series) -> bool:
    return bool(column.max() - column.min() <= CONSTANT * column.abs().max())


def _lacks(row: pd.Series) -> str:
    missing = row.index[row.isna()]
    if len(missing) == len(row):
        return "no value in any feature"
    return f"no value for {_some(missing)}"


def _refuse_too_little(
    table: pd.DataFrame, excluded: Mapping[object, str], dropped: Mapping[str, str]
) -> None:
    if table.shape[1] < MIN_FEATURES:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(dropped.items())[:3])
        raise StudyRefused(
            f"{table.shape[1]} usable feature(s); clustering needs at least {MIN_FEATURES}"
            + (f" (left out: {why})" if why else "")
        )
    if len(table) < MIN_PATIENTS:
        why = "; ".join(f"{patient}: {reason}" for patient, reason in list(excluded.items())[:3])
        raise StudyRefused(
            f"{len(table)} patient(s) with every feature; clustering needs at least {MIN_PATIENTS}"
            + (f" (left out, {len(excluded)} in all: {why})" if why else "")
        )


def _some(names: object) -> str:
    """The first few of many names, for a message."""
    listed = [repr(str(name)) for name in names]  # type: ignore[attr-defined]
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _order(patient: object) -> tuple[str, str]:
    """A total order over patients named by numbers, strings or both."""
    return (type(patient).__name__, str(patient))
