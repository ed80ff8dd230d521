"""POST /events: what is taken is queued whole, what is not is kept with its reason."""

import json
import re
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Rules, read_lines
from shared.features import fold
from shared.intake.live_events import MESSAGE_BYTES, messages, packed
from tests.conftest import BUCKET
from tests.functions.conftest import Context, function, kept
from tests.support.document import check_answer
from tests.support.event_files import purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Send = Callable[..., tuple[int, Any]]
type Bodies = Callable[[], list[str]]


@pytest.fixture
def queue(aws: None, monkeypatch: pytest.MonkeyPatch) -> Bodies:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="live")["QueueUrl"]
    monkeypatch.setenv("LIVE_QUEUE_URL", url)

    def read() -> list[str]:
        bodies: list[str] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in messages]
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    return read


@pytest.fixture
def app(s3: "S3Client", dynamodb: "DynamoDBClient", queue: Bodies, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return function("accept_events", monkeypatch)


@pytest.fixture
def send(app: ModuleType) -> Send:
    def post(body: Any, encode: Callable[[Any], str] = json.dumps) -> tuple[int, Any]:
        request = {
            "resource": "/events",
            "path": "/events",
            "httpMethod": "POST",
            "headers": {"content-type": "application/json"},
            "requestContext": {"requestId": "request-1", "stage": "v1"},
            "body": encode(body),
            "isBase64Encoded": False,
        }
        answer = app.handler(request, Context())
        status, answered = answer["statusCode"], json.loads(answer["body"])
        check_answer("POST", "/events", status, answered)
        return status, answered

    return post


def test_accepted_events_are_queued_and_the_others_kept_with_their_reasons(
    send: Send, queue: Bodies, s3: "S3Client"
) -> None:
    good, bad = purchase("889"), {"event_type": "purchase", "customer_id": "1"}
    status, answered = send({"events": [good, bad, 5, {**good, "currency": "EUR"}]})
    assert (status, answered["accepted"], answered["rejected"]) == (202, 1, 3)
    assert [reason["index"] for reason in answered["reasons"]] == [1, 2, 3]
    assert answered["reasons"][0]["reason"] == "timestamp is missing"
    (body,) = queue()
    assert json.loads(body)["events"] == [good]
    assert [record["line"] for record in kept(s3, "api/request-1/")] == [2, 3, 4]


def test_500_large_events_go_in_messages_that_the_queue_takes(send: Send, queue: Bodies) -> None:
    events = [{**purchase("889", n), "note": "x" * 2_000} for n in range(500)]
    assert send({"events": events})[1]["accepted"] == 500
    bodies = queue()
    assert max(map(len, bodies)) < 262_144
    assert sum(len(json.loads(body)["events"]) for body in bodies) == 500


def test_an_event_too_large_for_a_message_is_refused(send: Send, queue: Bodies) -> None:
    _, body = send({"events": [{**purchase("889"), "note": "x" * 150_000}]})
    assert body["rejected"] == 1 and "100,000 bytes" in body["reasons"][0]["reason"]
    assert queue() == []


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"events": 5}', "{", '{"events": [}', "null", '"\ud800"'])
def test_what_is_no_list_of_events_is_refused(send: Send, queue: Bodies, body: str) -> None:
    status, answer = send(body, encode=str)
    assert (status, answer["error"]["code"]) == (400, "invalid_body")
    assert queue() == []


def test_too_many_events_are_refused_as_a_whole(send: Send, queue: Bodies) -> None:
    status, body = send({"events": [purchase("889", n) for n in range(501)]})
    assert (status, body["error"]["code"]) == (400, "too_many_events")
    assert queue() == []


def test_characters_that_the_queue_refuses_reach_it_as_escapes(send: Send, queue: Bodies) -> None:
    odd = {**purchase("889\uffff"), "note\ufffe": "\uffff\u0001\x7f\ud7ff\U0001ffff", "brand": "\ufffe"}
    assert send({"events": [odd]}, partial(json.dumps, ensure_ascii=False))[1] == {
        "accepted": 1,
        "rejected": 0,
        "reasons": [],
    }
    (body,) = queue()
    assert json.loads(body)["events"] == [odd]


def test_an_overlong_event_names_whom_it_is_of(send: Send, queue: Bodies, s3: "S3Client") -> None:
    long = {"note": "x" * 150_000}
    people = {"customer_id": "889", "anonymous_id": "phone"}
    valid = json.dumps({**purchase("889"), **people, **long})
    broken = valid.replace("889", "890").replace("{", '{"n": 1e999, ', 1)
    assert send(f'{{"events": [{valid}, {broken}]}}', encode=str)[1]["rejected"] == 2
    first, second = kept(s3, "api/")
    assert (first["people"], second["people"]) == (["customer#889", "visitor#phone"], ["customer#890", "visitor#phone"])


def test_an_overlong_event_of_one_who_was_erased_is_kept_nowhere(
    send: Send, queue: Bodies, s3: "S3Client", app: ModuleType
) -> None:
    app.marks.refuse("customer#889", 2_000_000_000_000)
    long = [{**purchase(customer), "note": "x" * 150_000} for customer in ("889", "890")]
    assert send({"events": long})[1]["rejected"] == 2
    (record,) = kept(s3, "api/")
    assert record["people"] == ["customer#890"]


@pytest.mark.parametrize("consent", [True, False])
def test_consent_is_taken_from_the_api_unless_the_stack_says_otherwise(
    send: Send, queue: Bodies, s3: "S3Client", monkeypatch: pytest.MonkeyPatch, *, consent: bool
) -> None:
    events = [purchase("889"), {**purchase("889"), "consent": consent}, {**purchase("889", 2), "consent": None}]
    assert send({"events": events})[1]["accepted"] == 3
    monkeypatch.setenv("CONSENT_BY_API", "refuse")
    body = send({"events": events})[1]
    assert [(one["index"], "ConsentByApi" in one["reason"]) for one in body["reasons"]] == [(1, True)]
    assert [record["people"] for record in kept(s3, "api/")] == [["customer#889"]]


def test_a_delivery_that_breaks_off_may_be_sent_again(
    send: Send, queue: Bodies, app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [{**purchase("889", n), "note": "x" * 90_000} for n in range(5)]
    really, sent = app.sqs.send_message, list[Any]()

    def send_two(**message: Any) -> None:
        if len(sent) == 2:
            raise ConnectionError
        sent.append(really(**message))

    with monkeypatch.context() as broken:
        broken.setattr(app.sqs, "send_message", send_two)
        assert send({"events": events})[0] == 500
    assert send({"events": events})[1]["accepted"] == 5
    queued = [event for body in queue() for event in json.loads(body)["events"]]
    assert {event["event_id"] for event in queued} == {event["event_id"] for event in events}


@given(st.text(min_size=1), st.text(), st.sampled_from(["brand", "event_id", "note", "customer_id"]))
def test_an_event_is_the_same_once_packed(text: str, name: str, field: str) -> None:
    event = {**purchase("889"), field: text, f"more {name}": [text]}
    line = json.dumps(event, ensure_ascii=False).encode(errors="replace")
    (body,) = packed([line])
    assert not re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", body)
    rules = Rules("USD", 1_600_000_000_000)
    (message,) = messages({"Records": [{"messageId": "m", "body": body, "attributes": {"SentTimestamp": "0"}}]})
    (packed_line,) = message.lines
    before, after = (read_lines([one], rules) for one in (line, packed_line))
    assert [r.reason for r in before.rejections] == [r.reason for r in after.rejections]
    assert fold(before.events).rows.fingerprint.tolist() == fold(after.events).rows.fingerprint.tolist()
    assert before.events.keys == after.events.keys


@given(st.lists(st.integers(1, 90_000), max_size=30))
def test_packing_loses_nothing_and_keeps_the_order(sizes: list[int]) -> None:
    events = [json.dumps({"n": n, "x": "x" * size}).encode() for n, size in enumerate(sizes)]
    bodies = [*packed(events)]
    assert [event for body in bodies for event in json.loads(body)["events"]] == [*map(json.loads, events)]
    assert all(len(body) <= MESSAGE_BYTES + 1_000 for body in bodies)


MAPPING = b"""
columns = {timestamp = "at", customer_id = "who", price = "paid"}
constants = {event_type = "purchase"}
"""


def test_events_are_taken_by_the_mapping_that_stands_beside_them(send: Send, queue: Bodies, s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key="mappings/shop-a.toml", Body=MAPPING)
    rows = [{"at": "2017-10-01", "who": "889", "paid": 2}, {"at": "2017-10-01", "who": "889", "paid": "free"}]
    status, answer = send({"mapping": "shop-a", "events": rows})
    assert (status, answer["accepted"]) == (202, 1)
    assert answer["reasons"] == [{"index": 1, "reason": "paid must be a number from 0 to 1,000,000,000"}]
    [body] = queue()
    assert json.loads(body) == {"source": "api", "mapping": "shop-a", "events": rows[:1]}
    [record] = kept(s3, "api/request-1/")
    assert record["people"] == ["customer#889"]


def test_a_mapping_that_is_none_takes_nothing(send: Send, queue: Bodies) -> None:
    status, answer = send({"mapping": "shop-b", "events": [purchase("889")]})
    assert (status, answer["error"]["code"]) == (404, "mapping_not_found")
    assert queue() == []
