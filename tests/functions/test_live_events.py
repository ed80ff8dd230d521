"""From POST /events, the bus, Kinesis and Kafka to profiles."""

import base64
import importlib
import json
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.live_events import MESSAGE_BYTES, packed
from shared.profile_table import ProfileNotWritten, ProfileTable
from tests.bundles import make_bundle, publish
from tests.conftest import BUCKET
from tests.document import check_answer
from tests.event_files import ndjson, purchase
from tests.functions.conftest import Context

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Event = dict[str, Any]
type Send = Callable[..., tuple[int, Any]]
type Bodies = Callable[[], list[str]]


@pytest.fixture
def ingest(s3: "S3Client", dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("FROZEN_TIME", "2017-11-01T00:00:00Z")
    publish(s3, make_bundle())
    return importlib.reload(importlib.import_module("functions.ingest_live_events.app"))


@pytest.fixture
def queue(aws: None, monkeypatch: pytest.MonkeyPatch) -> Bodies:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="live")["QueueUrl"]
    monkeypatch.setenv("LIVE_QUEUE_URL", url)

    def read() -> list[str]:
        found: list[str] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in messages]
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    return read


@pytest.fixture
def send(s3: "S3Client", dynamodb: "DynamoDBClient", queue: Bodies, monkeypatch: pytest.MonkeyPatch) -> Send:
    monkeypatch.setenv("FROZEN_TIME", "2017-11-01T00:00:00Z")
    app = importlib.reload(importlib.import_module("functions.accept_events.app"))

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
        status, told = answer["statusCode"], json.loads(answer["body"])
        check_answer("POST", "/events", status, told)
        return status, told

    return post


def kept(s3: "S3Client", prefix: str) -> list[dict[str, Any]]:
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"quarantine/live/{prefix}").get("Contents", [])
    bodies = [s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in found]
    records = [json.loads(line) for body in bodies for line in body.splitlines()]
    return sorted(records, key=lambda record: record["line"] or 0)


def queued(bodies: Iterable[str]) -> dict[str, Any]:
    return {"Records": [{"messageId": f"message-{i}", "body": body} for i, body in enumerate(bodies)]}


def on_the_bus(detail: Any) -> dict[str, Any]:
    return queued([json.dumps({"version": "0", "detail-type": "purchase", "source": "shop", "detail": detail})])


def in_kinesis(*data: bytes) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:kinesis",
                "kinesis": {"sequenceNumber": str(i), "data": base64.b64encode(body).decode()},
            }
            for i, body in enumerate(data)
        ]
    }


def in_kafka(*values: bytes | None) -> dict[str, Any]:
    records = [
        {"topic": "events", "partition": 0, "offset": i, "value": value and base64.b64encode(value).decode()}
        for i, value in enumerate(values)
    ]
    return {"eventSource": "aws:kafka", "records": {"events-0": records}}


@pytest.mark.parametrize(
    "invocation",
    [
        pytest.param(on_the_bus(purchase("889")), id="bus"),
        pytest.param(on_the_bus({"events": [purchase("889")]}), id="bus, a list"),
        pytest.param(queued(packed([json.dumps(purchase("889")).encode()])), id="api"),
        pytest.param(in_kinesis(json.dumps(purchase("889"), indent=1).encode()), id="kinesis"),
        pytest.param(in_kinesis(ndjson([purchase("889"), purchase("889")])), id="kinesis, lines"),
        pytest.param(in_kinesis(json.dumps([purchase("889")]).encode()), id="kinesis, a list"),
        pytest.param(in_kafka(json.dumps(purchase("889")).encode(), None), id="kafka"),
    ],
)
def test_events_of_every_source_are_decided_on(
    ingest: ModuleType, table: ProfileTable, invocation: dict[str, Any]
) -> None:
    for _ in range(2):
        assert ingest.handler(invocation, Context()) == {"batchItemFailures": []}
    profile = table.get("customer#889")
    assert profile is not None and profile.events == 1
    assert profile.decision is not None and profile.decision.segment == 0


@pytest.mark.parametrize(
    ("invocation", "prefix"),
    [
        pytest.param(on_the_bus({"event_type": "purchase"}), "bus/message-0/", id="bus"),
        pytest.param(in_kinesis(b"\xff\x00"), "kinesis/0/", id="kinesis"),
        pytest.param(in_kinesis(b'{"events": 5}'), "kinesis/0/", id="no list"),
        pytest.param(in_kafka(b"not json"), "kafka/events-0-0/", id="kafka"),
        pytest.param(in_kinesis(b""), "kinesis/0/", id="nothing"),
    ],
)
def test_bad_events_are_kept_and_hold_nothing_up(
    ingest: ModuleType, s3: "S3Client", invocation: dict[str, Any], prefix: str
) -> None:
    for _ in range(2):
        assert ingest.handler(invocation, Context()) == {"batchItemFailures": []}
    (record,) = kept(s3, prefix)
    assert record["reason"]


def test_what_the_table_never_takes_is_kept_and_the_rest_counts(
    ingest: ModuleType, s3: "S3Client", table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = ingest.table.save

    def refuse(profiles: Any) -> Any:
        if any(profile.key == "customer#poison" for profile in profiles):
            raise ProfileNotWritten("a profile was refused")
        return save(profiles)

    monkeypatch.setattr(ingest.table, "save", refuse)
    events = [json.dumps(purchase(customer)) for customer in ("889", "poison", "890")]
    assert ingest.handler(queued(events), Context()) == {"batchItemFailures": []}
    assert {*table.load(["customer#889", "customer#890"])} == {"customer#889", "customer#890"}
    (record,) = kept(s3, "")
    assert record["reason"] == "a profile was refused" and record["original"] == events[1]


def test_accepted_events_are_queued_and_the_others_kept_with_their_reasons(
    send: Send, queue: Bodies, s3: "S3Client"
) -> None:
    good, bad = purchase("889"), {"event_type": "purchase", "customer_id": "1"}
    status, told = send({"events": [good, bad, 5, {**good, "currency": "EUR"}]})
    assert (status, told["accepted"], told["rejected"]) == (202, 1, 3)
    assert [reason["index"] for reason in told["reasons"]] == [1, 2, 3]
    assert told["reasons"][0]["reason"] == "timestamp is missing"
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
    _, told = send({"events": [{**purchase("889"), "note": "x" * 150_000}]})
    assert told["rejected"] == 1 and "100,000 bytes" in told["reasons"][0]["reason"]
    assert queue() == []


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"events": 5}', "{", '{"events": [}', "null", '"\ud800"'])
def test_what_is_no_list_of_events_is_refused(send: Send, queue: Bodies, body: str) -> None:
    status, told = send(body, encode=str)
    assert (status, told["error"]["code"]) == (400, "invalid_body")
    assert queue() == []


def test_too_many_events_are_refused_as_a_whole(send: Send, queue: Bodies) -> None:
    status, told = send({"events": [purchase("889", n) for n in range(501)]})
    assert (status, told["error"]["code"]) == (400, "too_many_events")
    assert queue() == []


@given(st.lists(st.integers(1, 90_000), max_size=30))
def test_packing_loses_nothing_and_keeps_the_order(sizes: list[int]) -> None:
    events = [json.dumps({"n": n, "x": "x" * size}).encode() for n, size in enumerate(sizes)]
    bodies = [*packed(events)]
    assert [event for body in bodies for event in json.loads(body)["events"]] == [*map(json.loads, events)]
    assert all(len(body) <= MESSAGE_BYTES + 1_000 for body in bodies)
