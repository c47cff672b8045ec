"""k-means on standardised features, severity, and which end is the severe one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from usimg.errors import StudyRefused
from usimg.phenotype.result import CLAIM, NAMES, Phenotypes, checks_not_run
from usimg.phenotype.table import ORIENTS, Prepared, prepare

# Reference study: k = 2 to 5.
MAX_K = 5
# k-means finds the best of this many starts; 20 gave the same partition as 200 on gradients and on
# groups of n = 454, 22 features (chosen here).
STARTS = 20

FloatArray = NDArray[np.float64]


def cluster(
    features: pd.DataFrame,
    clinical: pd.DataFrame | None = None,
    *,
    roles: Mapping[str, str] | None = None,
    random_state: int = 0,
) -> Phenotypes:
    """Split patients by their measurements, and say what that does and does not show.

    Parameters
    ----------
    features : DataFrame
        One row per patient (index), numeric columns. Names as the study's wide table writes them,
        ``structure__site__side__feature``, tell thickness from echo intensity.
    clinical : DataFrame, optional
        The same patients; columns such as ``device``, ``sex``, ``site``, ``age``.
    roles : mapping, optional
        Column to ``"muscle_thickness"``, ``"muscle_echo"``, ``"muscle_csa"``, ``"nerve_csa"``,
        ``"fat"`` or ``"other"``, for names that the anatomy list does not know.
    random_state : int
        Seed of the k-means starts.

    Returns
    -------
    Phenotypes
        Labels and severity for every patient with all features; who and what was left out, and why.

    Raises
    ------
    StudyRefused
        Text in a number column, a patient twice, too few patients or features, nothing that says
        which way is severe.

    Notes
    -----
    k-means (Lloyd 1982; k-means++ starts) on z-scores; ``k`` of 2 to 5 by the largest mean silhouette
    (Rousseeuw 1987). Severity is the first principal component in SD, and Severe the end that is
    thinner and brighter; a label's number never orients.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> severe = np.repeat([0.0, 1.0], 20)
    >>> table = pd.DataFrame({"rf_mm": 22 - 8 * severe + rng.normal(size=40),
    ...                       "rf_grey": 60 + 30 * severe + rng.normal(size=40)})
    >>> result = cluster(table, roles={"rf_mm": "muscle_thickness", "rf_grey": "muscle_echo"})
    >>> result.labels.value_counts().to_dict(), result.claim
    ({'Mild': 20, 'Severe': 20}, 'no groups shown')
    """
    prepared = prepare(features, roles)
    _check_clinical(clinical, prepared.standardised.index)
    X = prepared.standardised.to_numpy()
    with threadpool_limits(limits=1):  # a library call starts no threads; one thread sums in one order
        partitions = _partitions(X, random_state)
        silhouettes = {k: float(silhouette_score(X, parts)) for k, parts in partitions.items()}
        component, share = _first_component(X)
    k = max(silhouettes, key=lambda k: (silhouettes[k], -k))

    burden = _burden(prepared)
    severity, notes = _oriented(component, burden)
    labels = _named(partitions[k], burden)

    order = [patient for patient in features.index if patient not in prepared.excluded]
    index = prepared.standardised.index
    return Phenotypes(
        labels=pd.Series(labels, index=index, name="label").loc[order],
        label_supported=pd.Series(data=False, index=order, name="label_supported"),
        severity=pd.Series(severity, index=index, name="severity").loc[order],
        claim=CLAIM,
        k=k,
        silhouette=silhouettes[k],
        silhouettes=silhouettes,
        p_value=None,
        checks=checks_not_run(clinical),
        excluded=prepared.excluded,
        dropped=prepared.dropped,
        roles=prepared.roles,
        standardised=prepared.standardised.loc[order],
        first_component_share=share,
        random_state=random_state,
        notes=notes,
    )


def _partitions(X: FloatArray, random_state: int) -> dict[int, NDArray[np.int_]]:
    """k-means for every k that leaves three patients a part on average (two for k = 2)."""
    largest = max(2, min(MAX_K, len(X) // 3))
    return {
        k: KMeans(k, n_init=STARTS, random_state=random_state).fit_predict(X) for k in range(2, largest + 1)
    }


def _first_component(X: FloatArray) -> tuple[FloatArray, float]:
    """Scores (n,) on the first principal component, in SD, and its share of the variance."""
    u, spread, _ = np.linalg.svd(X, full_matrices=False)
    return u[:, 0] * np.sqrt(len(X)), float(spread[0] ** 2 / (spread**2).sum())


def _burden(prepared: Prepared) -> FloatArray:
    """How thin and bright (n,): the mean of the z-scores that orient, each with its sign.

    Roles are averaged first, so that ten thicknesses do not outvote one echo intensity.
    """
    by_role = [
        sign * prepared.standardised[[name for name, r in prepared.roles.items() if r == role]].mean(axis=1)
        for role, sign in ORIENTS.items()
        if role in prepared.roles.values()
    ]
    burden: FloatArray = np.mean([scores.to_numpy() for scores in by_role], axis=0)
    return burden


def _oriented(component: FloatArray, burden: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    """The component turned so that it rises with burden, and a note when it hardly does."""
    together = float(np.corrcoef(component, burden)[0, 1]) if burden.std() > 0 else 0.0
    severity = component if together >= 0 else -component
    # 0.3 explains under a tenth of the variance; chosen here as "the axis is about something else".
    if abs(together) < 0.3:
        note = (
            "The main axis of these patients hardly follows thin and bright muscle"
            f" (correlation {abs(together):.2f}): read severity and the labels' order with caution."
        )
        return severity, (note,)
    return severity, ()


def _named(parts: NDArray[np.int_], burden: FloatArray) -> list[str]:
    """Names in order of mean burden: the thinnest and brightest part is the severe one."""
    count = int(parts.max()) + 1
    ranks = np.argsort(np.argsort([burden[parts == part].mean() for part in range(count)]))
    return [NAMES[count][ranks[part]] for part in parts]


def _check_clinical(clinical: pd.DataFrame | None, patients: pd.Index) -> None:
    if clinical is None:
        return
    if not isinstance(clinical, pd.DataFrame):
        raise StudyRefused(
            f"clinical is a {type(clinical).__name__}; it must be a pandas.DataFrame, one row per patient"
        )
    if clinical.index.has_duplicates:
        twice = clinical.index[clinical.index.duplicated()][0]
        raise StudyRefused(f"patient {twice!r} stands more than once in the clinical table")
    if not clinical.index.isin(patients).any():
        raise StudyRefused(
            "the clinical table and the features share no patient: both need the patient as their index"
        )
