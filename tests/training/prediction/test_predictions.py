"""What is fitted for a target: the candidate of the best mean, with its figures on every slice."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES
from tests.support.event_files import profiles
from tests.support.shop import DAYS, OPENED
from tests.training.conftest import Shop
from training.base.config import Config
from training.base.target_entry import TargetEntry
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


@pytest.mark.parametrize(("known_days", "horizon_days"), [(240, 90), (160, 60), (100, 30), (80, None)])
def test_a_value_looks_as_far_ahead_as_the_events_tell(
    points: PointsInTime, known_days: int, horizon_days: int | None
) -> None:
    config = replace(CONFIG, ltv_horizon_days=90, validation_slices=1)
    target = targets(config)[2]
    fitted = fit_target(target, points, FIRST_MS, FIRST_MS + known_days * DAY_MS, config)
    about = fitted.about()
    if horizon_days is None:
        assert about["reason"] == "the events span 80 days; 88 are needed" and about["horizon_days"] == 90
    else:
        assert about["trained"] and about["horizon_days"] == horizon_days
        assert about["meaning"] == f"spend less refunds in the next {horizon_days} days"
        assert len(about["cutoffs"]) >= 2


def test_probabilities_have_one_horizon(points: PointsInTime) -> None:
    fitted = fit_target(CHURN, points, FIRST_MS, FIRST_MS + 80 * DAY_MS, CONFIG)
    assert fitted.reason == "the events span 80 days; 88 are needed"
    assert CHURN.shorter() == CONVERSION.shorter() == []


def test_who_answers_a_campaign_is_learnt_at_the_instants_at_which_they_were_approached(shop: Shop) -> None:
    random = np.random.default_rng(8)
    sent = {"event_type": "campaign_exposure", "campaign": "spring", "arm": "treatment"}
    exposures = [
        {**sent, "event_id": f"sent-{day}-{customer}", "customer_id": str(customer), "timestamp": at.isoformat()}
        for day in range(60, DAYS - 20, 20)
        for customer in random.permutation(260)[:120].tolist()
        for at in [OPENED + timedelta(days=day, hours=customer % 24)]
    ]
    entry = TargetEntry.of({"name": "answer", "event": "purchase", "within_days": 10, "for": "exposed"})
    config = replace(CONFIG, target=(entry,))
    points = PointsInTime(profiles(*shop.events, *exposures))
    answer = fit_target(targets(config)[-1], points, FIRST_MS, END_MS, config)
    assert answer.model is not None and answer.held_out is not None
    assert answer.metrics["auc"] > 0.7
    tenure = answer.held_out[:, FEATURE_NAMES.index("tenure")]
    assert len(np.unique(np.round(tenure % 1, 6))) > 24  # each at an instant of their own
