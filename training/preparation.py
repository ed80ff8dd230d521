"""From raw features to comparable ones: fill gaps, tame long tails, draw in extremes, standardise."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

type Matrix = NDArray[np.float32]


class SignedLog(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """sign(x) * log(1 + |x|) of the features whose skewness it reduces; the others stay as they are.

    `mask_` [n_features] says which, found in `fit`.
    """

    def fit(self, X: Matrix, y: object = None) -> Self:
        """Finds the features that the logarithm makes clearly less skewed."""
        self.mask_ = np.abs(_skewness(_signed_log(X))) < np.abs(_skewness(X)) - 0.5
        return self

    def transform(self, X: Matrix) -> Matrix:
        """The logarithm where it helps [n, n_features]."""
        return np.where(self.mask_, _signed_log(X), X)


class Clip(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Draws every feature into the range that all but a `share` of the training values at each end lie in."""

    def __init__(self, share: float = 0.0) -> None:
        self.share = share

    def fit(self, X: Matrix, y: object = None) -> Self:
        """Finds the ranges [n_features]."""
        self.low_, self.high_ = np.quantile(X, [self.share, 1 - self.share], axis=0).astype(np.float32)
        return self

    def transform(self, X: Matrix) -> Matrix:
        """The values drawn into the ranges [n, n_features]."""
        return np.clip(X, self.low_, self.high_)


def preparation(clip_share: float) -> Pipeline:
    """The unfitted steps, for float32 features [n, n_features] in which NaN means "undefined"."""
    steps: list[tuple[str, Any]] = [
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("log", SignedLog()),
        ("clip", Clip(clip_share)),
        ("scale", StandardScaler()),
    ]
    return Pipeline(steps)


def _signed_log(X: Matrix) -> Matrix:
    return np.sign(X) * np.log1p(np.abs(X))


def _skewness(X: Matrix) -> NDArray[np.float64]:
    centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt((centred**2).mean(axis=0))
    skewness: NDArray[np.float64] = (centred**3).mean(axis=0) / np.where(deviation > 0, deviation, 1.0) ** 3
    return skewness
