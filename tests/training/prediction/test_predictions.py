"""Measures and thinning."""

import numpy as np
import pytest

from training.base.config import Config
from training.prediction.calibration import platt
from training.prediction.candidates import BLEND, Linear, fit_one
from training.prediction.metrics import bins, mean, measure
from training.prediction.targets import targets
from training.prediction.validation import thinned

CHURN, _, LTV = targets(Config())


def test_few_rows_are_all_kept() -> None:
    rows, weight = thinned((np.arange(100) % 2).astype(np.float64), Config(training_rows=100))
    assert rows.tolist() == list(range(100)) and weight.tolist() == [1] * 100


@pytest.mark.parametrize("rate", [0.001, 0.3, 0.98])
def test_kept_rows_stand_for_all(rate: float) -> None:
    y = (np.random.default_rng(1).random(100_000) < rate).astype(float)
    rows, weight = thinned(y, Config(training_rows=20_000))
    assert len(rows) == pytest.approx(20_000, rel=0.03)
    assert weight.sum() == pytest.approx(len(y), rel=0.03)
    assert weight @ y[rows] == pytest.approx(y.sum(), rel=0.03)


@pytest.mark.parametrize("name", ["linear", "forest", "xgboost, 30 trees", BLEND])
def test_probabilities_of_a_rare_outcome_stay_calibrated_after_thinning(name: str) -> None:
    random = np.random.default_rng(2)
    X = random.normal(size=(80_000, 5)).astype(np.float32)
    y = (random.random(len(X)) < 0.01 * np.exp(X[:, 0])).astype(float)
    config = Config(training_rows=8_000, trees=30, forest_trees=20, learning_rate=0.2, threads=1)
    fitted, held_out = np.split(np.arange(len(X)), 2)
    kept, weight = thinned(y[fitted], config)
    model = fit_one(name, "probability", X[kept], y[kept], weight, config)
    calibration = platt(model.margin(X[held_out]), y[held_out], np.ones(len(held_out)))
    assert calibration(model.margin(X)).mean() == pytest.approx(y.mean(), rel=0.06)


def test_a_leaf_of_a_forest_of_amounts_tells_how_many_times_the_mean_is_spent() -> None:
    spent = np.repeat([1.0, 9.0, 1000.0], [600, 300, 100])
    X = np.repeat([0.0, 1.0, 2.0], [600, 300, 100])[:, None].astype(np.float32)
    forest = fit_one("forest", "amount", X, spent, np.ones(len(X)), Config(forest_trees=20, threads=1))
    times = spent / spent.mean()
    np.testing.assert_allclose(forest.margin(X), 2 * (times - 1) / (times + 1), atol=1e-3)


def test_a_forest_of_amounts_is_the_same_in_every_currency() -> None:
    random = np.random.default_rng(4)
    X = random.normal(size=(5_000, 5)).astype(np.float32)
    y = (random.random(len(X)) < 0.05) * random.lognormal(X[:, 0], 1)
    weight, config = np.ones(len(y)), Config(forest_trees=5, threads=1)
    here, there = (fit_one("forest", "amount", X, rate * y, weight, config).margin(X) for rate in (1.0, 128.0))
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("rate", [0.3, 0.01])
def test_a_linear_model_leaves_out_what_tells_nothing(rate: float) -> None:
    random = np.random.default_rng(5)
    X = random.normal(size=(6_000, 20)).astype(np.float32)
    y = (random.random(len(X)) < rate * np.exp(X[:, 0])).astype(float)
    model = fit_one("linear", "probability", X, y, np.ones(len(y)), Config())
    assert isinstance(model, Linear)
    coefficients = model.pipeline[-1].coef_[0]
    assert coefficients[0] > 0.3 and (coefficients[1:] == 0).sum() >= 3


def test_probabilities_are_measured_by_order_and_size() -> None:
    y, predicted = np.array([1.0] + [0.0] * 9), np.linspace(0.9, 0.0, 10)
    found = measure(CHURN, y, predicted)
    assert (found["auc"], found["average_precision"], found["lift_at_10_percent"]) == (1.0, 1.0, 10.0)
    assert found["brier"] == pytest.approx(((y - predicted) ** 2).mean())


def test_amounts_are_measured_by_order_size_and_total() -> None:
    found = measure(LTV, np.array([0.0, 10.0, 30.0]), np.array([1.0, 12.0, 27.0]))
    assert (found["spearman"], found["mean_absolute_error"], found["total_ratio"]) == (1.0, 2.0, 1.0)


def test_figures_of_slices_are_averaged_and_their_rows_added() -> None:
    found = mean([{"rows": 2, "auc": 0.6}, {"rows": 4, "auc": 0.8}])
    assert found == {"rows": 6, "auc": pytest.approx(0.7)}


def test_tenths_hold_everyone_once_in_the_order_of_the_predictions() -> None:
    predicted = np.random.default_rng(3).random(95)
    found = bins(predicted * 2, predicted)
    assert [count for *_, count in found] == [10] * 5 + [9] * 5
    assert [low for low, *_ in found] == sorted(low for low, *_ in found)
    assert all(actual == pytest.approx(2 * expected) for expected, actual, _ in found)
