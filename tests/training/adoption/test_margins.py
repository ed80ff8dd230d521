"""Trees and linear models are told for what they are; their margins are those of whoever made them."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from shared.features import FEATURE_NAMES
from tests.training.adoption.models import converted, lightgbm_model, linear_model, network_model
from training.adoption.foreign import Foreign
from training.adoption.margins import LEAST_SHARE, adopted, linked

WIDTH = len(FEATURE_NAMES)


@pytest.fixture(scope="module")
def rows() -> tuple[Any, Any]:
    random = np.random.default_rng(1)
    X = random.normal(size=(600, WIDTH)).astype(np.float32)
    return X, (X[:, 0] + 0.5 * X[:, 1] + random.normal(size=600) > 0).astype(float)


def told(content: bytes) -> Any:
    return adopted(Foreign.read(content, WIDTH), "probability", "churn", "churn_probability/margin", WIDTH)


def test_each_is_explained_as_exactly_as_it_can_be(rows: tuple[Any, Any]) -> None:
    forest = RandomForestClassifier(20, max_depth=3, random_state=1).fit(*rows)
    kinds = [told(each).name for each in (lightgbm_model(*rows), linear_model(*rows), network_model(*rows))]
    assert kinds == ["trees", "linear", "sampled"]
    assert told(converted(forest)).name == "trees"


def test_trees_that_ask_for_too_much_on_a_way_are_sampled(rows: tuple[Any, Any]) -> None:
    deep = lightgbm_model(*rows, max_depth=-1, num_leaves=60, min_child_samples=2)
    assert told(deep).name == "sampled"


def test_margins_are_the_log_odds_of_its_scores(rows: tuple[Any, Any]) -> None:
    for content in (lightgbm_model(*rows), linear_model(*rows), network_model(*rows)):
        scores = Foreign.read(content, WIDTH).scores(rows[0])
        np.testing.assert_allclose(told(content).margin(rows[0]), np.log(scores / (1 - scores)), atol=2e-3)


def test_scores_at_their_ends_have_margins_that_are_numbers() -> None:
    assert np.isfinite(linked("log-odds", np.array([0.0, 1.0]))).all()
    assert linked("logarithm", np.array([0.0]))[0] == pytest.approx(np.log(LEAST_SHARE))
    assert linked("none", np.array([3.0]))[0] == 3.0
