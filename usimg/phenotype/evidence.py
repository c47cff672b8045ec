"""What reviewers ask of a clustering: how compact, how stable, against which null, seen by whom else.

None of it tells a gradient from groups; the claim rests on ``claim.py``. Each function names its
definition; simulations of the claim on gradients and groups are in benchmarks/phenotypes.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from usimg.phenotype.claim import subsamples
from usimg.phenotype.kmeans import Partitions, kmeans
from usimg.phenotype.power import Power, power

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]

RESAMPLES = 1000
BOOTSTRAPS = 200
NULLS = 200
# Tibshirani, Walther and Hastie 2001 used 20 references; prediction strength is a mean over splits.
REFERENCES = 20
SPLITS = 20
STARTS = 2
# Fewer patients leave resamples that say nothing; chosen here.
FEWEST = 20


@dataclass(frozen=True)
class Sweep:
    """One number of parts: ``gap`` and ``prediction_strength`` exist for k = 1 too, the others do not.

    ``ari`` is the mean over subsamples of 80 % of the agreement with the parts of all patients, on the
    subsample; ``ari_interval`` holds 95 % of the subsamples. ``jaccard`` has one value a part, in order.
    """

    k: int
    silhouette: float | None
    gap: float
    gap_error: float
    prediction_strength: float
    ari: float | None
    ari_interval: tuple[float, float] | None
    jaccard: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The table of evidence.

    Attributes
    ----------
    sweep : tuple of Sweep
        k = 1 to 5 (fewer for few patients).
    gap_chooses : int
        Smallest k whose gap is not clearly below the next.
    agreement : dict
        ARI of the parts with those of a Gaussian mixture and of Ward's hierarchy.
    null_p : float
        Share of Gaussian clouds with the same covariance whose two parts are as compact. Small for
        groups, and for flat gradients as well.
    power : Power
        Which separation would have been seen.
    """

    sweep: tuple[Sweep, ...]
    gap_chooses: int
    agreement: dict[str, float]
    null_p: float
    power: Power


def evidence(
    X: FloatArray, ranks: IntArray, silhouettes: Mapping[int, float], random_state: int
) -> Evidence | None:
    """The evidence for a partition; None for fewer than `FEWEST` patients.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Standardised features.
    ranks : ndarray of int, shape (n,)
        The parts, 0 the least severe.
    silhouettes : mapping
        Mean silhouette for each k tried.
    random_state : int
    """
    if len(X) < FEWEST:
        return None
    rng = np.random.default_rng([random_state, 5])
    with threadpool_limits(limits=1):
        drawn = subsamples(len(X), RESAMPLES, rng)
        counts = rng.multinomial(len(X), np.full(len(X), 1 / len(X)), BOOTSTRAPS).astype(np.float64)
        gaps, errors = _gap(X, max(silhouettes), rng)
        sweep = [Sweep(1, None, gaps[0], errors[0], 1.0, None, None, ())]
        for k in sorted(silhouettes):
            everybody = kmeans(X, np.ones((1, len(X))), k, starts=20, rng=rng).parts[0]
            parts = ranks if k == ranks.max() + 1 else everybody
            ari = agreement(_crossed(resampled(X, drawn, k, rng).parts, parts, drawn))
            once = (counts > 0).astype(np.float64)
            overlaps = _jaccard(_crossed(resampled(X, counts, k, rng).parts, parts, once))
            low, high = np.quantile(ari, [0.025, 0.975])
            sweep.append(
                Sweep(
                    k,
                    silhouettes[k],
                    gaps[k - 1],
                    errors[k - 1],
                    _prediction_strength(X, k, rng),
                    float(ari.mean()),
                    (float(low), float(high)),
                    tuple(float(v) for v in overlaps.mean(axis=0)),
                )
            )
        enough = [k for k in range(1, len(gaps)) if gaps[k - 1] >= gaps[k] - errors[k]]
        share = float((ranks == ranks.max()).mean())
        return Evidence(
            tuple(sweep),
            enough[0] if enough else len(gaps),
            _second_opinions(X, ranks, random_state),
            _gaussian_null(X, ranks, rng),
            power(len(X), share, random_state),
        )


def resampled(X: FloatArray, weights: FloatArray, k: int, rng: np.random.Generator) -> Partitions:
    """k-means of every resample; in single precision, which moves no patient but those on the border."""
    return kmeans(X.astype(np.float32), weights, k, starts=STARTS, rng=rng)


def _crossed(parts: IntArray, reference: IntArray, counted: FloatArray) -> FloatArray:
    """Patients (r, k, l) in part i of each run (r, n) and part j of the reference (n,), where counted."""
    k = int(parts.max()) + 1
    member = np.eye(int(reference.max()) + 1)[reference]
    return np.stack([(counted * (parts == i)) @ member for i in range(k)], axis=1)


def agreement(crossed: FloatArray) -> FloatArray:
    """Adjusted Rand index (r,) of each table (r, k, l) (Hubert and Arabie 1985)."""

    def pairs(counts: FloatArray) -> FloatArray:
        return counts * (counts - 1) / 2

    together = pairs(crossed).sum(axis=(1, 2))
    rows = pairs(crossed.sum(axis=2)).sum(axis=1)
    columns = pairs(crossed.sum(axis=1)).sum(axis=1)
    expected = rows * columns / pairs(crossed.sum(axis=(1, 2)))
    most = (rows + columns) / 2
    alike = np.isclose(most, expected)
    return np.where(alike, 1.0, (together - expected) / np.where(alike, 1.0, most - expected))


def _jaccard(crossed: FloatArray) -> FloatArray:
    """Best Jaccard overlap (r, l) of each reference part with a part of the run (Hennig 2007)."""
    sizes = crossed.sum(axis=2, keepdims=True) + crossed.sum(axis=1, keepdims=True) - crossed
    overlaps: FloatArray = (crossed / np.maximum(sizes, 1.0)).max(axis=1)
    return overlaps


def _prediction_strength(X: FloatArray, k: int, rng: np.random.Generator) -> float:
    """Mean over splits in halves of the worst part's share of pairs that the other half keeps together.

    Tibshirani and Walther 2005.
    """
    half = (np.argsort(np.argsort(rng.random((SPLITS, len(X))), axis=1), axis=1) < len(X) // 2).astype(float)
    trained = resampled(X, half, k, rng).parts
    tested = resampled(X, 1 - half, k, rng).parts
    worst = []
    for training, test, inside in zip(trained, tested, half == 0, strict=True):
        crossed = _crossed(training[None], test, inside[None].astype(float))[0]
        sizes = crossed.sum(axis=0)
        kept = (crossed * (crossed - 1)).sum(axis=0) / np.maximum(sizes * (sizes - 1), 1.0)
        worst.append(float(kept[sizes > 1].min(initial=1.0)))
    return float(np.mean(worst))


def _gap(X: FloatArray, largest: int, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Gap and its error for k = 1 to `largest`, against a box along the principal axes.

    Tibshirani, Walther and Hastie 2001.
    """
    axes = np.linalg.svd(X, full_matrices=False)[2]
    along = X @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    observed = _log_within(X, largest, rng)
    boxes = np.array(
        [_log_within(rng.uniform(low, high, along.shape), largest, rng) for _ in range(REFERENCES)]
    )
    gaps = boxes.mean(axis=0) - observed
    errors = boxes.std(axis=0) * np.sqrt(1 + 1 / REFERENCES)
    return [float(v) for v in gaps], [float(v) for v in errors]


def _log_within(X: FloatArray, largest: int, rng: np.random.Generator) -> FloatArray:
    """Log of the sum of squares within the parts, for k = 1 to `largest`."""
    everybody = np.ones((1, len(X)))
    single = X.astype(np.float32)
    within = [((X - X.mean(axis=0)) ** 2).sum()]
    within += [kmeans(single, everybody, k, starts=4, rng=rng).within[0] for k in range(2, largest + 1)]
    return np.log(np.asarray(within, dtype=np.float64))


def _gaussian_null(X: FloatArray, ranks: IntArray, rng: np.random.Generator) -> float:
    """Share of clouds as compact, by the cluster index W(2) / W(1): Gaussian, of the same covariance.

    The idea of SigClust (Liu, Hayes, Nobel and Marron 2008), with the sample eigenvalues.
    """
    spread = np.linalg.svd(X, full_matrices=False)[1] / np.sqrt(len(X))
    everybody = np.ones((1, len(X)))

    def index(cloud: FloatArray) -> float:
        centred = cloud - cloud.mean(axis=0)
        single = centred.astype(np.float32)
        return float(kmeans(single, everybody, 2, starts=4, rng=rng).within[0] / (centred**2).sum())

    observed = index(X)
    null = [index(rng.normal(size=X.shape) * spread) for _ in range(NULLS)]
    return float((1 + sum(value <= observed for value in null)) / (1 + NULLS))


def _second_opinions(X: FloatArray, ranks: IntArray, random_state: int) -> dict[str, float]:
    from sklearn.cluster import AgglomerativeClustering  # noqa: PLC0415  slow to load, needed here alone
    from sklearn.metrics import adjusted_rand_score  # noqa: PLC0415
    from sklearn.mixture import GaussianMixture  # noqa: PLC0415

    k = int(ranks.max()) + 1
    # A full covariance for each part needs several patients a feature; chosen here.
    shape = "full" if len(X) > 5 * X.shape[1] * k else "diag"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mixture that has not converged is still an opinion
        mixture = GaussianMixture(
            k, covariance_type=shape, n_init=2, reg_covar=1e-3, random_state=random_state
        ).fit_predict(X)
    ward = AgglomerativeClustering(k).fit_predict(X)
    return {
        f"Gaussian mixture ({shape} covariance)": float(adjusted_rand_score(ranks, mixture)),
        "Ward's hierarchy": float(adjusted_rand_score(ranks, ward)),
    }
