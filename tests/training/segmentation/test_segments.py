"""Segments by each algorithm: found, exported, chosen."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score

from shared.features import FEATURES
from shared.models.bundle import Decisions
from tests.support.simulated import simulated
from tests.training.conftest import Shop
from tests.training.segmentation.conftest import BASE, chosen
from training import train
from training.base.config import Config
from training.base.errors import InputError
from training.bundle import gate, parity
from training.bundle.difficult import border_rows, hostile_rows
from training.bundle.export import bundle as bundle_of
from training.data.preparation import Matrix
from training.segmentation.choice import STABILITY, unsound
from training.segmentation.clustering import ALGORITHMS
from training.segmentation.judging import Judges
from training.segmentation.micro import fit_micro_segments
from training.segmentation.segments import Segmentation, fit_segments


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
    edges = hostile_rows(customers, seed=1), border_rows(customers, segmentation, seed=1)
    rows = np.concatenate([customers, moved, mixed, *edges])
    compared = parity.compare(parity.reference(segmentation, {}, rows), exported(segmentation, rows))
    assert compared.failures() == []
    assert compared.rows == len(rows)


def test_margins_lie_between_0_and_1_and_the_runner_up_is_another_segment(
    segmentation: Segmentation, customers: Matrix
) -> None:
    rows = np.concatenate([customers, hostile_rows(customers, seed=2)])
    decided = exported(segmentation, rows)
    assert ((decided.margin >= 0) & (decided.margin <= 1)).all()
    assert (decided.runner_up != decided.segment).all()
    assert (decided.runner_up != segmentation.unusual).all()


def test_the_unusual_are_as_far_as_eps_from_their_segment_and_run_up_to_the_nearest(
    fitted: Segmentation, customers: Matrix
) -> None:
    segmentation = chosen(fitted, customers, clustering="dbscan")
    prototypes = segmentation.chosen.prototypes
    decided = exported(segmentation, customers)
    points = segmentation.components(customers)
    unusual = decided.segment == segmentation.unusual
    nearest = cdist(points, prototypes.points)
    assert 0 < unusual.sum() < len(customers) / 4
    np.testing.assert_allclose(decided.segment_distance[unusual], prototypes.eps, rtol=1e-6)
    np.testing.assert_array_equal(decided.runner_up[unusual], prototypes.owner[nearest.argmin(axis=1)[unusual]])
    np.testing.assert_allclose(decided.runner_up_distance[unusual], nearest.min(axis=1)[unusual], rtol=1e-4)


def test_a_bundle_with_unusual_customers_names_them_and_passes_the_gate(shop: Shop, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    out = tmp_path / "model"
    config.write_text('clustering = "dbscan"\nbootstraps = 1\nminimum_class_count = 10000\nparity_rows = 0\n')
    assert train.main(["--events", str(shop.file), "--out", str(out), "--config", str(config)]) == 0
    bundle, compared = gate.run(out)
    unusual = bundle.manifest["segments"][-1]
    assert unusual["id"] == bundle.manifest["segmentation"]["unusual"]
    assert unusual["name"] == "Unusual customers"
    assert 0 < unusual["size"] < len(shop.profiles) / 2
    assert compared.failures() == []


def test_a_single_segment_is_its_own_runner_up_in_the_export_too(fitted: Segmentation, customers: Matrix) -> None:
    points = fitted.components(customers)
    one = Judges.of(points, np.ones(len(points)), BASE).one_segment()
    micro = fit_micro_segments(points, one.prototypes.segment_of(points), BASE)
    segmentation = dataclasses.replace(fitted, chosen=one, micro=micro)
    decided = exported(segmentation, customers)
    assert parity.compare(parity.reference(segmentation, {}, customers), decided).failures() == []
    assert not decided.segment.any() and not decided.runner_up.any() and not decided.margin.any()
    assert json.dumps(segmentation.about(), allow_nan=False)


# ---- Chosen by a rule ------------------------------------------------------------------------------------------------


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
    segmentation = fit_segments(customers, dataclasses.replace(BASE, clustering="ward", segments=5, bootstraps=1))
    assert (segmentation.chosen.algorithm, segmentation.segments) == ("ward", 5)


def test_planted_kinds_of_customers_are_found() -> None:
    shop = simulated()
    segmentation = fit_segments(shop.X, Config(bootstraps=1), FEATURES)
    assert segmentation.segments == 8
    assert adjusted_rand_score(shop.kind, segmentation.segment_of(shop.X)) >= 0.9


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


def test_what_breaks_another_bound_is_drawn_again_once_and_all_else_as_often_as_asked(
    fitted: Segmentation, customers: Matrix
) -> None:
    once = fit_segments(customers, dataclasses.replace(BASE, bootstraps=1))
    same = {one.name for one, other in zip(once.tried, fitted.tried, strict=True) if one.stability == other.stability}
    broken = {one.name for one in fitted.tried if set(unsound(one, BASE)) - {STABILITY}}
    assert broken <= same and len(broken) > 0
    assert len(same) < len(fitted.tried)


def test_what_is_asked_for_is_drawn_as_often_though_it_keeps_no_bound(fitted: Segmentation, customers: Matrix) -> None:
    asked = fit_segments(customers, dataclasses.replace(BASE, clustering="dbscan"))
    both = [(one.stability, other.stability) for one, other in zip(asked.tried, fitted.tried, strict=True)]
    assert any(one != other for one, other in both)
