"""Every field of an event by every source, and every route, with the rights that each function has and no others."""

import base64
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from local.stack import Stack
from shared.events import FIELDS
from tests.document import document
from tests.e2e.conftest import deployed_with_model, wait_until
from tests.event_files import Event, csv_file, ndjson, ndjson_gz, parquet, purchase

pytestmark = pytest.mark.e2e

SECONDS = 180
EVERY_FIELD: dict[str, Any] = {
    "event_id": "{}-1",
    "event_type": "purchase",
    "timestamp": "2017-10-02T12:00:00Z",
    "customer_id": "{}",
    "anonymous_id": "device of {}",
    "session_id": "visit of {}",
    "order_id": "order of {}",
    "product_id": "p-1",
    "category": "Bakery",
    "brand": "House",
    "quantity": 2,
    "price": 9.5,
    "discount": 0.5,
    "currency": "USD",
    "device": "mobile",
    "region": "DE",
    "channel": "email",
    "engagement_seconds": 12.5,
    "consent": True,
}


def events_of(customer: str) -> list[Event]:
    """All there is to tell of a customer, a refused line of theirs, and one who refuses to be profiled."""
    told = {name: value.format(customer) if isinstance(value, str) else value for name, value in EVERY_FIELD.items()}
    refused = {**told, "event_id": f"{customer}-2", "price": -1}
    stranger = {**told, "event_id": f"{customer}-3", "customer_id": f"refuser of {customer}", "consent": False}
    return [told, refused, {**stranger, "anonymous_id": f"device of refuser of {customer}"}]


def drop(write: Callable[[list[Event]], bytes], kind: str, stack: Stack, events: list[Event]) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=f"events/rights.{kind}", Body=write(events))


def back_fill(stack: Stack, events: list[Event]) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="history/rights.ndjson", Body=ndjson(events))
    client(stack, "stepfunctions").start_execution(stateMachineArn=stack.backfill_arn, name="rights", input="{}")


def call(stack: Stack, events: list[Event]) -> None:
    status, answer = stack.api("POST", "/events", {"events": events})
    assert (status, answer["accepted"], answer["rejected"]) == (202, 2, 1)


def put_on_bus(stack: Stack, events: list[Event]) -> None:
    entries = [
        {"Source": "shop", "DetailType": "any", "Detail": json.dumps(event), "EventBusName": stack.bus}
        for event in events
    ]
    assert client(stack, "events").put_events(Entries=entries)["FailedEntryCount"] == 0


def put_in_kinesis(stack: Stack, events: list[Event]) -> None:
    kinesis = client(stack, "kinesis")
    (name,) = kinesis.list_streams()["StreamNames"]
    for event in events:
        kinesis.put_record(StreamName=name, PartitionKey="any", Data=json.dumps(event).encode())


def invoke_as_kafka_does(stack: Stack, events: list[Event]) -> None:
    """There is no broker here; the function, its role and what a broker would hand it are the deployed ones."""
    values = [base64.b64encode(json.dumps(event).encode()).decode() for event in events]
    records = [
        {"topic": "events", "partition": 0, "offset": offset, "timestamp": 0, "key": "", "value": value, "headers": []}
        for offset, value in enumerate(values)
    ]
    body = json.dumps({"eventSource": "aws:kafka", "records": {"events-0": records}})
    answer = client(stack, "lambda").invoke(FunctionName=function(stack, "IngestLiveEvents"), Payload=body.encode())
    assert "FunctionError" not in answer


SOURCES: dict[str, Callable[[Stack, list[Event]], None]] = {
    "ndjson": partial(drop, ndjson, "ndjson"),
    "ndjson.gz": partial(drop, ndjson_gz, "ndjson.gz"),
    "csv": partial(drop, csv_file, "csv"),
    "parquet": partial(drop, parquet, "parquet"),
    "back-fill": back_fill,
    "API": call,
    "bus": put_on_bus,
    "Kinesis": put_in_kinesis,
    "Kafka": invoke_as_kafka_does,
}


def client(stack: Stack, service: str) -> Any:
    return stack.emulator.session.client(service, endpoint_url=stack.endpoint)  # type: ignore[call-overload]


def function(stack: Stack, name: str) -> str:
    found = client(stack, "cloudformation").describe_stack_resource(
        StackName="tessera", LogicalResourceId=f"{name}Function"
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with deployed_with_model() as deployed:
        for source, deliver in SOURCES.items():
            deliver(deployed, events_of(source))
        yield deployed


def test_every_field_is_tried() -> None:
    assert EVERY_FIELD.keys() == {*FIELDS}


@pytest.mark.parametrize("source", SOURCES)
def test_every_field_by_every_source_is_counted_and_who_refuses_is_not(stack: Stack, source: str) -> None:
    wait_until(lambda: stack.api_get(f"/customers/{source}/segment")[0] == 200, SECONDS)
    stored = stack.dynamodb.get_item(
        TableName=stack.table, Key={"pk": {"S": f"customer#{source}"}, "sk": {"S": "profile"}}
    )
    assert stored["Item"]["events"] == {"N": "1"}
    assert [*stored["Item"]["visitors"]["M"]] == [f"device of {source}"]
    assert stack.api_get(f"/customers/refuser%20of%20{source}/segment")[0] == 404


def test_every_route_answers(stack: Stack) -> None:
    wait_until(lambda: stack.api_get("/customers/API/history")[1].get("transitions"), SECONDS)
    segment = stack.api_get("/customers/API/segment")[1]["segment"]["id"]
    answers = {
        ("GET", "/customers/{customer_id}/segment"): stack.api_get("/customers/API/segment?explain=true&what_if=true"),
        ("GET", "/customers/{customer_id}/history"): stack.api_get("/customers/API/history"),
        ("GET", "/segments"): stack.api_get("/segments"),
        ("GET", "/segments/{segment_id}/customers"): stack.api_get(f"/segments/{segment}/customers"),
        ("POST", "/events"): stack.api("POST", "/events", {"events": [purchase("another")]}),
        ("DELETE", "/customers/{customer_id}"): stack.api("DELETE", "/customers/bus"),
    }
    described = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in methods
        if method in {"get", "put", "post", "delete"}
    }
    assert answers.keys() == described
    assert {route: status for route, (status, _) in answers.items() if status not in (200, 202)} == {}


def test_nothing_was_given_up(stack: Stack) -> None:
    for source in SOURCES:
        wait_until(lambda source=source: stack.api_get(f"/customers/{source}/segment")[0] in (200, 404), SECONDS)  # type: ignore[misc]
    queues = stack.sqs.list_queues()["QueueUrls"]
    dead = [queue for queue in queues if "DeadLetter" in queue]
    assert len(dead) >= 4
    for queue in dead:
        found = stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        assert (queue, found["Attributes"]["ApproximateNumberOfMessages"]) == (queue, "0")
    refused = [json.loads(line) for line in stack.emulator.access.read_text().splitlines()]
    assert [check for check in refused if not check["allowed"]] == []
