"""A whole analysis: rows and a clinical table in, a clustering and all that stands beside it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from usimg.phenotype.change import change
from usimg.phenotype.clinical import WINDOW_DAYS, joined
from usimg.phenotype.clustering import cluster
from usimg.phenotype.corrections import corrections, rerun
from usimg.phenotype.echo import keys_of, refuse_several_keys, with_settings_said
from usimg.phenotype.model import Model
from usimg.phenotype.page import Beside, filled
from usimg.phenotype.patients import APART, Patients, baseline, flow_to_groups, values_of, with_sides
from usimg.phenotype.recipe import Preparation
from usimg.phenotype.result import Phenotypes
from usimg.phenotype.sensitivity import curve
from usimg.phenotype.sources import (
    AUTOMATIC_ONLY,
    PEOPLE_ONLY,
    dates_of,
    facts_of,
    rows_of,
    settings_of,
    together,
)
from usimg.phenotype.table import columns_with_role

if TYPE_CHECKING:
    from usimg.study import Study


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asked of an analysis; see ``usimg cluster --help``.

    ``echo`` is empty where nobody chose: echo intensity of several devices then stops the run.
    """

    preparation: Preparation = field(default_factory=Preparation)
    echo_chosen: bool = False
    visit: str = ""
    sides: str = APART
    window_days: int = WINDOW_DAYS
    assume_unconfounded: bool = False
    include_unvalidated: bool = False
    plan: Mapping[str, list[Any]] | None = None
    measure: str = ""
    error: float = 0.0
    random_state: int = 0


@dataclass(frozen=True, eq=False)
class Analysis:
    """A clustering and what its report shows beside it."""

    result: Phenotypes
    beside: Beside


def analyse(
    rows: pd.DataFrame,
    clinical: pd.DataFrame | None,
    asked: Asked,
    *,
    study: Study | None = None,
    full: bool = True,
) -> Analysis:
    """Cluster the patients of a study or table.

    Parameters
    ----------
    rows : DataFrame
        ``subject``, ``visit`` where there are several, and features.
    clinical : DataFrame, optional
        Of `usimg.phenotype.clinical.read_clinical`.
    asked : Asked
    study : Study, optional
        Where the rows come from: gives devices and sizes, and the outlines before and after correction.
    full : bool
        Also what a report shows beside the claim: seconds.

    Raises
    ------
    StudyRefused
        The table cannot be used, or echo intensity of several devices and nobody chose.
    """
    patients = baseline(rows, visit=asked.visit, sides=asked.sides)
    features, fat = values_of(patients.table)
    dates = dates_of(study) if study is not None else {}
    facts, sentence = facts_about(patients, clinical, asked, study=study, dates=dates)
    settings = None
    if study is not None:
        settings = settings_of(study, patients.visits, include_unvalidated=asked.include_unvalidated)
    if not asked.echo_chosen and facts is not None:
        refuse_several_keys(columns_with_role(features.columns), keys_of(facts), settings)
    result = cluster(
        features,
        facts if facts is not None and len(facts.columns) else None,
        random_state=asked.random_state,
        assume_unconfounded=asked.assume_unconfounded,
        preparation=asked.preparation,
    )
    of_settings = ""
    if settings is not None:
        result, of_settings = with_settings_said(result, settings)
    if not full:
        return Analysis(result, Beside())

    reruns = []
    if not fat.empty and len(fat.columns):
        with_fat = pd.concat([features, fat], axis=1)
        reruns.append(rerun(result, "subcutaneous fat thickness among the features", features=with_fat))
    if asked.preparation.adjust:
        plain = replace(asked.preparation, adjust=())
        reruns.append(rerun(result, "features as measured, not adjusted", preparation=plain))
    found = corrections(result, patients.table)
    if study is not None and found is not None and any(t.state == "corrected" for t in found.trends):
        reruns += _other_outlines(result, study, asked)
    visits = with_sides(rows, asked.sides)[0]
    if dates:
        named = zip(visits["subject"].astype(str), visits["visit"].astype(str), strict=True)
        visits = visits.assign(visit=[dates.get(one, one[1]) for one in named])
    beside = Beside(
        flow=tuple(flow_to_groups(patients.flow, result.excluded, len(result.incomplete))),
        sentences=(*patients.sentences, *filter(None, [sentence, of_settings])),
        corrections=found,
        reruns=tuple(reruns),
        curve=None if asked.plan is None else curve(result, asked.plan, _clean(rows, asked)),
        change=change(visits, asked.measure, asked.error) if asked.measure else None,
        later=_later(result, patients.later),
    )
    return Analysis(result, filled(result, beside))


def facts_about(
    patients: Patients,
    clinical: pd.DataFrame | None,
    asked: Asked,
    *,
    study: Study | None = None,
    dates: Mapping[tuple[str, str], str] | None = None,
) -> tuple[pd.DataFrame | None, str]:
    """What is known of each patient at the visit taken, and how it was found; None where nothing is.

    Parameters
    ----------
    dates : mapping, optional
        Of `usimg.phenotype.sources.dates_of`.
    """
    facts, sentence = None, ""
    if clinical is not None:
        match = joined(clinical, patients.visits, window_days=asked.window_days, dates=dates)
        facts, sentence = match.table, match.sentence
    if study is not None:
        known = facts_of(study, patients.visits, include_unvalidated=asked.include_unvalidated)
        facts = together(known, facts)
    return facts, sentence


def _other_outlines(result: Phenotypes, study: Study, asked: Asked) -> list[Any]:
    """The same with what usimg found before anybody looked, and with what people looked at alone."""
    words = {
        AUTOMATIC_ONLY: "all outlines automatic, as before any correction",
        PEOPLE_ONLY: "only outlines that a person accepted or corrected",
    }
    made = []
    for outlines, what in words.items():
        rows = rows_of(study, include_unvalidated=asked.include_unvalidated, outlines=outlines)
        if rows.empty:
            continue
        patients = baseline(rows, visit=asked.visit, sides=asked.sides)
        features = values_of(patients.table)[0].reindex(columns=list(result.given.features.columns))
        made.append(rerun(result, what, features=features))
    return made


def _later(result: Phenotypes, later: pd.DataFrame) -> pd.DataFrame | None:
    """Later visits placed by the model; None without any, or where no model can be made."""
    if later.empty or result.given.preparation.echo in ("z", "centred"):
        return None
    features = later.reset_index(drop=True)
    facts = result.clinical.reindex(features["subject"]).set_axis(features.index)
    placed = Model.of(result).assign(features.reindex(columns=list(result.recipe.features)), facts)
    placed.insert(0, "subject", features["subject"])
    placed.insert(1, "visit", features["visit"])
    return placed.set_index("subject")


def _clean(rows: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """Both sides and fat of the visit taken, for the specifications that need them."""
    features, fat = values_of(baseline(rows, visit=asked.visit).table)
    return pd.concat([features, fat], axis=1)
