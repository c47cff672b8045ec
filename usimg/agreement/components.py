"""Parts of the variance, and from them the error of one reading, of one visit, of a mean of m images.

The model is a mixed one: value = patient + session(patient) + operator + image(session) + reader + rest,
where operator and reader hold an offset that all patients share and a part with the patient, and session may
act together with operator or reader. It is estimated from
pairs of values of one patient: half their squared difference has as its mean the sum of the parts in which
the two differ (Henderson 1953, Biometrics 9:226, on moments; for balanced tables these are the estimates of
analysis of variance, and those of restricted maximum likelihood where none is negative). So a table may have
gaps, nothing is iterated, and a bootstrap over patients is cheap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from usimg.agreement.icc import Interval
from usimg.agreement.resampling import Ratios, interval

FloatArray = NDArray[np.float64]
# 1.96 * sqrt(2): the difference of two values, each with this SEM, that chance exceeds in one of twenty
# (Weir 2005, J Strength Cond Res 19:231).
MDC95 = 1.96 * np.sqrt(2.0)
REST = "rest"
_WITH = " with "
FACTORS = ("session", "operator", "image", "reader", "method", "version")
# Factors whose levels are the same for all patients, so that a level has an offset of its own.
CROSSED = ("operator", "reader", "method", "version")
# Parts in which a session or operator acts together with who or what outlined; they count wherever one of the
# two differs. They are in the model where the design can tell them.
TOGETHER = tuple((scan, read) for scan in ("session", "operator") for read in ("reader", "method", "version"))
# Rounds of taking turns between patients and levels; a complete table needs one.
_ROUNDS = 30


@dataclass(frozen=True)
class Pairs:
    """Half squared differences of the values of each patient, by what the two values differ in.

    Attributes
    ----------
    differs : (C, F) bool array
        Classes of pairs by `FACTORS`.
    sums, counts : (n, C) arrays
        Per patient: sum of half squared differences, and number of pairs.
    means : (n,) array
        Of each patient's values.
    shares : (n, F + 1) array
        By `FACTORS` and rest: chance that two of a patient's values, drawn with replacement, share the level.
    """

    differs: NDArray[np.bool_]
    sums: FloatArray
    counts: FloatArray
    means: FloatArray
    shares: FloatArray


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the variance; `name` joins the parts that this design cannot tell apart."""

    name: str
    variance: Interval

    @property
    def sd(self) -> float:
        """Its square root; 0 where the estimate is negative."""
        return float(np.sqrt(max(0.0, self.variance.value)))


def pairs_of(rows: pd.DataFrame, *, centred: bool = False) -> Pairs:
    """Pairs within each patient of the measured rows of one comparison.

    Parameters
    ----------
    rows : DataFrame
        With a value each.
    centred : bool
        Without the offsets of readers, operators, methods and versions.
    """
    image = rows[["session", "operator", "repeat"]].agg("\x1f".join, axis=1)
    codes = np.column_stack([pd.factorize(image if name == "image" else rows[name])[0] for name in FACTORS])
    patients = pd.factorize(rows["subject"], sort=True)[0]
    values = rows["value"].to_numpy(dtype=np.float64)
    if centred:
        values = values - _offsets(values, patients, codes)
    kinds: dict[tuple[bool, ...], int] = {}
    summed: list[dict[int, tuple[float, int]]] = []
    means, shares = [], []
    for at in (np.flatnonzero(patients == p) for p in range(patients.max() + 1)):
        mine, of = values[at], codes[at]
        first, second = np.triu_indices(len(at), k=1)
        half = 0.5 * (mine[first] - mine[second]) ** 2
        unlike = of[first] != of[second]
        per_kind: dict[int, tuple[float, int]] = {}
        for kind in np.unique(unlike, axis=0):
            same = (unlike == kind).all(axis=1)
            number = kinds.setdefault(tuple(bool(b) for b in kind), len(kinds))
            per_kind[number] = (float(half[same].sum()), int(same.sum()))
        summed.append(per_kind)
        means.append(mine.mean())
        shares.append([*(of[:, None, :] == of[None, :, :]).mean(axis=(0, 1)), 1 / len(at)])
    sums = np.array([[per.get(c, (0.0, 0))[0] for c in range(len(kinds))] for per in summed])
    counts = np.array([[per.get(c, (0.0, 0))[1] for c in range(len(kinds))] for per in summed], dtype=float)
    differs = np.array(list(kinds), dtype=bool).reshape(-1, len(FACTORS))
    return Pairs(differs, sums, counts, np.array(means), np.array(shares))


def _offsets(values: FloatArray, patients: NDArray[np.int64], codes: NDArray[np.int64]) -> FloatArray:
    """What each value's reader, operator, method and version add to every patient's."""
    added = np.zeros_like(values)
    for name in CROSSED:
        level = codes[:, FACTORS.index(name)]
        if level.max() == 0:
            continue
        left = values - added
        offset = np.zeros(level.max() + 1)
        for _ in range(_ROUNDS):
            rest = left - offset[level]
            rest = left - (np.bincount(patients, rest) / np.bincount(patients))[patients]
            offset = np.bincount(level, rest) / np.bincount(level)
        added += (offset - offset.mean())[level]
    return added


@dataclass(frozen=True)
class Model:
    """The parts that a design can tell apart, and how they come from the classes of pairs.

    Attributes
    ----------
    pairs : Pairs
    parts : tuple of tuples of str
        Names from `FACTORS` and ``rest``; those in one tuple cannot be told apart.
    solve : (T, C) array
        Variances of the parts from the mean of each class.
    """

    pairs: Pairs
    parts: tuple[tuple[str, ...], ...]
    solve: FloatArray

    def sem(self, **share: float) -> Interval | str:
        """Standard error that holds the named parts, each times its share; or why it is not known.

        Examples
        --------
        ``model.sem(session=1, image=1/3, rest=1/3)``: of the mean of three images of a new session.
        """
        known = {name for part in self.parts for name in part}
        unknown = [name for name, value in share.items() if value and name not in known]
        if unknown:
            return f"nothing in the table says how much another {' or '.join(unknown)} adds"
        weights = np.zeros(len(self.parts))
        for number, part in enumerate(self.parts):
            wanted = {max(share.get(one, 0.0) for one in name.split(_WITH)) for name in part}
            if len(wanted) > 1:
                return f"this design cannot tell {' from '.join(part)}"
            weights[number] = wanted.pop()
        variance = interval(Ratios(self.pairs.sums, self.pairs.counts, weights @ self.solve))
        return Interval(
            *(float(np.sqrt(np.maximum(0.0, v))) for v in (variance.value, variance.low, variance.high))
        )


def components(rows: pd.DataFrame) -> list[Component] | str:
    """Every part of the variance with its interval, patients first; or why they cannot be told.

    Parameters
    ----------
    rows : DataFrame
        Measured rows of a `usimg.agreement.table.Comparison`.
    """
    whole, centred = model_of(rows), model_of(rows, centred=True)
    if isinstance(whole, str) or isinstance(centred, str):
        return str(whole)
    found: list[Component] = []
    together = whole.pairs.sums.sum(axis=0) / whole.pairs.counts.sum(axis=0)
    shared = _shared(centred)
    own = _without_offsets(centred, shared)
    for part, row, mine in zip(whole.parts, whole.solve, own, strict=True):
        crossed = [name for name in part if name in CROSSED]
        inner_part = interval(Ratios(centred.pairs.sums, centred.pairs.counts, mine))
        if crossed:
            # With two or three readers there is one or two of them to go by: no interval.
            offset = Interval(float(row @ together) - inner_part.value)
            found.append(Component(f"{' or '.join(crossed)}, offset", offset))
        words = [f"{name} with patient" if name in CROSSED else name for name in part]
        found.append(Component(" or ".join(words), inner_part))
    inside = shared @ own
    between = Ratios(centred.pairs.sums, centred.pairs.counts, -inside, centred.pairs.means)
    return [Component("patient", interval(between)), *found]


def _without_offsets(centred: Model, shared: FloatArray) -> FloatArray:
    """Rows of ``centred.solve``, made free of bias.

    The mean of n patients was taken off each level, and with it 1/n of what varies within the level.
    """
    n = len(centred.pairs.means)
    own = centred.solve.copy()
    for number, part in enumerate(centred.parts):
        level = next((name for name in part if name in CROSSED), "")
        if level:
            own[number] *= n / (n - 1)
            for other, names in enumerate(centred.parts):
                if other != number and (REST in names or names[0].endswith(_WITH + level)):
                    own[number] += centred.solve[other] * shared[other] / shared[number] / (n - 1)
    return own


def _shared(model: Model) -> FloatArray:
    """How much of each part is in the variance of the patients' means, (T,)."""
    names = [*FACTORS, REST]
    shares = model.pairs.shares
    # Two values share a session with a reader where they share both.
    columns = [
        shares[:, [names.index(one) for one in part[0].split(_WITH)]].min(axis=1) for part in model.parts
    ]
    return np.array([column.mean() for column in columns])


def model_of(rows: pd.DataFrame, *, centred: bool = False) -> Model | str:
    """The parts of the variance of one comparison, or why they cannot be told.

    Parameters
    ----------
    rows : DataFrame
        Measured rows of a `usimg.agreement.table.Comparison`.
    centred : bool
        As in `pairs_of`.
    """
    pairs = pairs_of(rows, centred=centred)
    if not len(pairs.differs):
        return "no patient has two values"
    columns = {name: pairs.differs[:, i] for i, name in enumerate(FACTORS)}
    columns[REST] = np.ones(len(pairs.differs), dtype=bool)
    alike: dict[tuple[bool, ...], list[str]] = {}
    for name, column in columns.items():
        if column.any():
            alike.setdefault(tuple(column), []).append(name)
    weight = np.sqrt(pairs.counts.sum(axis=0))[:, None]

    def told(design: FloatArray) -> bool:
        return bool(np.linalg.matrix_rank(design * weight) == design.shape[1])

    design = np.array(list(alike), dtype=np.float64).T  # (C, T)
    if not told(design):
        return "too few of the combinations were measured to tell the parts of the variance"
    parts = [tuple(names) for names in alike.values()]
    for one, other in TOGETHER:
        if columns[one].any() and columns[other].any():
            wider = np.column_stack([design, columns[one] | columns[other]])
            if told(wider):
                design = wider
                parts.append((f"{one}{_WITH}{other}",))
    solve = np.linalg.pinv(design * weight) * weight.T
    return Model(pairs, tuple(parts), solve)


def mdc95(sem: Interval) -> Interval:
    """Smallest difference between two values of one patient that is more than error, in 19 of 20."""
    return Interval(*(float(MDC95 * value) for value in (sem.value, sem.low, sem.high)))
