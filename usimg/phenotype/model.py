"""A clustering as a file that places new patients and later visits: JSON, no pickle, nothing that runs."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from usimg.errors import StudyRefused
from usimg.phenotype.recipe import Recipe, covariates_of

if TYPE_CHECKING:
    from usimg.phenotype.result import Phenotypes

FORMAT = "usimg phenotypes 1"
# A new patient farther from every centre than 99 of 100 of the model's own patients lies outside what it
# has seen; chosen here.
FAR = 0.99
_ARRAYS = ("reference", "slopes", "centre", "scale", "factors", "offset")
# Libraries whose versions stand in the file.
_MADE_WITH = ("usimg", "numpy", "scikit-learn")


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """What places a patient.

    Attributes
    ----------
    recipe : Recipe
    parts : tuple of str
        Names, least severe first, as the report wrote them.
    centres : ndarray, shape (k, p)
    axis : ndarray, shape (p,)
    reach : float
        Distance from the nearest centre that 99 % of the model's patients keep within.
    roles : dict
    claim, echo, fingerprint : str
        What was claimed, how echo intensity was treated, hash of the patients' features.
    made_with : dict
        Library to its version.
    """

    recipe: Recipe
    parts: tuple[str, ...]
    centres: np.ndarray[Any, np.dtype[np.float64]] = field(repr=False)
    axis: np.ndarray[Any, np.dtype[np.float64]] = field(repr=False)
    reach: float
    roles: dict[str, str]
    claim: str
    echo: str
    patients: int
    fingerprint: str
    made_with: dict[str, str]

    @classmethod
    def of(cls, result: Phenotypes) -> Self:
        """The model of a clustering.

        Raises
        ------
        StudyRefused
            Echo intensity was standardised by device, which the file does not hold.
        """
        from usimg.phenotype.page import fingerprint  # noqa: PLC0415  it loads jinja2

        if result.given.preparation.echo in ("z", "centred"):
            raise StudyRefused(
                f"echo intensity was brought to {result.given.preparation.echo!r} per device, with people who"
                " are not in the model: cluster bridged values, or without echo intensity, to save a model"
            )
        X, centres = result.standardised.to_numpy(), result.centres.to_numpy()
        nearest = np.sqrt(((X[:, None] - centres) ** 2).sum(axis=-1)).min(axis=1)
        return cls(
            recipe=result.recipe,
            parts=result.part_words,
            centres=centres,
            axis=result.axis.to_numpy(),
            reach=float(np.quantile(nearest, FAR)),
            roles=result.roles,
            claim=result.claim,
            echo=result.given.preparation.echo,
            patients=len(X),
            fingerprint=fingerprint(result),
            made_with={name: version(name) for name in _MADE_WITH},
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model as JSON with a hash of its content; return where it lies."""
        from usimg.study.files import write_text  # noqa: PLC0415  a model in memory needs no files

        content = {
            "format": FORMAT,
            "made_with": self.made_with,
            "claim": self.claim,
            "echo": self.echo,
            "patients": self.patients,
            "fingerprint": self.fingerprint,
            "parts": list(self.parts),
            "features": list(self.recipe.features),
            "roles": self.roles,
            "covariates": list(self.recipe.covariates),
            "said": self.recipe.said,
            **{name: getattr(self.recipe, name).tolist() for name in _ARRAYS},
            "centres": self.centres.tolist(),
            "axis": self.axis.tolist(),
            "reach": self.reach,
        }
        target = Path(path)
        text = json.dumps(content | {"sha256": _hash(content)}, indent=1, ensure_ascii=False, allow_nan=False)
        write_text(target, text + "\n")
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model.

        Raises
        ------
        StudyRefused
            Not a model, of another version, changed since it was written, or not whole.
        """
        name = Path(path).name
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise StudyRefused(f"{path}: {error.strerror or error}") from error
        except ValueError:
            raise StudyRefused(f"{name} is no model of usimg cluster (not JSON)") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise StudyRefused(f"{name} is no model of usimg cluster that this version reads ({FORMAT})")
        if _hash({key: value for key, value in content.items() if key != "sha256"}) != content.get("sha256"):
            raise StudyRefused(
                f"{name} was changed after usimg wrote it (its hash differs); use the original"
            )
        try:
            arrays = {key: np.array(content[key], dtype=np.float64) for key in _ARRAYS}
            # JSON knows no array of no rows.
            shape = (len(content["covariates"]), len(content["features"]))
            arrays["slopes"] = arrays["slopes"].reshape(shape)
            recipe = Recipe(
                features=tuple(content["features"]),
                covariates=tuple(content["covariates"]),
                said=content["said"],
                **arrays,
            )
            return cls(
                recipe=recipe,
                parts=tuple(content["parts"]),
                centres=np.array(content["centres"], dtype=np.float64),
                axis=np.array(content["axis"], dtype=np.float64),
                **{key: content[key] for key in ("reach", "roles", "claim", "echo", "patients")},
                **{key: content[key] for key in ("fingerprint", "made_with")},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StudyRefused(f"{name} is damaged: {error}") from None

    def assign(self, features: pd.DataFrame, clinical: pd.DataFrame | None = None) -> pd.DataFrame:
        """Place patients, or later visits, by the nearest centre.

        Parameters
        ----------
        features : DataFrame
            One row per patient, with the model's columns.
        clinical : DataFrame, optional
            The same rows; needed where features were adjusted.

        Returns
        -------
        DataFrame
            ``part``, ``severity_sd``, ``distance`` to the nearest centre, ``far`` (from every centre: outside
            what the model has seen), ``reason`` why there is none.

        Raises
        ------
        StudyRefused
            A feature or fact of the model is not there.
        """
        absent = [name for name in self.recipe.features if name not in features.columns]
        if absent:
            raise StudyRefused(
                f"{len(absent)} of the model's {len(self.recipe.features)} features are not in the table:"
                f" {', '.join(absent[:3])}{', ...' if len(absent) > 3 else ''}"
            )
        known = pd.DataFrame(index=features.index) if clinical is None else clinical.reindex(features.index)
        facts = covariates_of(known, self.recipe.covariates)
        numbers = features[list(self.recipe.features)].apply(pd.to_numeric, errors="coerce")
        z = self.recipe.applied(numbers, facts).to_numpy()
        whole = np.isfinite(z).all(axis=1)
        distances = np.sqrt(((z[:, None] - self.centres) ** 2).sum(axis=-1))  # (n, k); NaN where not whole
        nearest = np.where(whole, np.where(whole[:, None], distances, np.inf).argmin(axis=1), -1)
        least = np.where(whole, np.where(whole[:, None], distances, np.inf).min(axis=1), np.nan)
        gaps = ~np.isfinite(z)
        reasons = [
            "" if ok else f"no value for {', '.join(np.array(self.recipe.features)[gap][:3])}"
            for ok, gap in zip(whole, gaps, strict=True)
        ]
        return pd.DataFrame(
            {
                "part": [self.parts[at] if at >= 0 else "" for at in nearest],
                "severity_sd": np.where(whole, np.where(np.isfinite(z), z, 0.0) @ self.axis, np.nan),
                "distance": least,
                "far": least > self.reach,
                "reason": reasons,
            },
            index=features.index,
        )


def _hash(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
