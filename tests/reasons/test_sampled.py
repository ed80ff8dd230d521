"""Sampled reasons: they sum exactly, and are as near to the exact ones as they say."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from shared.reasons.sampled import Sampled

WIDTH = 6


def linear(weights: np.ndarray) -> bytes:
    nodes = [helper.make_node("MatMul", ["features", "w"], ["m"]), helper.make_node("Tanh", ["m"], ["margin"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("margin", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(weights.astype(np.float32)[:, None], "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture
def sampled() -> Sampled:
    random = np.random.default_rng(3)
    weights = np.array([1.0, -0.5, 0.3, 0.0, 0.2, 0.0])
    return Sampled(linear(weights), random.normal(size=(64, WIDTH)).astype(np.float32))


def test_shares_sum_to_what_the_margin_lies_above_the_baseline(sampled: Sampled) -> None:
    x = np.array([1, 2, -1, 0.5, 3, 9], np.float32)
    shares = sampled.contributions(x)
    assert shares.sum() == pytest.approx(sampled.margin(x) - sampled.baseline, abs=1e-6)
    assert shares[3] == shares[5] == 0


def test_shares_are_within_a_few_standard_errors_of_the_exact_ones(sampled: Sampled) -> None:
    x = np.array([1, 2, -1, 0.5, 3, 9], np.float32)
    exact = _exact(sampled, x)
    error = sampled.error(x)
    assert 0 < error < 0.1
    assert np.abs(sampled.contributions(x) - exact).max() < 4 * error
    np.testing.assert_array_equal(sampled.contributions(x), sampled.contributions(x))


def _exact(sampled: Sampled, x: np.ndarray) -> np.ndarray:
    """Shapley values by all sets of features."""
    from itertools import combinations
    from math import comb

    worth = {}
    for size in range(WIDTH + 1):
        for chosen in combinations(range(WIDTH), size):
            rows = sampled.background.copy()
            rows[:, list(chosen)] = x[list(chosen)]
            worth[frozenset(chosen)] = sampled.margins(rows).mean()
    shares = np.zeros(WIDTH)
    for j in range(WIDTH):
        for one in (each for each in worth if j not in each):
            shares[j] += (worth[one | {j}] - worth[one]) / (WIDTH * comb(WIDTH - 1, len(one)))
    return shares
