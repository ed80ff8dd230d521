"""Trees whose conditions are looked at together, held to walking down each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

from tests.support.examples import at_most
from training.recommending import learning
from training.recommending.learning import LEAST_OF_TREES, Examples, fit_trees


@settings(max_examples=at_most(10))
@given(st.integers(0, 2**31))
def test_they_say_what_the_model_says_that_they_were_made_of(seed: int) -> None:
    rng = np.random.default_rng(seed)
    signals = np.round(rng.normal(size=(6_000, 3)), 1)
    bought = signals[:, 0] * signals[:, 1] + rng.normal(size=6_000) > 0.5
    assert bought.sum() > LEAST_OF_TREES
    models: list[HistGradientBoostingClassifier] = []

    def kept(**options: object) -> HistGradientBoostingClassifier:
        models.append(HistGradientBoostingClassifier(**options))
        return models[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "HistGradientBoostingClassifier", kept)
        trees = fit_trees(Examples(signals, bought, np.ones(6_000)), ("a", "b", "c"))
    for rows in (signals, rng.normal(size=(500, 3)) * 2):
        assert np.allclose(trees.log_odds(rows), models[0].decision_function(rows), atol=1e-9)
    assert trees.log_odds(np.empty((0, 3))).tolist() == []
