"""Each kind of model learns what it should, in any currency and after thinning."""

import numpy as np
import pytest

from training.base.config import Config
from training.prediction.calibration import Kind, platt
from training.prediction.candidates import BLEND, Linear, Task, fit_one
from training.prediction.validation import thinned


@pytest.mark.parametrize("name", ["linear", "forest", "xgboost, 30 trees", BLEND])
def test_probabilities_of_a_rare_outcome_stay_calibrated_after_thinning(name: str) -> None:
    random = np.random.default_rng(2)
    X = random.normal(size=(80_000, 5)).astype(np.float32)
    y = (random.random(len(X)) < 0.01 * np.exp(X[:, 0])).astype(float)
    config = Config(training_rows=8_000, trees=30, forest_trees=20, learning_rate=0.2, threads=1)
    fitted, held_out = np.split(np.arange(len(X)), 2)
    kept, weight = thinned(y[fitted], config)
    model = fit_one(name, Task("probability"), X[kept], y[kept], weight, config)
    calibration = platt(model.margin(X[held_out]), y[held_out], np.ones(len(held_out)))
    assert calibration(model.margin(X)).mean() == pytest.approx(y.mean(), rel=0.06)


def test_a_leaf_of_a_forest_of_amounts_tells_how_many_times_the_mean_is_spent() -> None:
    spent = np.repeat([1.0, 9.0, 1000.0], [600, 300, 100])
    X = np.repeat([0.0, 1.0, 2.0], [600, 300, 100])[:, None].astype(np.float32)
    forest = fit_one("forest", Task("amount"), X, spent, np.ones(len(X)), Config(forest_trees=20, threads=1))
    times = spent / spent.mean()
    np.testing.assert_allclose(forest.margin(X), 2 * (times - 1) / (times + 1), atol=1e-3)


def test_a_forest_of_amounts_is_the_same_in_every_currency() -> None:
    random = np.random.default_rng(4)
    X = random.normal(size=(5_000, 5)).astype(np.float32)
    y = (random.random(len(X)) < 0.05) * random.lognormal(X[:, 0], 1)
    weight = np.ones(len(y))
    config = Config(forest_trees=5, threads=1)
    here, there = (fit_one("forest", Task("amount"), X, rate * y, weight, config).margin(X) for rate in (1.0, 128.0))
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("rate", [0.3, 0.01])
def test_a_linear_model_leaves_out_what_tells_nothing(rate: float) -> None:
    random = np.random.default_rng(5)
    X = random.normal(size=(6_000, 20)).astype(np.float32)
    y = (random.random(len(X)) < rate * np.exp(X[:, 0])).astype(float)
    model = fit_one("linear", Task("probability"), X, y, np.ones(len(y)), Config())
    assert isinstance(model, Linear)
    coefficients = model.pipeline[-1].coef_[0]
    assert coefficients[0] > 0.3 and (coefficients[1:] == 0).sum() >= 3


@pytest.mark.parametrize("kind", ["probability", "amount"])
@pytest.mark.parametrize("name", ["linear", "forest", "xgboost, 30 trees", "two-part, 30 trees", BLEND])
@pytest.mark.parametrize("direction", [1, -1])
def test_what_may_only_rise_or_fall_does_so_even_against_what_was_seen(name: str, kind: Kind, direction: int) -> None:
    if kind == "probability" and name.startswith("two-part"):
        return
    random = np.random.default_rng(6)
    X = random.normal(size=(3_000, 3)).astype(np.float32)
    rate = 1 / (1 + np.exp(direction * 2 * np.abs(X[:, 0]) - X[:, 1]))
    does = random.random(len(X)) < rate
    y = np.where(does, random.lognormal(X[:, 1], 0.1) if kind == "amount" else 1.0, 0.0)
    config = Config(trees=30, forest_trees=20, learning_rate=0.2, threads=1)
    model = fit_one(name, Task(kind, [direction, 0, 0]), X, y, np.ones(len(y)), config)
    rising = np.linspace(-4, 4, 81, dtype=np.float32)
    for held in X[:20]:
        along = np.repeat(held[None], len(rising), axis=0)
        along[:, 0] = rising
        assert (direction * np.diff(model.margin(along)) >= -1e-9).all()
    assert np.corrcoef(model.margin(X), X[:, 1])[0, 1] > 0.3
