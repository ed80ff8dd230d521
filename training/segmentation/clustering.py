"""k-means, DBSCAN and Ward's hierarchy, each over its settings, and each answering with prototypes of segments.

What assigns a customer is the same for all three: the segment of the nearest prototype. For k-means the prototypes are
the centroids; for DBSCAN its core samples, farther than `eps` from all of which a customer is unusual; for Ward's
hierarchy, which can assign nobody new, a few centroids in each of its clusters, that reproduce it to a measured degree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN, KMeans
from sklearn.neighbors import NearestNeighbors

from training.base.config import Config
from training.data.preparation import Matrix

STARTS = 5
"""Random starts of each k-means, of which the tightest is kept."""
NEIGHBOURHOODS = (5, 15, 40)
"""Customers within `eps` of a core sample, at least and with itself: the values tried."""
REACHES = (0.6, 0.75, 0.85, 0.95)
"""Shares of the customers whose neighbourhood lies within `eps`: the values tried, beside the knee of that curve."""
FAITHFUL = 0.95
"""Share of unseen customers whom a surrogate puts into their own cluster; where it is reached, no centroid is added."""
CENTROIDS = (1, 2, 4, 8, 16)
"""Centroids in each of Ward's clusters: the numbers tried, until the surrogate is faithful."""
CHUNK = 20_000

type Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Prototypes:
    """Segments as points: a customer is of the segment that the nearest one stands for."""

    points: Matrix
    """[n_prototypes, n_components]"""
    owner: Ids
    """Segment of each, in ascending order [n_prototypes]."""
    eps: float = np.inf
    """A customer farther than this from every prototype is of a segment without prototypes, the unusual. Infinite where
    there is no such segment."""
    apart: int | None = None
    """The id of that segment; None for the one after the last."""

    @property
    def unusual(self) -> int | None:
        """The segment of those far from everything."""
        if not np.isfinite(self.eps):
            return None
        return int(self.owner.max(initial=-1)) + 1 if self.apart is None else self.apart

    @property
    def segments(self) -> int:
        """How many, that of unusual customers included."""
        return len(np.unique(self.owner)) + int(np.isfinite(self.eps))

    def of(self, segment: int) -> Matrix:
        """The prototypes of a segment [m, n_components]."""
        own: Matrix = self.points[self.owner == segment]
        return own

    def joined(self, segment: int, other: int) -> Self:
        """The same with the customers of one segment in another, and with ids without a gap."""
        owner = np.unique(np.where(self.owner == segment, other, self.owner), return_inverse=True)[1].astype(np.int64)
        order = np.argsort(owner, kind="stable")
        return replace(self, points=self.points[order], owner=owner[order])

    def renumbered(self, ids: Sequence[int]) -> Self:
        """The same by other ids: those of `ids` [segments], in the order of the ids now, each used once."""
        now = np.unique([*self.owner, *([] if self.unusual is None else [self.unusual])])
        new = dict(zip(now.tolist(), ids, strict=True))
        owner = np.array([new[i] for i in self.owner.tolist()], np.int64)
        order = np.argsort(owner, kind="stable")
        apart = None if self.unusual is None else new[self.unusual]
        return replace(self, points=self.points[order], owner=owner[order], apart=apart)

    def distances(self, points: Matrix) -> NDArray[np.float64]:
        """Euclidean distance of each point to the nearest prototype of each segment [n, largest id + 1].

        That to the unusual segment is `eps` for everyone, so that the smallest of a row always tells the segment; that
        to an id which no segment has is infinite.
        """
        begins = np.flatnonzero(np.diff(self.owner, prepend=-1))
        unusual = -1 if self.unusual is None else self.unusual
        distances = np.full((len(points), max(int(self.owner.max(initial=-1)), unusual) + 1), np.inf)
        if unusual >= 0:
            distances[:, unusual] = self.eps
        for start in range(0, len(points) if len(begins) else 0, CHUNK):
            part = slice(start, start + CHUNK)
            distances[part, self.owner[begins]] = np.minimum.reduceat(cdist(points[part], self.points), begins, axis=1)
        return distances

    def segment_of(self, points: Matrix) -> Ids:
        """The segment of each point [n]."""
        return self.distances(points).argmin(axis=1)


@dataclass(frozen=True)
class Setting:
    """What an algorithm is run with."""

    name: str
    segments: int = 0
    neighbours: int = 0
    eps: float = np.inf


@dataclass(frozen=True)
class Fit:
    """What an algorithm found."""

    prototypes: Prototypes
    fidelity: float = 1.0
    """Share of the customers whom the prototypes put where the algorithm did."""


@dataclass(frozen=True)
class Algorithm:
    """A way to find segments."""

    name: str
    settings: Callable[[Matrix, Config], list[Setting]]
    """Of points [n, n_components], what to try."""
    fit: Callable[[Matrix, Sequence[Setting], int], list[Fit]] = field(repr=False)
    """Of points, settings and a seed, what is found with each setting."""
    most_customers: Callable[[Config], int]
    """Customers it is fitted on, at most."""


def centroids(points: Matrix, count: int, seed: int, start: Matrix | None = None, starts: int = STARTS) -> Matrix:
    """The centroids of k-means [count, n_components], as float32; refined from those of `start` if given."""
    how: dict[str, Any] = {"n_init": starts} if start is None else {"n_init": 1, "init": start}
    fitted = KMeans(n_clusters=count, random_state=seed, **how).fit(points)
    return np.asarray(fitted.cluster_centers_, np.float32)


def _numbers(points: Matrix, config: Config) -> list[Setting]:
    fewest, most = config.fewest_segments, config.most_segments
    if config.segments:
        fewest, most = min(fewest, config.segments), max(most, config.segments)
    # Rounded, since equal customers may differ in the last digit of a matrix product.
    kinds = len(np.unique(points.round(4), axis=0))
    return [Setting(f"{k} segments", segments=k) for k in range(fewest, min(most, kinds) + 1)]


def _k_means(points: Matrix, settings: Sequence[Setting], seed: int) -> list[Fit]:
    fitted = [centroids(points, min(setting.segments, len(points)), seed) for setting in settings]
    return [Fit(Prototypes(centres, np.arange(len(centres)))) for centres in fitted]


def _reaches(points: Matrix, config: Config) -> list[Setting]:
    """Values of `eps` that reach all neighbours of the REACHES of the customers, and the knee of that curve."""
    settings = {}
    for neighbours in (count for count in NEIGHBOURHOODS if count < len(points)):
        curve = np.sort(NearestNeighbors(n_neighbors=neighbours - 1).fit(points).kneighbors()[0][:, -1])
        for distance in (*np.quantile(curve, REACHES), _knee(curve)):
            # Rounded up, so that float32 in the graph holds the very number.
            eps = float(np.nextafter(np.float32(distance), np.float32(np.inf)))
            settings[neighbours, eps] = Setting(f"eps {eps:.4g}, {neighbours} neighbours", 0, neighbours, eps)
    return [settings[key] for key in sorted(settings)]


def _knee(curve: NDArray[np.float64]) -> float:
    """Where a rising curve bends most: the point farthest below the line between its ends.

    Satopää et al., Finding a "Kneedle" in a Haystack, 2011.
    """
    line = np.linspace(curve[0], curve[-1], len(curve))
    return float(curve[(line - curve).argmax()])


def _dbscan(points: Matrix, settings: Sequence[Setting], seed: int) -> list[Fit]:
    fits = []
    for setting in settings:
        fitted = DBSCAN(eps=setting.eps, min_samples=setting.neighbours).fit(points)
        core = fitted.core_sample_indices_
        core = core[np.argsort(fitted.labels_[core], kind="stable")]
        owner = fitted.labels_[core].astype(np.int64)
        fits.append(Fit(Prototypes(points[core].astype(np.float32), owner, setting.eps)))
    return fits


def _ward(points: Matrix, settings: Sequence[Setting], seed: int) -> list[Fit]:
    tree = linkage(points, "ward")
    return [_surrogate(points, fcluster(tree, setting.segments, "maxclust") - 1, seed) for setting in settings]


def _surrogate(points: Matrix, cluster: NDArray[np.int32], seed: int) -> Fit:
    """As few centroids in each cluster as are faithful to customers that they were not made from."""
    fidelity = 0.0
    for count in CENTROIDS:
        half = _inside(points[::2], cluster[::2], count, seed)
        fidelity = float((half.segment_of(points[1::2]) == cluster[1::2]).mean())
        if fidelity >= FAITHFUL:
            break
    return Fit(_inside(points, cluster, count, seed), fidelity)


def _inside(points: Matrix, cluster: NDArray[np.int32], count: int, seed: int) -> Prototypes:
    prototypes = []
    owner = []
    for own in np.unique(cluster):
        members = points[cluster == own]
        kinds = len(np.unique(members.round(4), axis=0))
        prototypes.append(centroids(members, min(count, kinds), seed, starts=1))
        owner += [own] * len(prototypes[-1])
    return Prototypes(np.concatenate(prototypes), np.array(owner, np.int64))


ALGORITHMS = (
    Algorithm("k-means", _numbers, _k_means, lambda config: config.clustering_sample),
    Algorithm("dbscan", _reaches, _dbscan, lambda config: min(config.pairs_sample, config.most_core_samples)),
    Algorithm("ward", _numbers, _ward, lambda config: config.pairs_sample),
)
