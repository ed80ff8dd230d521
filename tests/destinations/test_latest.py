from typing import Any

from shared.destinations.latest import newest_of
from shared.features import encode, fold
from tests.destinations.worlds import HUBSPOT, World, message
from tests.support.event_files import profiles, purchase
from tests.support.recommenders import AS_OF_MS, event, events_of, small_recommender

BY_EMAIL = HUBSPOT.replace(b'"customer_id"', b'"attributes.email"')


def test_a_record_is_made_of_decision_and_attributes_with_the_version_it_was_read_at() -> None:
    world = World(file=BY_EMAIL)
    (state,) = encode(profiles(purchase("a", attributes={"email": "a@x.example"})))
    world.store("a", segment=4, version=7, state=state)
    latest = world.customers.latest(world.destination, newest_of([message("a")]))
    (record,) = latest.records.values()
    assert (record.id, record.fields, record.version) == ("a@x.example", {"tessera_segment": 4}, 7)
    assert latest.keys == {"customer#a"}


def test_the_same_move_with_the_same_content_has_the_same_delivery_and_any_other_another() -> None:
    world = World()
    made = []
    for number, segment in ((1, 1), (1, 1), (2, 1), (1, 2)):
        world.store("a", segment=segment, version=number)
        latest = world.customers.latest(world.destination, newest_of([message("a", number)]))
        made.append(latest.records["customer#a"].delivery)
    assert made[0] == made[1]
    assert len({*made}) == 3


def test_who_has_no_decision_is_not_told_of_and_a_name_that_is_too_long_is_refused() -> None:
    world = World()
    long = "😀" * 126
    world.store(long)
    world.store("undecided", decision=None)
    latest = world.customers.latest(world.destination, newest_of([message(long), message("undecided")]))
    assert latest.refused == {f"customer#{long}": "customer_id takes more than 500 bytes"}
    assert "customer#undecided" not in latest.keys


def test_a_history_that_cannot_be_read_waits() -> None:
    world = World(file=BY_EMAIL)
    world.store("a", state=b"broken")
    assert world.customers.latest(world.destination, newest_of([message("a")])).unreadable == {"customer#a"}


def test_a_destination_that_names_recommendations_is_sent_those_of_the_moment() -> None:
    file = HUBSPOT.replace(b'tessera_segment = "segment.id"', b'again = "buy_again", new = "new_for_you"')
    world = World(file=file, now_ms=AS_OF_MS)
    (state,) = encode(fold(events_of(event("a", "purchase", "a1", "2017-09-20"))))
    world.store("a", state=state)
    asked = world.customers.latest(world.destination, newest_of([message("a")]))
    assert asked.records["customer#a"].fields == {"again": None, "new": None}
    world.recommender = small_recommender()
    fields = world.customers.latest(world.destination, newest_of([message("a")])).records["customer#a"].fields
    assert fields["again"] == ["a1"]
    new: Any = fields["new"]
    assert sorted(new) == ["a2", "b1", "c1"]
    world.store("a", state=b"broken", version=2)
    assert world.customers.latest(world.destination, newest_of([message("a")])).unreadable == {"customer#a"}


def test_whoever_was_written_since_is_known() -> None:
    world = World()
    world.store("a", "b")
    latest = world.customers.latest(world.destination, newest_of([message("a"), message("b")]))
    assert world.customers.changed(latest.records.values()) == set()
    world.store("a", version=2)
    assert world.customers.changed(latest.records.values()) == {"customer#a"}


def test_the_newest_message_stands_for_a_customer() -> None:
    assert newest_of([message("a", 2), message("a", 3), message("a", 1)])["customer#a"].transition_id == "t-a-3"
