"""Which clustering is chosen."""

import numpy as np
import pytest

from training.base.config import Config
from training.base.errors import InputError
from training.segmentation.choice import Clustering, choose
from training.segmentation.clustering import Prototypes


def clustering(segments: int, silhouette: float = 0.3, **figures: float | str) -> Clustering:
    prototypes = Prototypes(np.zeros((segments, 1), np.float32), np.arange(segments))
    usual = {"davies_bouldin": 1.0, "calinski_harabasz": 100.0, "stability": 0.9, "noise": 0.0, "smallest": 0.1}
    usual["largest"] = 0.4
    known = {"algorithm": "k-means", "setting": "", **usual, **figures}
    return Clustering(prototypes=prototypes, silhouette=silhouette, **known)  # type: ignore[arg-type]


def chosen_of(tried: list[Clustering], config: Config | None = None) -> Clustering:
    best = choose(tried, config or Config())
    assert best is not None
    return best


@pytest.mark.parametrize(
    "spoilt",
    [
        {"stability": 0.6},
        {"stability": 0.84},
        {"trivial": True},
        {"largest": 0.7},
        {"noise": 0.05, "best_unusual": 0.2, "algorithm": "dbscan"},
        {"noise": 0.2, "algorithm": "dbscan"},
        {"fidelity": 0.8, "algorithm": "ward"},
        {"silhouette": 0.2},
        {"davies_bouldin": 2.0},
        {"calinski_harabasz": 60.0},
        {"segments": 40},
        {"segments": 3},
    ],
    ids=str,
)
def test_a_clustering_that_is_better_but_for_one_thing_is_not_chosen(spoilt: dict[str, float]) -> None:
    usual = clustering(5)
    better = {"segments": 6, "silhouette": 0.35, **spoilt}
    assert chosen_of([usual, clustering(6, 0.35)]).segments == 6
    assert choose([usual, clustering(**better)], Config()) is usual  # type: ignore[arg-type]


def test_the_config_overrides_the_rule() -> None:
    tried = [clustering(4, 0.5), clustering(7, 0.1), clustering(5, 0.1, algorithm="ward", stability=0.2)]
    assert chosen_of(tried).segments == 4
    assert chosen_of(tried, Config(segments=7)).segments == 7
    assert chosen_of(tried, Config(clustering="ward")).algorithm == "ward"
    with pytest.raises(InputError, match="there are no 7 segments by ward"):
        choose(tried, Config(clustering="ward", segments=7))


def test_where_nothing_is_sound_there_is_nothing_to_choose_but_what_the_config_asks_for() -> None:
    tried = [clustering(4, stability=0.3), clustering(5, stability=0.4), clustering(6, stability=0.6, trivial=True)]
    assert choose(tried, Config()) is None
    assert choose(tried, Config(clustering="k-means")) is tried[1]


def test_a_segment_of_nearly_everybody_is_chosen_only_where_all_sound_ones_have_one() -> None:
    large = [clustering(4, 0.5, largest=0.9), clustering(5, 0.4, largest=0.8)]
    assert choose(large, Config()) is large[0]
    balanced = clustering(5, 0.1)
    assert choose([*large, balanced], Config()) is balanced
