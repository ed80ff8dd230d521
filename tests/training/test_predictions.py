"""Measures, thinning and calibration of predictions."""

import numpy as np
import pytest

from training.config import Config
from training.models import CANDIDATES, fit_calibrated
from training.predictions import measure, thinned
from training.targets import targets

CHURN, _, LTV = targets(Config())


def test_few_rows_are_all_kept() -> None:
    rows, weight = thinned(np.array([0.0, 1.0, 0.0]), Config(training_rows=3))
    assert rows.tolist() == [0, 1, 2] and weight.tolist() == [1, 1, 1]


@pytest.mark.parametrize("rate", [0.001, 0.3, 0.98])
def test_kept_rows_stand_for_all(rate: float) -> None:
    y = (np.random.default_rng(1).random(100_000) < rate).astype(float)
    rows, weight = thinned(y, Config(training_rows=20_000))
    assert len(rows) == pytest.approx(20_000, rel=0.03)
    assert weight.sum() == pytest.approx(len(y), rel=0.03)
    assert weight @ y[rows] == pytest.approx(y.sum(), rel=0.03)


@pytest.mark.parametrize("name", list(CANDIDATES))
def test_probabilities_of_a_rare_outcome_stay_calibrated_after_thinning(name: str) -> None:
    random = np.random.default_rng(2)
    X = random.normal(size=(40_000, 5)).astype(np.float32)
    y = (random.random(len(X)) < 0.02 * np.exp(X[:, 0])).astype(float)
    config = Config(training_rows=8_000, trees=30)
    rows, weight = thinned(y, config)
    model = fit_calibrated(name, "probability", X[rows], y[rows], weight, rows, config)
    assert model.predict(X).mean() == pytest.approx(y.mean(), rel=0.06)


def test_probabilities_are_measured_by_order_and_size() -> None:
    y, predicted = np.array([1.0] + [0.0] * 9), np.linspace(0.9, 0.0, 10)
    found = measure(CHURN, y, predicted)
    assert (found["auc"], found["average_precision"], found["lift_at_10_percent"]) == (1.0, 1.0, 10.0)
    assert found["brier"] == pytest.approx(((y - predicted) ** 2).mean())


def test_amounts_are_measured_by_order_size_and_total() -> None:
    found = measure(LTV, np.array([0.0, 10.0, 30.0]), np.array([1.0, 12.0, 27.0]))
    assert (found["spearman"], found["mean_absolute_error"], found["total_ratio"]) == (1.0, 2.0, 1.0)
