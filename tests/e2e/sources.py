"""Every field of an event, by every source that a stack takes events from."""

import base64
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from local.stack import Stack
from tests.e2e.rights import client, resources
from tests.support.event_files import Event, csv_file, ndjson, ndjson_gz, parquet, purchase

PART_BYTES = 16_384

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
    "attributes": {"tier": "gold", "born": 1987, "e-mail": True},
    "campaign": "autumn",
    "arm": "control",
}


def events_of(customer: str) -> list[Event]:
    """All there is to tell of a customer, a refused line of theirs, one who refuses to be profiled, and an exposure."""
    full = {name: value.format(customer) if isinstance(value, str) else value for name, value in EVERY_FIELD.items()}
    refused = {**full, "event_id": f"{customer}-2", "price": -1}
    stranger = {**full, "event_id": f"{customer}-3", "customer_id": f"refuser of {customer}", "consent": False}
    stranger["anonymous_id"] = f"device of refuser of {customer}"
    exposed = {**full, "event_id": f"{customer}-4", "event_type": "campaign_exposure"}
    return [full, refused, stranger, exposed]


def drop(write: Callable[[list[Event]], bytes], kind: str, stack: Stack, events: list[Event]) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=f"events/rights.{kind}", Body=write(events))


MAPPING = f"""
files = "*.mapped.csv"
negative = "refuse"
[columns]
{"".join(f'{name} = "their {name}"\n' for name in EVERY_FIELD)}"""


def in_their_columns(events: list[Event]) -> list[Event]:
    return [{f"their {name}": value for name, value in event.items()} for event in events]


def drop_mapped(stack: Stack, events: list[Event]) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="events/rights.mapped.csv", Body=csv_file(in_their_columns(events)))


def drop_large(write: Callable[[list[Event]], bytes], kind: str, stack: Stack, events: list[Event]) -> None:
    """More than one message should stand for."""
    others = [purchase(f"in parts {kind}", number) for number in range(200)]
    body = write([{**dict.fromkeys(EVERY_FIELD), **event} for event in [*others, *events, *others]])
    assert len(body) > PART_BYTES // (8 if kind.endswith(".gz") else 1)
    stack.s3.put_object(Bucket=stack.bucket, Key=f"events/rights.large.{kind}", Body=body)


def back_fill(stack: Stack, events: list[Event]) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="history/rights.ndjson", Body=ndjson(events))
    client(stack, "stepfunctions").start_execution(stateMachineArn=stack.backfill_arn, name="rights", input="{}")


def call(stack: Stack, events: list[Event]) -> None:
    status, answer = stack.api("POST", "/events", {"events": events})
    assert (status, answer["accepted"], answer["rejected"]) == (202, 3, 1)


def call_mapped(stack: Stack, events: list[Event]) -> None:
    status, answer = stack.api("POST", "/events", {"mapping": "rights", "events": in_their_columns(events)})
    assert (status, answer["accepted"], answer["rejected"]) == (202, 3, 1)


def put_on_bus(stack: Stack, details: Sequence[Any]) -> None:
    entries = [
        {"Source": "shop", "DetailType": "any", "Detail": json.dumps(detail), "EventBusName": stack.bus}
        for detail in details
    ]
    assert client(stack, "events").put_events(Entries=entries)["FailedEntryCount"] == 0


def put_mapped_on_bus(stack: Stack, events: list[Event]) -> None:
    put_on_bus(stack, [{"mapping": "rights", "events": in_their_columns(events)}])


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
    "mapped": drop_mapped,
    "large-csv": partial(drop_large, csv_file, "csv"),
    "large-ndjson.gz": partial(drop_large, ndjson_gz, "ndjson.gz"),
    "back-fill": back_fill,
    "API": call,
    "mapped API": call_mapped,
    "bus": put_on_bus,
    "mapped bus": put_mapped_on_bus,
    "Kinesis": put_in_kinesis,
    "Kafka": invoke_as_kafka_does,
}


def function(stack: Stack, name: str) -> str:
    return resources(stack)[f"{name}Function"]
