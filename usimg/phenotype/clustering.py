"""k-means on standardised features, severity, and which end is the severe one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from usimg.errors import StudyRefused
from usimg.phenotype.claim import GROUPS, NO_GROUPS, STABLE, examine
from usimg.phenotype.imputation import completed, placed
from usimg.phenotype.kmeans import kmeans
from usimg.phenotype.recipe import Preparation
from usimg.phenotype.result import NAMES, Given, Phenotypes
from usimg.phenotype.separation import ALPHA_ALONE, FEWEST, cross_fitted_scores, dip_test
from usimg.phenotype.silhouette import silhouettes
from usimg.phenotype.table import Prepared, alike, mean_z, prepare
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
    preparation: Preparation | None = None,
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
        ``mmt`` and ``cmap``. Who is ``control`` in ``group`` is a reference and is not clustered.
    roles : mapping, optional
        Column to ``"muscle_thickness"``, ``"muscle_echo"``, ``"muscle_csa"``, ``"nerve_csa"``,
        ``"fat"`` or ``"other"``, for names that the anatomy list does not know.
    random_state : int
        Seed of the k-means starts, folds, permutations and subsamples.
    assume_unconfounded : bool
        Claim groups although device or sex could not be checked; the report says so.
    preparation : Preparation, optional
        How features are brought to one scale: standardised, adjusted, weighted; echo intensity of several
        devices. By default each is standardised to mean 0 and SD 1.

    Returns
    -------
    Phenotypes
        Labels and severity for every patient who has at least half of the features; who and what was left
        out, and why.

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
    choices = preparation or Preparation()
    everybody = _clinical(clinical, features)
    prepared = prepare(features, roles, everybody, choices)
    index = prepared.standardised.index
    X = prepared.standardised.to_numpy()
    burden: FloatArray = np.asarray(mean_z(prepared.standardised, prepared.roles), dtype=np.float64)
    with threadpool_limits(limits=1):  # a library call starts no threads; one thread sums in one order
        partitions = _partitions(X, random_state)
        widths = {k: float(silhouettes(X, parts).mean()) for k, parts in partitions.items()}
        axis, share = _first_component(X)
        axis, notes = _oriented(axis, X, burden)
        severity = X @ axis
        ranks = {k: _ranked(parts, burden) for k, parts in partitions.items()}
        tests = examine(
            X,
            ranks[2] == 1,
            severity,
            everybody.reindex(index),
            assume_unconfounded=assume_unconfounded,
            random_state=random_state,
        )
        k = 1 if tests.claim == NO_GROUPS else _separated_parts(X, ranks, widths, random_state)
        parts = max(k, 2)
        centres = np.stack([X[ranks[parts] == rank].mean(axis=0) for rank in range(parts)])
        rng = np.random.default_rng([random_state, 19])
        gaps = completed(X, prepared.incomplete.to_numpy(), rng) if len(prepared.incomplete) else None
        beside = placed(gaps, centres, axis) if gaps is not None else None

    stability = pd.Series(tests.stability, index=index)
    part = pd.Series(ranks[parts], index=index)
    scores = pd.Series(severity, index=index)
    if beside is not None:
        others = prepared.incomplete.index
        part = pd.concat([part, pd.Series(beside.ranks, index=others)])
        scores = pd.concat([scores, pd.Series(beside.severity, index=others)])
        stability = pd.concat([stability, pd.Series(beside.agreement, index=others)])
    order = [patient for patient in features.index if patient not in prepared.excluded]
    part, scores, stability = part.loc[order], scores.loc[order], stability.loc[order]
    return Phenotypes(
        labels=part.map(dict(enumerate(NAMES[parts]))).rename("label"),
        label_supported=((stability >= STABLE) & (tests.claim == GROUPS)).rename("label_supported"),
        severity=scores.rename("severity"),
        stability=stability.rename("stability"),
        claim=tests.claim,
        k=k,
        silhouettes=widths,
        tests=tests,
        excluded=prepared.excluded,
        dropped=prepared.dropped,
        roles=prepared.roles,
        standardised=prepared.standardised.loc[[patient for patient in order if patient in index]],
        incomplete=prepared.incomplete,
        clinical=everybody.reindex(order),
        partitions=pd.DataFrame(ranks, index=index),
        axis=pd.Series(axis, index=prepared.standardised.columns, name="axis"),
        centres=pd.DataFrame(centres, index=list(NAMES[parts]), columns=prepared.standardised.columns),
        recipe=prepared.recipe,
        said=prepared.said,
        controls=prepared.controls,
        first_component_share=share,
        random_state=random_state,
        assume_unconfounded=assume_unconfounded,
        notes=(*_cautions(prepared), *notes),
        given=Given(features, clinical, roles, random_state, assume_unconfounded, choices),
    )


def _cautions(prepared: Prepared) -> tuple[str, ...]:
    """What a reader must know before anything else of these patients."""
    index = prepared.standardised.index
    notes = []
    if all(str(patient).startswith(SYNTHETIC) for patient in index):
        notes.append("all patients are synthetic, made by usimg simulate: this is about no person")
    pairs = alike(prepared.standardised)
    if pairs:
        named = ", ".join(f"{one} and {other}" for one, other in pairs[:3])
        notes.append(
            f"{len(pairs)} pair(s) of patients have the same value in every feature ({named}): one patient"
            " under two ids counts twice"
        )
    return tuple(notes)


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
    """The axis (p,) along which X has most variance, so that ``X @ axis`` is in SD; and its share."""
    _, spread, axes = np.linalg.svd(X, full_matrices=False)
    share = float(spread[0] ** 2 / (spread**2).sum())
    return axes[0] * np.sqrt(len(X)) / spread[0], share


def _oriented(axis: FloatArray, X: FloatArray, burden: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    """The axis turned so that scores rise with burden, and a note when they hardly do."""
    together = float(np.corrcoef(X @ axis, burden)[0, 1]) if burden.std() > 0 else 0.0
    turned = axis if together >= 0 else -axis
    # 0.3 explains under a tenth of the variance; chosen here as "the axis is about something else".
    if abs(together) < 0.3:
        note = (
            "The main axis of these patients hardly follows thin and bright muscle"
            f" (correlation {abs(together):.2f}): read severity and the labels' order with caution."
        )
        return turned, (note,)
    return turned, ()


def _ranked(parts: NDArray[np.int_], burden: FloatArray) -> NDArray[np.int_]:
    """Ranks by mean burden: the thinnest and brightest part is the last."""
    count = int(parts.max()) + 1
    ranks = np.argsort(np.argsort([burden[parts == part].mean() for part in range(count)]))
    return np.asarray(ranks[parts], dtype=np.int_)


def _clinical(clinical: pd.DataFrame | None, features: pd.DataFrame) -> pd.DataFrame:
    """The clinical table in the order of the features; without columns when there is none."""
    if clinical is None or not isinstance(features, pd.DataFrame):
        return pd.DataFrame(index=getattr(features, "index", None))
    if not isinstance(clinical, pd.DataFrame):
        raise StudyRefused(
            f"clinical is a {type(clinical).__name__}; it must be a pandas.DataFrame, one row per patient"
        )
    if clinical.index.has_duplicates:
        twice = clinical.index[clinical.index.duplicated()][0]
        raise StudyRefused(f"patient {twice!r} stands more than once in the clinical table")
    if not clinical.index.isin(features.index).any():
        raise StudyRefused(
            "the clinical table and the features share no patient: both need the patient as their index"
        )
    return clinical.reindex(features.index[~features.index.duplicated()])
