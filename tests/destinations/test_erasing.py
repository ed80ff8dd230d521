from shared.destinations.contract import Answer
from shared.destinations.delivering import MOST_RECEIVES
from shared.destinations.erasing import erase
from shared.destinations.messages import ERASED, Message, body, read
from tests.destinations.accounts import NOW_MS
from tests.destinations.worlds import HUBSPOT, World, queued
from tests.support.vendors.hubspot import HubSpot


def erased(receives: int = 1) -> Message:
    return read(queued(body("crm", ERASED, {"customer_id": "a", "id": "a@x.example", "step": "{}"}), receives=receives))


def test_the_vendor_is_asked_and_the_receipt_gets_its_answer() -> None:
    world = World()
    assert erase(world.destination, erased(), world.calls(), world.loading, NOW_MS) == "deleted"
    assert isinstance(world.vendor, HubSpot)
    assert world.vendor.erased == ["a@x.example"]


def test_whom_the_vendor_does_not_know_is_erased_there() -> None:
    world = World(vendor=lambda request: Answer(404))
    assert erase(world.destination, erased(), world.calls(), world.loading, NOW_MS) == "deleted"


def test_a_vendor_that_cannot_says_why_and_is_not_called() -> None:
    world = World(file=HUBSPOT.replace(b"email =", b"shop_id ="))
    assert erase(world.destination, erased(), world.calls(), world.loading, NOW_MS) == (
        "not erased: HubSpot deletes by e-mail address alone"
    )
    assert world.requests == []


def test_a_vendor_that_fails_is_asked_again_for_days_and_then_the_receipt_says_so() -> None:
    world = World(vendor=lambda request: Answer(500, body=b'{"message": "down"}'))
    assert erase(world.destination, erased(), world.calls(), world.loading, NOW_MS) is None
    last = erased(receives=MOST_RECEIVES)
    assert erase(world.destination, last, world.calls(), world.loading, NOW_MS) == "not erased: status 500 down"
