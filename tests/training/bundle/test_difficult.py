"""Difficult rows come to every split, lie on every threshold, and close in on the borders between segments."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from training.base.config import Config
from training.bundle import difficult
from training.bundle.export import bundle
from training.bundle.parity import PROBABILITY_TOLERANCE
from training.data.preparation import Matrix
from training.prediction.calibration import Scaled
from training.prediction.candidates import Task, fit_one
from training.prediction.models import Model
from training.segmentation.segments import Segmentation, fit_segments

CONFIG = Config(
    threads=1,
    trees=20,
    forest_trees=10,
    bootstraps=2,
    most_segments=4,
    micro_segment_customers=20,
    minimum_stability=0.0,
)

THRESHOLDS = [0.5, 0.25]


def graph_with_edges() -> ModelProto:
    """Feature 1 is compared with 0.5, then 0.25; feature 0 is clipped to 1 and 3, feature 1, logged, to 0 and log 4."""
    tree: dict[str, Any] = {
        "nodes_treeids": [0] * 5,
        "nodes_nodeids": list(range(5)),
        "nodes_featureids": [1, 1, 0, 0, 0],
        "nodes_values": [*THRESHOLDS, 0.0, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LT", "BRANCH_LT", "LEAF", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 2, 0, 0, 0],
        "nodes_falsenodeids": [4, 3, 0, 0, 0],
        "target_treeids": [0] * 3,
        "target_nodeids": [2, 3, 4],
        "target_ids": [0] * 3,
        "target_weights": [1.0, 2.0, 3.0],
        "n_targets": 1,
    }
    constants = {
        "segment/log/mask": np.array([False, True]),
        "segment/clip/low": np.array([1, 0], np.float32),
        "segment/clip/high": np.array([3, np.log(4)], np.float32),
    }
    node = helper.make_node("TreeEnsembleRegressor", ["features"], ["margin"], domain="ai.onnx.ml", **tree)
    graph = helper.make_graph(
        [node],
        "edges",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("margin", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph)


def test_clipped_ranges_end_where_raw_values_are_clipped() -> None:
    features, values = difficult.clip_ends(graph_with_edges())
    pairs = sorted(zip(features.tolist(), values.round(5).tolist(), strict=True))
    assert pairs == [(0, 1.0), (0, 3.0), (1, 0.0), (1, 3.0)]


def test_each_end_is_met_exactly_and_a_float_step_to_either_side() -> None:
    X = np.full((4, 2), 9, np.float32)
    rows = difficult.clip_rows(X, graph_with_edges(), seed=1)
    one = np.float32(1)
    beside = {float(np.nextafter(one, np.float32(side))) for side in (-1, 2)}
    assert {1.0, *beside} <= set(rows[:, 0].tolist())
    assert ((rows != 9).sum(axis=1) == 1).all()
    assert len(rows) == 3 * 4


def test_every_split_says_within_which_bounds_rows_come_to_it() -> None:
    (node,) = graph_with_edges().graph.node
    assert list(difficult.splits(node)) == [(1, 0.5, {}), (1, 0.25, {1: (-np.inf, 0.5)})]


def test_no_row_is_infinite_where_a_split_asks_nothing_but_whether_a_value_is_defined() -> None:
    graph = graph_with_edges()
    thresholds = next(attribute for attribute in graph.graph.node[0].attribute if attribute.name == "nodes_values")
    thresholds.floats[0] = -np.inf
    rows = difficult.split_rows(np.full((4, 2), 9, np.float32), graph, seed=1)
    assert not np.isinf(rows).any()
    assert np.isnan(rows[:, 1]).any()


@pytest.fixture(scope="module")
def customers() -> Matrix:
    """Two kinds of customers by eight features, a tenth of them undefined."""
    random = np.random.default_rng(3)
    X = random.normal(0, 1, (400, 8)) + np.repeat([[0.0], [3.0]], 200, axis=0)
    X[random.random(X.shape) < 0.1] = np.nan
    return np.asarray(X, np.float32)


@pytest.fixture(scope="module")
def segmentation(customers: Matrix) -> Segmentation:
    return fit_segments(customers, CONFIG)


@pytest.fixture(scope="module", params=["xgboost", "forest"])
def trees(request: pytest.FixtureRequest, customers: Matrix, segmentation: Segmentation) -> ModelProto:
    """A bundle with a probability by trees."""
    score = np.nan_to_num(customers) @ np.arange(8) + np.random.default_rng(4).normal(0, 9, len(customers))
    y = (score > 40).astype(float)
    name = request.param + (f", {CONFIG.trees} trees" if request.param == "xgboost" else "")
    estimator = fit_one(name, Task("probability"), customers, y, np.ones(len(y)), CONFIG)
    model = Model(name, "probability", estimator, Scaled("probability"))
    return bundle(segmentation, {"churn_probability": model}, customers.shape[1], {"model_version": "20240101"})


def test_a_row_comes_to_every_split_with_each_value_that_matters(customers: Matrix, trees: ModelProto) -> None:
    rows = difficult.split_rows(customers, trees, seed=1)
    tree = attributes(trees)
    met = values_met(tree, rows)
    wanted = [i for i, mode in enumerate(tree["nodes_modes"]) if mode != b"LEAF"]
    assert len(rows) == 4 * len(wanted) > 100
    # Below a split of the same feature, undefined values may be sent elsewhere.
    assert all({"at", "below", "above"} <= met[i] for i in wanted)
    assert np.mean(["undefined" in met[i] for i in wanted]) > 0.9


def attributes(trees: ModelProto) -> dict[str, Any]:
    node = next(node for node in trees.graph.node if node.op_type.startswith("TreeEnsemble"))
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def values_met(tree: dict[str, Any], rows: Matrix) -> dict[int, set[str]]:
    """With what values, beside its threshold, rows come to each node."""
    met: dict[int, set[str]] = {}
    for row in rows:
        for i in visited(tree, row):
            threshold = np.float32(tree["nodes_values"][i])
            met.setdefault(i, set()).add(beside(row[tree["nodes_featureids"][i]], threshold))
    return met


def beside(value: np.float32, threshold: np.float32) -> str:
    if np.isnan(value):
        return "undefined"
    steps = {"at": threshold, **{side: np.nextafter(threshold, np.float32(end)) for side, end in SIDES.items()}}
    return next((side for side, there in steps.items() if there == value), "far")


SIDES = {"below": -np.inf, "above": np.inf}


def visited(tree: dict[str, Any], row: Matrix) -> Iterator[int]:
    """The nodes that a row comes to, in all trees, one tree after the other as ONNX says it."""
    numbers = tree["nodes_treeids"]
    for first in [i for i, number in enumerate(numbers) if i == 0 or numbers[i - 1] != number]:
        i = first
        while tree["nodes_modes"][i] != b"LEAF":
            yield i
            value = row[tree["nodes_featureids"][i]]
            is_true = tree["nodes_missing_value_tracks_true"][i] if np.isnan(value) else value < tree["nodes_values"][i]
            i = first + tree["nodes_truenodeids" if is_true else "nodes_falsenodeids"][i]


@pytest.mark.parametrize("mistake", ["a step off", "equal goes left", "undefined goes elsewhere"])
def test_a_mistake_at_any_one_split_is_noticed(
    mistake: str, customers: Matrix, segmentation: Segmentation, trees: ModelProto
) -> None:
    rows = difficult.split_rows(customers, trees, seed=1)
    right = answers(trees, rows)
    tree = attributes(trees)
    # Where undefined values never come, it does not matter where they would go.
    places = [i for i, met in values_met(tree, rows).items() if "undefined" in met]
    for place in np.random.default_rng(5).permutation(places)[:20].tolist():
        wrong = ModelProto()
        wrong.CopyFrom(trees)
        node = next(node for node in wrong.graph.node if node.op_type.startswith("TreeEnsemble"))
        changed = {attribute.name: attribute for attribute in node.attribute}
        if mistake == "a step off":
            threshold = np.float32(tree["nodes_values"][place])
            changed["nodes_values"].floats[place] = float(np.nextafter(threshold, np.float32(np.inf)))
        elif mistake == "equal goes left":
            changed["nodes_modes"].strings[place] = b"BRANCH_LEQ"
        else:
            changed["nodes_missing_value_tracks_true"].ints[place] ^= 1
        assert np.abs(answers(wrong, rows) - right).max() > PROBABILITY_TOLERANCE, place


def answers(model: ModelProto, rows: Matrix) -> Matrix:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(["churn_probability"], {"features": rows})[0]  # type: ignore[no-any-return]


def test_rows_close_in_on_borders_from_both_sides(customers: Matrix, segmentation: Segmentation) -> None:
    rows = difficult.border_rows(customers, segmentation, seed=1)
    steps = np.split(rows, difficult.HALVINGS)
    gaps = []
    for step in steps:
        distances = np.sort(segmentation.distances(step), axis=1)
        _, micro_gap = segmentation.micro_segments(step)
        gaps.append(np.median(np.minimum((distances[:, 1] - distances[:, 0]) / distances[:, 1], micro_gap)))
    assert gaps[-1] < 1e-3 < 1e-2 < gaps[0]
    assert len(np.unique(segmentation.segment_of(steps[-1]))) == segmentation.segments


def test_where_there_is_no_border_no_row_is_made(customers: Matrix, segmentation: Segmentation) -> None:
    alike = np.repeat(customers[:1], 50, axis=0)
    assert difficult.border_rows(alike, segmentation, seed=1).shape == (0, customers.shape[1])
