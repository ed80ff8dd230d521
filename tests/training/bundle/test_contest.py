"""Two bundles are judged on the same rows, and neither is flattered."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shared.features import FEATURE_NAMES
from shared.models.bundle import Bundle, Decisions
from tests.support.bundles import make_bundle
from training.bundle.contest import Comparison, contest
from training.prediction.holdout import Holdout

DAYS = {"from": "2024-05-01T00:00:00Z", "until": "2024-05-31T00:00:00Z"}
ROWS = 400


@pytest.fixture(scope="module")
def champion() -> Bundle:
    """Its probability of churn falls with the orders of a year."""
    return Bundle.from_files(*make_bundle())


@pytest.fixture(scope="module")
def holdout(champion: Bundle) -> Holdout:
    """Who ordered less churned more often; the new bundle predicts exactly as the champion."""
    random = np.random.default_rng(5)
    X = np.zeros((ROWS, len(FEATURE_NAMES)), np.float32)
    X[:, FEATURE_NAMES.index("orders_365d")] = random.integers(0, 4, ROWS)
    predicted = np.asarray(champion.decide(X).churn_probability, np.float64)
    return Holdout(X, (random.random(ROWS) < predicted).astype(float), predicted)


def manifest(**churn: Any) -> dict[str, Any]:
    untrained = {"trained": False, "reason": "too few", "horizon_days": 7}
    own = {"trained": True, "horizon_days": 30, "output": "churn_probability", "holdout": {**DAYS, "sha256": "new"}}
    return {"targets": {"churn": {**own, "metrics": {}, **churn}, "conversion": untrained}}


def live(last: str = "2024-05-01T00:00:00Z", **churn: Any) -> dict[str, Any]:
    return {**manifest(**churn), "events": {"last": last}}


def fight(
    holdout: Holdout, own: dict[str, Any], other: dict[str, Any], champion: Bundle | None, margin: float = 0.05
) -> Comparison:
    (comparison,) = contest(own, {"churn": holdout}, other, champion, margin)
    return comparison


def test_equal_predictions_pass_without_any_margin(champion: Bundle, holdout: Holdout) -> None:
    comparison = fight(holdout, manifest(), live(holdout={"sha256": "old"}), champion, margin=0.0)
    assert comparison.failures == []
    assert comparison.ours["auc"] == pytest.approx(comparison.live["auc"])


@pytest.mark.parametrize(("noise", "refused"), [(0.01, False), (3.0, True)])
def test_what_is_worse_by_more_than_the_margin_is_refused(
    champion: Bundle, holdout: Holdout, noise: float, refused: bool
) -> None:
    random = np.random.default_rng(6)
    odds = np.log(holdout.predicted / (1 - holdout.predicted)) + random.normal(0, noise, ROWS)
    blurred = Holdout(holdout.X, holdout.y, 1 / (1 + np.exp(-odds)))
    comparison = fight(blurred, manifest(), live(holdout={"sha256": "old"}), champion)
    assert bool(comparison.failures) is refused
    assert not refused or any(failure.startswith("churn auc ") for failure in comparison.failures)


def test_what_the_live_bundle_gained_by_having_seen_the_days_is_taken_off_in_proportion(
    champion: Bundle, holdout: Holdout
) -> None:
    before, after = {"auc": 0.70, "brier": 0.20}, {"auc": 0.80, "brier": 0.16}
    judged = {"metrics": before, "holdout": {"sha256": "old", "figures_after": after}}
    unseen, half, whole = (
        fight(holdout, manifest(), live(last, **judged), champion)
        for last in ("2024-04-30T00:00:00Z", "2024-05-16T00:00:00Z", "2024-07-01T00:00:00Z")
    )
    assert unseen.live["auc"] and unseen.live["brier"]
    for comparison, share in ((half, 0.5), (whole, 1.0)):
        assert comparison.live["auc"] == pytest.approx(unseen.live["auc"] - share * 0.10)
        assert comparison.live["brier"] == pytest.approx(unseen.live["brier"] + share * 0.04)
        assert f"{share:.0%} of the days" in comparison.basis


def test_an_older_bundle_that_has_seen_the_days_is_said_to_be_flattered(champion: Bundle, holdout: Holdout) -> None:
    comparison = fight(holdout, manifest(), live("2024-06-30T00:00:00Z", holdout={"sha256": "old"}), champion)
    assert "flatters it" in comparison.basis


def test_judged_on_the_same_rows_the_figures_of_training_count(champion: Bundle, holdout: Holdout) -> None:
    own = manifest(metrics={"auc": 0.71, "brier": 0.2})
    other = live("2024-06-30T00:00:00Z", metrics={"auc": 0.80, "brier": 0.2}, holdout={**DAYS, "sha256": "new"})
    comparison = fight(holdout, own, other, champion)
    assert comparison.failures == ["churn auc 0.71, live 0.8, allowed 0.785"]


def test_beside_a_bundle_of_other_features_the_figures_of_training_count_and_that_is_said(holdout: Holdout) -> None:
    comparison = fight(
        holdout, manifest(metrics={"auc": 0.79}), live(metrics={"auc": 0.80}, holdout={"sha256": "old"}), None
    )
    assert comparison.failures == [] and "other features" in comparison.basis


@pytest.mark.parametrize(
    ("own", "failure"),
    [
        ({"trained": False, "reason": "too few"}, "churn is predicted by the live bundle alone: too few"),
        ({"horizon_days": 60}, "churn looks 60 days ahead and the live bundle 30: that cannot be compared"),
        ({"metrics": {"auc": None}}, "churn auc none, live 0.8, allowed 0.785"),
    ],
)
def test_what_cannot_be_compared_is_refused(holdout: Holdout, own: dict[str, Any], failure: str) -> None:
    comparison = fight(holdout, manifest(**own), live(metrics={"auc": 0.80}, holdout={"sha256": "old"}), None)
    assert comparison.failures == [failure]


def test_a_value_of_more_days_is_compared_by_its_order_alone(champion: Bundle, holdout: Holdout) -> None:
    class Valued(Bundle):
        def decide(self, features: np.ndarray) -> Decisions:
            decided = super().decide(features)
            return replace(decided, expected_ltv=features[:, FEATURE_NAMES.index("orders_365d")] + np.float32(1))

    spent = holdout.X[:, FEATURE_NAMES.index("orders_365d")].astype(float)
    rows = {name: Holdout(holdout.X, spent, sign * spent) for name, sign in (("same", 100.0), ("other", -1.0))}
    own = {
        "targets": {"ltv": {"trained": True, "horizon_days": 90, "metrics": {}, "holdout": {**DAYS, "sha256": "new"}}}
    }
    other = {**own, "targets": {"ltv": {**own["targets"]["ltv"], "horizon_days": 60, "holdout": {"sha256": "old"}}}}
    valued = Valued.from_files(*make_bundle())
    (same,), (reversed_order,) = (contest(own, {"ltv": rows[name]}, other, valued) for name in ("same", "other"))
    assert same.failures == [] and same.basis.startswith("90 days where the live bundle looks 60 ahead")
    assert reversed_order.failures == ["ltv spearman -1, live 1, allowed 0.95"]
    assert set(same.as_dict()["figures"]) == {"spearman"}
    (shorter,) = contest(other, {"ltv": rows["same"]}, own, valued)
    assert shorter.failures == ["ltv looks 60 days ahead and the live bundle 90: that cannot be compared"]
