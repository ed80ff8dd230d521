import json

from shared.destinations import jobs
from shared.destinations.contract import Answer
from shared.destinations.jobs import MOST_ASKED, ask, questions
from shared.destinations.messages import Message, read
from tests.destinations.accounts import NOW_MS
from tests.destinations.worlds import World, message, queued
from tests.support.vendors.klaviyo import Klaviyo

FILE = b'vendor = "klaviyo"\nidentify = {external_id = "customer_id"}\n'


def asked(world: World, *customers: str, receives: int = 1) -> Message:
    (body,) = questions("crm", world.deliver(*map(message, customers)))
    return read(queued(body, receives=receives))


def world(**changes: str) -> World:
    made = World(vendor=Klaviyo(refuses=changes), file=FILE, secret='{"api_key": "pk_test"}')
    made.store("a", "b")
    return made


def test_rows_say_in_the_end_whom_the_import_took() -> None:
    klaviyo = world(b="bad telephone number")
    question = asked(klaviyo, "a", "b")
    assert klaviyo.states("b") == [("sent", "")]
    settled = ask(klaviyo.destination, question, klaviyo.calls(), klaviyo.deliveries, NOW_MS)
    assert settled is not None
    assert klaviyo.states("a") == [("accepted", "")]
    assert klaviyo.states("b") == [("rejected", "bad telephone number")]
    assert ask(klaviyo.destination, question, klaviyo.calls(), klaviyo.deliveries, NOW_MS) == []


def test_a_vendor_who_does_not_say_is_asked_again_and_taken_at_their_first_word_at_last() -> None:
    klaviyo = world()
    question = asked(klaviyo, "a")
    klaviyo.vendor = lambda request: Answer(500)
    assert ask(klaviyo.destination, question, klaviyo.calls(), klaviyo.deliveries, NOW_MS) is None
    last = read(queued(question.body, receives=MOST_ASKED))
    ask(klaviyo.destination, last, klaviyo.calls(), klaviyo.deliveries, NOW_MS)
    assert klaviyo.states("a") == [("accepted", "")]


def test_whoever_was_erased_meanwhile_gets_no_row_again() -> None:
    klaviyo = world()
    question = asked(klaviyo, "a", "b")
    klaviyo.deliveries.forget("customer#a")
    ask(klaviyo.destination, question, klaviyo.calls(), klaviyo.deliveries, NOW_MS)
    assert klaviyo.rows("a") == []
    assert klaviyo.states("b") == [("accepted", "")]


def test_a_destination_whose_vendor_is_another_one_now_has_no_such_job() -> None:
    question = asked(world(), "a")
    hubspot = World()
    assert ask(hubspot.destination, question, hubspot.calls(), hubspot.deliveries, NOW_MS) == ()


def test_questions_fit_a_message() -> None:
    klaviyo = world()
    customers = [f"{'ü' * 120}{i:04d}" for i in range(700)]
    klaviyo.store(*customers)
    bodies = [*questions("crm", klaviyo.deliver(*map(message, customers)))]
    assert sum(len(json.loads(body)["detail"]["rows"]) for body in bodies) == 700
    assert all(len(body.encode()) < 250_000 for body in bodies)
    assert jobs.ASK_AFTER_SECONDS <= 900
