"""Formulas where their edges are; tests/features/test_delivery.py compares all of them with the oracle."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from shared.features import formulas
from shared.features.history import History
from tests.features.histories import folded

AS_OF_MS = int(datetime(2017, 1, 31, tzinfo=UTC).timestamp() * 1_000)


def history(*days: int, **more: Any) -> History:
    events = [
        {"event_id": f"{day}", "event_type": "purchase", "customer_id": "a", "timestamp": f"2017-01-{day:02}", **more}
        for day in days
    ]
    return History(folded(events), AS_OF_MS)


def test_a_ratio_is_undefined_over_nothing() -> None:
    np.testing.assert_array_equal(formulas.ratio(np.array([1, 0]), np.array([2, 0])), [0.5, np.nan])


def test_intervals_are_undefined_of_one_order_and_regular_of_regular_ones() -> None:
    assert np.isnan(formulas.order_interval_mean(history(1)))
    assert formulas.order_interval_mean(history(1, 11, 21)) == 10
    assert formulas.order_interval_deviation(history(1, 11, 21)) == 0
    assert formulas.order_overdue(history(1, 11, 21)) == 1


def test_burstiness_is_that_of_clockwork_at_its_least_and_undefined_of_one_visit() -> None:
    assert formulas.burstiness(history(1, 8, 15), None) == -1
    assert np.isnan(formulas.burstiness(history(1), None))


def test_weekdays_concentrate_on_one_day_or_spread() -> None:
    assert formulas.weekday_concentration(history(1, 8, 15), None) == 1
    assert formulas.weekday_concentration(history(1, 2), None) == 0.5


def test_entropy_is_undefined_without_a_category_and_nought_with_one() -> None:
    assert np.isnan(formulas.category_entropy(history(1), None))
    assert formulas.category_entropy(history(1, 2, category="Tea"), None) == 0
    assert formulas.top_category_share(history(1, 2, category="Tea"), None) == 1


def test_money_is_in_the_currency_and_discounts_are_shares_of_the_price_before() -> None:
    bought = history(1, 2, price=8.0, discount=2.0, quantity=1)
    assert formulas.net_revenue(bought, None) == 16
    assert formulas.average_order_value(bought, None) == 8
    assert formulas.discount_share(bought, None) == pytest.approx(0.2)


def test_a_trend_is_what_the_last_month_has_above_the_two_before() -> None:
    assert formulas.trend(np.array([4.0]), np.array([10.0])) == 1


def test_events_are_matched_by_kind_and_category_by_name_and_all_else_by_code() -> None:
    known = history(1, 2, category="Tea", brand="Acme")
    brand = int(known.rows.brand[0])
    assert formulas.matching(known, kind="purchase", category="Tea", brand=brand).tolist() == [True, True]
    assert formulas.matching(known, kind="search").tolist() == [False, False]
    assert formulas.matching(known, category="Coffee").tolist() == [False, False]
    assert formulas.matching(known).tolist() == [True, True]


def test_matched_events_are_counted_spent_on_and_told_apart_in_a_window() -> None:
    tea = [
        {"event_id": f"{day}", "event_type": kind, "customer_id": "a", "timestamp": f"2017-01-{day:02}", **more}
        for day, kind, more in (
            (1, "purchase", {"price": 4, "product_id": "green"}),
            (25, "purchase", {"price": 6, "product_id": "green"}),
            (26, "purchase", {"price": 2, "product_id": "black"}),
            (27, "view_item", {"price": 9, "product_id": "white"}),
            (28, "refund", {"price": 2, "product_id": "black"}),
        )
        for more in ({**more, "category": "Tea"},)
    ]
    other = {"event_id": "o", "event_type": "view_item", "customer_id": "b", "timestamp": "2017-01-27"}
    known = History(folded([*tea, other]), AS_OF_MS)
    matched = formulas.matching(known, category="Tea")
    assert formulas.counted(known, matched, 7).tolist() == [4, 0]
    assert formulas.counted(known, matched, None).tolist() == [5, 0]
    np.testing.assert_array_equal(formulas.counted_a_visit(known, matched, 7), [1, 0])  # a refund is no part of one
    assert formulas.spent(known, matched, 7).tolist() == [8, 0]
    np.testing.assert_array_equal(formulas.spent_a_line(known, matched, None), [4, np.nan])
    assert formulas.different(known, "product", matched, 7).tolist() == [3, 0]
    assert formulas.different(known, "brand", matched, 7).tolist() == [0, 0]
    np.testing.assert_array_equal(formulas.days_since(known, formulas.last(known, matched)), [3, np.nan])
