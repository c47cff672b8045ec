"""From the table a user gives to the one that can be clustered, with a reason for all that is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from usimg import anatomy
from usimg.errors import AnatomyUnknown, StudyRefused
from usimg.phenotype.echo import keys_of, settled
from usimg.phenotype.recipe import Preparation, Recipe, controls_in, covariates_of, fitted

# Role of a column -> sign of its change with severity. Severe is thinner and brighter (reference
# study, Wang 2026). Nerves shrink in some of these diseases and swell in others, and fat follows
# nutrition: neither orients.
ORIENTS = {"muscle_thickness": -1.0, "muscle_csa": -1.0, "muscle_echo": 1.0}
ROLES = (*ORIENTS, "nerve_csa", "fat", "other")

# A feature measured in fewer than four patients of five would cost more patients (complete cases)
# than it tells; chosen here, and stated with every feature it drops.
MAX_MISSING = 0.2
# A patient with fewer of the features gets no label: more would be guessed than measured; chosen here.
COVERAGE = 0.5
# Correlation from which two features say nearly the same (variance inflation of 5 for a pair: 1 / (1 - r^2));
# chosen here.
COLLINEAR = 0.9
CONTROL = "control: the reference, not clustered"
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
        (patients, features) of mean 0, rows and columns in an order of their own, so that the order in
        which a table was written changes no bit of the result.
    incomplete : DataFrame
        The same columns of the patients who lack some, but have at least `COVERAGE` of them.
    roles : dict
        Feature to role, for the features kept.
    excluded, dropped : dict
        Patient, and feature, to the reason it is not in.
    controls : int
        How many people of the table are controls.
    recipe : Recipe
        What brought the features to this scale.
    said : str
        A sentence about echo intensity of several devices; empty where there is nothing to say.
    """

    standardised: pd.DataFrame
    incomplete: pd.DataFrame
    roles: dict[str, str]
    excluded: dict[object, str]
    dropped: dict[str, str]
    controls: int
    recipe: Recipe
    said: str


def prepare(
    features: pd.DataFrame,
    roles: Mapping[str, str] | None,
    clinical: pd.DataFrame | None = None,
    choices: Preparation | None = None,
) -> Prepared:
    """Check, leave out with a reason, bring to one scale.

    Controls are taken out. Features that are empty, constant or missing in more than `MAX_MISSING` of the
    patients are dropped (those that are not declared core ones, where some are); patients who lack any of
    the rest are incomplete, and excluded when they lack more than `COVERAGE` allows.

    Raises
    ------
    StudyRefused
        The table cannot be used, or too little of it is left.
    """
    choices = choices or Preparation()
    table = _numbers(features)
    known = _roles(table.columns, roles)
    table = table.loc[sorted(table.index, key=_order), sorted(table.columns)]
    facts = pd.DataFrame(index=table.index) if clinical is None else clinical.reindex(table.index)

    is_control = controls_in(facts)
    excluded: dict[object, str] = dict.fromkeys(table.index[is_control], CONTROL)
    patients, controls, said = settled(table[~is_control], table[is_control], known, keys_of(facts), choices)
    dropped = _dropped(patients, choices.core)
    dropped |= {name: said for name in table.columns if name not in patients.columns}
    patients = patients.drop(columns=[name for name in dropped if name in patients.columns])

    covariates = covariates_of(facts, choices.adjust)
    factless = covariates.loc[patients.index].isna()
    excluded |= {
        patient: f"no {_some(row.index[row])}, which the features are adjusted for"
        for patient, row in factless.iterrows()
        if row.any()
    }
    patients = patients.drop(index=[patient for patient in patients.index if patient in excluded])
    incomplete = patients[patients.isna().any(axis=1)]
    few = incomplete.notna().mean(axis=1) < COVERAGE
    excluded |= {patient: _lacks(row) for patient, row in incomplete[few].iterrows()}
    complete, incomplete = patients.drop(index=incomplete.index), incomplete[~few]

    constant = [name for name in complete.columns if len(complete) and _is_constant(complete[name])]
    dropped |= dict.fromkeys(constant, "the same value in every patient who has all features")
    complete = complete.drop(columns=constant)
    _refuse_too_little(complete, excluded, dropped, len(incomplete))

    kept = {name: known[name] for name in complete.columns}
    if not any(role in ORIENTS for role in kept.values()):
        raise StudyRefused(
            f"no feature says which way is severe: of {_some(complete.columns)} none is a muscle thickness,"
            " muscle area or muscle echo intensity by its name (structure__site__side__feature);"
            f" give roles={{column: role}} with one of {', '.join(ROLES)}"
        )
    names = list(complete.columns)
    recipe = fitted(complete, controls[names].dropna(), covariates, kept, choices)
    return Prepared(
        recipe.applied(complete, covariates.loc[complete.index]),
        recipe.applied(incomplete, covariates.loc[incomplete.index]),
        kept,
        excluded,
        dropped,
        int(is_control.sum()),
        recipe,
        said,
    )


def _dropped(patients: pd.DataFrame, core: tuple[str, ...]) -> dict[str, str]:
    """Feature to the reason why it cannot be used."""
    dropped: dict[str, str] = {}
    for name in patients.columns:
        missing = float(patients[name].isna().mean())
        if core and not any(fnmatchcase(name, pattern) for pattern in core):
            dropped[name] = "not one of the features that were declared core"
        elif missing == 1.0:
            dropped[name] = "empty: no patient has a value"
        elif missing > MAX_MISSING and not core:
            dropped[name] = f"missing in {missing:.0%} of the patients (more than {MAX_MISSING:.0%})"
        elif _is_constant(patients[name]):
            dropped[name] = "the same value in every patient"
    return dropped


def mean_z(standardised: pd.DataFrame, roles: Mapping[str, str]) -> pd.Series[float]:
    """How thin and bright, by patient: the mean of the z-scores that orient, each with its sign.

    Roles are averaged first, so that ten thicknesses do not outvote one echo intensity.
    """
    by_role = [
        sign * standardised[[name for name, r in roles.items() if r == role]].mean(axis=1).to_numpy()
        for role, sign in ORIENTS.items()
        if role in roles.values()
    ]
    mean: NDArray[np.float64] = np.mean(by_role, axis=0)
    return pd.Series(mean, index=standardised.index, name="mean_z")


def alike(table: pd.DataFrame) -> list[tuple[object, object]]:
    """Pairs of patients with the same value in every feature: one patient twice, as a rule."""
    again = table[table.duplicated(keep=False)]
    first = again.drop_duplicates()
    of = {tuple(row): patient for patient, row in zip(first.index, first.to_numpy(), strict=True)}
    pairs = [(of[tuple(row)], patient) for patient, row in zip(again.index, again.to_numpy(), strict=True)]
    return [(one, other) for one, other in pairs if one != other]


def collinear(table: pd.DataFrame) -> list[tuple[str, str, float]]:
    """Pairs of features that correlate by at least `COLLINEAR`, the strongest first."""
    r = np.corrcoef(table.to_numpy(), rowvar=False)
    rows, columns = np.nonzero(np.triu(np.abs(r) >= COLLINEAR, 1))
    names = [str(name) for name in table.columns]
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    found = [(names[i], names[j], float(r[i, j])) for i, j in pairs]
    return sorted(found, key=lambda pair: -abs(pair[2]))


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
    table: pd.DataFrame, excluded: Mapping[object, str], dropped: Mapping[str, str], incomplete: int
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
            + (f"; {incomplete} lack some features" if incomplete else "")
        )


def _some(names: object) -> str:
    """The first few of many names, for a message."""
    listed = [repr(str(name)) for name in names]  # type: ignore[attr-defined]
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _order(patient: object) -> tuple[str, str]:
    """A total order over patients named by numbers, strings or both."""
    return (type(patient).__name__, str(patient))
