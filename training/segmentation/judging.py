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

    def without_small(self, fit: Fit) -> Fit:
        """The fit whose segments of few customers, who are worth little as well, are one with their nearest."""
        prototypes = fit.prototypes
        while prototypes.segments > 1:
            small = self._small(prototypes)
            if small is None:
                break
            if small == prototypes.unusual:
                prototypes = replace(prototypes, eps=np.inf)
            else:
                prototypes = prototypes.joined(small, self._nearest(prototypes, small))
        return replace(fit, prototypes=prototypes)

    def _small(self, prototypes: Prototypes) -> int | None:
        """The smallest of the segments that are trivial."""
        sizes, worth = self._shares(prototypes.segment_of(self.points), prototypes.segments)
        trivial = np.flatnonzero(_is_trivial(sizes, worth, self.config))
        return int(trivial[sizes[trivial].argmin()]) if len(trivial) else None

    def _nearest(self, prototypes: Prototypes, segment: int) -> int:
        """The segment that most of the customers of this one are nearest to after it; of its prototypes, if none is."""
        own = self.points[prototypes.segment_of(self.points) == segment]
        if not len(own):
            own = prototypes.points[prototypes.owner == segment]
        distances = prototypes.distances(own)[:, : prototypes.owner.max() + 1]
        distances[:, segment] = np.inf
        return int(np.bincount(distances.argmin(axis=1)).argmax())

    def _shares(self, segment: Ids, count: int) -> tuple[Values, Values]:
        """Of the customers and of what they are worth, what each segment holds [count each]."""
        sizes = np.bincount(segment, minlength=count) / len(segment)
        worth = np.bincount(segment, self.value, minlength=count) / max(self.value.sum(), 1e-9)
        return sizes, worth

    def one_segment(self) -> Clustering:
        """Everybody as one segment, where nothing tells them apart soundly."""
        centre = Prototypes(self.points.mean(axis=0, keepdims=True).astype(np.float32), np.zeros(1, np.int64))
        return self.judge("none", "1 segment", Fit(centre), np.zeros(len(self.points), np.int64), 1.0)

    def judge(self, algorithm: str, setting: str, fit: Fit, segment: Ids, stability: float) -> Clustering:
        """A clustering that puts them into `segment` [n]."""
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
