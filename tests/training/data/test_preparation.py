"""Features are balanced by their groups before they count in a distance."""

import numpy as np
import pytest

from shared.features import FEATURES
from tests.support.simulated import simulated
from training.base.config import Config
from training.data.preparation import balanced_preparation, weights


def test_no_group_of_features_outvotes_another() -> None:
    X = simulated().X
    _, prepared = balanced_preparation(X, 0.005, FEATURES)
    for group in {feature.group for feature in FEATURES}:
        own = [j for j, feature in enumerate(FEATURES) if feature.group == group]
        spread = np.linalg.eigvalsh(np.cov(prepared[:, own], rowvar=False).reshape(len(own), len(own)))
        assert spread[-1] == pytest.approx(1, rel=1e-3), group
    assert prepared.shape == X.shape


def test_of_a_measure_over_several_windows_the_longest_counts() -> None:
    weight = dict(zip([f.name for f in FEATURES], weights(simulated().X.astype(np.float32), FEATURES), strict=True))
    assert weight["visits_365d"] > 0
    assert weight["visits_7d"] == weight["visits_30d"] == weight["visits_90d"] == weight["visits_lifetime"] == 0
    assert weight["carts_90d"] > weight["carts_30d"] == 0


def test_how_visits_came_about_counts_only_where_it_is_asked_for() -> None:
    X = simulated().X.astype(np.float32)
    channels = [feature.group == "Channel" for feature in FEATURES]
    assert not weights(X, FEATURES, Config().left_out_of_segments)[channels].any()
    assert weights(X, FEATURES, ())[channels].any()
