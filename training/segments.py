"""Segments: prepared features, principal components, k-means, and a finer k-means inside each segment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, davies_bouldin_score, silhouette_score
from sklearn.pipeline import Pipeline

from training.config import Config, InputError
from training.preparation import Matrix, preparation

STARTS = 5
"""Random starts of each k-means, of which the tightest is kept."""


@dataclass(frozen=True)
class Clustering:
    """One number of segments tried, and how good it is."""

    kmeans: KMeans
    silhouette: float
    stability: float
    smallest: float
    """Share of the customers in the smallest segment."""
    davies_bouldin: float
    calinski_harabasz: float

    @property
    def segments(self) -> int:
        """How many."""
        return int(self.kmeans.n_clusters)


@dataclass(frozen=True)
class Segmentation:
    """The fitted way from features [n, n_features] to a segment and a micro-segment."""

    prepare: Pipeline
    pca: PCA
    chosen: Clustering
    tried: list[Clustering]
    micro_centroids: Matrix
    """[n_micro_segments, n_components]"""
    micro_owner: NDArray[np.int64]
    """Segment that each micro-segment lies in [n_micro_segments]."""

    def components(self, X: Matrix) -> Matrix:
        """Where the rows lie in the space that segments were found in [n, n_components]."""
        return self.pca.transform(self.prepare.transform(X))  # type: ignore[no-any-return]

    def distances(self, X: Matrix) -> NDArray[np.float64]:
        """Euclidean distance to every segment's centroid [n, n_segments]."""
        return np.asarray(self.chosen.kmeans.transform(self.components(X)), np.float64)

    def micro_segments(self, X: Matrix) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest micro-segment of the nearest segment [n], and by what share the second nearest is farther [n]."""
        points, segment = self.components(X), self.distances(X).argmin(axis=1)
        nearest, gap = np.empty(len(X), np.int64), np.full(len(X), np.inf)
        for own in np.unique(segment):
            here, inside = np.flatnonzero(segment == own), np.flatnonzero(self.micro_owner == own)
            distances = np.linalg.norm(points[here, None, :] - self.micro_centroids[inside], axis=2)
            nearest[here] = inside[distances.argmin(axis=1)]
            if len(inside) > 1:
                first, second = np.sort(distances, axis=1)[:, :2].T
                gap[here] = (second - first) / np.maximum(second, np.finfo(np.float32).tiny)
        return nearest, gap


def fit_segments(X: Matrix, config: Config) -> Segmentation:
    """Segments of the customers X float32 [n, n_features].

    Raises InputError when nothing tells the customers apart.
    """
    random = np.random.default_rng(config.seed)
    sample = X[np.sort(random.permutation(len(X))[: config.clustering_sample])]
    prepare = preparation(config.clip_share)
    standardised = prepare.fit_transform(sample)
    if not (standardised.std(axis=0) > 0).any():
        raise InputError("every feature is the same for all customers, so there is nothing to segment")
    pca = PCA(n_components=config.explained_variance, svd_solver="full")
    points = pca.fit_transform(standardised)
    # Rounded, since equal customers may differ in the last digit of a matrix product.
    kinds = len(np.unique(points.round(4), axis=0))
    if kinds < config.fewest_segments:
        raise InputError(f"the customers are of only {kinds} kinds; {config.fewest_segments} are needed for segments")
    tried = [_try(points, k, config) for k in range(config.fewest_segments, min(config.most_segments, kinds) + 1)]
    chosen = choose(tried, config)
    centroids, owner = _micro_segments(points, chosen.kmeans, config)
    return Segmentation(prepare, pca, chosen, tried, centroids, owner)


def choose(tried: list[Clustering], config: Config) -> Clustering:
    """The largest number of segments that is stable, has no trivially small one and separates nearly as well as any.

    Where none is both stable and free of trivially small segments, the most stable of those with the largest smallest
    segment stands in.
    """
    sound = [c for c in tried if c.smallest >= config.smallest_segment and c.stability >= config.minimum_stability]
    if not sound:
        return max(tried, key=lambda c: (min(c.smallest, config.smallest_segment), c.stability))
    best = max(c.silhouette for c in sound)
    return max(
        (c for c in sound if c.silhouette >= best - config.silhouette_tolerance * abs(best)), key=lambda c: c.segments
    )


def _try(points: Matrix, k: int, config: Config) -> Clustering:
    random = np.random.default_rng(config.seed)
    kmeans = _kmeans(points, k, config.seed)
    shares = np.bincount(kmeans.labels_, minlength=k) / len(points)
    agreement = []
    for _ in range(config.bootstraps):
        again = _kmeans(points[random.integers(len(points), size=len(points))], k, int(random.integers(2**31)))
        agreement.append(adjusted_rand_score(kmeans.labels_, again.predict(points)))
    some = random.permutation(len(points))[: config.silhouette_sample]
    return Clustering(
        kmeans,
        silhouette=float(silhouette_score(points[some], kmeans.labels_[some])),
        stability=float(np.mean(agreement)),
        smallest=float(shares.min()),
        davies_bouldin=float(davies_bouldin_score(points, kmeans.labels_)),
        calinski_harabasz=float(calinski_harabasz_score(points, kmeans.labels_)),
    )


def _kmeans(points: Matrix, k: int, seed: int) -> KMeans:
    return KMeans(n_clusters=k, n_init=STARTS, random_state=seed).fit(points)


def _micro_segments(points: Matrix, kmeans: KMeans, config: Config) -> tuple[Matrix, NDArray[np.int64]]:
    centroids, owner = [], []
    for segment in range(kmeans.n_clusters):
        members = points[kmeans.labels_ == segment]
        count = int(np.clip(len(members) // config.micro_segment_customers, 1, config.most_micro_segments))
        centroids.append(_kmeans(members, count, config.seed).cluster_centers_)
        owner += [segment] * count
    return np.concatenate(centroids).astype(np.float32), np.array(owner, np.int64)
