"""Whole audiences by jobs of Salesforce."""

import json

import pytest

from shared.destinations.contract import Answer, Request
from shared.destinations.delivering import MOST_RECEIVES
from shared.destinations.loading import BROKEN_OFF_MS, IN_A_JOB, MOST_OPEN
from shared.destinations.messages import ENTERED
from shared.destinations.sending import Unanswered
from tests.destinations.loads import (
    MANY,
    come_again,
    everybody,
    few_are_many,
    paths,
    salesforce,
    segments,
    world,
)
from tests.destinations.worlds import World, message, step
from tests.support.vendors.salesforce import JOBS, Salesforce

__all__ = ["few_are_many", "salesforce", "world"]


def test_many_are_one_job_and_their_messages_wait_for_its_end(world: World, salesforce: Salesforce) -> None:
    assert len(world.deliver(*everybody()).again) == len(MANY)
    assert world.states("c1") == [("waiting", IN_A_JOB)]
    assert paths(world)[1:] == ["POST jobs/ingest", "PUT jobs/ingest/7500000/batches", "PATCH jobs/ingest/7500000"]
    assert len(come_again(world)) == len(MANY)
    salesforce.work("7500000")
    assert come_again(world) == set()
    assert world.states("c1") == [("accepted", "")]
    assert segments(salesforce) == {"1"}
    assert not [path for path in paths(world) if "composite" in path]


def test_few_go_by_calls(world: World, salesforce: Salesforce) -> None:
    assert world.deliver(*everybody()[:3]).again == set()
    assert not salesforce.jobs


def test_each_row_that_a_job_refused_says_why_and_what_passes_is_sent_again(
    world: World, salesforce: Salesforce
) -> None:
    salesforce.refuses = {"c1": ("REQUIRED_FIELD_MISSING", "[LastName]"), "c2": ("UNABLE_TO_LOCK_ROW", "locked")}
    world.deliver(*everybody())
    salesforce.work("7500000")
    del salesforce.refuses["c2"]
    assert come_again(world) == set()
    assert world.states("c1") == [("rejected", "REQUIRED_FIELD_MISSING:[LastName]:--")]
    assert world.states("c2") == world.states("c3") == [("accepted", "")]
    assert [path for path in paths(world) if "composite" in path] == ["PATCH composite/sobjects/Contact/Tessera_Id__c"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("has_effect", [False, True])
def test_a_job_whose_answer_was_lost_ends_like_any_other(
    world: World, salesforce: Salesforce, method: str, has_effect: bool
) -> None:
    lost = iter([None])

    def loses(request: Request) -> Answer:
        if request.method == method and JOBS in request.url and next(lost, 1) is None:
            if has_effect:
                salesforce(request)
            raise Unanswered("ReadTimeoutError")
        return salesforce(request)

    world.vendor = loses
    assert len(world.deliver(*everybody()).again) == len(MANY)
    salesforce.work("7500000")
    for _ in range(4):
        come_again(world, BROKEN_OFF_MS // 2_000)
    assert {world.states(customer)[0][0] for customer in MANY} == {"accepted"}
    assert {*salesforce.records} == {*MANY}
    assert {job.state for job in salesforce.jobs.values()} <= {"JobComplete", "Aborted"}


def test_a_job_that_was_left_half_made_is_ended_and_everybody_is_sent(world: World, salesforce: Salesforce) -> None:
    class Killed(BaseException):
        pass

    def kill() -> None:
        if world.requests[-1].method == "PUT":
            world.before_answer = lambda: None
            raise Killed

    world.before_answer = kill
    with pytest.raises(Killed):
        world.deliver(*everybody())
    assert len(come_again(world)) == len(MANY)
    assert not salesforce.records
    assert come_again(world, BROKEN_OFF_MS // 1_000) == set()
    assert salesforce.jobs["7500000"].state == "Aborted"
    assert {*salesforce.records} == {*MANY}


def test_everybody_of_a_job_that_failed_is_told_of_by_calls(world: World, salesforce: Salesforce) -> None:
    world.deliver(*everybody())
    salesforce.work("7500000", rows=3)
    salesforce.fail("7500000")
    assert come_again(world) == set()
    assert {*salesforce.records} == {*MANY}
    assert {world.states(customer)[0] for customer in MANY} == {("accepted", "")}


@pytest.mark.parametrize("status", [429, 503])
def test_a_vendor_who_asks_to_be_left_alone_is_while_a_job_goes_on(
    world: World, salesforce: Salesforce, status: int
) -> None:
    world.deliver(*everybody())
    waits = Answer(status, {"retry-after": "600"})
    world.vendor = lambda request: waits if JOBS in request.url else salesforce(request)
    come_again(world)
    asked = len(world.requests)
    come_again(world)
    assert len(world.requests) == asked
    world.vendor = salesforce
    salesforce.work("7500000")
    assert come_again(world, 600) == set()


def test_where_jobs_are_refused_everybody_goes_by_calls(world: World, salesforce: Salesforce) -> None:
    refused = Answer(403, body=b'[{"errorCode": "FEATURENOTENABLED", "message": "Async API not enabled"}]')
    world.vendor = lambda request: refused if JOBS in request.url else salesforce(request)
    assert world.deliver(*everybody()).again == set()
    assert {*salesforce.records} == {*MANY}


def test_a_list_of_failures_that_is_none_has_everybody_sent_again(world: World, salesforce: Salesforce) -> None:
    salesforce.refuses = {"c1": ("INVALID_EMAIL_ADDRESS", "no")}
    world.deliver(*everybody())
    salesforce.work("7500000")
    world.vendor = lambda request: (
        Answer(200, body=b"<html>") if request.url.endswith("failedResults") else salesforce(request)
    )
    assert come_again(world) == set()
    assert world.states("c1") == [("rejected", "INVALID_EMAIL_ADDRESS: no")]


def test_a_control_group_is_in_no_job_and_exposures_come_before_it(world: World, salesforce: Salesforce) -> None:
    arms = {customer: "control" if customer == "c1" else "treatment" for customer in MANY}
    entered = [message(c, kind=ENTERED, audience="win_back", arm=arm) for c, arm in arms.items()]
    world.before_answer = lambda: world.exposed or pytest.fail("sent before the exposure was recorded")
    world.deliver(*entered)
    world.deliver(*entered)
    assert {(event["customer_id"], event["arm"]) for event in world.exposed} == {*arms.items()}
    assert len(world.exposed) == len(MANY)
    assert "c1" not in {row["Tessera_Id__c"] for row in salesforce.jobs["7500000"].rows}
    assert world.states("c1") == [("withheld", "")]


def test_what_a_journey_sends_goes_alone(world: World, salesforce: Salesforce) -> None:
    world.deliver(*everybody()[1:], step("c0"))
    assert "c0" in salesforce.records
    assert len(salesforce.jobs["7500000"].rows) == len(MANY) - 1


def test_after_days_a_job_that_never_ends_is_given_up(world: World) -> None:
    world.deliver(*everybody())
    world.now_ms += 60_000
    world.deliver(*everybody(MOST_RECEIVES))
    assert world.states("c1") == [("given_up", IN_A_JOB)]


def test_so_many_jobs_go_on_at_once_and_others_are_sent_by_calls(world: World, salesforce: Salesforce) -> None:
    for number in range(MOST_OPEN + 1):
        world.now_ms += 1_000
        world.deliver(*(message(customer, number) for customer in MANY))
    assert len(salesforce.jobs) == MOST_OPEN
    assert {*salesforce.records} == {*MANY}
    for name in salesforce.jobs:
        salesforce.work(name)
    world.deliver(*(message(customer, 100) for customer in MANY))
    assert len(salesforce.jobs) == MOST_OPEN + 1


def test_a_job_holds_no_more_than_fits_and_the_others_go_by_calls(world: World, salesforce: Salesforce) -> None:
    more = [*MANY, *(f"d{number}" for number in range(4))]
    world.store(*more)
    again = world.deliver(*map(message, more)).again
    assert len(salesforce.jobs["7500000"].rows) == len(again) == 10
    assert len(salesforce.records) == 2


def test_messages_of_another_vendors_job_are_sent_as_they_are(world: World) -> None:
    world.deliver(*everybody())
    hubspot = World()
    hubspot.table.items = world.table.items
    assert hubspot.deliver(*everybody()).again == set()
    assert len(json.loads(hubspot.requests[0].body)["inputs"]) == len(MANY)
