"""Echo intensity of several devices or settings: grey levels that may not be compared as they are.

A gap of 2 SD between two devices in 8 of 22 features made the parts agree with the device in 82 % of
patients (simulation of reference section 1.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from usimg.errors import StudyRefused
from usimg.phenotype.preparation import Standardise
from usimg.phenotype.recipe import FEWEST_CONTROLS, Preparation
from usimg.phenotype.result import Phenotypes
from usimg.study.settings import not_known

RAW, Z, BRIDGED, WITHOUT, CENTRED = "raw", "z", "bridged", "without", "centred"
WAYS = (RAW, Z, BRIDGED, WITHOUT, CENTRED)
ROLE = "muscle_echo"
# Ending of the columns that `usimg agreement` writes for values converted between two devices.
BRIDGED_ENDING = "echo_intensity_bridged"


def keys_of(clinical: pd.DataFrame) -> pd.Series[str]:
    """Device or settings key of each person; empty where nobody said it.

    The column ``settings`` is finer than ``device`` and is taken where it is there.
    """
    for name in ("settings", "device"):
        if name in clinical.columns and clinical[name].notna().any():
            return clinical[name].astype("string").fillna("").astype(object).rename("settings")
    return pd.Series("", index=clinical.index, name="settings", dtype=object)


def has_several_keys(columns: Mapping[str, str], keys: pd.Series[str]) -> bool:
    """Whether echo intensities of more than one settings key would be compared."""
    return ROLE in columns.values() and _several(keys)


def refuse_several_keys(
    columns: Mapping[str, str], keys: pd.Series[str], settings: pd.DataFrame | None = None
) -> None:
    """Stop, and say the ways out.

    Parameters
    ----------
    columns : mapping
        Feature to its role.
    keys : Series of str
        By patient.
    settings : DataFrame, optional
        Of `usimg.phenotype.sources.settings_of`. What is unknown is written alike and counts as one here:
        that it may differ cannot be seen, and `with_settings_said` says so.

    Raises
    ------
    StudyRefused
    """
    places = _places(columns)
    differing = _differing(settings, places) if settings is not None else {}
    if has_several_keys(columns, keys):
        what = f"{keys[keys != ''].nunique()} devices or settings ({_counted(keys)})"
    elif differing:
        place, n = max(differing.items(), key=lambda item: item[1])
        what = f"several settings (depth ...) in {len(differing)} of {len(places)} places; {n} in {place}"
    else:
        return
    raise StudyRefused(
        f"echo intensity comes from {what}, and grey levels of one are not those of another. Choose: --echo z"
        " (against controls scanned on the same device), --echo bridged (converted values, usimg agreement),"
        " --without-echo, or --echo raw, which compares them as they are and says so in the report's first"
        " sentence"
    )


def with_settings_said(result: Phenotypes, settings: pd.DataFrame) -> tuple[Phenotypes, str]:
    """The result with the check "echo settings" and its caution; and the caution, empty without one.

    Parameters
    ----------
    result : Phenotypes
    settings : DataFrame
        Of `usimg.phenotype.sources.settings_of`.

    Notes
    -----
    What is unknown of a key never equals what is unknown of another. Most archives know no gain, so this is
    said and stops nothing.
    """
    places = _places(result.roles)
    patients = set(map(str, result.labels.index))
    used = settings[settings["place"].isin(places) & settings["subject"].isin(patients)]
    if used.empty:
        return result, ""
    n = used["subject"].nunique()
    lacking = used.assign(part=used["settings"].map(not_known)).explode("part").dropna(subset="part")
    if len(lacking):
        counts = lacking.groupby("part", sort=False)["subject"].nunique()
        parts = "; ".join(
            f"{', '.join(map(str, counts.index[counts == count]))}: {count} of {n} patients"
            for count in sorted(set(counts), reverse=True)
        )
        outcome = f"not run: not known behind echo intensity ({parts}); what is not known may differ"
        caution = (
            f"Not all settings behind echo intensity are known (not known: {parts}). They may differ between"
            " patients, and echo intensity may differ for that reason alone. Declare them in the study's"
            " devices.csv, or leave echo intensity out (--without-echo)."
        )
    else:
        several = len(_differing(used, places))
        outcome, caution = f"passed: all are known of {n} patients, and alike in each muscle", ""
        if several:
            outcome = f"failed: several settings in {several} of {len(places)} places"
    checks = {**result.checks, "echo settings": outcome}
    notes = (*result.notes, *filter(None, [caution]))
    return replace(result, tests=replace(result.tests, checks=checks), notes=notes), caution


def settled(
    patients: pd.DataFrame,
    controls: pd.DataFrame,
    roles: Mapping[str, str],
    keys: pd.Series[str],
    choices: Preparation,
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Features of patients and controls with echo intensity as chosen, and a sentence about it.

    Parameters
    ----------
    patients, controls : DataFrame
        (n, p) features.
    roles : mapping
        Column to its role.
    keys : Series of str
        Settings key of each person of both.
    choices : Preparation

    Raises
    ------
    StudyRefused
        An unknown way, no controls on a device, nothing bridged, or centring without the assumption.
    """
    if choices.echo not in WAYS:
        raise StudyRefused(f"echo is {choices.echo!r}; it is one of {', '.join(WAYS)}")
    columns = [name for name in patients.columns if roles[name] == ROLE]
    of_patients = keys.loc[patients.index]
    several = bool(columns) and _several(of_patients)
    if choices.echo == WITHOUT and columns:
        said = f"Echo intensity was left out ({len(columns)} features)."
        return patients.drop(columns=columns), controls.drop(columns=columns), said
    if choices.echo == BRIDGED:
        return _bridged(patients, controls, columns)
    if choices.echo == Z and columns:
        return _from_controls(patients, controls, columns, keys)
    if choices.echo == CENTRED and several:
        if not choices.assume_equal_case_mix:
            raise StudyRefused(
                "centring echo intensity on the patients of each device takes away what makes the patients of"
                " one clinic iller than those of another; only --assume-equal-case-mix allows it. Controls"
                " (--echo z) or bridged values (--echo bridged) need no such assumption"
            )
        made = patients.copy()
        for members in of_patients.groupby(of_patients).groups.values():
            made.loc[members, columns] -= patients.loc[members, columns].mean()
        said = (
            "Echo intensity was centred on the patients of each device, assuming that all devices saw equally"
            f" ill patients ({_counted(of_patients)})."
        )
        return made, controls, said
    if several:
        said = (
            f"Echo intensity of {of_patients[of_patients != ''].nunique()} devices or settings"
            f" ({_counted(of_patients)}) was compared as it is: grey levels of one are not those of another."
        )
        return patients, controls, said
    return patients, controls, ""


def _bridged(
    patients: pd.DataFrame, controls: pd.DataFrame, columns: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    bridged = [name for name in columns if name.endswith(BRIDGED_ENDING)]
    if not bridged:
        raise StudyRefused(
            f"no column of echo intensity is bridged (they end in {BRIDGED_ENDING}); usimg agreement makes"
            " them from people scanned on both devices"
        )
    raw = [name for name in columns if name not in bridged]
    said = f"Echo intensity was converted to one device's scale ({len(bridged)} features, usimg agreement)."
    return patients.drop(columns=raw), controls.drop(columns=raw), said


def _from_controls(
    patients: pd.DataFrame, controls: pd.DataFrame, columns: list[str], keys: pd.Series[str]
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    made, of_controls = patients.copy(), controls.copy()
    numbers = []
    for key in sorted(set(keys.loc[patients.index])):
        own = controls.index[keys.loc[controls.index] == key]
        if len(own) < FEWEST_CONTROLS:
            raise StudyRefused(
                f"{len(own)} controls were scanned with {key or 'an unknown device'}; a z-score needs at"
                f" least {FEWEST_CONTROLS} (rows whose `group` in the clinical table is control)"
            )
        scaler = Standardise().fit(controls.loc[own, columns].to_numpy())
        for table, whose in ((made, patients), (of_controls, controls)):
            members = whose.index[keys.loc[whose.index] == key]
            if len(members):
                table.loc[members, columns] = scaler.transform(whose.loc[members, columns].to_numpy())
        numbers.append(f"{key or 'unknown'}: {len(own)}")
    said = (
        "Echo intensity is in SD from the mean of controls scanned with the same device"
        f" ({'; '.join(numbers)})."
    )
    return made, of_controls, said


def _places(columns: Mapping[str, str]) -> set[str]:
    """Where echo intensity was measured: ``structure__site__side``, both where a column is of both."""
    places = set()
    for name in (name for name, role in columns.items() if role == ROLE):
        where, _, side = name.rpartition("__")[0].rpartition("__")
        places |= {f"{where}__{one}" for one in (("left", "right") if side in ("both", "worse") else (side,))}
    return places


def _differing(settings: pd.DataFrame, places: set[str]) -> dict[str, int]:
    """Places with several settings keys, and how many."""
    counts = settings.groupby("place")["settings"].nunique()
    return {str(place): int(n) for place, n in counts[counts > 1].items() if place in places}


def _several(keys: pd.Series[str]) -> bool:
    return len(set(keys) - {""}) > 1


def _counted(keys: pd.Series[str]) -> str:
    """Keys with their numbers of people, the most frequent first."""
    counts = keys.where(keys != "", "unknown").value_counts()
    listed = [f"{str(key)[:48]}{'...' if len(str(key)) > 48 else ''}: {n}" for key, n in counts.items()]
    return "; ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")
