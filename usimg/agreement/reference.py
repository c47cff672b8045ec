"""Reference values from a laboratory's own controls: equations, kept in a file that says all about them.

No norms are built in: no equation for echo intensity or adult thickness by age, sex and height could be
read in a source, and grey levels do not carry over between devices.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from usimg.agreement.table import Excluded, named, unit_of
from usimg.agreement.values import COVARIATES, FAT
from usimg.errors import StudyRefused
from usimg.study.files import write_text

FloatArray = NDArray[np.float64]
KIND = "usimg reference values"
VERSION = 1
# Residual degrees of freedom below which an SD is too uncertain to divide by (chosen here: with 15 its 95 %
# interval is 0.74 to 1.55 times itself).
FEWEST_FREE = 15
ALPHA = 0.05


@dataclass(frozen=True)
class Model:
    """What controls have of one structure, site and measure.

    Attributes
    ----------
    structure, site, measure, unit : str
    rule : str
        Definition or trace rule of the values.
    origin : str
        Whose outlines they were: automatic, accepted, corrected, or what the table said.
    settings : str
        Settings key under which grey levels were taken; empty for lengths and areas.
    sides : str
        Which sides went in. An SD is that of one side.
    images : int
        How many images of a control are averaged.
    n, values : int
        Controls; values of them (two where both sides were measured).
    terms : tuple of str
        ``1``, ``age``, ``sex=male``, ``height_cm``, ...
    coefficients, covariance : lists
        Of the terms, least squares; covariance clustered by control where both sides went in.
    ranges : dict
        Covariate -> [lowest, highest] of the controls, or the levels of sex.
    sd : float
        Residual SD, of a mean of `images` images.
    sd_by_age : [float, float] or None
        Intercept and slope of the SD, where it changes with age.
    sd_age_p : float or None
        p of no change of the SD with age (Altman 1993, Stat Med 12:917).
    image_variance : float or None
        Variance between images of one control; None where controls have one image each, or only means.
    freedom : int
        Residual degrees of freedom, counted in controls.
    """

    structure: str
    site: str
    measure: str
    unit: str
    rule: str
    origin: str
    settings: str
    sides: str
    images: int
    n: int
    values: int
    terms: tuple[str, ...]
    coefficients: list[float]
    covariance: list[list[float]]
    ranges: dict[str, list[Any]]
    sd: float
    sd_by_age: list[float] | None
    sd_age_p: float | None
    image_variance: float | None
    freedom: int

    @property
    def with_fat(self) -> bool:
        """Whether subcutaneous fat is a covariate."""
        return FAT in self.terms

    @property
    def sign(self) -> str:
        """What a positive z says."""
        word = "brighter" if self.measure.startswith("echo_intensity") else "larger"
        return f"above 0: {word} than controls"

    @property
    def name(self) -> str:
        """In words."""
        return named(self.structure, self.site, "", self.measure, self.unit)


@dataclass(frozen=True)
class Reference:
    """A file of reference values.

    Attributes
    ----------
    models : list of Model
    citation : str
        Where the controls are described.
    usimg : str
        Version that fitted.
    excluded : list of Excluded
        What could not be fitted, and why.
    """

    models: list[Model]
    citation: str = ""
    usimg: str = ""
    excluded: list[Excluded] = field(default_factory=list)

    def write(self, path: Path) -> Path:
        """Write it as JSON, with a line on every field."""
        content = {
            "kind": KIND,
            "schema": VERSION,
            "usimg": self.usimg,
            "citation": self.citation,
            "about": {
                "expected": "sum of coefficients times terms; sex=LEVEL is 1 for that sex, else 0",
                "z": "(value - expected) / sd; sd is that of the mean of `images` images of one side",
                "sd_by_age": "where given: sd = intercept + slope * age",
                "ranges": "no z outside of them",
                "mean of m": "sd^2 + image_variance * (1 / m - 1 / images); none without image_variance",
                "echo intensity": "holds for one settings key alone",
                "use": "research only; no medical device",
            },
            "models": [asdict(model) for model in self.models],
            "not_fitted": [asdict(one) for one in self.excluded],
        }
        write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        return path

    @classmethod
    def read(cls, path: Path) -> Reference:
        """Read a file that `write` made.

        Raises
        ------
        StudyRefused
            Not such a file, or of a newer usimg.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["kind"] != KIND:
                raise StudyRefused(f"{path.name} is no file of reference values ({content['kind']})")
            if content["schema"] > VERSION:
                raise StudyRefused(f"{path.name} was made by a newer usimg; update usimg")
            models = [Model(**model | {"terms": tuple(model["terms"])}) for model in content["models"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyRefused(
                f"{path.name} is no file of reference values ({error}); usimg reference fit writes one"
            ) from None
        return cls(models, str(content.get("citation", "")), str(content.get("usimg", "")))


def fit(
    controls: pd.DataFrame,
    *,
    covariates: Sequence[str] | None = None,
    citation: str = "",
    usimg_version: str = "",
) -> Reference:
    """Fit an equation per structure, site, measure, rule and, for echo intensity, settings key.

    Parameters
    ----------
    controls : DataFrame
        Of `usimg.agreement.values.read`.
    covariates : sequence of str, optional
        Of ``age``, ``sex``, ``height_cm``, ``weight_kg``; those that the table has, weight excepted, when
        left out. Echo intensity gets a second model with ``fat_mm`` beside them where that is known.

    Returns
    -------
    Reference

    Raises
    ------
    StudyRefused
        An unknown covariate, or nothing could be fitted.
    """
    if covariates is None:
        covariates = [name for name in ("age", "sex", "height_cm") if _known(controls, name).any()]
    unknown = [name for name in covariates if name not in COVARIATES]
    if unknown:
        raise StudyRefused(f"covariates are {', '.join(COVARIATES)}; not {', '.join(unknown)}")
    models: list[Model] = []
    excluded: list[Excluded] = []
    echo = controls["measure"].str.startswith("echo")
    rows = controls.assign(settings=controls["settings"].where(echo, ""))[controls["value"].notna()]
    visits = rows.groupby("subject")["visit"].transform("min")
    rows = rows[rows["visit"] == visits]  # one visit of a control: two are not two people
    key = ["structure", "site", "measure", "rule", "settings", "origin"]
    for _, group in rows.groupby(key, sort=True):
        with_fat = group["measure"].iloc[0].startswith("echo") and _known(group, FAT).any()
        for names in [[*covariates], [*covariates, FAT]] if with_fat else [[*covariates]]:
            one = _fit_one(group, names)
            (models if isinstance(one, Model) else excluded).append(one)  # type: ignore[arg-type]
    if not models:
        why = "; ".join(f"{one.name}: {one.reason}" for one in excluded[:3])
        raise StudyRefused(f"no equation could be fitted: {why}")
    return Reference(models, citation, usimg_version, excluded)


def _fit_one(rows: pd.DataFrame, covariates: list[str]) -> Model | Excluded:
    first = rows.iloc[0]
    place = (str(first["structure"]), str(first["site"]))
    unit = first["unit"] or unit_of(str(first["measure"]))
    name = named(*place, "", str(first["measure"]), unit) + (", with fat" if FAT in covariates else "")
    if len(set(rows["unit"])) > 1:
        return Excluded(name, f"values in {' and in '.join(sorted(set(rows['unit'])))}; convert them to one")
    usual = int(rows["images"].mode().iloc[0])
    known = np.ones(len(rows), dtype=bool)
    for one in covariates:
        known &= _known(rows, one).to_numpy()
    used = rows[known & (rows["images"] == usual).to_numpy()]
    n = used["subject"].nunique()
    levels = sorted(set(used["sex"]) - {""}) if "sex" in covariates else []
    terms = _terms(covariates, levels)
    freedom = n - len(terms)
    if freedom < FEWEST_FREE:
        return Excluded(
            name,
            f"{n} controls of {usual} images with all covariates; {FEWEST_FREE + len(terms)} are needed for"
            f" {len(terms)} coefficients",
        )
    X = design(used, terms)
    if np.linalg.matrix_rank(X) < len(terms):
        return Excluded(name, "the covariates are constant or say the same; leave one out (--covariates)")
    y = used["value"].to_numpy(dtype=np.float64)
    inverse = np.linalg.inv(X.T @ X).astype(np.float64)
    coefficients = inverse @ X.T @ y
    rest = y - X @ coefficients
    who = pd.factorize(used["subject"])[0]
    sd = float(np.sqrt(rest @ rest / (len(y) - len(terms))))
    if sd <= 1e-9 * max(1.0, float(np.abs(y).max())):
        return Excluded(name, "every control has the value that the equation gives: nothing varies")
    by_age, age_p = _sd_by_age(used, rest, who)
    variance = used["image_variance"].mean() if used["image_variance"].notna().any() else float("nan")
    return Model(
        *place,
        measure=str(first["measure"]),
        unit=str(unit),
        rule=str(first["rule"]),
        origin=str(first["origin"]),
        settings=str(first["settings"]),
        sides=" and ".join(sorted(set(used["side"]) - {""})),
        images=usual,
        n=n,
        values=len(y),
        terms=terms,
        coefficients=coefficients.tolist(),
        covariance=_covariance(X, rest, inverse, who).tolist(),
        ranges=_ranges(used, covariates),
        sd=sd,
        sd_by_age=by_age,
        sd_age_p=age_p,
        image_variance=float(variance) if np.isfinite(variance) else None,
        freedom=freedom,
    )


def design(rows: pd.DataFrame, terms: Sequence[str]) -> FloatArray:
    """Columns of the terms, (rows, terms)."""
    columns: list[Any] = []
    for term in terms:
        if term == "1":
            columns.append(np.ones(len(rows)))
        elif term.startswith("sex="):
            columns.append((rows["sex"] == term.removeprefix("sex=")).to_numpy(dtype=np.float64))
        else:
            columns.append(rows[term].to_numpy(dtype=np.float64))
    return np.column_stack(columns)


def _terms(covariates: list[str], levels: list[str]) -> tuple[str, ...]:
    terms = ["1"]
    for name in covariates:
        terms += [f"sex={level}" for level in levels[1:]] if name == "sex" else [name]
    return tuple(terms)


def _known(rows: pd.DataFrame, name: str) -> pd.Series[bool]:
    return rows[name] != "" if name == "sex" else rows[name].notna()


def _ranges(rows: pd.DataFrame, covariates: list[str]) -> dict[str, list[Any]]:
    return {
        name: sorted(set(rows["sex"]))
        if name == "sex"
        else [float(rows[name].min()), float(rows[name].max())]
        for name in covariates
    }


def _covariance(X: FloatArray, rest: FloatArray, inverse: FloatArray, who: NDArray[np.int64]) -> FloatArray:
    """Of the coefficients; clustered by control (CR1) where a control has two sides."""
    n, p = X.shape
    controls = int(who.max()) + 1
    if controls == n:
        return np.asarray(inverse * (rest @ rest) / (n - p))
    scores = np.zeros((controls, p))
    np.add.at(scores, who, X * rest[:, None])
    scale = controls / (controls - 1) * (n - 1) / (n - p)
    return np.asarray(scale * inverse @ scores.T @ scores @ inverse)


def _sd_by_age(
    rows: pd.DataFrame, rest: FloatArray, who: NDArray[np.int64]
) -> tuple[list[float] | None, float | None]:
    """Line of the SD on age where absolute residuals change with it, and p (Altman 1993)."""
    count = np.bincount(who)
    age = np.bincount(who, rows["age"].to_numpy(dtype=np.float64)) / count
    size = np.bincount(who, np.abs(rest)) / count
    if not np.isfinite(age).all() or np.ptp(age) == 0 or len(age) < FEWEST_FREE:
        return None, None
    off = age - age.mean()
    slope = float(off @ size / (off @ off))
    left = size - size.mean() - slope * off
    error = float(np.sqrt(left @ left / (len(age) - 2) / (off @ off)))
    p = float(2 * t.sf(abs(slope) / error, len(age) - 2)) if error > 0 else 1.0
    # The mean size of a normal deviate is sqrt(2 / pi) of its SD.
    to_sd = float(np.sqrt(np.pi / 2))
    line = [to_sd * (float(size.mean()) - slope * float(age.mean())), to_sd * slope]
    lowest = min(line[0] + line[1] * float(age.min()), line[0] + line[1] * float(age.max()))
    return (line if p < ALPHA and lowest > 0 else None), p
