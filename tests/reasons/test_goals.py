"""What a better segment is, and who is below the churn threshold."""

from typing import Any

import numpy as np
import pytest

from shared.features import FEATURE_NAMES
from shared.models.bundle import Bundle, Decisions
from shared.reasons.goals import BELOW_CHURN_THRESHOLD, BETTER_SEGMENT, better_segments, goals, reaches
from tests.support.bundles import make_bundle

ORDERS, SINCE = FEATURE_NAMES.index("orders_365d"), FEATURE_NAMES.index("days_since_order")
MANIFEST: dict[str, Any] = {
    "segments": [{"id": i, "profile": {"net_revenue_365d": spend}} for i, spend in enumerate((10.0, 20.0, 30.0))],
    "thresholds": {"likely_to_churn": 0.3},
}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.from_files(*make_bundle())


def customer(orders: float, since: float = 3.0) -> Any:
    x = np.zeros((1, len(FEATURE_NAMES)), np.float32)
    x[0, ORDERS] = orders
    x[0, SINCE] = since
    return x


def decided(bundle: Bundle, *orders: float) -> Decisions:
    return bundle.decide(np.concatenate([customer(n) for n in orders]))


def test_a_better_segment_is_one_whose_typical_customer_spends_more() -> None:
    assert [better_segments(segment, MANIFEST) for segment in range(3)] == [[1, 2], [2], []]


def test_nothing_is_better_than_a_segment_of_which_no_spend_is_known() -> None:
    assert better_segments(7, MANIFEST) == []
    assert better_segments(0, {"segments": [{"id": 0}, {"id": 1}]}) == []


def test_who_is_in_the_best_segment_and_stays_has_no_goal(bundle: Bundle) -> None:
    assert goals(customer(10)[0], decided(bundle, 10), MANIFEST) == []


def test_who_is_likely_to_leave_is_to_come_below_the_threshold(bundle: Bundle) -> None:
    assert goals(customer(0)[0], decided(bundle, 0), MANIFEST) == [BETTER_SEGMENT, BELOW_CHURN_THRESHOLD]


def test_who_never_ordered_cannot_be_kept_from_leaving(bundle: Bundle) -> None:
    assert goals(customer(0, float("nan"))[0], decided(bundle, 0), MANIFEST) == [BETTER_SEGMENT]


def test_decisions_reach_a_goal_each_for_itself(bundle: Bundle) -> None:
    after = decided(bundle, 0, 2, 10)
    now = decided(bundle, 0)
    assert reaches(BETTER_SEGMENT, after, now, MANIFEST).tolist() == [False, True, True]
    assert reaches(BELOW_CHURN_THRESHOLD, after, now, MANIFEST).tolist() == [False, True, True]
