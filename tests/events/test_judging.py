"""Rules that need several fields of an event, or know of the stack."""

import pytest

from shared.durations import DAY_MS
from shared.events.event import Event
from shared.events.judging import RuleBroken, Rules, net_of, people_of_event, profile_key, time_ms_of

NOW_MS = 1_500_000_000_000
ORDER = Event("purchase", NOW_MS, customer_id="889", anonymous_id="v", price=2.5, quantity=2.0, currency="USD")


def test_a_line_is_worth_quantity_times_price_and_nothing_without_one() -> None:
    assert net_of(ORDER, Rules()) == 50_000
    assert net_of(Event("purchase", 1.0), Rules()) == 0


def test_another_currency_is_refused_unless_any_counts() -> None:
    euros = Event("purchase", 1.0, price=1.0, currency="EUR")
    assert net_of(euros, Rules(currency=None)) == 10_000
    with pytest.raises(RuleBroken, match="currency is EUR, but this stack counts USD"):
        net_of(euros, Rules())


def test_a_line_may_not_be_worth_more_than_any() -> None:
    with pytest.raises(RuleBroken, match="quantity times price is 2,000,000,000, above 1,000,000,000"):
        net_of(Event("purchase", 1.0, price=1e9, quantity=2.0), Rules())


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [
        (-5.0, "is before 1970"),
        ("soon", "must be a time in ISO 8601"),
        (float(NOW_MS + DAY_MS + 1), "more than a day in the future"),
    ],
)
def test_a_time_that_cannot_be_is_refused(timestamp: str | float, reason: str) -> None:
    with pytest.raises(RuleBroken, match=reason):
        time_ms_of(Event("search", timestamp), Rules(now_ms=NOW_MS))


def test_a_time_that_python_has_no_date_for_is_refused() -> None:
    with pytest.raises(RuleBroken, match="is after the year 9999"):
        time_ms_of(Event("search", "9999-12-31T23:59:59-12:00"), Rules())


def test_clocks_may_be_a_day_ahead_and_further_where_nobody_says_what_time_it_is() -> None:
    assert time_ms_of(Event("search", float(NOW_MS + DAY_MS)), Rules(now_ms=NOW_MS)) == NOW_MS + DAY_MS
    assert time_ms_of(Event("search", "2100-01-01"), Rules()) > NOW_MS


def test_an_event_is_its_customers_or_else_its_visitors() -> None:
    assert profile_key(ORDER) == "customer#889"
    assert profile_key(Event("search", 1.0, anonymous_id="v")) == "visitor#v"
    with pytest.raises(RuleBroken, match="customer_id is missing, and so is anonymous_id"):
        profile_key(Event("search", 1.0))
    assert people_of_event(ORDER) == ("customer#889", "visitor#v")
