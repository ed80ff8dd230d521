import json
from typing import Any

import pytest

from shared.destinations.contract import Answer, Request
from shared.destinations.delivering import MOST_RECEIVES, TIMES_AT_MOST
from shared.destinations.messages import ENTERED, LEFT
from shared.destinations.sending import Unanswered
from tests.destinations.worlds import HUBSPOT, World, message
from tests.support.vendors.hubspot import HubSpot
from tests.support.vendors.klaviyo import Klaviyo


def segment_at(world: World, customer: str) -> str:
    assert isinstance(world.vendor, HubSpot)
    return world.vendor.contacts[customer]["tessera_segment"]


def test_the_vendor_gets_what_is_stored_now_whatever_the_message_says() -> None:
    world = World()
    world.store("a", "b", segment=3)
    done = world.deliver(message("a", to=1), message("b", to=2))
    assert (segment_at(world, "a"), segment_at(world, "b")) == ("3", "3")
    assert len(world.requests) == 1
    assert [row.state for row in done.rows] == ["accepted", "accepted"]
    assert done.again == set()
    assert world.states("a") == [("accepted", "")]


def test_of_a_customer_who_moved_twice_one_record_is_sent_and_both_moves_have_a_row() -> None:
    world = World()
    world.store("a")
    world.deliver(message("a", 1), message("a", 2))
    assert len(json.loads(world.requests[0].body)["inputs"]) == 1
    assert world.states("a") == [("accepted", "")] * 2


def test_what_comes_twice_is_sent_once() -> None:
    world = World()
    world.store("a")
    world.deliver(message("a"))
    world.store("a", segment=5, version=2)
    assert world.deliver(message("a")).rows == []
    assert len(world.requests) == 1


def test_who_changes_while_they_are_sent_is_sent_again_so_that_the_newest_stands() -> None:
    world = World()
    world.store("a", segment=1)
    world.before_answer = lambda: world.store("a", segment=2, version=2)
    world.deliver(message("a"))
    assert segment_at(world, "a") == "2"
    assert len(world.requests) == 2


def test_who_changes_in_what_is_not_sent_is_not_sent_again() -> None:
    world = World()
    world.store("a", segment=1)
    world.before_answer = lambda: world.store("a", segment=1, version=2)
    world.deliver(message("a"))
    assert len(world.requests) == 1


def test_who_changes_each_time_waits() -> None:
    world = World()
    world.store("a")
    versions = iter(range(2, 20))
    world.before_answer = lambda: world.store("a", segment=(n := next(versions)), version=n)
    done = world.deliver(message("a"))
    assert len(world.requests) == TIMES_AT_MOST
    assert done.again == {"m-a-1"}
    assert world.states("a") == [("waiting", "the customer changed each time they were sent")]


def test_a_late_sender_of_what_is_older_leaves_the_newest_behind() -> None:
    """Two functions send the same customer; the first read before the move and is heard after the second."""
    world = World()
    world.store("a", segment=1)
    first = World(vendor=world.vendor)
    first.table.items = world.table.items

    def second_comes_first() -> None:
        if len(first.requests) == 1:
            world.store("a", segment=2, version=2)
            world.deliver(message("a", 2))
            assert isinstance(world.vendor, HubSpot)
            world.vendor.contacts["a"]["tessera_segment"] = "1"  # the first one's call takes effect last

    first.before_answer = second_comes_first
    first.deliver(message("a", 1))
    assert segment_at(world, "a") == "2"


def test_one_row_that_is_refused_does_not_hold_up_the_others_and_says_why() -> None:
    world = World(vendor=HubSpot(refuses={"b": "no such address"}))
    world.store("a", "b", "c")
    done = world.deliver(message("a"), message("b"), message("c"))
    assert done.again == set()
    assert world.states("b") == [("rejected", "VALIDATION_ERROR: no such address")]
    assert world.states("a") == world.states("c") == [("accepted", "")]


def test_a_vendor_that_fails_is_tried_again_and_the_row_says_how_often() -> None:
    world = World(vendor=lambda request: Answer(503, body=b'{"message": "down"}'))
    world.store("a")
    assert world.deliver(message("a")).again == {"m-a-1"}
    world.now_ms += 60_000
    assert world.deliver(message("a", receives=2)).again == {"m-a-1"}
    assert [(row.state, row.reason, row.attempts) for row in world.rows("a")] == [("waiting", "503: down", 2)]
    world.vendor = HubSpot()
    world.now_ms += 60_000
    world.deliver(message("a", receives=3))
    assert [(row.state, row.attempts) for row in world.rows("a")] == [("accepted", 3)]


def test_after_days_a_message_is_given_up_and_its_row_says_so() -> None:
    world = World(vendor=lambda request: Answer(500))
    world.store("a")
    done = world.deliver(message("a", receives=MOST_RECEIVES))
    assert done.again == {"m-a-1"}  # the queue moves it to the dead-letter queue
    assert world.states("a") == [("given_up", "status 500")]
    world.vendor = HubSpot()
    world.deliver(message("a"))
    assert world.states("a") == [("accepted", "")]


def test_a_timeout_after_the_effect_is_tried_again_and_ends_in_the_same() -> None:
    world = World()
    world.store("a")
    lost = iter([True, False])

    def before() -> None:
        if next(lost):
            raise Unanswered("ReadTimeoutError")

    world.before_answer = before
    assert world.deliver(message("a")).again == {"m-a-1"}
    assert world.states("a") == [("waiting", "no answer: ReadTimeoutError")]
    world.deliver(message("a", receives=2))
    assert segment_at(world, "a") == "1"
    assert world.states("a") == [("accepted", "")]


def test_exposures_come_before_anything_is_sent_and_once() -> None:
    world = World(vendor=lambda request: Answer(500 if world.exposed else 400))
    world.store("a", "b")
    entered = [
        message(one, kind=ENTERED, audience="win_back", arm=arm) for one, arm in (("a", "treatment"), ("b", "control"))
    ]
    world.deliver(*entered)
    world.deliver(*entered)
    assert [(e["customer_id"], e["campaign"], e["arm"]) for e in world.exposed] == [
        ("a", "win_back", "treatment"),
        ("b", "win_back", "control"),
    ]
    assert world.states("a")[0][0] == "waiting"


def test_who_is_held_back_is_recorded_and_never_sent() -> None:
    world = World()
    world.store("a")
    world.deliver(
        message("a", 1, ENTERED, audience="win_back", arm="control"),
        message("a", 2, LEFT, audience="win_back", arm="control"),
    )
    assert world.requests == []
    assert [(row.state, row.audience, row.arm) for row in world.rows("a")] == [("withheld", "win_back", "control")] * 2


def test_of_whom_nothing_is_known_any_more_nothing_is_sent_or_written() -> None:
    world = World()
    world.store("known")
    done = world.deliver(
        message("gone"),
        message("gone", 2, ENTERED, audience="x", arm="control"),
        message("known", kind=LEFT, audience="x"),
    )
    assert done.again == set()
    assert {key for key, _ in world.table.items if "gone" in key} == set()
    assert world.exposed == []
    assert world.states("known") == [("accepted", "")]


def test_who_cannot_be_named_there_is_rejected_with_what_is_missing() -> None:
    world = World(file=HUBSPOT.replace(b'"customer_id"', b'"attributes.email"'))
    world.store("a", state=b"")
    world.deliver(message("a"))
    assert world.states("a") == [("rejected", "the customer has no attributes.email, by which hubspot would know them")]


def test_moves_are_not_told_where_the_file_says_so_and_are_a_campaign_where_it_says_that() -> None:
    world = World(file=HUBSPOT + b"\n")
    quiet = World(file=b"moves = false\n" + HUBSPOT)
    loud = World(file=b'campaign = "welcome"\n' + HUBSPOT)
    for each in (world, quiet, loud):
        each.store("a")
        each.deliver(message("a"))
    assert (len(world.requests), len(quiet.requests), len(loud.requests)) == (1, 0, 1)
    assert [event["campaign"] for event in loud.exposed] == ["welcome"]
    assert world.exposed == []


def test_names_that_customers_are_sent_under_are_remembered_before_they_are_sent() -> None:
    world = World(vendor=lambda request: Answer(500))
    world.store("a")
    world.deliver(message("a"))
    assert world.deliveries.names("customer#a") == [("crm", "a")]


def test_a_profile_that_cannot_be_read_waits_alone() -> None:
    world = World()
    world.store("a", "b")
    world.table.items[("customer#b", "profile")]["version"] = {"S": "?"}
    done = world.deliver(message("a"), message("b"))
    assert done.again == {"m-b-1"}
    assert world.states("a") == [("accepted", "")]


def test_a_batch_that_is_refused_whole_is_halved_until_the_one_to_blame_is_alone() -> None:
    hubspot = HubSpot()

    def picky(request: Request) -> Answer:
        if len(ids := [one["id"] for one in json.loads(request.body)["inputs"]]) and "bad" in ids:
            return Answer(400, body=b'{"message": "Invalid input JSON"}')
        return hubspot(request)

    world = World(vendor=picky)
    customers = [f"c{i}" for i in range(8)] + ["bad"]
    world.store(*customers)
    done = world.deliver(*map(message, customers))
    assert done.again == set()
    assert world.states("bad") == [("rejected", "Invalid input JSON")]
    assert len(hubspot.contacts) == 8


def test_what_a_vendor_takes_and_says_more_of_later_is_to_be_asked_for() -> None:
    klaviyo = b'vendor = "klaviyo"\nidentify = {external_id = "customer_id"}\n'
    world = World(vendor=Klaviyo(), file=klaviyo, secret='{"api_key": "pk_test"}')
    world.store("a")
    done = world.deliver(message("a"))
    assert world.states("a") == [("sent", "")]
    ((job, rows),) = done.jobs.items()
    assert (job, [row.key for row in rows], done.names) == ("0", ["customer#a"], {"customer#a": "a"})
    assert world.deliver(message("a")).rows == []


@pytest.mark.parametrize("count", [250])
def test_many_are_sent_as_many_a_call_as_the_vendor_takes(count: int) -> None:
    world = World()
    customers = [f"c{i}" for i in range(count)]
    world.store(*customers)
    world.deliver(*map(message, customers))
    sizes = [len(json.loads(request.body)["inputs"]) for request in world.requests]
    assert sizes == [100, 100, 50]
    seen: dict[str, Any] = world.vendor.contacts  # type: ignore[attr-defined]
    assert len(seen) == count


def test_of_audiences_those_are_told_that_name_the_destination_and_the_end_of_those_that_are_gone() -> None:
    world = World()
    world.store("a")
    moves = [("win_back", ENTERED), ("quiet", ENTERED), ("quiet", LEFT), ("gone", ENTERED), ("gone", LEFT)]
    world.deliver(
        *(message("a", number, kind, audience=key, arm="treatment") for number, (key, kind) in enumerate(moves))
    )
    assert [(row.audience, row.transition_id) for row in world.rows("a")] == [("gone", "t-a-4"), ("win_back", "t-a-0")]
    assert [event["campaign"] for event in world.exposed] == ["win_back"]
