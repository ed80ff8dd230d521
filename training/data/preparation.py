"""From raw features to comparable ones: fill gaps, tame long tails, draw in extremes, standardise."""

import re
from collections.abc import Collection, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from shared.features import Feature

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


def balanced_preparation(
    X: Matrix, clip_share: float, features: Sequence[Feature] | None, ignored: Collection[str] = ()
) -> tuple[Pipeline, Matrix]:
    """The steps fitted to X [n, n_features], with the features' weights in the last one; and X prepared by them.

    Without `features`, all count alike; those of `ignored` groups do not count.
    """
    prepare = preparation(clip_share)
    prepared = prepare.fit_transform(X)
    if features is None:
        return prepare, prepared
    weight = weights(prepared, features, ignored)
    scale = prepare["scale"]
    scale.scale_ = np.divide(scale.scale_, weight, out=np.full(len(weight), np.inf), where=weight > 0)
    return prepare, prepare.transform(X)


def weights(standardised: Matrix, features: Sequence[Feature], ignored: Collection[str] = ()) -> NDArray[np.float64]:
    """How much each feature counts in a distance [n_features], so that no group outvotes the others by its number.

    Of a measure over several windows the longest with an end counts and the others do not: they say the same with more
    chance in it. The rest of each group are divided by the standard deviation along their principal axis, as multiple
    factor analysis does (Escofier and Pagès, Multiple factor analysis, 1994).
    """
    longest: dict[str, tuple[int, int]] = {}
    for j, feature in enumerate(features):
        measure = re.sub(r"_(\d+d|lifetime)$", "", feature.name)
        longest[measure] = max(longest.get(measure, (-1, -1)), (feature.window_days or 0, j))
    kept = [j for _, j in longest.values() if standardised[:, j].std() > 0]
    weight = np.zeros(len(features))
    for group in dict.fromkeys(features[j].group for j in kept if features[j].group not in ignored):
        own = [j for j in kept if features[j].group == group]
        together = np.atleast_2d(np.cov(standardised[:, own].astype(np.float64), rowvar=False))
        weight[own] = np.linalg.eigvalsh(together)[-1] ** -0.5
    return weight


def standardised(prepare: Pipeline, X: Matrix) -> Matrix:
    """X [n, n_features] prepared without the weights: in standard deviations from the mean."""
    scale = prepare["scale"]
    spread = np.sqrt(scale.var_)
    values = (prepare[:-1].transform(X) - scale.mean_) / np.where(spread > 0, spread, 1.0)
    return values.astype(np.float32)  # type: ignore[no-any-return]


def _signed_log(X: Matrix) -> Matrix:
    return np.sign(X) * np.log1p(np.abs(X))


def _skewness(X: Matrix) -> NDArray[np.float64]:
    centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    squared = centred * centred
    deviation = np.sqrt(squared.mean(axis=0))
    skewness: NDArray[np.float64] = (squared * centred).mean(axis=0) / np.where(deviation > 0, deviation, 1.0) ** 3
    return skewness
