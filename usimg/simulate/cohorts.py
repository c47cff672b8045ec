"""Synthetic cohorts of patients whose truth is known: gradients, groups, and what imitates groups."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from usimg.errors import UsimgError

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

# kind -> what it is. Only "groups" holds two kinds of patients.
KINDS = {
    "groups": "two groups of patients, `separation` SD apart in every feature",
    "gradient": "one severity, normally distributed, and no groups",
    "skewed": "one severity, gamma(2): many mild, few severe",
    "flat": "one severity, evenly spread",
    "heavy_tailed": "one severity, and extreme patients (multivariate t with 4 degrees of freedom)",
    "floor": "one severity, and features that cannot go below a floor or above a ceiling",
    "correlated": "three normal factors (thickness, echo intensity, nerve) and pairs of sides",
    "noise": "features that have nothing to do with each other",
    "device_bimodal": "one severity, and two devices whose echo intensity lies 2 SD apart",
    "sex_bimodal": "one severity, and two sexes whose muscle thickness lies 2 SD apart",
}

# Features as the study's wide table names them, with a mean and an SD that look like a clinic's. They only
# give the columns a scale: the analysis standardises, and nothing is drawn from a population.
_THICKNESS = (
    ("biceps_brachii__distal_third", 24.0, 4.5),
    ("rectus_femoris__mid_thigh", 18.0, 4.0),
    ("tibialis_anterior__proximal_quarter", 25.0, 4.0),
    ("first_dorsal_interosseous__mid_metacarpal", 11.0, 2.5),
)
_ECHO = tuple((name, 70.0, 14.0) for name, _, _ in _THICKNESS)
# What every id of a written cohort begins with, so that no table of it passes for people.
SYNTHETIC = "synthetic-"

_NERVES = (
    ("median_nerve__wrist", 8.5, 1.8),
    ("ulnar_nerve__elbow", 8.0, 1.9),
    ("median_nerve__upper_arm", 8.6, 1.6),
)
SIDES = ("left", "right")
# How far controls lie from the mean of a gradient, towards health.
HEALTHIER_SD = 2.0


@dataclass(frozen=True, eq=False)
class Cohort:
    """A synthetic cohort; nothing in it was measured in a person.

    Attributes
    ----------
    features : DataFrame
        (patients, 22) numbers, columns as the study's wide table names them.
    clinical : DataFrame
        Per patient: device, sex, site, age, height_cm, visit_year, alsfrs_r, mmt, cmap_mv.
    truth : DataFrame
        Per patient: severity (SD) and group ("Mild", "Severe", or "" where there are none); controls have
        the group "control".
    roles : dict
        Column of `features` to its role.
    kind : str
        One of `KINDS`.
    """

    features: pd.DataFrame
    clinical: pd.DataFrame
    truth: pd.DataFrame
    roles: dict[str, str]
    kind: str


def cohort(
    patients: int = 454,
    kind: str = "groups",
    *,
    separation: float = 1.8,
    severe_share: float = 0.4,
    loading: float | None = None,
    missing: float = 0.0,
    controls: int = 0,
    seed: int = 0,
) -> Cohort:
    """Patients with ultrasound features and clinical facts, and who truly belongs where.

    Parameters
    ----------
    patients : int
        At least 4.
    kind : str
        One of `KINDS`.
    separation : float
        For "groups": distance of the two means in every feature, in SD within a group. On the axis
        between the groups it is ``separation * sqrt(p / (1 + (p - 1) * loading**2))`` for p features.
    severe_share : float
        For "groups": share of the severe one.
    loading : float, optional
        Correlation of each feature with severity within a group: ``sqrt(0.1)`` for "groups" (features then
        correlate by 0.1), 0.5 beside a gap of device or sex, 0.7 otherwise.
    missing : float
        Share of values that are missing, at random.
    controls : int
        Healthy people beside the patients, C0001, ..., called ``control`` in the clinical column ``group``,
        on the same devices.
    seed : int
        The same seed gives the same cohort.

    Returns
    -------
    Cohort
        Index S0001, S0002, ...

    Raises
    ------
    UsimgError
        An unknown kind, or numbers that describe no cohort.

    Examples
    --------
    >>> made = cohort(60, "gradient", seed=1)
    >>> made.features.shape, sorted(set(made.roles.values()))
    ((60, 22), ['muscle_echo', 'muscle_thickness', 'nerve_csa'])
    """
    import pandas as pd  # noqa: PLC0415  phantoms need no tables

    if kind not in KINDS:
        raise UsimgError(f"{kind!r} is no kind of cohort; there are {', '.join(KINDS)}")
    if patients < 4 or not 0 < severe_share < 1 or not 0 <= missing < 1:
        raise UsimgError(
            "a cohort needs at least 4 patients, a severe share between 0 and 1, missing below 1"
        )
    rng = np.random.default_rng(seed)
    columns = _columns()
    # Thinner and brighter muscle, smaller nerves: proximal median and distal ulnar areas are reduced in ALS
    # (Noto 2018, DOI 10.1002/mus.26301).
    sign = np.array([1.0 if role == "muscle_echo" else -1.0 for _, role, _, _ in columns])
    thickness = np.array([role == "muscle_thickness" for _, role, _, _ in columns])
    echo = np.array([role == "muscle_echo" for _, role, _, _ in columns])
    if loading is None:
        loading = {"groups": float(np.sqrt(0.1)), "device_bimodal": 0.5, "sex_bimodal": 0.5}.get(kind, 0.7)

    severity, z = _scores(rng, patients, kind, loading, echo, thickness)
    group = np.zeros(patients, dtype=np.int_)
    if kind == "groups":
        group = rng.permutation((np.arange(patients) < round(severe_share * patients)).astype(np.int_))
        z = z + separation * group[:, None]
        severity = severity + separation * group
    z = z * sign
    device = rng.random(patients) < 0.5
    sex = rng.random(patients) < 0.5
    if kind == "device_bimodal":
        z = z + 2.0 * device[:, None] * echo
    if kind == "sex_bimodal":
        z = z - 2.0 * sex[:, None] * thickness
    values = np.array([mean for *_, mean, _ in columns]) + z * np.array([sd for *_, sd in columns])
    if missing:
        values[rng.random(values.shape) < missing] = np.nan

    index = pd.Index([f"S{number:04d}" for number in range(1, patients + 1)], name="subject")
    names = [name for name, *_ in columns]
    # In groups the outcomes follow the group, elsewhere severity: what a label may add is known.
    about = group + 0.2 * severity if kind == "groups" else severity
    standing = (about - about.mean()) / about.std()
    clinical = pd.DataFrame(
        {
            "device": np.where(device, "synthetic scanner B", "synthetic scanner A"),
            "sex": np.where(sex, "female", "male"),
            "site": rng.choice(["clinic 1", "clinic 2"], patients),
            "age": np.round(rng.normal(61, 10, patients)),
            "height_cm": np.round(rng.normal(171, 7, patients) - 10 * sex),
            "visit_year": rng.integers(2024, 2026, patients),
            "alsfrs_r": np.clip(np.round(37 - 4.5 * standing + rng.normal(0, 4, patients)), 0, 48),
            "mmt": np.clip(np.round(120 - 16 * standing + rng.normal(0, 12, patients)), 0, 150),
            "cmap_mv": np.round(np.exp(1.8 - 0.35 * standing + rng.normal(0, 0.35, patients)), 1),
        },
        index=index,
    )
    words = np.array(["Mild", "Severe"])[group] if kind == "groups" else np.repeat("", patients)
    features = pd.DataFrame(values, index=index, columns=names)
    truth = pd.DataFrame({"severity_sd": severity, "group": words}, index=index)
    if controls:
        # Of the same kind, so that a gap between devices or sexes is theirs too; other seeds than patients'.
        of = "gradient" if kind == "groups" else kind
        healthy = cohort(max(controls, 4), of, loading=loading, missing=missing, seed=seed + 1_000_003)
        milder = HEALTHIER_SD * sign * np.array([sd for *_, sd in columns])
        taken = healthy.features.iloc[:controls].rename(lambda name: name.replace("S", "C"))
        facts = healthy.clinical.iloc[:controls].drop(columns=["alsfrs_r", "mmt", "cmap_mv"])
        features = pd.concat([features, taken - milder])
        clinical = pd.concat(
            [clinical.assign(group="patient"), facts.set_axis(taken.index).assign(group="control")]
        )
        truth = pd.concat([truth, pd.DataFrame({"group": "control"}, index=taken.index)])
    return Cohort(
        features=features,
        clinical=clinical,
        truth=truth,
        roles={name: role for name, role, _, _ in columns},
        kind=kind,
    )


def write(made: Cohort, folder: str | os.PathLike[str]) -> Path:
    """Write features.csv, clinical.csv, truth.csv and a README; each row says that it is synthetic.

    Returns
    -------
    Path
        The folder.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, table in (("features", made.features), ("clinical", made.clinical), ("truth", made.truth)):
        # The patients' names say it too, for whoever sees a row without its file.
        table.rename((SYNTHETIC + "{}").format).to_csv(target / f"{name}.csv", lineterminator="\n")
    (target / "README.md").write_text(
        f"# A synthetic cohort\n\nMade by usimg: {KINDS[made.kind]} ({len(made.features)} patients)."
        " Nothing in it was measured in a person.\n",
        encoding="utf-8",
        newline="\n",
    )
    return target


def _columns() -> list[tuple[str, str, float, float]]:
    """Name, role, mean and SD of the 22 features."""
    return [
        (f"{where}__{side}__{feature}", role, mean, sd)
        for rows, feature, role in (
            (_THICKNESS, "thickness_mm", "muscle_thickness"),
            (_ECHO, "echo_intensity", "muscle_echo"),
            (_NERVES, "csa_mm2", "nerve_csa"),
        )
        for where, mean, sd in rows
        for side in SIDES
    ]


def _scores(
    rng: np.random.Generator,
    n: int,
    kind: str,
    loading: float,
    echo: NDArray[np.bool_],
    thick: NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray]:
    """Severity (n,) and features (n, p) in SD, all rising with severity, before groups and gaps."""
    p = len(echo)
    own = rng.normal(size=(n, p))
    if kind == "correlated":
        # Blocks at 0.5, and pairs of sides at 0.8 beside it: what real left and right look like.
        block = np.where(thick, 0, np.where(echo, 1, 2))
        sides = rng.normal(size=(n, p // 2)).repeat(2, axis=1)
        factors = rng.normal(size=(n, 3))
        return factors.mean(axis=1), np.sqrt(0.4) * factors[:, block] + np.sqrt(0.4) * sides + np.sqrt(
            0.2
        ) * own
    if kind == "noise":
        return rng.normal(size=n), own
    if kind == "skewed":
        severity = (rng.gamma(2.0, size=n) - 2.0) / np.sqrt(2.0)
    elif kind == "flat":
        severity = rng.uniform(-np.sqrt(3), np.sqrt(3), n)
    else:
        severity = rng.normal(size=n)
    z = loading * severity[:, None] + np.sqrt(1 - loading**2) * own
    if kind == "heavy_tailed":
        # Divided by the square root of a chi-square over its degrees of freedom: a t with variance 2.
        z = z / np.sqrt(rng.chisquare(4, size=(n, 1)) / 4)
    if kind == "floor":
        z = np.clip(z, -1.0, 1.5)
    return severity, z
