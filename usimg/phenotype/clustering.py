"""k-means on standardised features, severity, and which end is the severe one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from usimg.errors import StudyRefused
from usimg.phenotype.claim import GROUPS, NO_GROUPS, STABLE, examine
from usimg.phenotype.kmeans import kmeans
from usimg.phenotype.result import NAMES, Phenotypes
from usimg.phenotype.separation import ALPHA_ALONE, FEWEST, cross_fitted_scores, dip_test
from usimg.phenotype.silhouette import silhouettes
from usimg.phenotype.table import ORIENTS, Prepared, prepare
from usimg.simulate.cohorts import SYNTHETIC

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
    assume_unconfounded: bool = False,
) -> Phenotypes:
    """Split patients by their measurements, and say what that does and does not show.

    Parameters
    ----------
    features : DataFrame
        One row per patient (index), numeric columns. Names as the study's wide table writes them,
        ``structure__site__side__feature``, tell thickness from echo intensity.
    clinical : DataFrame, optional
        The same patients. ``device`` and ``sex`` are needed before groups can be claimed; ``site``,
        ``onset``, ``visit_year``, ``age`` and ``height`` are looked at too, and the outcomes ``alsfrs_r``,
        ``mmt`` and ``cmap``.
    roles : mapping, optional
        Column to ``"muscle_thickness"``, ``"muscle_echo"``, ``"muscle_csa"``, ``"nerve_csa"``,
        ``"fat"`` or ``"other"``, for names that the anatomy list does not know.
    random_state : int
        Seed of the k-means starts, folds, permutations and subsamples.
    assume_unconfounded : bool
        Claim groups although device or sex could not be checked; the report says so.

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
    k-means (Lloyd 1982; k-means++ starts) on z-scores. Severity is the first principal component in SD,
    and Severe the end that is thinner and brighter; a label's number never orients. Whether there are
    groups at all is asked of a dip test (Hartigan and Hartigan 1985) on axes that were found without the
    patient they score, of all patients and with each known factor held constant. ``k`` is 1 where no
    groups are shown; the labels are then those of two parts of a continuum.

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
    index = prepared.standardised.index
    known = _clinical(clinical, index)
    X = prepared.standardised.to_numpy()
    burden = _burden(prepared)
    with threadpool_limits(limits=1):  # a library call starts no threads; one thread sums in one order
        partitions = _partitions(X, random_state)
        widths = {k: float(silhouettes(X, parts).mean()) for k, parts in partitions.items()}
        component, share = _first_component(X)
        severity, notes = _oriented(component, burden)
        ranks = {k: _ranked(parts, burden) for k, parts in partitions.items()}
        tests = examine(
            X,
            ranks[2] == 1,
            severity,
            known,
            assume_unconfounded=assume_unconfounded,
            random_state=random_state,
        )
        k = 1 if tests.claim == NO_GROUPS else _separated_parts(X, ranks, widths, random_state)
    parts = max(k, 2)
    labels = [NAMES[parts][rank] for rank in ranks[parts]]
    supported = (tests.stability >= STABLE) & (tests.claim == GROUPS)

    if all(str(patient).startswith(SYNTHETIC) for patient in index):
        notes = ("all patients are synthetic, made by usimg simulate: this is about no person", *notes)
    order = [patient for patient in features.index if patient not in prepared.excluded]
    return Phenotypes(
        labels=pd.Series(labels, index=index, name="label").loc[order],
        label_supported=pd.Series(supported, index=index, name="label_supported").loc[order],
        severity=pd.Series(severity, index=index, name="severity").loc[order],
        stability=pd.Series(tests.stability, index=index, name="stability").loc[order],
        claim=tests.claim,
        k=k,
        silhouettes=widths,
        tests=tests,
        excluded=prepared.excluded,
        dropped=prepared.dropped,
        roles=prepared.roles,
        standardised=prepared.standardised.loc[order],
        first_component_share=share,
        random_state=random_state,
        assume_unconfounded=assume_unconfounded,
        notes=notes,
    )


def _partitions(X: FloatArray, random_state: int) -> dict[int, NDArray[np.int_]]:
    """k-means for every k that leaves three patients a part on average (two for k = 2)."""
    largest = max(2, min(MAX_K, len(X) // 3))
    everybody = np.ones((1, len(X)))
    rng = np.random.default_rng(random_state)
    return {k: kmeans(X, everybody, k, starts=STARTS, rng=rng).parts[0] for k in range(2, largest + 1)}


def _separated_parts(
    X: FloatArray, ranks: dict[int, NDArray[np.int_]], widths: dict[int, float], random_state: int
) -> int:
    """The k with the largest silhouette whose neighbours along severity are all separated; else 2."""
    for k in sorted(widths, key=lambda k: (-widths[k], k)):
        if k == 2:
            return 2
        rng = np.random.default_rng([random_state, k])
        pairs = [ranks[k] == rank for rank in range(k - 1)]
        neighbours = [pair | (ranks[k] == rank + 1) for rank, pair in enumerate(pairs)]
        if all(
            pair.sum() >= FEWEST and dip_test(cross_fitted_scores(X[pair], rng)).p <= ALPHA_ALONE / (k - 1)
            for pair in neighbours
        ):
            return k
    return 2


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


def _ranked(parts: NDArray[np.int_], burden: FloatArray) -> NDArray[np.int_]:
    """Ranks by mean burden: the thinnest and brightest part is the last."""
    count = int(parts.max()) + 1
    ranks = np.argsort(np.argsort([burden[parts == part].mean() for part in range(count)]))
    return np.asarray(ranks[parts], dtype=np.int_)


def _clinical(clinical: pd.DataFrame | None, patients: pd.Index) -> pd.DataFrame:
    """The clinical table in the order of the patients; without columns when there is none."""
    if clinical is None:
        return pd.DataFrame(index=patients)
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
    return clinical.reindex(patients)
