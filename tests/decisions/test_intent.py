"""The intent rules, in their order."""

from typing import Any

import numpy as np
import pytest

from shared.decisions.intent import ACTIONS, intents
from shared.features import FEATURE_NAMES
from shared.models.bundle import Decisions
from shared.models.labels import intents_of

THRESHOLDS = {
    "dormant_days": 180.0,
    "newcomer_days": 60.0,
    "loyal_orders": 5.0,
    "likely_to_churn": 0.4,
    "likely_to_convert": 0.7,
    "sure_to_convert": 0.9,
    "expected_to_leave": 0.3,
    "high_value": 500.0,
}
REGULAR = {
    "days_since_visit": 3.0,
    "days_since_order": 10.0,
    "tenure": 300.0,
    "orders_365d": 4.0,
    "net_revenue_lifetime": 300.0,
}


def intent(
    churn: float = 0.1,
    conversion: float = 0.1,
    ltv: float = 90.0,
    targets: bool = True,
    most_spent: float = 400.0,
    **features: float,
) -> str:
    row = np.full((1, len(FEATURE_NAMES)), np.nan, np.float32)
    for name, value in {**REGULAR, **features}.items():
        row[0, FEATURE_NAMES.index(name)] = value
    none = np.zeros(1, np.int64)
    one = np.ones(1, np.float32)
    predicted = [np.array([value], np.float32) if targets else None for value in (churn, conversion, ltv)]
    trained_on = {"net_revenue_lifetime": {"least": 0.0, "most": most_spent, "undefined": True}}
    manifest = {"thresholds": THRESHOLDS, "trained_on": trained_on}
    (intent,) = intents(Decisions(none, one, none, one, None, *predicted), row, manifest)
    assert intent in ACTIONS
    return intent


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "steady"),
        ({"orders_365d": 5}, "loyal"),
        ({"orders_365d": 5, "churn": 0.5}, "likely_to_churn"),
        ({"orders_365d": 5, "churn": 0.35}, "steady"),
        ({"churn": 0.5, "days_since_order": np.nan}, "steady"),
        ({"conversion": 0.95}, "steady"),
        ({"churn": 0.5, "tenure": 20, "ltv": 600}, "high_value_newcomer"),
        ({"tenure": 20, "ltv": 400}, "steady"),
        ({"tenure": 20, "ltv": 600, "conversion": 0.8}, "likely_to_convert"),
        ({"conversion": 0.8, "days_since_visit": 200}, "dormant"),
        ({"days_since_visit": np.nan}, "steady"),
        ({"conversion": 0.8, "most_spent": 280}, "likely_to_convert"),
        ({"conversion": 0.8, "most_spent": 200}, "steady"),
        ({"orders_365d": 5, "conversion": 0.8, "most_spent": 200}, "loyal"),
        ({"churn": 0.5, "most_spent": 200}, "likely_to_churn"),
        ({"tenure": 20, "ltv": 600, "most_spent": 200}, "steady"),
        ({"churn": 0.9, "conversion": 0.9, "ltv": 900, "tenure": 20, "targets": False}, "steady"),
    ],
)
def test_the_first_fitting_rule_decides(given: dict[str, Any], expected: str) -> None:
    assert intent(**given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"coupon": 0.7}, "coupon_lover"),
        ({"coupon": 0.5}, "steady"),
        ({"coupon": 0.7, "orders": 9}, "coupon_lover"),
        ({"coupon": 0.7, "churn": 0.5}, "likely_to_churn"),
        ({"coupon": None}, "steady"),
    ],
)
def test_an_intent_of_the_shops_own_stands_before_loyal(given: dict[str, Any], expected: str) -> None:
    row = np.full((1, len(FEATURE_NAMES)), np.nan, np.float32)
    for name, value in {**REGULAR, "orders_365d": given.get("orders", 4.0)}.items():
        row[0, FEATURE_NAMES.index(name)] = value
    none = np.zeros(1, np.int64)
    one = np.ones(1, np.float32)
    own = {} if given["coupon"] is None else {"coupon_probability": np.array([given["coupon"]], np.float32)}
    decisions = Decisions(none, one, none, one, None, np.array([given.get("churn", 0.1)], np.float32), own=own)
    targets = {"coupon": {"output": "coupon_probability", "intent": "coupon_lover"}}
    manifest = {"thresholds": {**THRESHOLDS, "coupon_lover": 0.6}, "targets": targets}
    assert intents(decisions, row, manifest) == [expected]
    assert intents_of(manifest) == (*ACTIONS, "coupon_lover")


def test_a_bundle_without_a_threshold_marks_nobody() -> None:
    row = np.zeros((2, len(FEATURE_NAMES)), np.float32)
    none = np.zeros(2, np.int64)
    one = np.ones(2, np.float32)
    fixed = {name: THRESHOLDS[name] for name in ("dormant_days", "newcomer_days", "loyal_orders")}
    decisions = Decisions(none, one, none, one, None, one, one, one)
    assert intents(decisions, row, {"thresholds": fixed}) == ["steady", "steady"]
