"""Segments: balanced features, principal components, and the clustering that a stated rule chooses among all tried."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, davies_bouldin_score, silhouette_score
from sklearn.pipeline import Pipeline

from shared.features import Feature
from training.base.config import Config
from training.base.errors import InputError
from training.data.preparation import Matrix, balanced_preparation, standardised
from training.segmentation.clustering import ALGORITHMS, Algorithm, Fit, Ids, Prototypes
from training.segmentation.micro import MicroSegments, fit_micro_segments


@dataclass(frozen=True)
class Clustering:
    """One algorithm with one setting, fitted, and how good it is.

    All figures are of the same customers. Unusual customers count as a segment of their own, as they are served.
    Figures that need two segments are NaN where there is one.
    """

    algorithm: str
    setting: str
    prototypes: Prototypes
    silhouette: float
    """-1 to 1: how much nearer customers are to their own segment than to the next."""
    davies_bouldin: float
    """From 0, the lower the better: how wide segments are for the distance between them."""
    calinski_harabasz: float
    """From 0, the higher the better: variance between segments over that inside."""
    stability: float
    """Mean adjusted Rand index between these segments and those of bootstrap samples."""
    noise: float
    """Share of the customers who are unusual."""
    smallest: float
    """Share of the customers in the smallest segment."""
    fidelity: float = 1.0
    """Share of the customers whom the prototypes put where the algorithm did."""

    @property
    def segments(self) -> int:
        """How many."""
        return self.prototypes.segments

    @property
    def name(self) -> str:
        """Algorithm and setting."""
        return f"{self.algorithm}, {self.setting}"

    @property
    def quality(self) -> float:
        """Silhouette times Calinski-Harabasz over Davies-Bouldin, so that what one gains counts by its share of it."""
        return max(self.silhouette, 0.0) * self.calinski_harabasz / max(self.davies_bouldin, 1e-9)

    def figures(self) -> dict[str, float]:
        """What candidates are compared by."""
        return {
            "segments": self.segments,
            "silhouette": self.silhouette,
            "davies_bouldin": self.davies_bouldin,
            "calinski_harabasz": self.calinski_harabasz,
            "stability": self.stability,
            "noise": self.noise,
            "smallest_segment": self.smallest,
            "fidelity": self.fidelity,
        }


@dataclass(frozen=True)
class Segmentation:
    """The fitted way from features [n, n_features] to a segment and a micro-segment."""

    prepare: Pipeline
    pca: PCA
    chosen: Clustering
    tried: list[Clustering]
    micro: MicroSegments

    @property
    def segments(self) -> int:
        """How many, that of unusual customers included."""
        return self.chosen.segments

    @property
    def unusual(self) -> int | None:
        """The segment of customers who are like no others, the last one; None where the algorithm knows none."""
        return self.chosen.prototypes.unusual

    @property
    def eps(self) -> float:
        """The distance from every prototype beyond which a customer is unusual; infinite where nobody is."""
        return self.chosen.prototypes.eps

    def components(self, X: Matrix) -> Matrix:
        """Where the rows lie in the space that segments were found in [n, n_components]."""
        return self.pca.transform(self.prepare.transform(X))  # type: ignore[no-any-return]

    def standardised(self, X: Matrix) -> Matrix:
        """Every feature in standard deviations from its mean, all counting alike [n, n_features]."""
        return standardised(self.prepare, X)

    def distances(self, X: Matrix) -> NDArray[np.float64]:
        """Euclidean distance to the nearest prototype of every segment, `eps` to that of the unusual [n, segments]."""
        return self.chosen.prototypes.distances(self.components(X))

    def segment_of(self, X: Matrix) -> Ids:
        """The segment of every row [n]."""
        return self.chosen.prototypes.segment_of(self.components(X))

    def micro_segments(self, X: Matrix) -> tuple[Ids, NDArray[np.float64]]:
        """The nearest micro-segment of the row's segment [n], and by what share the second nearest is farther [n]."""
        points = self.components(X)
        return self.micro.of(points, self.chosen.prototypes.segment_of(points))

    def renumbered(self, ids: Sequence[int]) -> Self:
        """The same by other ids: those of `ids` [segments], in the order of the ids now, each used once."""
        chosen = replace(self.chosen, prototypes=self.chosen.prototypes.renumbered(ids))
        tried = [chosen if one is self.chosen else one for one in self.tried]
        micro = replace(self.micro, owner=np.asarray(ids, np.int64)[self.micro.owner])
        return replace(self, chosen=chosen, tried=tried, micro=micro)

    def about(self) -> dict[str, Any]:
        """What the manifest says of it."""
        figures = {name: round(value, 4) for name, value in self.chosen.figures().items()}
        return {
            "algorithm": self.chosen.algorithm,
            "setting": self.chosen.setting,
            "components": int(self.pca.n_components_),
            "explained_variance": round(float(self.pca.explained_variance_ratio_.sum()), 4),
            **figures,
            "prototypes": len(self.chosen.prototypes.owner),
            "unusual": self.unusual,
            "micro_segments": len(self.micro.owner),
        }


def fit_segments(X: Matrix, config: Config, features: Sequence[Feature] | None = None) -> Segmentation:
    """Segments of the customers X float32 [n, n_features].

    With `features`, the columns of X are balanced by their groups; without, all count alike. Raises InputError when
    nothing tells the customers apart, or when the config asks for segments that are not there.
    """
    if len(X) < 2:
        raise InputError(f"{len(X)} customers cannot be segmented; there must be at least 2")
    random = np.random.default_rng(config.seed)
    sample = X[np.sort(random.permutation(len(X))[: config.clustering_sample])]
    prepare, prepared = balanced_preparation(sample, config.clip_share, features, config.left_out_of_segments)
    if not (prepared.std(axis=0) > 0).any():
        raise InputError("every feature is the same for all customers, so there is nothing to segment")
    pca = PCA(n_components=config.explained_variance, svd_solver="full")
    points = pca.fit_transform(prepared)
    # Rounded, since equal customers may differ in the last digit of a matrix product.
    kinds = len(np.unique(points.round(4), axis=0))
    needed = config.segments or config.fewest_segments
    if kinds < needed:
        raise InputError(f"the customers are of only {kinds} kinds; {needed} are needed for segments")
    points = points[random.permutation(len(points))]
    judges = _Judges.of(points[: config.pairs_sample])
    tried = [clustering for algorithm in ALGORITHMS for clustering in _try(algorithm, points, judges, config)]
    chosen = choose(tried, config)
    micro = fit_micro_segments(points, chosen.prototypes.segment_of(points), config)
    return Segmentation(prepare, pca, chosen, tried, micro)


def choose(tried: Iterable[Clustering], config: Config) -> Clustering:
    """Of the sound clusterings those about as stable as any, and of these the one of the best quality.

    Sound is one with as many segments as the config allows, none trivially small, stable, with few customers unusual
    and faithful prototypes. Where none is, the most stable of those with the largest smallest segment stands in.
    Raises InputError where what the config asks for was not found.
    """
    asked = [c for c in tried if _asked_for(c, config)]
    if not asked:
        wanted = "segments" if config.clustering == "auto" else f"segments by {config.clustering}"
        raise InputError(f"there are no {config.segments or 'two or more'} {wanted}; ask for others in the config")
    sound = [c for c in asked if _sound(c, config)]
    if not sound:
        return max(asked, key=lambda c: (min(c.smallest, config.smallest_segment), c.stability))
    stablest = max(c.stability for c in sound)
    stable = [c for c in sound if c.stability >= stablest - config.stability_tolerance]
    return max(stable, key=lambda c: (c.quality, c.silhouette))


def _asked_for(clustering: Clustering, config: Config) -> bool:
    return (
        clustering.smallest > 0
        and not np.isnan(clustering.silhouette)
        and len(np.unique(clustering.prototypes.owner)) > 1
        and config.clustering in ("auto", clustering.algorithm)
        and config.segments in (0, clustering.segments)
    )


def _sound(clustering: Clustering, config: Config) -> bool:
    return (
        (bool(config.segments) or config.fewest_segments <= clustering.segments <= config.most_segments)
        and clustering.smallest >= config.smallest_segment
        and clustering.stability >= config.minimum_stability
        and clustering.noise <= config.most_unusual
        and clustering.fidelity >= config.minimum_fidelity
    )


@dataclass(frozen=True)
class _Judges:
    """The customers by whom all clusterings are judged."""

    points: Matrix
    """[n, n_components]"""
    apart: Matrix
    """Euclidean distances between them, float32 [n, n]."""

    @classmethod
    def of(cls, points: Matrix) -> Self:
        """These customers [n, n_components]."""
        apart = cdist(points, points).astype(np.float32)
        np.fill_diagonal(apart, 0)
        return cls(points, apart)

    def judge(self, algorithm: str, setting: str, fit: Fit, segment: Ids, stability: float) -> Clustering:
        """A clustering that puts them into `segment` [n]."""
        sizes = np.bincount(segment, minlength=fit.prototypes.segments) / len(segment)
        several = 1 < np.count_nonzero(sizes) < len(segment)
        return Clustering(
            algorithm,
            setting,
            fit.prototypes,
            silhouette=float(silhouette_score(self.apart, segment, metric="precomputed")) if several else np.nan,
            davies_bouldin=float(davies_bouldin_score(self.points, segment)) if several else np.nan,
            calinski_harabasz=float(calinski_harabasz_score(self.points, segment)) if several else np.nan,
            stability=stability,
            noise=float(sizes[fit.prototypes.unusual]) if fit.prototypes.unusual is not None else 0.0,
            smallest=float(sizes.min()),
            fidelity=fit.fidelity,
        )


def _try(algorithm: Algorithm, points: Matrix, judges: _Judges, config: Config) -> list[Clustering]:
    """Every setting of the algorithm, in the random order that the points [n, n_components] are in."""
    own = points[: algorithm.most_customers(config)]
    settings = algorithm.settings(own, config)
    fits = algorithm.fit(own, settings, config.seed)
    segments = [fit.prototypes.segment_of(judges.points) for fit in fits]
    random = np.random.default_rng(config.seed)
    agreement = np.zeros((config.bootstraps, len(fits)))
    for draw in agreement:
        again = algorithm.fit(own[random.integers(len(own), size=len(own))], settings, int(random.integers(2**31)))
        draw[:] = [
            adjusted_rand_score(segment, fit.prototypes.segment_of(judges.points))
            for segment, fit in zip(segments, again, strict=True)
        ]
    return [
        judges.judge(algorithm.name, setting.name, fit, segment, stability)
        for setting, fit, segment, stability in zip(
            settings, fits, segments, agreement.mean(axis=0).tolist(), strict=True
        )
    ]
