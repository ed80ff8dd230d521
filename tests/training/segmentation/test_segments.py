"""Segments by each algorithm: found, exported, chosen."""

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from shared.features import FEATURES
from shared.models.bundle import Decisions
from tests.support.simulated import simulated
from tests.training.conftest import Shop
from training import train
from training.base.config import Config
from training.base.errors import InputError
from training.bundle import gate, parity
from training.bundle.export import bundle as bundle_of
from training.data.preparation import Matrix, balanced_preparation, weights
from training.segmentation.clustering import ALGORITHMS, Prototypes, Setting
from training.segmentation.micro import fit_micro_segments
from training.segmentation.segments import Clustering, Segmentation, choose, fit_segments

BASE = Config(bootstraps=2, fewest_segments=3, most_segments=5, micro_segment_customers=20)


@pytest.fixture(scope="module")
def customers() -> Matrix:
    """Four kinds of customers, some who are like nobody, counts with long tails, a constant and undefined values."""
    random = np.random.default_rng(3)
    centres = np.array([[0, 0, 0, 0], [4, 0, 3, 0], [0, 5, 0, 2], [5, 5, 3, 4]])
    points = np.repeat(centres, [300, 200, 150, 100], axis=0) + random.normal(0, 0.5, (750, 4))
    points = np.concatenate([points, random.uniform(-12, 12, (60, 4))])
    X = np.column_stack([points, np.exp(points[:, :2]), np.full(810, 4.0)]).astype(np.float32)
    X[random.random(X.shape) < 0.01] = np.nan
    return random.permutation(X)


@pytest.fixture(scope="module")
def fitted(customers: Matrix) -> Segmentation:
    return fit_segments(customers, BASE)


def chosen(fitted: Segmentation, X: Matrix, **asked: str | int) -> Segmentation:
    """What `fit_segments` answers when the config asks for something."""
    config = dataclasses.replace(BASE, **asked)  # type: ignore[arg-type]
    found, points = choose(fitted.tried, config), fitted.components(X)
    micro = fit_micro_segments(points, found.prototypes.segment_of(points), config)
    return dataclasses.replace(fitted, chosen=found, micro=micro)


@pytest.fixture(scope="module", params=["k-means", "dbscan", "ward"])
def segmentation(request: pytest.FixtureRequest, fitted: Segmentation, customers: Matrix) -> Segmentation:
    return chosen(fitted, customers, clustering=request.param)


def exported(segmentation: Segmentation, rows: Matrix) -> Decisions:
    model = bundle_of(segmentation, {}, rows.shape[1], {"model_version": "20240101"})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return Decisions(**dict(zip(names, session.run(names, {"features": rows}), strict=True)))


# ---- Exported as fitted ----------------------------------------------------------------------------------------------


def test_the_export_decides_as_fitted_on_training_rows_perturbed_ones_and_edges(
    segmentation: Segmentation, customers: Matrix
) -> None:
    random = np.random.default_rng(1)
    moved = customers * random.normal(1, 0.05, customers.shape).astype(np.float32)
    mixed = random.permuted(customers, axis=0)
    rows = np.concatenate([customers, moved, mixed, parity.difficult_rows(customers, seed=1)])
    found = parity.compare(parity.reference(segmentation, {}, rows), exported(segmentation, rows))
    assert found.failures() == []
    assert found.rows == len(rows)


def test_margins_lie_between_0_and_1_and_the_runner_up_is_another_segment(
    segmentation: Segmentation, customers: Matrix
) -> None:
    rows = np.concatenate([customers, parity.difficult_rows(customers, seed=2)])
    decided = exported(segmentation, rows)
    assert ((decided.margin >= 0) & (decided.margin <= 1)).all()
    assert (decided.runner_up != decided.segment).all()
    assert (decided.runner_up != segmentation.unusual).all()


def test_the_unusual_are_as_far_as_eps_from_their_segment_and_run_up_to_the_nearest(
    fitted: Segmentation, customers: Matrix
) -> None:
    segmentation = chosen(fitted, customers, clustering="dbscan")
    prototypes = segmentation.chosen.prototypes
    decided, points = exported(segmentation, customers), segmentation.components(customers)
    unusual = decided.segment == segmentation.unusual
    nearest = cdist(points, prototypes.points)
    assert 0 < unusual.sum() < len(customers) / 4
    np.testing.assert_allclose(decided.segment_distance[unusual], prototypes.eps, rtol=1e-6)
    np.testing.assert_array_equal(decided.runner_up[unusual], prototypes.owner[nearest.argmin(axis=1)[unusual]])
    np.testing.assert_allclose(decided.runner_up_distance[unusual], nearest.min(axis=1)[unusual], rtol=1e-4)


def test_a_bundle_with_unusual_customers_names_them_and_passes_the_gate(shop: Shop, tmp_path: Path) -> None:
    config, out = tmp_path / "config.toml", tmp_path / "model"
    config.write_text('clustering = "dbscan"\nbootstraps = 1\nminimum_class_count = 10000\nparity_rows = 0\n')
    assert train.main(["--events", str(shop.file), "--out", str(out), "--config", str(config)]) == 0
    bundle, found = gate.run(out)
    unusual = bundle.manifest["segments"][-1]
    assert unusual["id"] == bundle.manifest["segmentation"]["unusual"]
    assert unusual["name"] == "Unusual customers"
    assert 0 < unusual["size"] < len(shop.profiles) / 2
    assert found.failures() == []


# ---- Each algorithm against what it should do ------------------------------------------------------------------------


def test_dbscan_puts_everyone_where_the_library_and_a_slow_search_do(customers: Matrix) -> None:
    points = np.nan_to_num(customers[:, :4]) + np.float32(0)
    setting = Setting("", 0, 8, 0.9)
    (fit,) = next(a for a in ALGORITHMS if a.name == "dbscan").fit(points, [setting], 0)
    fitted = DBSCAN(eps=setting.eps, min_samples=setting.neighbours).fit(points)
    found, core = fit.prototypes.segment_of(points), fitted.core_sample_indices_
    assert fit.prototypes.segments >= 4
    np.testing.assert_array_equal(found[core], fitted.labels_[core])
    np.testing.assert_array_equal(found == fit.prototypes.unusual, fitted.labels_ == -1)
    for point in np.random.default_rng(2).uniform(-3, 8, (300, 4)).astype(np.float32):
        distances = [float(np.sqrt(((point - points[i]).astype(np.float64) ** 2).sum())) for i in core]
        nearest = int(np.argmin(distances))
        wanted = fitted.labels_[core[nearest]] if distances[nearest] <= setting.eps else fit.prototypes.unusual
        assert fit.prototypes.segment_of(point[None])[0] == wanted


def test_the_stand_in_for_ward_is_as_faithful_as_it_says(fitted: Segmentation, customers: Matrix) -> None:
    segmentation = chosen(fitted, customers, clustering="ward", segments=4)
    points = segmentation.components(customers)
    labels = fcluster(linkage(points, "ward"), 4, "maxclust")
    assert segmentation.chosen.fidelity > 0.9
    assert adjusted_rand_score(labels, segmentation.segment_of(customers)) > 0.9


@given(
    arrays(np.float32, (7, 2), elements=st.integers(-4, 4).map(float)),
    st.lists(st.integers(0, 2), min_size=7, max_size=7),
)
def test_the_distance_to_a_segment_is_that_to_its_nearest_prototype(points: Matrix, owner: list[int]) -> None:
    owners = np.unique(np.sort(owner), return_inverse=True)[1].astype(np.int64)
    found = Prototypes(points, owners, eps=2.0).distances(points + 1)
    for row, point in zip(found, points + 1, strict=True):
        for segment in range(owners.max() + 1):
            nearest = min(np.hypot(*(point - points[i])) for i in np.flatnonzero(owners == segment))
            assert row[segment] == pytest.approx(nearest, rel=1e-6)
        assert row[-1] == 2.0


# ---- Chosen by a rule ------------------------------------------------------------------------------------------------


def clustering(segments: int, silhouette: float = 0.3, **figures: float | str) -> Clustering:
    prototypes = Prototypes(np.zeros((segments, 1), np.float32), np.arange(segments))
    usual = {"davies_bouldin": 1.0, "calinski_harabasz": 100.0, "stability": 0.9, "noise": 0.0, "smallest": 0.1}
    known = {"algorithm": "k-means", "setting": "", **usual, **figures}
    return Clustering(prototypes=prototypes, silhouette=silhouette, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"stability": 0.6},
        {"stability": 0.84},
        {"smallest": 0.001},
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
    usual, better = clustering(5), {"segments": 6, "silhouette": 0.35, **spoilt}
    assert choose([usual, clustering(6, 0.35)], Config()).segments == 6
    assert choose([usual, clustering(**better)], Config()) is usual  # type: ignore[arg-type]


def test_the_config_overrides_the_rule() -> None:
    tried = [clustering(4, 0.5), clustering(7, 0.1), clustering(5, 0.1, algorithm="ward", stability=0.2)]
    assert choose(tried, Config()).segments == 4
    assert choose(tried, Config(segments=7)).segments == 7
    assert choose(tried, Config(clustering="ward")).algorithm == "ward"
    with pytest.raises(InputError, match="there are no 7 segments by ward"):
        choose(tried, Config(clustering="ward", segments=7))


def test_where_nothing_is_sound_the_most_stable_without_a_tiny_segment_stands_in() -> None:
    tried = [clustering(4, stability=0.3), clustering(5, stability=0.4), clustering(6, stability=0.6, smallest=0.001)]
    assert choose(tried, Config()).segments == 5


def test_the_leaderboard_has_every_algorithm_and_setting_with_all_figures(fitted: Segmentation) -> None:
    by_algorithm = {a.name: [c for c in fitted.tried if c.algorithm == a.name] for a in ALGORITHMS}
    assert [c.segments for c in by_algorithm["k-means"]] == [c.segments for c in by_algorithm["ward"]] == [3, 4, 5]
    assert len({c.setting for c in by_algorithm["dbscan"]}) == len(by_algorithm["dbscan"]) >= 10
    assert sum(c is fitted.chosen for c in fitted.tried) == 1
    assert all(np.isfinite(list(c.figures().values())).all() for c in fitted.tried if c.segments > 1)
    assert {"algorithm", "setting", "micro_segments", *fitted.chosen.figures()} <= set(fitted.about())


def test_the_same_customers_twice_give_the_same_segments(fitted: Segmentation, customers: Matrix) -> None:
    again = fit_segments(customers, BASE)
    assert again.about() == fitted.about()
    for first, second in zip(fitted.tried, again.tried, strict=True):
        assert first.name == second.name
        np.testing.assert_array_equal(first.prototypes.points, second.prototypes.points)
    np.testing.assert_array_equal(again.micro.centroids, fitted.micro.centroids)


def test_the_config_reaches_the_fit(customers: Matrix) -> None:
    found = fit_segments(customers, dataclasses.replace(BASE, clustering="ward", segments=5, bootstraps=1))
    assert (found.chosen.algorithm, found.segments) == ("ward", 5)


def test_planted_kinds_of_customers_are_found() -> None:
    shop = simulated()
    segmentation = fit_segments(shop.X, Config(bootstraps=1), FEATURES)
    assert segmentation.segments == 8
    assert adjusted_rand_score(shop.kind, segmentation.segment_of(shop.X)) >= 0.9


# ---- Micro-segments --------------------------------------------------------------------------------------------------


def test_every_micro_segment_lies_in_its_segment_and_holds_the_minimum(
    segmentation: Segmentation, customers: Matrix
) -> None:
    micro, _ = segmentation.micro_segments(customers)
    segment, sizes = segmentation.segment_of(customers), np.bincount(micro)
    np.testing.assert_array_equal(segmentation.micro.owner[micro], segment)
    undivided = np.bincount(segmentation.micro.owner)[segmentation.micro.owner] == 1
    assert (undivided | (sizes >= BASE.micro_segment_customers)).all()
    assert len(sizes) > segmentation.segments


# ---- Features --------------------------------------------------------------------------------------------------------


def test_no_group_of_features_outvotes_another() -> None:
    X = simulated().X
    _, prepared = balanced_preparation(X, 0.005, FEATURES)
    for group in {feature.group for feature in FEATURES}:
        own = [j for j, feature in enumerate(FEATURES) if feature.group == group]
        spread = np.linalg.eigvalsh(np.cov(prepared[:, own], rowvar=False).reshape(len(own), len(own)))
        assert spread[-1] == pytest.approx(1, rel=1e-3), group
    assert prepared.shape == X.shape


def test_of_a_measure_over_several_windows_the_longest_counts() -> None:
    weight = dict(zip([f.name for f in FEATURES], weights(simulated().X.astype(np.float32), FEATURES), strict=True))
    assert weight["visits_365d"] > 0
    assert weight["visits_7d"] == weight["visits_30d"] == weight["visits_90d"] == weight["visits_lifetime"] == 0
    assert weight["carts_90d"] > weight["carts_30d"] == 0


def test_how_visits_came_about_counts_only_where_it_is_asked_for() -> None:
    X, channels = simulated().X.astype(np.float32), [feature.group == "Channel" for feature in FEATURES]
    assert not weights(X, FEATURES, Config().left_out_of_segments)[channels].any()
    assert weights(X, FEATURES, ())[channels].any()


# ---- Nothing to find -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "config", "message"),
    [
        (np.zeros((0, 3)), {}, "0 customers cannot be segmented"),
        (np.zeros((1, 3)), {}, "1 customers cannot be segmented"),
        (np.ones((50, 3)), {}, "every feature is the same for all customers"),
        (np.full((50, 3), np.nan), {}, "every feature is the same for all customers"),
        (np.eye(3).repeat(20, axis=0), {}, "the customers are of only 3 kinds; 4 are needed"),
        (np.random.default_rng(0).random((60, 3)), {"clustering": "dbscan", "segments": 9}, "no 9 segments by dbscan"),
    ],
)
def test_what_cannot_be_segmented_is_refused_in_words(X: Matrix, config: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_segments(np.asarray(X, np.float32), Config(bootstraps=1, **config))  # type: ignore[arg-type]


@pytest.mark.parametrize("config", [{"clustering": "k-medoids"}, {"segments": 1}])
def test_a_config_that_asks_for_what_cannot_be_is_refused(config: dict[str, str]) -> None:
    with pytest.raises(InputError, match="must be"):
        Config(**config)  # type: ignore[arg-type]
