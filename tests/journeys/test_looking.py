"""Stored customers as journeys see them."""

from shared.features.time_zone import UTC_TIME
from shared.journeys.looking import Look
from tests.journeys.people import ENTERED_MS, stored
from tests.journeys.test_travelling import cart
from tests.journeys.worlds import RULE
from tests.support.event_files import purchase
from tests.support.stored_profiles import profile


def look(since_ms: int | None = ENTERED_MS) -> Look:
    view = {**cart("2017-10-31T00:00:00Z", 3), "event_type": "view_item"}
    person = stored([purchase("889"), cart("2017-10-31T23:00:00Z"), view], since_ms=since_ms)
    return Look(person, "cart", ENTERED_MS, [], ENTERED_MS + 5, UTC_TIME)


def test_who_came_back_is_there_by_another_entry() -> None:
    assert look().belongs
    assert look(ENTERED_MS - 1).belongs
    assert not look(ENTERED_MS + 1).belongs
    assert not look(None).belongs


def test_the_latest_of_each_measure_is_known() -> None:
    hour = 3_600_000
    assert look().latest_ms("carts") == ENTERED_MS - hour
    assert look().latest_ms("views") == ENTERED_MS - 24 * hour
    assert look().latest_ms("events") == ENTERED_MS - hour
    assert look().latest_ms("orders") == 1_506_859_200_000
    assert look().holds(RULE)


def test_of_somebody_without_a_decision_nothing_is_known() -> None:
    nobody = Look(profile("customer#1", decision=None), "cart", ENTERED_MS, [], ENTERED_MS, UTC_TIME)
    assert not nobody.belongs
    assert nobody.latest_ms("orders") is None
    assert not nobody.holds(RULE)
