"""What the parts go along with outside the ultrasound: outcomes on the part and, beside it, on severity.

Linear, ordinal and logistic regression (statsmodels), adjusted for what is known of age, sex, duration, onset
and site. Association in these patients, not cause.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from usimg.errors import DependencyMissing
from usimg.phenotype.recipe import covariates_of

if TYPE_CHECKING:
    from usimg.phenotype.result import Phenotypes

FloatArray = NDArray[np.float64]

LINEAR, LOG, ORDINAL, LOGISTIC = "linear", "linear, log(1 + mV)", "ordinal", "logistic"
# Outcomes that are looked at, their model and their words.
OUTCOMES = {
    "alsfrs_r": (LINEAR, "ALSFRS-R total (points)"),
    "alsfrs_r_bulbar": (LINEAR, "ALSFRS-R bulbar (points)"),
    "alsfrs_r_fine_motor": (LINEAR, "ALSFRS-R fine motor (points)"),
    "alsfrs_r_gross_motor": (LINEAR, "ALSFRS-R gross motor (points)"),
    "alsfrs_r_respiratory": (LINEAR, "ALSFRS-R respiratory (points)"),
    "delta_fs": (LINEAR, "ALSFRS-R slope since onset (points a month)"),
    "mmt": (LINEAR, "manual muscle testing (sum)"),
    "cmap_mv": (LOG, "CMAP amplitude (log(1 + mV))"),
    "cmap": (LOG, "CMAP amplitude (log(1 + mV))"),
    "kings_stage": (ORDINAL, "King's stage"),
    "mitos_stage": (ORDINAL, "MiToS stage"),
    "gastrostomy": (LOGISTIC, "gastrostomy"),
    "ventilation": (LOGISTIC, "ventilation"),
}
# Slope holds the duration already.
NOT_ADJUSTED_FOR_DURATION = ("delta_fs",)
FACTORS = ("onset", "site")
# Patients a parameter, and events a parameter of a logistic model (Harrell 2015; Peduzzi and others 1996).
PATIENTS_A_PARAMETER = 10
FALSE_DISCOVERIES = 0.05
# Share of patients at the best or worst value from which a linear model is doubtful (Terwee 2007).
CEILING = 0.15
# Odds ratios at two cut points that differ by more than this are no single odds ratio; chosen here.
PROPORTIONAL = 2.0


@dataclass(frozen=True)
class Effect:
    """An estimate with its 95 % interval, p, and p corrected for the number of outcomes (``q``).

    Points of the outcome, or an odds ratio in ordinal and logistic models.
    """

    estimate: float
    low: float
    high: float
    p: float
    q: float = float("nan")


@dataclass(frozen=True)
class Meaning:
    """One outcome on the part (upper against lower; per step where there are more than two) and on severity.

    Attributes
    ----------
    outcome, label, kind : str
    n : int
        Patients with the outcome and every covariate.
    sd : float
        Of the outcome in them, in the model's unit.
    part, severity : Effect
        Of separate models; severity per SD.
    aic : dict
        Of the models with "part", "severity" and "both".
    adjusted_for : tuple of str
    diagnostics, cautions : tuple of str
    """

    outcome: str
    label: str
    kind: str
    n: int
    sd: float
    part: Effect
    severity: Effect
    aic: dict[str, float]
    adjusted_for: tuple[str, ...]
    diagnostics: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def is_ratio(self) -> bool:
        """Whether effects are odds ratios, whose "none" is 1."""
        return self.kind in (ORDINAL, LOGISTIC)

    @property
    def sentence(self) -> str:
        """The outcome in plain words."""
        e = self.part
        clear = e.q <= FALSE_DISCOVERIES
        size = (
            f"odds of a higher value {e.estimate:.2f} times ({e.low:.2f} to {e.high:.2f}) those"
            if self.is_ratio
            else f"{abs(e.estimate):.2f} {'lower' if e.estimate < 0 else 'higher'}"
            f" ({e.low:.2f} to {e.high:.2f})"
        )
        beside = (
            "the part says more than severity"
            if self.aic["part"] < self.aic["severity"] - 2
            else "severity says more than the part"
            if self.aic["severity"] < self.aic["part"] - 2
            else "part and severity say as much"
        )
        verdict = f"{size} in the upper part" if clear else f"no clear difference ({size} in the upper part)"
        return f"{self.label}: {verdict}; {beside} ({self.n} patients)."


def meanings(result: Phenotypes) -> tuple[Meaning, ...]:
    """Every outcome that the clinical table has for enough patients, with q-values over all of them.

    Raises
    ------
    DependencyMissing
        statsmodels is not installed.
    """
    try:
        import statsmodels.api  # noqa: F401, PLC0415  an extra, and slow to load
        from statsmodels.stats.multitest import multipletests  # noqa: PLC0415
    except ImportError:
        raise DependencyMissing(
            "regression of outcomes needs statsmodels: pip install 'usimg[stats]'"
        ) from None
    with threadpool_limits(limits=1):
        found = list(_each(result))
    if not found:
        return ()
    corrected = {
        which: multipletests([getattr(one, which).p for one in found], method="fdr_bh")[1]
        for which in ("part", "severity")
    }
    return tuple(
        replace(
            one,
            part=replace(one.part, q=float(corrected["part"][i])),
            severity=replace(one.severity, q=float(corrected["severity"][i])),
        )
        for i, one in enumerate(found)
    )


def _each(result: Phenotypes) -> Iterator[Meaning]:
    clinical = result.clinical
    for name, (kind, label) in OUTCOMES.items():
        if name not in clinical.columns:
            continue
        y = pd.to_numeric(clinical[name], errors="coerce")
        known = y[y.notna()].index
        covariates = _covariates(clinical.loc[known], duration=name not in NOT_ADJUSTED_FOR_DURATION)
        covariates = covariates.dropna()
        if len(covariates) < PATIENTS_A_PARAMETER * (covariates.shape[1] + 2):
            covariates = covariates[[]].reindex(known)
        index = covariates.index
        if len(index) < 3 * PATIENTS_A_PARAMETER or y.loc[index].nunique() < 2:
            continue
        ranks = np.asarray(result.ranks.loc[index], dtype=np.float64)
        if np.ptp(ranks) == 0:
            continue
        cautions = _cautions(result, name, y)
        made = _modelled(name, label, kind, y.loc[index], ranks, result.severity.loc[index], covariates)
        if made is not None:
            yield replace(made, cautions=cautions)


def _covariates(clinical: pd.DataFrame, *, duration: bool) -> pd.DataFrame:
    """Age, sex, duration, onset and site as far as known in most patients, as numbers (n, c)."""
    parts: list[pd.DataFrame] = []
    for name, columns in (("age", ("age", "age_years")), ("sex", ("sex",))):
        if any(column in clinical.columns for column in columns):
            parts.append(covariates_of(clinical, (name,)))
    if duration and "months_since_onset" in clinical.columns:
        months = pd.to_numeric(clinical["months_since_onset"], errors="coerce")
        parts.append(months.rename("duration").to_frame())
    for name in FACTORS:
        if name in clinical.columns and len(set(clinical[name].dropna())) in range(2, 7):
            known = clinical[name].astype("string")
            dummies = pd.get_dummies(known, prefix=name, drop_first=True, dtype=float)
            parts.append(dummies.mask(known.isna(), np.nan))
    table = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=clinical.index)
    useful = [c for c in table if table[c].notna().mean() >= 0.8 and table[c].max() > table[c].min()]
    return table[useful]


def _modelled(
    name: str,
    label: str,
    kind: str,
    y: pd.Series,
    ranks: FloatArray,
    severity: pd.Series,
    covariates: pd.DataFrame,
) -> Meaning | None:
    if kind == LOGISTIC and set(y) - {0.0, 1.0}:
        return None
    if kind == LOG:
        y = np.log1p(y.clip(lower=0))
    adjusted = (covariates - covariates.mean()) / covariates.std(ddof=0).replace(0, 1)
    terms = {
        "part": [ranks],
        "severity": [severity.to_numpy()],
        "both": [ranks, severity.to_numpy()],
    }
    models = {
        which: _fit(kind, y.to_numpy(), np.column_stack([*columns, adjusted.to_numpy()]))
        for which, columns in terms.items()
    }
    if models["part"] is None or models["severity"] is None:
        return None
    aic = {which: float(model.aic) if model is not None else float("nan") for which, model in models.items()}
    return Meaning(
        name,
        label,
        kind,
        len(y),
        float(y.std()),
        _effect(models["part"], kind),
        _effect(models["severity"], kind),
        aic,
        tuple(dict.fromkeys(str(c).split("_")[0] for c in covariates.columns)),
        _diagnostics(kind, y.to_numpy(), ranks, models["part"], adjusted.to_numpy()),
    )


def _fit(kind: str, y: FloatArray, terms: FloatArray) -> Any:
    """A fitted model whose first term is the one of interest; None where it cannot be estimated."""
    import statsmodels.api as sm  # noqa: PLC0415  an extra
    from statsmodels.miscmodels.ordinal_model import OrderedModel  # noqa: PLC0415
    from statsmodels.tools.sm_exceptions import PerfectSeparationError  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what did not converge is looked at below
        try:
            if kind == ORDINAL:
                levels = pd.Series(pd.Categorical(y, ordered=True))
                made = OrderedModel(levels, terms, distr="logit").fit(method="bfgs", disp=0, maxiter=200)
            elif kind == LOGISTIC:
                made = sm.Logit(y, np.column_stack([terms, np.ones(len(y))])).fit(disp=0, maxiter=200)
            else:
                made = sm.OLS(y, np.column_stack([terms, np.ones(len(y))])).fit(cov_type="HC3")
            spread = np.asarray(made.bse, dtype=np.float64)[0]
        except (PerfectSeparationError, np.linalg.LinAlgError, ValueError):
            return None
    # Log odds with an error above 10 mean that the data are separated and there is no estimate.
    return made if np.isfinite(spread) and (kind not in (ORDINAL, LOGISTIC) or spread < 10) else None


def _effect(model: Any, kind: str) -> Effect:
    interval = np.asarray(model.conf_int(), dtype=np.float64)[0]
    values = np.array([np.asarray(model.params, dtype=np.float64)[0], *interval])
    if kind in (ORDINAL, LOGISTIC):
        values = np.exp(values)
    estimate, low, high = (float(value) for value in values)
    return Effect(estimate, low, high, float(np.asarray(model.pvalues)[0]))


def _diagnostics(
    kind: str, y: FloatArray, ranks: FloatArray, model: Any, adjusted: FloatArray
) -> tuple[str, ...]:
    """What is wrong with the model, in words; empty when nothing was found."""
    said = []
    if kind in (LINEAR, LOG):
        from statsmodels.stats.diagnostic import het_breuschpagan  # noqa: PLC0415  an extra

        for where, value in (("best", y.max()), ("worst", y.min())):
            share = float((y == value).mean())
            if share >= CEILING:
                said.append(f"{share:.0%} of the patients have the {where} value: a ceiling or floor")
        if float(het_breuschpagan(model.resid, model.model.exog)[1]) < 0.01:
            said.append("spread differs along the model (Breusch-Pagan p < 0.01); errors are robust (HC3)")
    elif kind == ORDINAL:
        ratios = [
            found
            for cut in np.unique(y)[1:]
            if min((y >= cut).sum(), (y < cut).sum()) >= 2 * PATIENTS_A_PARAMETER
            and (found := _fit(LOGISTIC, (y >= cut).astype(float), np.column_stack([ranks, adjusted])))
        ]
        odds = [_effect(found, LOGISTIC).estimate for found in ratios]
        if len(odds) > 1 and max(odds) > PROPORTIONAL * min(odds):
            spread = f"{min(odds):.1f} to {max(odds):.1f}"
            said.append(f"odds ratios differ between the stages ({spread}): not proportional")
    else:
        events = min(y.sum(), len(y) - y.sum())
        if events < PATIENTS_A_PARAMETER * (adjusted.shape[1] + 1):
            said.append(f"{events:.0f} events for {adjusted.shape[1] + 1} terms: estimates are too large")
    return tuple(said)


def _cautions(result: Phenotypes, name: str, y: pd.Series) -> tuple[str, ...]:
    """Whether the outcome, or a part of it, made the parts."""
    family = name.partition("_")[0]
    used = [str(c) for c in result.roles if str(c).startswith(family)]
    values = result.given.features.reindex(y.index)
    for column in result.roles:
        x = pd.to_numeric(values[column], errors="coerce") if column in values else None
        if x is not None and abs(x.corr(y)) > 0.999:
            used.append(str(column))
    if not used:
        return ()
    names = ", ".join(dict.fromkeys(used))
    return (f"{names} made the parts: a difference in this outcome is built in and shows nothing",)
