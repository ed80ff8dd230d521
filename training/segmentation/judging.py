"""The customers by whom clusterings are judged, and by whom segments that are no use by themselves are found."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from training.base.config import Config
from training.data.preparation import Matrix
from training.segmentation.choice import Clustering
from training.segmentation.clustering import Fit, Ids, Prototypes

BEST = 0.05
"""Share of the customers, those who are worth most, who must not be unusual more often than others."""

type Values = NDArray[Any]


@dataclass(frozen=True)
class Judges:
    """The customers by whom all clusterings are judged."""

    points: Matrix
    """[n, n_components]"""
    apart: Matrix
    """Euclidean distances between them, float32 [n, n]."""
    value: Values
    """What each is worth, 0 or more [n]."""
    config: Config

    @classmethod
    def of(cls, points: Matrix, value: Values, config: Config) -> Self:
        """These customers [n, n_components], each with what they are worth [n]."""
        apart = cdist(points, points).astype(np.float32)
        np.fill_diagonal(apart, 0)
        return cls(points, apart, np.maximum(np.nan_to_num(value), 0.0), config)

    @cached_property
    def best(self) -> Values:
        """Who are the best of them by value, as a mask [n]; nobody where nobody is worth anything."""
        enough = np.quantile(self.value, 1 - BEST)
        best: Values = (self.value >= enough) & (self.value > 0)
        return best

    def without_small(self, fit: Fit) -> tuple[Fit, Ids]:
        """The fit whose segments of few customers, who are worth little as well, are one with their nearest; and the
        segment by it of each of the judges [n]."""
        prototypes = fit.prototypes
        distances = prototypes.distances(self.points)
        while distances.shape[1] > 1:
            segment = distances.argmin(axis=1)
            trivial = np.flatnonzero(_is_trivial(*self._shares(segment, distances.shape[1]), self.config))
            if not len(trivial):
                break
            small = int(trivial[np.bincount(segment, minlength=distances.shape[1])[trivial].argmin()])
            if small == prototypes.unusual:
                prototypes = replace(prototypes, eps=np.inf)
            else:
                own = segment == small
                nearest = distances[own] if own.any() else prototypes.distances(prototypes.of(small))
                other = _most_often_next(nearest, small, prototypes.unusual)
                prototypes = prototypes.joined(small, other)
                # Not measured again: of two segments that are one, the nearer prototype is the distance.
                distances[:, other] = np.minimum(distances[:, other], distances[:, small])
            distances = np.delete(distances, small, axis=1)
        return replace(fit, prototypes=prototypes), distances.argmin(axis=1)

    def _shares(self, segment: Ids, count: int) -> tuple[Values, Values]:
        """Of the customers and of what they are worth, what each segment holds [count each]."""
        sizes = np.bincount(segment, minlength=count) / len(segment)
        worth = np.bincount(segment, self.value, minlength=count) / max(self.value.sum(), 1e-9)
        return sizes, worth

    def one_segment(self) -> Clustering:
        """Everybody as one segment, where nothing tells them apart soundly."""
        centre = Prototypes(self.points.mean(axis=0, keepdims=True).astype(np.float32), np.zeros(1, np.int64))
        return self.judge("none", "1 segment", Fit(centre), np.zeros(len(self.points), np.int64), 1.0)

    def judge(self, algorithm: str, setting: str, fit: Fit, segment: Ids, stability: float = np.nan) -> Clustering:
        """A clustering that puts them into `segment` [n]; its stability is NaN until it is known."""
        sizes, worth = self._shares(segment, fit.prototypes.segments)
        unusual = fit.prototypes.unusual
        several = 1 < np.count_nonzero(sizes) < len(segment)
        return Clustering(
            algorithm,
            setting,
            fit.prototypes,
            silhouette=float(silhouette_score(self.apart, segment, metric="precomputed")) if several else np.nan,
            davies_bouldin=float(davies_bouldin_score(self.points, segment)) if several else np.nan,
            calinski_harabasz=float(calinski_harabasz_score(self.points, segment)) if several else np.nan,
            stability=stability,
            noise=float(sizes[unusual]) if unusual is not None else 0.0,
            smallest=float(sizes.min()),
            largest=float(sizes.max()),
            trivial=bool(_is_trivial(sizes, worth, self.config).any()),
            best_unusual=float((segment[self.best] == unusual).mean()) if self.best.any() else 0.0,
            fidelity=fit.fidelity,
        )


def _is_trivial(sizes: Values, worth: Values, config: Config) -> Values:
    trivial: Values = (sizes < config.smallest_segment) & (worth < config.worth_a_segment)
    return trivial


def _most_often_next(distances: Values, segment: int, unusual: int | None) -> int:
    """The segment that most customers are nearest to after `segment`, by their distances [n, segments]."""
    others = distances.copy()
    others[:, [segment] if unusual is None else [segment, unusual]] = np.inf
    return int(np.bincount(others.argmin(axis=1)).argmax())
