"""Micro-segments: the customers of a segment divided further, each part with a minimum of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from training.base.config import Config
from training.data.preparation import Matrix
from training.segmentation.clustering import CHUNK, Ids, centroids


@dataclass(frozen=True)
class MicroSegments:
    """Centroids inside the segments: a customer is of the nearest one of their own segment."""

    centroids: Matrix
    """[n_micro_segments, n_components]"""
    owner: Ids
    """Segment that each lies in [n_micro_segments]."""

    def of(self, points: Matrix, segment: Ids) -> tuple[Ids, NDArray[np.float64]]:
        """The micro-segment of each point [n], and by what share the second nearest is farther [n]."""
        nearest = np.empty(len(points), np.int64)
        gap = np.full(len(points), np.inf)
        for own in np.unique(segment):
            inside = np.flatnonzero(self.owner == own)
            here = np.flatnonzero(segment == own)
            for rows in np.array_split(here, 1 + len(here) // CHUNK):
                distances = cdist(points[rows], self.centroids[inside])
                nearest[rows] = inside[distances.argmin(axis=1)]
                if len(inside) > 1:
                    first, second = np.partition(distances, 1, axis=1)[:, :2].T
                    gap[rows] = (second - first) / np.maximum(second, np.finfo(np.float32).tiny)
        return nearest, gap


def fit_micro_segments(points: Matrix, segment: Ids, config: Config) -> MicroSegments:
    """Micro-segments of `micro_segment_customers` or more, `most_micro_segments` at most in one segment.

    A segment that cannot be divided so, or is smaller than that itself, is one micro-segment.
    """
    parts = [_divided(points[segment == own], config) for own in range(segment.max() + 1)]
    return MicroSegments(np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts]))


def _divided(members: Matrix, config: Config) -> Matrix:
    """k-means whose smallest part is given up, its members going to the others, until none is too small."""
    minimum = max(config.micro_segment_customers, 1)
    # Rounded, since equal customers may differ in the last digit of a matrix product.
    kinds = len(np.unique(members.round(4), axis=0))
    count = max(1, min(config.most_micro_segments, len(members) // minimum, kinds))
    parts = centroids(members, count, config.seed)
    while len(parts) > 1:
        sizes = np.bincount(cdist(members, parts).argmin(axis=1), minlength=len(parts))
        if sizes.min() >= minimum:
            break
        parts = centroids(members, len(parts) - 1, config.seed, np.delete(parts, sizes.argmin(), axis=0))
    return parts
