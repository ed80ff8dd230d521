"""A prediction rests on the features that it looks at."""

import numpy as np
import pytest

from shared.features import FEATURE_NAMES
from training.prediction.calibration import Kind, Scaled
from training.prediction.holdout import Holdout
from training.prediction.importance import importance
from training.prediction.models import Model


class FirstFeature:
    """An estimator whose margin is the first feature."""

    def margin(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0].astype(np.float64)


@pytest.mark.parametrize("kind", ["probability", "amount"])
def test_only_the_feature_that_is_looked_at_costs_anything_when_it_is_shuffled(kind: Kind) -> None:
    random = np.random.default_rng(2)
    X = random.normal(size=(600, len(FEATURE_NAMES))).astype(np.float32)
    X[:, 1] = 4
    y = (X[:, 0] > 0).astype(float) if kind == "probability" else np.exp(X[:, 0]).astype(float)
    model = Model("first", kind, FirstFeature(), Scaled(kind))  # type: ignore[arg-type]
    losses = importance(model, Holdout(X, y, y), seed=3)
    first, *others = losses
    assert first == FEATURE_NAMES[0] and losses[first] > 0.4
    assert {losses[name] for name in others} == {0.0}
    assert FEATURE_NAMES[1] not in losses
