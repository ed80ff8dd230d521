"""Why a customer is in a segment: every feature's share in how much nearer it is than another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

TINY = 1e-30

type Vector = NDArray[np.float64]
type Row = NDArray[np.float32]


@dataclass(frozen=True)
class Preparation:
    """Impute, log, clip and scale, in float32 as the graph does it; every field is of length n_features."""

    fill: Row
    log: NDArray[np.bool_]
    low: Row
    high: Row
    mean: Row
    scale: Row

    def __call__(self, x: Row) -> Row:
        """Prepared features of the shape of `x` [..., n_features]."""
        filled = np.where(np.isnan(x), self.fill, x)
        logged = np.where(self.log, np.sign(filled) * np.log(np.abs(filled) + np.float32(1)), filled)
        prepared: Row = (np.minimum(np.maximum(logged, self.low), self.high) - self.mean) * self.scale
        return prepared


@dataclass(frozen=True)
class Nearest:
    """Segments as the nearest of labelled prototypes in the space of the principal components."""

    prepare: Preparation
    components: Vector
    """[n_features, n_components], columns of length 1 at right angles to each other, up to the rounding to float32."""
    centre: Vector
    """What the prepared features are taken from before they are projected [n_features]."""
    prototypes: Vector
    """[n_prototypes, n_components]"""
    owner: NDArray[np.int64]
    """Segment of each prototype [n_prototypes]."""
    eps: float | None = None
    """Who is farther than this from every prototype is in the segment `unusual`, which has none of its own."""
    unusual: int | None = None

    @cached_property
    def _back(self) -> Vector:
        """From points to prepared features [n_features, n_components]: exact, so that shares leave no remainder."""
        back: Vector = self.components @ np.linalg.inv(self.components.T @ self.components)
        return back

    def distances(self, x: Row) -> Vector:
        """Euclidean distance of one customer to each prototype [n_prototypes]."""
        point = (self.prepare(x) - self.centre) @ self.components
        return np.sqrt(((point - self.prototypes) ** 2).sum(axis=1))

    def segment(self, x: Row) -> int:
        """The segment of one customer."""
        distances = self.distances(x)
        nearest = int(distances.argmin())
        if self.eps is not None and self.unusual is not None and distances[nearest] > self.eps:
            return self.unusual
        return int(self.owner[nearest])

    def contributions(self, x: Row, segment: int, other: int) -> tuple[Vector, float]:
        """How much each feature brings `x` nearer to `segment` than to `other` [n_features], and what that sums to: the
        distance to the nearest prototype of `other` less that to the nearest of `segment`.

        The difference of squared distances d² - e² is linear in the point, so that it splits over the prepared
        features without remainder, each measured from the middle between the two prototypes; d - e is that divided by
        d + e. The unusual are `eps` from their own segment, where it begins: for and against it, every feature counts
        by its part in the distance to the nearest prototype, less the same share of each for `eps`.
        """
        distances = self.distances(x)
        if self.eps is not None and self.unusual in (segment, other):
            shares, beyond = self._beyond(x, distances, self.eps)
            return (shares, beyond) if segment == self.unusual else (-shares, -beyond)
        near, far = (self._nearest_of(which, distances) for which in (segment, other))
        between = self.prototypes[near] - self.prototypes[far]
        middle = self.centre + self._back @ (self.prototypes[near] + self.prototypes[far]) / 2
        total = distances[near] + distances[far]
        shares = 2 * (self.prepare(x) - middle) * (self.components @ between) / (total if total > 0 else 1.0)
        return shares, float(distances[far] - distances[near])

    def _beyond(self, x: Row, distances: Vector, eps: float) -> tuple[Vector, float]:
        nearest = int(distances.argmin())
        distance = max(float(distances[nearest]), TINY)
        gap = self.prepare(x) - self.centre
        along = self.components @ (gap @ self.components - self.prototypes[nearest])
        parts = (gap - self._back @ self.prototypes[nearest]) * along / distance
        return parts * (1 - eps / distance), distance - eps

    def _nearest_of(self, segment: int, distances: Vector) -> int:
        own = np.flatnonzero(self.owner == segment)
        return int(own[distances[own].argmin()])
