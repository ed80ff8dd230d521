"""How good a clustering is, and which of all tried is chosen."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from training.base.config import Config
from training.base.errors import InputError
from training.segmentation.clustering import Prototypes

STABILITY = "minimum_stability"


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
    largest: float
    """Share of the customers in the largest segment."""
    trivial: bool = False
    """Whether a segment is small, and of little worth as well."""
    best_unusual: float = 0.0
    """Share of the best customers, by value, who are unusual."""
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
            "largest_segment": self.largest,
            "best_unusual": self.best_unusual,
            "fidelity": self.fidelity,
        }


def choose(tried: Iterable[Clustering], config: Config) -> Clustering | None:
    """Of the sound clusterings those about as stable as any, and of these the one of the best quality.

    Sound is one with as many segments as the config allows, none trivial and none of nearly everybody, stable, with few
    customers unusual and the best no more often than others, and faithful prototypes. Where one segment holds nearly
    everybody in all that are sound otherwise, these are compared. None where nothing is sound: the customers are one
    segment. What the config asks for by number or by name is given also where it is not sound, the most stable first.
    Raises InputError where what the config asks for was not found.
    """
    asked = [c for c in tried if _asked_for(c, config)]
    if not asked and asks(config):
        wanted = "segments" if config.clustering == "auto" else f"segments by {config.clustering}"
        raise InputError(f"there are no {config.segments or 'two or more'} {wanted}; ask for others in the config")
    sound = [c for c in asked if not unsound(c, config)]
    balanced = [c for c in sound if c.largest <= config.largest_segment]
    if not sound:
        return max(asked, key=lambda c: (not c.trivial, c.stability)) if asks(config) else None
    stablest = max(c.stability for c in balanced or sound)
    stable = [c for c in balanced or sound if c.stability >= stablest - config.stability_tolerance]
    return max(stable, key=lambda c: (c.quality, c.silhouette))


def unsound(clustering: Clustering, config: Config) -> list[str]:
    """What bounds of the config it does not keep, each in words; none where it is sound."""
    is_counted = bool(config.segments) or config.fewest_segments <= clustering.segments <= config.most_segments
    bounds = {
        "the number of segments": is_counted,
        "smallest_segment": not clustering.trivial,
        STABILITY: clustering.stability >= config.minimum_stability,
        "most_unusual": clustering.noise <= config.most_unusual,
        "the best are not unusual": clustering.best_unusual <= clustering.noise,
        "minimum_fidelity": clustering.fidelity >= config.minimum_fidelity,
    }
    return [bound for bound, is_kept in bounds.items() if not is_kept]


def asks(config: Config) -> bool:
    """Whether the config asks for clusterings that need not be sound."""
    return bool(config.segments) or config.clustering != "auto"


def _asked_for(clustering: Clustering, config: Config) -> bool:
    return (
        clustering.smallest > 0
        and not np.isnan(clustering.silhouette)
        and len(np.unique(clustering.prototypes.owner)) > 1
        and config.clustering in ("auto", clustering.algorithm)
        and config.segments in (0, clustering.segments)
    )
