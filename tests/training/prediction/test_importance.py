"""A prediction rests on the features that it looks at."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from shared.features import FEATURE_NAMES
from training.prediction.calibration import Kind, Scaled
from training.prediction.holdout import Holdout
from training.prediction.importance import _quality, importance
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


@pytest.mark.parametrize("kind", ["probability", "amount"])
def test_what_is_lost_is_auc_or_rank_correlation_as_the_libraries_have_them_ties_and_all(kind: Kind) -> None:
    random = np.random.default_rng(4)
    X = random.integers(0, 5, (300, len(FEATURE_NAMES))).astype(np.float32)
    y = (X[:, 0] + random.integers(0, 4, 300) > 4) * (1.0 if kind == "probability" else X[:, 0] + 1.0)
    model = Model("first", kind, FirstFeature(), Scaled(kind))  # type: ignore[arg-type]
    library = roc_auc_score(y, X[:, 0]) if kind == "probability" else spearmanr(y, X[:, 0]).statistic
    assert _quality(model, X[:, 0].astype(np.float64), y) == pytest.approx(library)
    assert _quality(model, np.zeros(300), y) == (0.5 if kind == "probability" else 0.0)
