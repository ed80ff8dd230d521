"""Names and sentences that a marketer can read."""

import numpy as np
import pytest

from shared.features import FEATURE_NAMES, FEATURES
from training.naming import NAMES, TELLING, describe, format_value, unique_names


def heights(**deviations: float) -> np.ndarray:
    row = np.zeros(len(FEATURES))
    for name, value in deviations.items():
        row[FEATURE_NAMES.index(name)] = value
    return row


def test_names_rest_on_features_that_exist() -> None:
    assert {name for wants in NAMES.values() for name in wants} <= set(FEATURE_NAMES)


def test_segments_are_named_by_what_sets_them_apart() -> None:
    found = unique_names(
        np.stack(
            [
                heights(discount_share_365d=2.0, discount_share_90d=2.0),
                heights(weekend_share_365d=2.5),
                heights(orders_365d=2.0, days_since_order=-1.0, order_interval_mean=-1.0),
                heights(cart_abandonment_90d=2.0, carts_90d=1.5),
            ]
        )
    )
    assert found == ["Discount seekers", "Weekend shoppers", "Loyal regulars", "Cart abandoners"]


def test_equal_segments_still_get_different_names() -> None:
    found = unique_names(np.stack([heights(weekend_share_365d=1.0)] * (len(NAMES) + 2)))
    assert len(set(found)) == len(NAMES) + 2


def test_the_sentence_gives_the_value_beside_what_is_typical() -> None:
    own, typical = heights(weekend_share_365d=0.68, orders_30d=3, orders_90d=9), heights(weekend_share_365d=0.3)
    told = describe(heights(weekend_share_365d=2.0, orders_30d=1.0, orders_90d=0.9), own, typical)
    assert told == (
        "Share of visits on a Saturday or Sunday in the last 365 days: 68% (typical: 30%);"
        " orders in the last 30 days: 3 (typical: 0)."
    )
    assert told.count(";") < TELLING


def test_a_segment_like_all_others_is_called_that() -> None:
    assert describe(heights(), heights(), heights()) == "Close to the average customer in every respect."


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("days_since_order", 1.0, "1 day"),
        ("days_since_order", 6.84, "6.8 days"),
        ("net_revenue_365d", 2491.7, "2,492"),
        ("discount_share_90d", 0.153, "15%"),
        ("visit_duration_90d", 0.4, "0.4 s"),
        ("order_interval_mean", float("nan"), "none"),
    ],
)
def test_values_are_written_with_their_units(name: str, value: float, text: str) -> None:
    assert format_value(FEATURES[FEATURE_NAMES.index(name)], value) == text
