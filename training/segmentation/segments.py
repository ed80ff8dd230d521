"""Segments: balanced features, principal components, and the clustering that a stated rule chooses among all tried."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import Pipeline

from shared.features import Feature
from training.base.config import Config
from training.base.errors import InputError
from training.data.preparation import Matrix, balanced_preparation, standardised
from training.segmentation.choice import STABILITY, Clustering, asks, choose, unsound
from training.segmentation.clustering import ALGORITHMS, Algorithm, Ids
from training.segmentation.judging import Judges
from training.segmentation.micro import MicroSegments, fit_micro_segments

WORTH = "net_revenue_365d"
"""What tells how much a customer is worth, so that a segment of few is kept where they matter."""


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
        known = {name: None if np.isnan(value) else value for name, value in self.chosen.figures().items()}
        figures = {name: None if value is None else round(value, 4) for name, value in known.items()}
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
    order = random.permutation(len(points))
    points = points[order]
    value = worth(sample, features)[order]
    judges = Judges.of(points[: config.pairs_sample], value[: config.pairs_sample], config)
    tried = [clustering for algorithm in ALGORITHMS for clustering in _try(algorithm, points, judges)]
    chosen = choose(tried, config)
    if chosen is None:
        chosen = judges.one_segment()
        tried.append(chosen)
    micro = fit_micro_segments(points, chosen.prototypes.segment_of(points), config)
    return Segmentation(prepare, pca, chosen, tried, micro)


def worth(X: Matrix, features: Sequence[Feature] | None) -> NDArray[np.float32]:
    """What customers X [n, n_features] spent within a year [n]; nothing where `features` do not tell."""
    names = [feature.name for feature in features or ()]
    return X[:, names.index(WORTH)] if WORTH in names else np.zeros(len(X), np.float32)


def _try(algorithm: Algorithm, points: Matrix, judges: Judges) -> list[Clustering]:
    """Every setting of the algorithm, in the random order that the points [n, n_components] are in."""
    config = judges.config
    own = points[: algorithm.most_customers(config)]
    settings = algorithm.settings(own, config)
    fits = [judges.without_small(fit) for fit in algorithm.fit(own, settings, config.seed)]
    tried = [judges.judge(algorithm.name, one.name, *fit) for one, fit in zip(settings, fits, strict=True)]
    # How stable it is does not save what breaks another bound: of that, one draw is enough to show.
    hopeful = [i for i, one in enumerate(tried) if asks(config) or not set(unsound(one, config)) - {STABILITY}]
    random = np.random.default_rng(config.seed)
    agreement: list[list[float]] = [[] for _ in tried]
    for draw in range(config.bootstraps):
        drawn = own[random.integers(len(own), size=len(own))]
        kept = hopeful if draw else range(len(tried))
        again = algorithm.fit(drawn, [settings[i] for i in kept], int(random.integers(2**31)))
        for i, fit in zip(kept, again, strict=True):
            agreement[i].append(float(adjusted_rand_score(fits[i][1], judges.without_small(fit)[1])))
    return [replace(one, stability=float(np.mean(each))) for one, each in zip(tried, agreement, strict=True)]
