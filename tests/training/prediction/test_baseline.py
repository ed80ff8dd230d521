"""The plain model knows what an analyst would compute by hand."""

import numpy as np

from shared.features import FEATURE_NAMES
from tests.training.conftest import Shop
from training.prediction import baseline
from training.prediction.targets import PointsInTime


def test_the_plain_models_features_are_those_of_the_catalogue_where_they_mean_the_same(shop: Shop) -> None:
    points = PointsInTime(shop.profiles)
    at = 1_720_000_000_000
    X = points.features(at)
    plain = baseline.hand_made(shop.profiles, at)
    np.testing.assert_allclose(plain[:, 1], X[:, FEATURE_NAMES.index("tenure")], rtol=1e-5)
    np.testing.assert_allclose(plain[:, 5], X[:, FEATURE_NAMES.index("days_since_order")], rtol=1e-5)
