import json

from shared.destinations.contract import Answer, Request
from shared.destinations.sending import Unanswered
from tests.destinations.worlds import HUBSPOT, World, message


def test_a_vendor_that_asks_for_time_is_called_no_more_by_anybody_until_it_is_over() -> None:
    answers = iter([Answer(429, {"retry-after": "120"})])
    world = World(vendor=lambda request: next(answers))
    customers = [f"c{i}" for i in range(150)]
    world.store(*customers)
    done = world.deliver(*map(message, customers))
    assert len(world.requests) == 1
    assert len(done.again) == 150
    assert len(world.deliver(*map(message, customers)).again) == 150
    assert len(world.requests) == 1
    world.vendor = World().vendor
    world.now_ms += 120_000
    assert world.deliver(*map(message, customers)).again == set()


def test_calls_keep_to_the_pace_and_short_waits_are_waited_for() -> None:
    world = World(file=HUBSPOT + b"[rate]\ncalls = 10\nseconds = 1\n")
    for i in range(30):
        world.store(f"c{i}")
        world.deliver(message(f"c{i}"))
    # Ten calls in a second at most: thirty take two seconds at least.
    assert len(world.requests) == 30
    assert world.now_ms - 1_767_225_600_000 > 2_000


def test_without_time_nothing_is_begun() -> None:
    world = World(time_left=False)
    world.store("a")
    assert world.deliver(message("a")).again == {"m-a-1"}
    assert world.requests == []
    assert world.states("a") == [("waiting", "no time was left in the invocation")]


def test_a_call_that_is_not_answered_may_have_had_its_effect_and_comes_again() -> None:
    def silent(request: Request) -> Answer:
        raise Unanswered("ReadTimeoutError")

    world = World(vendor=silent)
    world.store("a")
    calls = world.calls()
    done = world.delivering.deliver(world.destination, [message("a")], calls)
    assert done.again == {"m-a-1"}
    assert calls.wait_ms == 0


def test_a_batch_of_one_that_is_refused_is_refused_for_good() -> None:
    world = World(vendor=lambda request: Answer(400, body=json.dumps({"message": "no"}).encode()))
    world.store("a")
    assert world.deliver(message("a")).again == set()
    assert world.states("a") == [("rejected", "no")]
