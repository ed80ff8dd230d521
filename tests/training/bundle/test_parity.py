"""The proof looks where an export could go wrong, and notices when it does."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from shared.models.bundle import Decisions
from training.bundle import parity
from training.bundle.parity import Parity

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


def test_edges_are_the_thresholds_of_trees_and_the_ends_of_clipped_ranges_in_raw_units() -> None:
    features, values = parity.edges(graph_with_edges())
    pairs = sorted(zip(features.tolist(), values.round(5).tolist(), strict=True))
    assert pairs == [(0, 1.0), (0, 3.0), (1, 0.0), (1, 0.25), (1, 0.5), (1, 3.0)]


def test_each_edge_is_met_exactly_and_a_float_step_to_either_side() -> None:
    X = np.full((4, 2), 9, np.float32)
    rows = parity.edge_rows(X, graph_with_edges(), seed=1)
    half = np.float32(0.5)
    beside = {float(np.nextafter(half, np.float32(side))) for side in (-1, 2)}
    assert {0.5, *beside} <= set(rows[:, 1].tolist())
    assert ((rows != 9).sum(axis=1) == 1).all()
    assert len(rows) == 3 * 6


def test_a_difference_that_float32_cannot_tell_is_a_tie_and_a_larger_one_a_flip() -> None:
    distances = np.array([[1, 1 + 5e-6, 9], [1, 1.001, 9], [1, 2, 9]])
    n = len(distances)
    other = Decisions(
        np.array([1, 1, 0]),
        np.array([1, 1.001, 1], np.float32),
        np.array([0, 0, 1]),
        np.array([1, 1, 2], np.float32),
    )
    answers = {"distances": distances, "micro_segment": np.zeros(n), "micro_gap": np.ones(n), "eps": np.full(n, np.inf)}
    compared = parity.compare(answers, other)
    assert (compared.rows, compared.flips, compared.ties) == (3, 1, 1)
    assert compared.failures() == ["1 segment flips in 3 rows"]


@pytest.mark.parametrize(
    ("name", "difference", "allowed"),
    [
        ("churn_probability", 9e-6, True),
        ("churn_probability", 2e-5, False),
        ("expected_ltv", 9e-5, True),
        ("segment_distance", 2e-4, False),
        ("churn_probability", float("nan"), False),
    ],
)
def test_every_output_has_its_tolerance(name: str, difference: float, allowed: bool) -> None:
    assert (Parity(1, differences={name: difference}).failures() == []) is allowed


def test_as_many_rows_are_made_as_are_asked_for() -> None:
    X = np.arange(20, dtype=np.float32).reshape(10, 2)
    parts = list(parity.chunks([X, X[:3]], parity.CHUNK + 7, seed=1))
    assert sum(map(len, parts)) == 13 + parity.CHUNK + 7
    assert {part.dtype for part in parts} == {np.dtype(np.float32)}
    assert not np.array_equal(parts[2][:10], X)
