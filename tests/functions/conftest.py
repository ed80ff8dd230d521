import importlib
import io
import json
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.ledger.rows import Ledger
from shared.profiles.members import Members
from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET, TABLE
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


type Drop = Callable[..., list[str]]
type Publish = Callable[..., list[str]]


class Context(LambdaContext):
    """What Lambda tells a function of its invocation."""

    _function_name = "function"
    _memory_limit_in_mb = 1769
    _invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    _aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 900_000


class Hurried(Context):
    """An invocation that never has time for a second page or file."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 1_000


class Unhurried(Context):
    """An invocation at its beginning."""


def function(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The function in a new container, on 1 November 2017."""
    monkeypatch.setenv("FROZEN_TIME", "2017-11-01T00:00:00Z")
    return importlib.reload(importlib.import_module(f"functions.{name}.app"))


@pytest.fixture
def ingest_events(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The function in a new container, on 1 November 2017."""
    loaded = function("ingest_events", monkeypatch)
    monkeypatch.setattr(loaded.marks, "slot", 0)  # so that versions count the writes
    return loaded


@pytest.fixture
def backfill_events(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loaded = function("backfill_events", monkeypatch)
    monkeypatch.setattr(loaded, "table", ProfileTable(dynamodb, TABLE, lambda _seconds: None))
    return loaded


@pytest.fixture
def summarise_run(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return function("summarise_run", monkeypatch)


@pytest.fixture
def ingest(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The function that takes live events in, with a bundle."""
    publish(s3, make_bundle())
    return function("ingest_live_events", monkeypatch)


@pytest.fixture
def lookup_customer(s3: "S3Client", dynamodb: "DynamoDBClient") -> ModuleType:
    """The function in a new container."""
    return importlib.reload(importlib.import_module("functions.lookup_customer.app"))


@pytest.fixture
def bus(aws: None) -> Bus:
    return Bus()


@pytest.fixture
def stream(dynamodb: "DynamoDBClient") -> TableStream:
    return TableStream()


@pytest.fixture
def publisher(dynamodb: "DynamoDBClient", bus: Bus) -> ModuleType:
    """The function behind the table's stream, in a new container."""
    return importlib.reload(importlib.import_module("functions.publish_transitions.app"))


@pytest.fixture
def table(dynamodb: "DynamoDBClient") -> ProfileTable:
    return ProfileTable(dynamodb, TABLE)


def put(s3: "S3Client", files: dict[str, bytes]) -> None:
    for name, body in files.items():
        s3.put_object(Bucket=BUCKET, Key=f"history/{name}", Body=body)


def written(s3: "S3Client", key: str) -> Any:
    return json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def quarantined(s3: "S3Client") -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/").get("Contents", ())]


def body(s3: "S3Client", key: str) -> bytes:
    return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def kept(s3: "S3Client", prefix: str) -> list[dict[str, Any]]:
    entries = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"quarantine/live/{prefix}").get("Contents", [])
    bodies = [s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in entries]
    records = [json.loads(line) for body in bodies for line in body.splitlines()]
    return sorted(records, key=lambda record: record["line"] or 0)


def history_batch(*names: str) -> dict[str, Any]:
    return {"run": "r", "batch": {"number": 0, "keys": [f"history/{name}" for name in names]}}


def take_in(backfill_events: ModuleType, s3: "S3Client", customers: int = 5) -> None:
    put(s3, {"all.ndjson": ndjson([purchase(str(i), number=n) for i in range(customers) for n in range(i + 1)])})
    backfill_events.handler(history_batch("all.ndjson"), Unhurried())


def announcement(key: str, version_id: str | None = None) -> dict[str, Any]:
    """The event that S3 gives EventBridge when an object is written, with its version where the bucket keeps any."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2017-10-02T00:00:03Z",
        "region": "eu-west-1",
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": {
                "key": key,
                "size": 5,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "sequencer": "00617F08299329D189",
                **({"version-id": version_id} if version_id else {}),
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "1.2.3.4",
            "reason": "PutObject",
        },
    }


def batch(*keys: str) -> dict[str, Any]:
    """The batch of SQS messages, "message-0" and so on, that announces objects."""
    return batch_of(*(announcement(key) for key in keys))


def batch_of(*announcements: dict[str, Any]) -> dict[str, Any]:
    """The batch of SQS messages, "message-0" and so on, that hold these."""
    return {"Records": [_record(i, json.dumps(announced)) for i, announced in enumerate(announcements)]}


def _record(number: int, body: str) -> dict[str, Any]:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1506902403000"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:ingest",
        "awsRegion": "eu-west-1",
    }


@pytest.fixture
def drop(s3: "S3Client", ingest_events: ModuleType) -> Callable[..., list[str]]:
    """Puts files into the bucket, announces them in one batch, and gives the messages that failed."""

    def put_and_announce(files: dict[str, bytes], announced: Iterable[str] = ()) -> list[str]:
        for key, body in files.items():
            s3.put_object(Bucket=BUCKET, Key=key, Body=io.BytesIO(body))
        answer = ingest_events.handler(batch(*(announced or files)), Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    return put_and_announce


@pytest.fixture
def traveller(s3: "S3Client", drop: Callable[..., list[str]], publisher: ModuleType, stream: TableStream) -> str:
    """A customer who came to segment 2 through both others; all has been told."""
    publish(s3, make_bundle())
    for orders in (1, 4, 12):
        drop({f"events/{orders}.ndjson": ndjson([purchase("0", n, day=1 + n) for n in range(orders)])})
    publisher.handler({"Records": stream.records()}, Context())
    return "0"


@pytest.fixture
def measured(capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, int]]:
    """Gives the metrics emitted since it was last asked, summed by name."""

    def read() -> dict[str, int]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
        emitted = [line for line in lines if "_aws" in line]
        names = {metric["Name"] for line in emitted for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
        return {name: round(sum(sum(line.get(name, ())) for line in emitted)) for name in names}

    return read


@pytest.fixture
def handle(publisher: ModuleType) -> Publish:
    def give(records: list[dict[str, Any]]) -> list[str]:
        answer = publisher.handler({"Records": records}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    return give


@pytest.fixture
def ledger(dynamodb: "DynamoDBClient") -> Ledger:
    return Ledger(dynamodb, TABLE, sleep=lambda _seconds: None)


@pytest.fixture
def members(dynamodb: "DynamoDBClient") -> Members:
    return Members(dynamodb, TABLE)


@pytest.fixture
def shop(s3: "S3Client", drop: Drop) -> Callable[[str, int], None]:
    """Lets a customer place orders until they have so many; 0 to 1 make segment 0 or 1, 10 segment 2."""
    publish(s3, make_bundle(centroids=(0.0, 2.0, 10.0)))

    def place(customer: str, orders: int) -> None:
        lines = [purchase(customer, number, day=1 + number) for number in range(orders)]
        assert drop({f"events/{customer}-{orders}.ndjson": ndjson(lines)}) == []

    return place
