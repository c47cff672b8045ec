"""How features were brought to one scale: chosen by a person, fitted once, kept for the next patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from usimg.errors import StudyRefused
from usimg.phenotype.preparation import BLOCKS, PLAIN, ROBUST, Adjust, Standardise, WeightBlocks

FloatArray = NDArray[np.float64]

FROM_CONTROLS = "controls"
STANDARDISED = (PLAIN, ROBUST, FROM_CONTROLS)
# What can be adjusted for -> columns of the clinical table that give it, the first that is there.
COVARIATES = {
    "age": ("age", "age_years"),
    "sex": ("sex",),
    "height": ("height", "height_cm"),
    "weight": ("weight_kg", "weight"),
    "bmi": ("bmi",),
}
# The disease lowers them: what is adjusted for them has lost a part of the disease (issue 14).
FALLS_WITH_DISEASE = ("weight", "bmi")
_SEX = {"female": 0.0, "f": 0.0, "w": 0.0, "male": 1.0, "m": 1.0, "diverse": 0.5, "d": 0.5}
CONTROL_WORDS = ("control", "controls", "healthy", "healthy control")
# Controls from which a mean and an SD are taken (the SD's own error is 16 % at 20), and those that each
# covariate needs beside (Harrell 2015, Regression Modeling Strategies, section 4.4: 10 to 20). Chosen here.
FEWEST_CONTROLS = 20
CONTROLS_A_COVARIATE = 10


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What is done to the features before they are clustered.

    Attributes
    ----------
    standardise : str
        ``"plain"``, ``"robust"``, or ``"controls"``: z-scores from the controls in the table.
    adjust : tuple of str
        Of ``"age"``, ``"sex"``, ``"height"``; ``"weight"`` and ``"bmi"`` only where a person insists, since
        the disease lowers both.
    weights : mapping of str to float, optional
        Weight of each block (`usimg.phenotype.preparation.BLOCKS`); an empty one lets all blocks weigh the
        same, None all features.
    core : tuple of str
        Features to use, as names or with ``*``; empty: those missing in at most a fifth of the patients.
    echo : str
        ``"raw"``, ``"z"``, ``"bridged"``, ``"without"`` or ``"centred"`` (`usimg.phenotype.echo`).
    assume_equal_case_mix : bool
        Allow ``echo="centred"``: the patients of all devices are assumed to be equally ill.
    """

    standardise: str = PLAIN
    adjust: tuple[str, ...] = ()
    weights: Mapping[str, float] | None = None
    core: tuple[str, ...] = ()
    echo: str = "raw"
    assume_equal_case_mix: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no choice."""
        if self.standardise not in STANDARDISED:
            raise StudyRefused(f"standardise is {self.standardise!r}; it is one of {', '.join(STANDARDISED)}")
        unknown = [name for name in self.adjust if name not in COVARIATES]
        if unknown:
            raise StudyRefused(f"adjust names {unknown[0]!r}; it takes {', '.join(COVARIATES)}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Recipe:
    """What brings a row of features to the scale of a clustering.

    ``(x - (facts - reference) @ slopes - centre) / scale * factors - offset``, feature by feature;
    ``offset`` makes the mean of the clustered patients 0.
    """

    features: tuple[str, ...]
    covariates: tuple[str, ...]
    reference: FloatArray = field(repr=False)
    slopes: FloatArray = field(repr=False)
    centre: FloatArray = field(repr=False)
    scale: FloatArray = field(repr=False)
    factors: FloatArray = field(repr=False)
    offset: FloatArray = field(repr=False)
    said: str

    def applied(self, features: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
        """Rows of the same columns (n, p), standardised; missing stays missing.

        Parameters
        ----------
        features : DataFrame
            Has the recipe's features.
        facts : DataFrame
            The covariates (n, c) of `covariates_of`, in the order of the rows.
        """
        x = features[list(self.features)].to_numpy(dtype=np.float64)
        known = facts[list(self.covariates)].to_numpy(dtype=np.float64)
        z = (x - (known - self.reference) @ self.slopes - self.centre) / self.scale * self.factors
        return pd.DataFrame(z - self.offset, index=features.index, columns=list(self.features))


def fitted(
    patients: pd.DataFrame,
    controls: pd.DataFrame,
    facts: pd.DataFrame,
    roles: Mapping[str, str],
    choices: Preparation,
) -> Recipe:
    """The recipe for these patients.

    Parameters
    ----------
    patients, controls : DataFrame
        (n, p) features of the patients that will be clustered, complete, and of the controls.
    facts : DataFrame
        The covariates chosen, by person, for both.
    roles : mapping
        Feature to its role.
    choices : Preparation

    Raises
    ------
    StudyRefused
        z-scores from controls without enough of them.
    """
    c, names = facts.shape[1], list(patients.columns)
    enough = len(controls) >= FEWEST_CONTROLS + CONTROLS_A_COVARIATE * c
    from_controls = choices.standardise == FROM_CONTROLS
    if from_controls and not enough:
        raise StudyRefused(
            f"{len(controls)} controls in the table; z-scores from controls"
            f"{f' adjusted for {c} facts' if c else ''} need {FEWEST_CONTROLS + CONTROLS_A_COVARIATE * c}"
            " (rows whose `group` in the clinical table is control)"
        )
    reference = controls if enough else patients
    adjust = Adjust(list(range(c))).fit(_beside(facts, reference))
    adjusted = {
        who: adjust.transform(_beside(facts, table))
        for who, table in (("patients", patients), ("controls", controls))
        if len(table)
    }
    scaler = Standardise(ROBUST if choices.standardise == ROBUST else PLAIN)
    scaler.fit(adjusted["controls" if from_controls else "patients"])
    blocks = None if choices.weights is None else [BLOCKS[roles[name]] for name in names]
    weigh = WeightBlocks(blocks, choices.weights).fit(adjusted["patients"])
    z = weigh.transform(scaler.transform(adjusted["patients"]))
    return Recipe(
        features=tuple(names),
        covariates=tuple(facts.columns),
        reference=adjust.reference_,
        slopes=adjust.slopes_,
        centre=scaler.centre_,
        scale=scaler.scale_,
        factors=weigh.factors_,
        offset=z.mean(axis=0),
        said=_said(choices, len(controls), enough=enough, patients=len(patients)),
    )


def controls_in(clinical: pd.DataFrame) -> pd.Series[bool]:
    """Which rows of a clinical table are controls, by its column ``group``."""
    if "group" not in clinical.columns:
        return pd.Series(data=False, index=clinical.index)
    said = clinical["group"].astype("string").str.strip().str.casefold()
    return said.isin(CONTROL_WORDS).fillna(value=False).astype(bool)


def covariates_of(clinical: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The facts (n, c) that features are adjusted for, as numbers; female is 0, male 1.

    Raises
    ------
    StudyRefused
        The clinical table lacks a column, or it holds words that are no number.
    """
    found: dict[str, pd.Series] = {}
    for name in names:
        column = next((c for c in COVARIATES[name] if c in clinical.columns), None)
        if column is None:
            raise StudyRefused(
                f"features cannot be adjusted for {name}: the clinical table has no column"
                f" {' or '.join(COVARIATES[name])}"
            )
        values = clinical[column]
        if name == "sex":
            words = values.astype("string").str.strip().str.casefold()
            found[name] = words.map(_SEX).astype(float)
            strange = words[values.notna() & found[name].isna()]
        else:
            found[name] = pd.to_numeric(values, errors="coerce").astype(float)
            strange = values[values.notna() & found[name].isna()]
        if len(strange):
            raise StudyRefused(
                f"clinical table, column {column}: {strange.iloc[0]!r} of {strange.index[0]} is no {name}"
            )
    return pd.DataFrame(found, index=clinical.index, columns=list(names))


def _beside(facts: pd.DataFrame, features: pd.DataFrame) -> FloatArray:
    """Covariates and features of the same people, (n, c + p)."""
    known = facts.loc[features.index].to_numpy(dtype=np.float64)
    return np.concatenate([known, features.to_numpy(dtype=np.float64)], axis=1)


def _said(choices: Preparation, controls: int, *, enough: bool, patients: int) -> str:
    """The recipe in sentences, for the methods text."""
    sentences = []
    if choices.adjust:
        names = " and ".join([", ".join(choices.adjust[:-1]), choices.adjust[-1]]).removeprefix(" and ")
        whose = (
            f"the {controls} controls"
            if enough
            else f"the {patients} patients themselves, which also removes what goes with the disease"
        )
        sentences.append(f"Features were adjusted for {names} by linear regression, fitted on {whose}.")
        fallen = [name for name in choices.adjust if name in FALLS_WITH_DISEASE]
        if fallen:
            sentences.append(
                f"The disease lowers {' and '.join(fallen)}: adjusting for it takes away a part of severity."
            )
    else:
        sentences.append("Features were not adjusted for age, sex or height.")
    sentences.append(
        {
            PLAIN: f"They were standardised to mean 0 and SD 1 over the {patients} patients.",
            ROBUST: f"They were standardised by median and median absolute deviation of the {patients}"
            " patients, then centred.",
            FROM_CONTROLS: f"They are z-scores from {controls} controls, centred at the patients' mean.",
        }[choices.standardise]
    )
    if choices.weights is not None:
        given = ", ".join(f"{name} {weight:g}" for name, weight in choices.weights.items())
        sentences.append(
            "Each block of features (" + ", ".join(dict.fromkeys(BLOCKS.values())) + ") weighs the same"
            f" however many features it has{f', but for {given}' if given else ''}."
        )
    return " ".join(sentences)
