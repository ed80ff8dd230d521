"""Figures of predictions, by hand."""

import numpy as np
import pytest

from training.base.config import Config
from training.prediction.metrics import bins, mean, measure
from training.prediction.targets import targets

CHURN, _, LTV = targets(Config())


def test_probabilities_are_measured_by_order_and_size() -> None:
    y = np.array([1.0] + [0.0] * 9)
    predicted = np.linspace(0.9, 0.0, 10)
    figures = measure(CHURN, y, predicted)
    assert (figures["auc"], figures["average_precision"], figures["lift_at_10_percent"]) == (1.0, 1.0, 10.0)
    assert figures["brier"] == pytest.approx(((y - predicted) ** 2).mean())


def test_amounts_are_measured_by_order_size_and_total() -> None:
    figures = measure(LTV, np.array([0.0, 10.0, 30.0]), np.array([1.0, 12.0, 27.0]))
    assert (figures["spearman"], figures["mean_absolute_error"], figures["total_ratio"]) == (1.0, 2.0, 1.0)


def test_what_is_the_same_for_all_has_no_order() -> None:
    figures = measure(LTV, np.array([1.0, 2.0]), np.array([3.0, 3.0]))
    assert np.isnan(figures["spearman"]) and figures["mean_absolute_error"] == 1.5


def test_figures_of_slices_are_averaged_and_their_rows_added() -> None:
    figures = mean([{"rows": 2, "auc": 0.6}, {"rows": 4, "auc": 0.8}])
    assert figures == {"rows": 6, "auc": pytest.approx(0.7)}


def test_tenths_hold_everyone_once_in_the_order_of_the_predictions() -> None:
    predicted = np.random.default_rng(3).random(95)
    tenths = bins(predicted * 2, predicted)
    assert [count for *_, count in tenths] == [10] * 5 + [9] * 5
    assert [low for low, *_ in tenths] == sorted(low for low, *_ in tenths)
    assert all(actual == pytest.approx(2 * expected) for expected, actual, _ in tenths)
