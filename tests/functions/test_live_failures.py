"""Nothing that fails each time holds up what comes after it, what may pass is tried again, and nothing is lost."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from shared.features.codec import UnknownStateVersion
from shared.identity.keys import customer_key
from shared.intake.live_events import NoBatch, packed
from shared.profiles.table import ProfileTable, TableOverloaded
from shared.telemetry.errors import AnonymousError
from tests.conftest import BUCKET
from tests.functions.conftest import Context, kept
from tests.functions.live import archived, in_kafka, in_kinesis, on_the_bus, queued
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "PutObject")


class Unexpected(Exception):
    """A mistake of the code that some input meets each time."""


@pytest.mark.parametrize("source", ["kafka", "kinesis", "queue"])
def test_a_line_that_fails_each_time_is_kept_alone_whatever_the_failure(
    ingest: ModuleType, s3: "S3Client", table: ProfileTable, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    customers = [f"c{number}" for number in range(8)]
    bodies = [ndjson([purchase(one) for one in customers[:5]]), *(ndjson([purchase(one)]) for one in customers[5:])]
    save = ingest.table.save

    def fail(profiles: Any) -> Any:
        if any(profile.key == "customer#c3" for profile in profiles):
            raise Unexpected(f"with {customers}")
        return save(profiles)

    monkeypatch.setattr(ingest.table, "save", fail)
    given = in_kafka(*bodies) if source == "kafka" else in_kinesis(*bodies)
    if source == "queue":
        given = queued(body.decode() for body in bodies)
    for _ in range(2):
        assert ingest.handler(given, Context()) == {"batchItemFailures": []}
    assert {*table.load(map(customer_key, customers))} == {*map(customer_key, customers)} - {"customer#c3"}
    (record,) = kept(s3, "")
    assert (record["reason"], record["line"]) == ("it can never be taken in: Unexpected", 4)
    assert len({line for body in archived(s3).values() for line in body.splitlines()}) == 8


@pytest.mark.parametrize("error", [TableOverloaded("still"), ConnectionError(), UnknownStateVersion("9"), THROTTLED])
def test_a_failure_that_may_pass_brings_the_batch_again_and_keeps_nothing_aside(
    ingest: ModuleType, s3: "S3Client", table: ProfileTable, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_profiles: Any) -> Any:
        raise error

    batch = in_kafka(*(ndjson([purchase(one)]) for one in ("889", "890")))
    with monkeypatch.context() as broken:
        broken.setattr(ingest.table, "save", fail)
        with pytest.raises(AnonymousError):
            ingest.handler(batch, Context())
    assert kept(s3, "") == []
    ingest.handler(batch, Context())
    assert {*table.load(["customer#889", "customer#890"])} == {"customer#889", "customer#890"}


def notice(key: str) -> str:
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 5}}
    return json.dumps({"version": "0", "detail-type": "Object Created", "source": "aws.s3", "detail": detail})


def given_up(payload: Any) -> dict[str, Any]:
    """What Lambda says of a batch that it gave up, to a queue without the payload and to a bucket with it."""
    notice = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "responseContext": {"statusCode": 200}}
    batch = {"shardId": "shardId-000000000001", "startSequenceNumber": "0", "endSequenceNumber": "1", "batchSize": 2}
    return {**notice, "version": "1.0", "KinesisBatchInfo": batch, **({"payload": payload} if payload else {})}


@pytest.mark.parametrize("whole", [in_kinesis, in_kafka])
@pytest.mark.parametrize("write", [json.dumps, lambda payload: payload])
def test_a_batch_that_was_given_up_comes_back_with_all_its_records(
    ingest: ModuleType, s3: "S3Client", table: ProfileTable, whole: Any, write: Callable[[Any], Any]
) -> None:
    key = "aws/lambda/7d9/shardId-000000000001/2017/10/01/2017-10-01T10.00.00-5a0c"
    batch = whole(ndjson([purchase("889")]), b"not json", ndjson([purchase("890")]))
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(given_up(write(batch))).encode())
    assert ingest.handler(queued([notice(key), json.dumps(purchase("891"))]), Context()) == {"batchItemFailures": []}
    assert len(table.load(["customer#889", "customer#890", "customer#891"])) == 3
    (record,) = kept(s3, "")
    assert record["original"] == "not json"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps(given_up(None)), id="no records"),
        pytest.param(json.dumps(given_up("[1]")), id="no batch"),
        pytest.param(notice("aws/lambda/7d9/gone"), id="gone"),
        pytest.param(json.dumps({"source": "aws.s3", "detail": ["aws/lambda/"]}), id="no object"),
    ],
)
def test_a_notice_without_records_is_no_event_and_goes_back_alone(
    ingest: ModuleType, s3: "S3Client", table: ProfileTable, body: str
) -> None:
    answer = ingest.handler(queued([body, json.dumps(purchase("889"))]), Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert table.get("customer#889") and kept(s3, "") == []


def test_an_event_that_speaks_of_batches_is_an_event(ingest: ModuleType, table: ProfileTable) -> None:
    event = {**purchase("889"), "note": "KinesisBatchInfo aws/lambda/", "KinesisBatchInfo": {}, "source": "aws.s3"}
    for invocation in (on_the_bus(event), queued(packed([json.dumps(event).encode()]))):
        assert ingest.handler(invocation, Context()) == {"batchItemFailures": []}
    assert table.get("customer#889")


DEEP = b'{"detail-type": "x", "detail": ' * 20_000
SENT = {"SentTimestamp": "1506852001000"}
UNREADABLE_RECORDS = {
    "base64": {"kinesis": {"sequenceNumber": "1", "data": "%%%", "approximateArrivalTimestamp": 1.0}},
    "no data": {"kinesis": {"sequenceNumber": "1", "approximateArrivalTimestamp": 1.0}},
    "no kinesis": {"kinesis": None},
    "no number": {"kinesis": {"sequenceNumber": 7, "data": "e30=", "approximateArrivalTimestamp": 1.0}},
    "no time": {"kinesis": {"sequenceNumber": "1", "data": "e30="}},
    "no id": {"body": "{}", "attributes": SENT},
    "no attributes": {"messageId": "m", "body": "{}"},
    "no text": {"messageId": "m", "body": None, "attributes": SENT},
    "surrogate": {"messageId": "m", "body": "\ud800", "attributes": SENT},
    "empty": {"messageId": "m", "body": "", "attributes": SENT},
    "nothing": {},
    "a text": "record",
    "a number": 5,
    "deep": {"messageId": "m", "body": DEEP.decode(), "attributes": SENT},
    "lists": {"messageId": "m", "body": "[" * 100_000, "attributes": SENT},
    "many": {"messageId": "m", "body": "[" + "1," * 20_000 + "1]", "attributes": SENT},
}


@pytest.mark.parametrize("record", UNREADABLE_RECORDS.values(), ids=UNREADABLE_RECORDS)
def test_a_record_of_any_shape_is_kept_and_its_neighbours_count(
    ingest: ModuleType, s3: "S3Client", table: ProfileTable, record: Any
) -> None:
    good = queued([json.dumps(purchase("889"))])["Records"]
    for _ in range(2):
        assert ingest.handler({"Records": [record, *good]}, Context()) == {"batchItemFailures": []}
    assert table.get("customer#889")
    (line,) = kept(s3, "")
    assert line["reason"]


@pytest.mark.parametrize("timestamp", [-1, 10**17, 0, "soon", None])
def test_a_time_that_a_producer_made_up_stops_nothing(
    ingest: ModuleType, s3: "S3Client", table: ProfileTable, timestamp: Any
) -> None:
    batch = in_kafka(ndjson([purchase("889")]), ndjson([purchase("890")]))
    batch["records"]["events-0"][0]["timestamp"] = timestamp
    assert ingest.handler(batch, Context()) == {"batchItemFailures": []}
    assert table.get("customer#890")
    assert bool(table.get("customer#889")) != bool(kept(s3, "unknown/"))


@pytest.mark.parametrize("event", [{}, {"records": []}, {"Records": None}, {"records": None}])
def test_what_is_no_batch_at_all_is_an_error_of_who_invokes(ingest: ModuleType, event: dict[str, Any]) -> None:
    with pytest.raises(NoBatch):
        ingest.handler(event, Context())
