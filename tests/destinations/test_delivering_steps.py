"""What journeys send, as it leaves."""

from typing import Any

import pytest

from shared.decisions.decision import Membership, iso
from shared.destinations.contract import Answer
from shared.destinations.steps import DAY_MINUTES
from shared.durations import MINUTE_MS
from shared.features import encode
from tests.destinations.accounts import NOW_MS
from tests.destinations.worlds import HUBSPOT, World, message, step
from tests.features.histories import folded
from tests.support.event_files import purchase
from tests.support.stored_profiles import decision
from tests.support.vendors.hubspot import HubSpot

CAMPAIGNS = HUBSPOT.replace(b'"segment.id"', b'"segment.id", tessera_campaign = "campaign"')


def journeying() -> World:
    world = World(
        vendor=HubSpot(properties=frozenset({"email", "tessera_segment", "tessera_campaign"})), file=CAMPAIGNS
    )
    world.store("a")
    return world


def contact(world: World) -> Any:
    assert isinstance(world.vendor, HubSpot)
    return world.vendor.contacts["a"]


def test_what_a_journey_sends_stays_there_whatever_else_is_told() -> None:
    world = journeying()
    world.deliver(step("a", 1), message("a", 2))
    assert contact(world)["tessera_campaign"] == "hello"
    world.store("a", segment=2, version=2)
    world.deliver(message("a", 3))
    assert contact(world)["tessera_segment"] == "2"
    assert contact(world)["tessera_campaign"] == "hello"


def test_of_two_steps_at_once_each_is_sent_by_itself_the_first_first() -> None:
    world = journeying()
    both = [step("a", 2, "second"), step("a", 1, "first")]
    done = world.deliver(*both)
    assert done.again == {"m-a-2"}
    assert world.deliver(*both).again == set()
    campaigns = [b'"first"' in request.body for request in world.requests]
    assert campaigns == [True, False]
    assert [event["campaign"] for event in world.exposed] == ["first", "second"]
    assert [state for state, _ in world.states("a")] == ["accepted", "accepted"]


def test_a_control_group_hears_nothing_of_a_journey_though_it_is_told_of_moves() -> None:
    world = journeying()
    world.deliver(message("a", 1), step("a", 2, arm="control"))
    assert contact(world)["tessera_segment"] == "1"
    assert "hello" not in str(world.requests)
    assert {event["arm"] for event in world.exposed} == {"control"}
    assert sorted(state for state, _ in world.states("a")) == ["accepted", "withheld"]


IN_CART = {"cart": Membership(NOW_MS - 1, "treatment")}


@pytest.mark.parametrize("arm", ["treatment", "control"])
def test_what_a_journey_sends_waits_for_a_vendor_no_longer_than_the_customer_stays(arm: str) -> None:
    world = World(vendor=lambda request: Answer(503))
    world.store("a", decision=decision(audiences=IN_CART))
    sending = step("a", arm=arm, stop_when=["leaves"])
    if arm == "treatment":
        assert world.deliver(sending).again == {sending.id}
    world.store("a", version=2)
    world.vendor = HubSpot()
    assert world.deliver(sending).again == set()
    assert world.states("a") == [("stopped", "the customer left the audience before it could be sent")]
    assert contact_names(world) == set()
    assert len(world.exposed) == (arm == "treatment")  # once, before anything was tried
    assert world.deliver(sending).rows == []


def test_who_orders_while_a_vendor_is_down_is_not_sent() -> None:
    world = World()
    state = encode(folded([{**purchase("a"), "timestamp": iso(NOW_MS + 5)}]))[0]
    world.store("a", state=state)
    world.deliver(step("a", stop_when=["orders"]), step("a", 2))
    assert sorted(state for state, _ in world.states("a")) == ["accepted", "stopped"]


def test_nobody_is_sent_in_quiet_hours_however_late_it_became() -> None:
    world = World()
    world.store("a", "b")
    minute = NOW_MS // MINUTE_MS % DAY_MINUTES
    sending = step("a", quiet=[(minute - 5) % DAY_MINUTES, minute + 5])
    assert world.deliver(sending, step("b", quiet=[minute + 1, minute + 5])).again == {sending.id}
    assert contact_names(world) == {"b"}
    assert [event["customer_id"] for event in world.exposed] == ["b"]
    world.now_ms += 6 * MINUTE_MS
    assert world.deliver(sending).again == set()
    assert contact_names(world) == {"a", "b"}


def test_of_whom_it_cannot_be_read_whether_they_stopped_the_step_waits() -> None:
    world = World()
    world.store("a", "b")
    world.table.items[("customer#b", "profile")]["state"] = {"B": b"\xff broken"}
    done = world.deliver(step("a"), step("b", stop_when=["orders"]))
    assert done.again == {"m-b-1"}
    assert world.states("a") == [("accepted", "")]


def contact_names(world: World) -> set[str]:
    return {*world.vendor.contacts} if isinstance(world.vendor, HubSpot) else set()
