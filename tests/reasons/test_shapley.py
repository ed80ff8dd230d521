"""Shapley values of small games that can be told by hand; tests/training/bundle/test_reasons.py holds them to shap."""

import numpy as np
import pytest

from shared.reasons.nearest import Preparation
from shared.reasons.shapley import Linear, Trees

INF = np.inf


def trees(feature: list[int], low: list[float], high: list[float], value: float, shares: list[float]) -> Trees:
    """One leaf."""
    undefined = np.zeros((1, len(feature)), bool)
    least, below = np.array([low], np.float32), np.array([high], np.float32)
    return Trees(np.array([feature]), least, below, undefined, np.array([value]), np.array([shares]), base=1.0)


def test_a_leaf_of_one_condition_gives_all_to_its_feature() -> None:
    leaf = trees([1], [0.0], [INF], 8.0, [1.0, 0.25])  # a quarter of the background is in it
    inside = np.array([0.0, 5.0], np.float32)
    assert (leaf.baseline, leaf.margin(inside)) == (3.0, 9.0)
    assert leaf.contributions(inside).tolist() == [0.0, 6.0]
    assert leaf.contributions(-inside - 1).tolist() == [0.0, -2.0]


def test_two_conditions_that_count_alike_share_alike() -> None:
    leaf = trees([0, 1], [0.0, 0.0], [INF, INF], 8.0, [1.0, 0.5, 0.5, 0.25])
    assert leaf.contributions(np.ones(2, np.float32)).tolist() == [3.0, 3.0]


def test_values_sum_to_the_margin_less_the_baseline_wherever_one_stands() -> None:
    leaf = trees([0, 2], [0.0, -1.0], [2.0, 1.0], 5.0, [1.0, 0.7, 0.2, 0.1])
    for x in np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32):
        assert leaf.contributions(x).sum() == pytest.approx(leaf.margin(x) - leaf.baseline)


def test_an_undefined_value_meets_a_condition_only_where_the_tree_says_so() -> None:
    undefined = np.array([np.nan], np.float32)
    leaf = trees([0], [-INF], [INF], 1.0, [1.0, 1.0])
    assert leaf.margin(undefined) == 1.0
    lets_in = Trees(leaf.feature, leaf.low, leaf.high, ~leaf.undefined, leaf.value, leaf.shares, leaf.base)
    assert lets_in.margin(undefined) == 2.0


def test_a_linear_model_gives_coefficient_times_distance_from_the_mean() -> None:
    zeros = np.zeros(2, np.float32)
    same = Preparation(zeros, np.zeros(2, bool), zeros - np.inf, zeros + np.inf, zeros, zeros + 1)
    linear = Linear(same, np.array([2.0, -1.0]), 0.5, np.array([1.0, 1.0]))
    x = np.array([3.0, 5.0], np.float32)
    assert linear.contributions(x).tolist() == [4.0, -4.0]
    assert (linear.margin(x), linear.baseline) == (1.5, 1.5)
