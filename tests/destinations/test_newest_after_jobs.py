"""What stands after a job that went on while customers moved, were sent alone, or were erased."""

from dataclasses import replace

from shared.destinations.erasing import erase
from shared.destinations.loading import CLOCKS_APART_MS
from shared.destinations.messages import ENTERED, ERASED, body, read
from tests.destinations.loads import (
    FILE,
    MANY,
    SECRET,
    come_again,
    everybody,
    few_are_many,
    salesforce,
    segment,
    world,
)
from tests.destinations.worlds import World, message, queued
from tests.support.vendors.salesforce import JOBS, Salesforce

__all__ = ["few_are_many", "salesforce", "world"]


def test_whoever_moved_while_a_job_went_on_is_sent_again_so_that_the_newest_stands(
    world: World, salesforce: Salesforce
) -> None:
    world.deliver(*everybody())
    world.store("c1", segment=5, version=2)
    world.deliver(message("c1", 2))
    assert segment(salesforce, "c1") == "5"
    salesforce.work("7500000")
    assert segment(salesforce, "c1") == "1"  # the job is older, and came last
    come_again(world)
    assert segment(salesforce, "c1") == "5"


def test_what_is_compared_with_a_job_is_read_after_its_end(world: World, salesforce: Salesforce) -> None:
    world.deliver(*everybody())

    def between() -> None:
        if world.requests[-1].url.endswith("7500000") and salesforce.jobs["7500000"].state == "UploadComplete":
            world.store("c1", segment=5, version=2)
            salesforce.work("7500000")

    world.before_answer = between
    come_again(world)
    come_again(world)
    assert segment(salesforce, "c1") == "5"


def test_nobody_is_settled_by_a_job_while_one_of_before_goes_on(world: World, salesforce: Salesforce) -> None:
    """Two functions have copies of the same messages, and neither saw the other's job; the first of these ends last."""
    other = World(vendor=salesforce, file=FILE, secret=SECRET)
    other.table.items = world.table.items

    def the_other_begins_too() -> None:
        if world.requests[-1].method == "POST" and JOBS in world.requests[-1].url:
            world.before_answer = lambda: None
            other.deliver(*everybody())

    world.before_answer = the_other_begins_too
    world.deliver(*everybody())
    first, second = salesforce.jobs
    salesforce.work(first)
    world.store("c1", segment=5, version=2)
    assert len(come_again(world)) == len(MANY)  # the second has not ended, and may be of whatever was so before
    salesforce.work(second)
    assert come_again(world) == set()
    assert segment(salesforce, "c1") == "5"


def test_a_copy_that_was_sent_alone_meanwhile_does_not_let_its_message_go(world: World, salesforce: Salesforce) -> None:
    alone = World(vendor=salesforce, file=FILE, secret=SECRET)
    alone.table.items = world.table.items

    def a_job_is_made() -> None:
        alone.before_answer = lambda: None
        world.deliver(*everybody())
        world.store("c1", segment=5, version=2)

    alone.before_answer = a_job_is_made
    assert alone.deliver(message("c1")).again == {"m-c1-1"}
    salesforce.work("7500000")
    come_again(world)
    assert segment(salesforce, "c1") == "5"


def test_whoever_was_sent_alone_before_a_job_is_given_is_not_in_it(world: World, salesforce: Salesforce) -> None:
    alone = World(vendor=salesforce, file=FILE, secret=SECRET)
    alone.table.items = world.table.items
    world.before_answer = lambda: alone.deliver(message("c1")) if world.requests[-1].method == "POST" else None
    world.deliver(*everybody())
    assert "c1" not in {row["Tessera_Id__c"] for row in salesforce.jobs["7500000"].rows}
    assert len(salesforce.jobs["7500000"].rows) == len(MANY) - 1


def test_an_audience_that_is_gone_meanwhile_does_not_leave_what_is_old(world: World, salesforce: Salesforce) -> None:
    entered = [message(c, kind=ENTERED, audience="win_back", arm="treatment") for c in MANY]
    world.deliver(*entered)
    world.store("c1", segment=5, version=2)
    salesforce.work("7500000")
    world.audiences = replace(world.audiences, all=())
    world.now_ms += 60_000
    world.deliver(*entered)
    assert segment(salesforce, "c1") == "5"
    assert {world.states(customer)[0][0] for customer in MANY} == {"accepted"}


def test_an_erasure_is_asked_for_when_no_job_of_before_can_bring_them_back(
    world: World, salesforce: Salesforce
) -> None:
    world.deliver(*everybody())
    for place in [place for place in world.table.items if "customer#c1" in place[0]]:
        del world.table.items[place]
    detail = {"customer_id": "c1", "id": "c1", "step": "{}"}
    record = queued(body("crm", ERASED, detail))
    record["attributes"]["SentTimestamp"] = str(world.now_ms + 5_000)
    erased = read(record)
    assert erase(world.destination, erased, world.calls(), world.loading, world.now_ms) is None
    salesforce.work("7500000")
    assert "c1" in salesforce.records
    assert str(erase(world.destination, erased, world.calls(), world.loading, world.now_ms)).startswith("deleted")
    come_again(world)
    assert "c1" not in salesforce.records
    assert world.rows("c1") == []


def test_an_erasure_does_not_wait_for_jobs_that_were_made_later(world: World, salesforce: Salesforce) -> None:
    erased = read(queued(body("crm", ERASED, {"customer_id": "x", "id": "x", "step": "{}"})))
    world.now_ms += 2 * CLOCKS_APART_MS
    world.deliver(*everybody())
    assert erase(world.destination, erased, world.calls(), world.loading, world.now_ms)
