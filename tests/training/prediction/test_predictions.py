"""What is fitted for a target: the candidate of the best mean, with its figures on every slice."""

import numpy as np
import pytest

from shared.features.columns import DAY_MS
from tests.support.shop import DAYS, OPENED
from tests.training.conftest import Shop
from training.base.config import Config
from training.prediction.classic import NAME
from training.prediction.predictions import FittedTarget, fit_target
from training.prediction.targets import PointsInTime, targets
from training.prediction.validation import winner

CONFIG = Config(threads=1, trees=25, forest_trees=10, ltv_horizon_days=60)


CHURN, CONVERSION, LTV = targets(CONFIG)


FIRST_MS = int(OPENED.timestamp() * 1000)


END_MS = FIRST_MS + DAYS * DAY_MS


@pytest.fixture(scope="module")
def points(shop: Shop) -> PointsInTime:
    return PointsInTime(shop.profiles)


@pytest.fixture(scope="module")
def ltv(points: PointsInTime) -> FittedTarget:
    return fit_target(LTV, points, FIRST_MS, END_MS, CONFIG)


def test_every_kind_of_model_has_its_line_and_the_best_mean_wins(ltv: FittedTarget) -> None:
    assert ltv.model is not None
    kinds = {name.partition(",")[0] for name in ltv.leaderboard}
    assert kinds == {"linear", "forest", "xgboost", "two-part", "blend", NAME}
    ours = {name: figures for name, figures in ltv.leaderboard.items() if name != NAME}
    assert ltv.model.name == min(ours, key=lambda name: ours[name]["deviance"]) == winner(LTV, ours, CONFIG)
    assert len(ltv.by_cutoff) == len(ltv.judged) == CONFIG.validation_slices
    mean = np.mean([figures["deviance"] for figures in ltv.by_cutoff])
    assert ltv.leaderboard[ltv.model.name]["deviance"] == pytest.approx(mean)


def test_the_manifest_tells_the_figures_of_every_slice(ltv: FittedTarget) -> None:
    about = ltv.about()
    assert ltv.model is not None
    assert about["model"] == ltv.model.name and about["calibration"] == "scale"
    assert about["metrics"] == next(iter(about["validation"]["cutoffs"].values()))
    assert len(about["validation"]["cutoffs"]) == CONFIG.validation_slices
