"""Estimators that bring a table of features to a common scale: adjust, standardise, weight blocks.

Each is fitted on a reference (the cohort, or its controls) and kept, so that a new patient is brought to
the scale of the old ones. Missing values stay missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from usimg.errors import StudyRefused

FloatArray = NDArray[np.float64]

PLAIN, ROBUST = "plain", "robust"
# Median absolute deviation to the SD of a normal law: 1 / 0.6745 (Hampel 1974).
MAD_TO_SD = 1.4826
# Blocks of equal weight: what several features say of one thing counts once.
BLOCKS = {
    "muscle_thickness": "muscle size",
    "muscle_csa": "muscle size",
    "muscle_echo": "muscle echo intensity",
    "nerve_csa": "nerve",
    "fat": "fat",
    "other": "other",
}


class Standardise(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Centre and scale each feature; fitted on controls it gives their z-scores.

    Parameters
    ----------
    method : str
        ``"plain"``: mean and SD. ``"robust"``: median and 1.4826 times the median absolute deviation
        (the SD where more than half of the values are the same).

    Attributes
    ----------
    centre_, scale_ : ndarray, shape (p,)
        In the features' own units. A feature that does not vary has scale 1.

    Examples
    --------
    >>> Standardise().fit_transform([[1.0], [3.0]]).tolist()
    [[-1.0], [1.0]]
    """

    def __init__(self, method: str = PLAIN) -> None:
        self.method = method

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn centre and scale of each feature of X (n, p), missing values left out."""
        if self.method not in (PLAIN, ROBUST):
            raise ValueError(f"method is {self.method!r}; it is {PLAIN!r} or {ROBUST!r}")
        values: FloatArray = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        known = np.isfinite(values)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values, 0.0).sum(axis=0) / count
        sd = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / count)
        self.centre_, scale = mean, sd
        if self.method == ROBUST:
            filled = np.where(known.any(axis=0), values, 0.0)  # a feature without a value has no median
            self.centre_ = np.nanmedian(filled, axis=0)
            spread = MAD_TO_SD * np.nanmedian(np.abs(filled - self.centre_), axis=0)
            scale = np.where(spread > 0, spread, sd)
        # Differences at the last digit of a constant are rounding.
        rounding = 10 * np.finfo(np.float64).eps * np.abs(self.centre_)
        self.scale_: FloatArray = np.where(scale > rounding, scale, 1.0)
        return self

    def transform(self, X: ArrayLike) -> FloatArray:
        """X (n, p) in SD from the centre."""
        check_is_fitted(self)
        values: FloatArray = validate_data(
            self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"
        )
        scaled: FloatArray = (values - self.centre_) / self.scale_
        return scaled

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class Adjust(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Take out of each feature what its linear regression on covariates says.

    Parameters
    ----------
    covariates : sequence of int
        Which columns of X are covariates (age, sex as 0 and 1, height). They do not come out again.

    Attributes
    ----------
    slopes_ : ndarray, shape (covariates, features)
        Change of each feature with one unit of a covariate, the others held constant.
    reference_ : ndarray, shape (covariates,)
        Mean of each covariate where it was fitted: a feature is adjusted to a person of these values, and
        so keeps its unit and level.

    Examples
    --------
    >>> Adjust([0]).fit_transform([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]]).ravel().round(9).tolist()
    [3.0, 3.0, 3.0]
    """

    def __init__(self, covariates: Sequence[int] = ()) -> None:
        self.covariates = covariates

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the slopes from the rows of X (n, c + p) that have the covariates and the feature."""
        values: FloatArray = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        facts, features = self._parted(values)
        known = np.isfinite(facts).all(axis=1)
        self.reference_: FloatArray = facts[known].mean(axis=0) if known.any() else np.zeros(facts.shape[1])
        self.slopes_: FloatArray = np.zeros((facts.shape[1], features.shape[1]))
        if facts.shape[1]:
            centred = facts - self.reference_
            for j, column in enumerate(features.T):
                rows = known & np.isfinite(column)
                design = np.column_stack([np.ones(rows.sum()), centred[rows]])
                self.slopes_[:, j] = np.linalg.lstsq(design, column[rows], rcond=None)[0][1:]
        return self

    def transform(self, X: ArrayLike) -> FloatArray:
        """Features (n, p) as they would be at the reference's covariates; missing where a covariate is."""
        check_is_fitted(self)
        values: FloatArray = validate_data(
            self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"
        )
        facts, features = self._parted(values)
        adjusted: FloatArray = features - (facts - self.reference_) @ self.slopes_
        return adjusted

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names of the columns that come out."""
        check_is_fitted(self)
        given = getattr(self, "feature_names_in_", None)
        names = input_features if input_features is not None else given
        if names is None:
            names = [f"x{i}" for i in range(self.n_features_in_)]
        return np.delete(np.asarray(names, dtype=object), list(self.covariates))

    def _parted(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        at = list(self.covariates)
        return X[:, at], np.delete(X, at, axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class WeightBlocks(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Let every block of standardised features weigh as asked, however many features it has.

    Parameters
    ----------
    blocks : sequence of str, optional
        The block of each feature, in order. None: every feature weighs 1.
    weights : mapping of str to float, optional
        Weight of a block against the others; 1 for blocks not named. k-means squares distances, so a
        block's share of the whole is its weight.

    Attributes
    ----------
    factors_ : ndarray, shape (p,)
        What each feature is multiplied by; their squares add up to p.

    Examples
    --------
    >>> made = WeightBlocks(["muscle", "muscle", "muscle", "nerve"]).fit([[0.0] * 4])
    >>> (made.factors_**2).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """

    def __init__(
        self, blocks: Sequence[str] | None = None, weights: Mapping[str, float] | None = None
    ) -> None:
        self.blocks = blocks
        self.weights = weights

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Compute the factor of each column of X (n, p)."""
        values: FloatArray = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        self.factors_: FloatArray = np.ones(values.shape[1])
        if self.blocks is not None:
            if len(self.blocks) != values.shape[1]:
                raise ValueError(f"{len(self.blocks)} blocks are given for {values.shape[1]} features")
            names, at, sizes = np.unique(list(self.blocks), return_inverse=True, return_counts=True)
            wanted = np.array([(self.weights or {}).get(str(name), 1.0) for name in names])
            squares = (wanted / sizes)[at]
            self.factors_ = np.sqrt(squares * values.shape[1] / squares.sum())
        return self

    def transform(self, X: ArrayLike) -> FloatArray:
        """X (n, p) times the factors."""
        check_is_fitted(self)
        values: FloatArray = validate_data(
            self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"
        )
        weighted: FloatArray = values * self.factors_
        return weighted

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def block_weights(text: str) -> dict[str, float]:
    """Weights of blocks as a person writes them: ``"nerve=0.5, muscle size=1"``.

    Raises
    ------
    StudyRefused
        An unknown block, or no positive number.
    """
    known = sorted(set(BLOCKS.values()))
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = 0.0
        if name not in known or not 0 < weight < 1e6:
            raise StudyRefused(
                f"block weights {part!r}: write BLOCK=NUMBER with a positive number and one of"
                f" {', '.join(known)}"
            )
        found[name] = weight
    return found
