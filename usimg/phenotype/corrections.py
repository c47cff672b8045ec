"""Whether what people corrected, or what is missing, goes along with severity; and what it changes.

Thin, bright muscle is corrected or missing more often, so that corrections can make a part of a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from usimg.errors import StudyRefused
from usimg.phenotype.result import Phenotypes

STATES = ("automatic", "accepted", "corrected", "missing")
PERMUTATIONS = 1999


@dataclass(frozen=True)
class Handled:
    """How the values of one feature came about, in each third of severity, least severe first.

    ``shares[state]`` has one share a third; they add up to 1 over the states.
    """

    feature: str
    shares: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Trend:
    """Whether one way of coming about goes along with severity, over all features.

    ``correlation`` of a patient's share of values in that state with severity (Spearman), and its
    permutation p.
    """

    state: str
    thirds: tuple[float, ...]
    correlation: float
    p: float


@dataclass(frozen=True, eq=False)
class Corrections:
    """Shares by third of severity, and tests."""

    n: tuple[int, ...]
    features: tuple[Handled, ...]
    trends: tuple[Trend, ...]


@dataclass(frozen=True)
class Rerun:
    """The same analysis with other outlines.

    ``moved`` of ``compared`` patients change part.
    """

    what: str
    n: int
    claim: str
    compared: int
    moved: int
    without_label: int


def corrections(result: Phenotypes, rows: pd.DataFrame) -> Corrections | None:
    """How the values behind a clustering came about.

    Parameters
    ----------
    result : Phenotypes
    rows : DataFrame
        By patient, with the study's columns ``structure__site__side__n_automatic``, ``n_accepted`` and
        ``n_corrected``. None is returned where there are none.
    """
    people = result.severity.index
    states = {name: _states(rows.reindex(people), name) for name in result.roles}
    known = {name: state for name, state in states.items() if state is not None}
    if not known:
        return None
    order = result.severity.rank(method="first").to_numpy() - 1
    third = np.minimum((order * 3 // len(people)).astype(int), 2)
    features = tuple(
        Handled(
            name,
            {s: tuple(float((state[third == t] == s).mean()) for t in range(3)) for s in STATES},
        )
        for name, state in known.items()
    )
    everything = pd.DataFrame(known)
    rng = np.random.default_rng([result.random_state, 22])
    trends = []
    for s in STATES:
        share = (everything == s).mean(axis=1)
        if share.max() == share.min():
            continue
        x, y = (_centred(v) for v in (share.rank(), result.severity.rank()))
        shuffled = x[np.argsort(rng.random((PERMUTATIONS, len(x))), axis=1)] @ y
        p = float((1 + (np.abs(shuffled) >= abs(x @ y) - 1e-12).sum()) / (1 + PERMUTATIONS))
        thirds = tuple(float(share[third == t].mean()) for t in range(3))
        trends.append(Trend(s, thirds, float(x @ y), p))
    return Corrections(tuple(int((third == t).sum()) for t in range(3)), features, tuple(trends))


def rerun(result: Phenotypes, what: str, **changed: Any) -> Rerun:
    """Cluster again with one thing changed, and count who changes part.

    Parameters
    ----------
    what : str
        The change, in words.
    **changed
        As `usimg.phenotype.sensitivity.again` takes it: ``features``, ``preparation``.
    """
    from usimg.phenotype.sensitivity import again  # noqa: PLC0415  each knows the other's result

    try:
        other = again(result, **changed)
    except StudyRefused as error:
        return Rerun(what, 0, f"not run: {error}", 0, 0, len(result.labels))
    both = result.labels.index.intersection(other.labels.index)
    moved = int((result.ranks.loc[both] != other.ranks.loc[both]).sum())
    return Rerun(what, len(other.labels), other.claim, len(both), moved, len(result.labels) - len(both))


def _states(rows: pd.DataFrame, feature: str) -> pd.Series[str] | None:
    """What the value of a feature is in each patient: corrected where any of its repeats is."""
    stem = feature.rpartition("__")[0]
    counts = [f"{stem}__n_{state}" for state in STATES[:3]]
    if not set(counts) & set(rows.columns):
        return None
    n = rows.reindex(columns=counts).astype(float).fillna(0.0).to_numpy()
    found = np.select(
        [n[:, 2] > 0, n[:, 1] > 0, n[:, 0] > 0], ["corrected", "accepted", "automatic"], "missing"
    )
    if feature in rows:
        found = np.where(rows[feature].isna(), "missing", found)
    return pd.Series(found, index=rows.index)


def _centred(ranks: pd.Series) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    x = ranks.to_numpy(dtype=np.float64)
    x = x - x.mean()
    return np.asarray(x / np.linalg.norm(x))
