"""Customers begin, go on and stop, wherever it breaks off and whoever else moves them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.destinations.steps import LEAVES, ORDERS, Quiet
from shared.durations import DAY_MS, MINUTE_MS
from shared.journeys.journey import Branch, Cap, Journey, Journeys, Send, Wait
from shared.journeys.travellers import Overtaken, Travellers
from shared.journeys.travelling import SPREAD_MS, TooManyTurns
from shared.journeys.whereabouts import Place, Whereabouts
from tests.conftest import TABLE
from tests.journeys.people import ENTERED_MS, ENTRY, KEY, Refused, Trip, stored
from tests.journeys.worlds import RULE
from tests.support.event_files import purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

HALF_AN_HOUR = 30 * MINUTE_MS
STEPS = (Wait(HALF_AN_HOUR, "carts"), Send("crm", "reminder"), Wait(DAY_MS), Send("crm", "second"))
CART = Journey("cart_journey", "Cart", "cart", STEPS, 1)
SHOP = Journeys(1, (CART,))
LEFT = replace(ENTRY, kind="Customer Left Audience", transition_id="t2", at_ms=ENTERED_MS + 60_000)


def cart(at: str, number: int = 0) -> dict[str, Any]:
    return {"event_id": f"c{number}", "event_type": "add_to_cart", "timestamp": at, "customer_id": "889"}


@pytest.fixture
def trip(s3: "S3Client", dynamodb: "DynamoDBClient") -> Trip:
    trip = Trip(s3, dynamodb)
    trip.publish(SHOP)
    trip.store(stored([cart("2017-10-31T23:59:59Z")]))
    return trip


def where(trip: Trip) -> dict[Place, int]:
    counts = Whereabouts(trip.dynamodb, TABLE).counts(CART, 60)
    assert counts.complete
    return {place: number for place, number in counts.by_place.items() if number}


def test_who_enters_begins_once_however_often_it_is_told(trip: Trip) -> None:
    assert [trip.travelling.hear(ENTRY) for _ in range(2)] == [1, 1]
    assert len(trip.all) == 1
    assert len(trip.started) == 2
    assert len({*trip.started}) == 1
    assert trip.started[0].startswith("cart_journey-")
    assert "889" not in trip.all[0].pk


def test_a_cart_is_reminded_of_half_an_hour_after_the_last_cart_event(trip: Trip) -> None:
    trip.travelling.hear(ENTRY)
    assert trip.go_on() == HALF_AN_HOUR - 1_000
    trip.now_ms += HALF_AN_HOUR
    trip.store(stored([cart("2017-10-31T23:59:59Z"), cart("2017-11-01T00:20:00Z", 1)], 2))
    assert trip.go_on() == 20 * MINUTE_MS
    assert trip.told == []
    trip.now_ms += 20 * MINUTE_MS
    assert trip.go_on() == DAY_MS
    assert [(step["campaign"], step["destinations"], step["arm"]) for step in trip.told] == [
        ("reminder", ["crm"], "treatment")
    ]
    assert where(trip) == {2: 1}
    trip.now_ms += DAY_MS
    assert trip.go_on() is None
    assert len({str(step["transition_id"]) for step in trip.told}) == 2
    assert trip.all[0].outcome == "finished"
    assert where(trip) == {"finished": 1}
    assert trip.go_on() is None


def test_who_left_before_their_execution_started_stops_all_the_same(trip: Trip) -> None:
    trip.travelling.hear(ENTRY)
    started = trip.started.pop()
    trip.store(stored([cart("2017-10-31T23:59:59Z")], 2, since_ms=None))
    assert trip.travelling.hear(ENTRY) == 0
    assert trip.started == [started]
    assert trip.go_on() is None
    assert trip.all[0].outcome == "left"


def test_who_orders_or_leaves_is_sent_nothing(trip: Trip) -> None:
    trip.travelling.hear(ENTRY)
    trip.now_ms += HALF_AN_HOUR
    ordered = {**purchase("889"), "timestamp": "2017-11-01T00:10:00Z"}
    trip.store(stored([cart("2017-10-31T23:59:59Z"), ordered], 2))
    assert trip.go_on() is None
    assert trip.all[0].outcome == "ordered"
    trip.store(stored([cart("2017-10-31T23:59:59Z")], 3, since_ms=None))
    trip.travelling.hear(replace(ENTRY, transition_id="t3"))
    assert len(trip.all) == 1  # who left since does not begin
    assert trip.told == []


def test_who_leaves_stops_at_once_and_who_came_back_goes_on_by_the_new_entry(trip: Trip) -> None:
    trip.travelling.hear(ENTRY)
    back_ms = LEFT.at_ms + 60_000
    trip.store(stored([cart("2017-10-31T23:59:59Z")], 3, since_ms=back_ms))
    trip.travelling.hear(replace(ENTRY, transition_id="t3", at_ms=back_ms))
    trip.travelling.hear(LEFT)  # late
    assert {one.entry: one.outcome for one in trip.all} == {
        trip.travellers.entry("t1"): "left",
        trip.travellers.entry("t3"): None,
    }
    assert trip.travelling.hear(ENTRY) == 0


def test_who_leaves_within_the_instant_of_their_entry_stops_too(trip: Trip) -> None:
    trip.travelling.hear(ENTRY)
    trip.store(stored([cart("2017-10-31T23:59:59Z")], 2, since_ms=None))
    trip.travelling.hear(replace(LEFT, at_ms=ENTRY.at_ms))
    assert trip.all[0].outcome == "left"


def test_a_sending_that_broke_off_is_told_again_as_it_was(trip: Trip) -> None:
    trip.travelling.hear(ENTRY)
    trip.now_ms += HALF_AN_HOUR
    trip.fails = 2
    for _ in range(2):
        with pytest.raises(Refused):
            trip.go_on()
        trip.now_ms += 1_000
    assert trip.go_on() == DAY_MS
    (step,) = trip.told
    assert step["at"] == "2017-11-01T00:30:00Z"
    assert trip.travellers.sends(trip.all[0].pk)[0] == [ENTERED_MS + HALF_AN_HOUR]


def test_the_control_group_travels_too_and_its_steps_say_so(trip: Trip) -> None:
    trip.store(stored([cart("2017-10-31T23:59:59Z")], 2, arm="control"))
    trip.travelling.hear(ENTRY)
    trip.now_ms += HALF_AN_HOUR
    trip.go_on()
    assert [step["arm"] for step in trip.told] == ["control"]


def test_a_step_says_under_which_conditions_it_is_still_to_be_sent(trip: Trip) -> None:
    trip.publish(replace(SHOP, quiet=Quiet(1_320, 360)))
    trip.now_ms += 12 * HALF_AN_HOUR + HALF_AN_HOUR
    trip.travelling.hear(ENTRY)
    trip.go_on()
    (step,) = trip.told
    assert (step["audience"], step["entered_at"]) == ("cart", "2017-11-01T00:00:00Z")
    assert (step["stop_when"], step["quiet"]) == (("leaves", "orders"), (1_320, 360))


def test_not_everybody_is_looked_at_when_quiet_hours_end(trip: Trip) -> None:
    trip.publish(replace(SHOP, quiet=Quiet(0, 360)))
    trip.now_ms += HALF_AN_HOUR
    trip.travelling.hear(ENTRY)
    wait_ms = trip.go_on() or 0
    assert 0 < wait_ms - 11 * HALF_AN_HOUR < SPREAD_MS
    assert trip.go_on() == wait_ms
    trip.now_ms += wait_ms
    assert trip.go_on() == DAY_MS
    assert [step["campaign"] for step in trip.told] == ["reminder"]


def test_who_is_always_overtaken_is_left_to_the_state_machine(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> None:
    trip.travelling.hear(ENTRY)

    def overtaken(*_: object) -> None:
        raise Overtaken

    monkeypatch.setattr(Travellers, "put", overtaken)
    with pytest.raises(TooManyTurns, match="overtaken 10 times"):
        trip.go_on()


def test_the_cap_is_that_of_all_journeys_together(trip: Trip) -> None:
    other = Journey("other", "Other", "cart", (Send("crm", "at_once"),), 2)
    trip.publish(Journeys(2, (CART, other), None, Cap(1, 1)))
    trip.travelling.hear(ENTRY)
    for one in trip.all:
        trip.travelling.advance(one.pk, one.sk)
    trip.now_ms += HALF_AN_HOUR
    for one in trip.all:
        trip.travelling.advance(one.pk, one.sk)
    assert [step["campaign"] for step in trip.told] == ["at_once"]


def test_who_began_with_a_version_ends_with_it_and_a_journey_that_is_gone_stops(trip: Trip) -> None:
    trip.travelling.hear(ENTRY)
    edited = replace(CART, steps=(Send("crm", "other"),), version=2)
    trip.publish(Journeys(2, (edited,)))
    assert trip.go_on() == HALF_AN_HOUR - 1_000
    trip.publish(Journeys(3, ()))
    assert trip.go_on() is None
    assert trip.all[0].outcome == "withdrawn"


def test_a_branch_asks_what_they_are_then(trip: Trip) -> None:
    steps = (Wait(HALF_AN_HOUR), Branch("views(5) > 0", RULE, 3), Send("crm", "seen"), Send("crm", "last"))
    trip.publish(Journeys(1, (Journey("a", "A", "cart", steps, 1, (LEAVES, ORDERS)),)))
    trip.travelling.hear(ENTRY)
    trip.go_on()
    trip.now_ms += HALF_AN_HOUR
    view = {**cart("2017-11-01T00:10:00Z", 5), "event_type": "view_item"}
    trip.store(stored([cart("2017-10-31T23:59:59Z"), view], 2))
    assert trip.go_on() is None
    assert [step["campaign"] for step in trip.told] == ["seen", "last"]


def test_of_who_was_erased_nothing_stays_and_nothing_comes_back(trip: Trip) -> None:
    trip.travelling.hear(ENTRY)
    (one,) = trip.all
    trip.dynamodb.delete_item(TableName=TABLE, Key={"pk": {"S": KEY}, "sk": {"S": "profile"}})
    assert trip.go_on() is None
    assert trip.all == []
    assert trip.travelling.hear(ENTRY) == 0
    assert trip.travelling.advance(one.pk, one.sk) is None
    assert trip.all == []
