"""What fails alone when files are taken in, what fails all of a batch, and what stops nobody."""

import json
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError

from shared.features.codec import VERSION
from shared.profiles.item import encode_profile
from shared.profiles.table import ProfileTable, TableOverloaded
from tests.conftest import TABLE
from tests.functions.conftest import Context, batch, body, quarantined
from tests.support.event_files import csv_file, ndjson, ndjson_gz, parquet, purchase
from tests.support.partiql import PartiQL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Measured = Callable[[], dict[str, int]]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch, ingest_events: ModuleType, dynamodb: "DynamoDBClient") -> None:
    monkeypatch.setattr(ingest_events, "table", ProfileTable(dynamodb, TABLE, lambda _seconds: None))


class _BreaksOff:
    def read(self, _amount: int = -1) -> bytes:
        raise IncompleteReadError(actual_bytes=1, expected_bytes=2)


def test_file_that_cannot_be_fetched_fails_alone(
    ingest_events: ModuleType, drop: Drop, table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = ingest_events.s3.get_object

    def refuse_some(**request: Any) -> Any:
        if request["Key"] == "events/refused.ndjson":
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "Reduce your request rate"}}, "GetObject")
        return fetch(**request)

    monkeypatch.setattr(ingest_events.s3, "get_object", refuse_some)
    files = {f"events/{name}.ndjson": ndjson([purchase(name)]) for name in ("first", "refused", "last")}
    assert drop(files) == ["message-1"]
    assert [table.get(f"customer#{name}") is not None for name in ("first", "refused", "last")] == [True, False, True]


def test_connection_that_breaks_off_is_no_bad_file(
    s3: "S3Client", ingest_events: ModuleType, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = ingest_events.s3.get_object
    monkeypatch.setattr(ingest_events.s3, "get_object", lambda **request: {**fetch(**request), "Body": _BreaksOff()})
    assert drop({"events/day.ndjson.gz": ndjson_gz([purchase("889")])}) == ["message-0"]
    assert quarantined(s3) == []


def test_failing_write_fails_every_message(drop: Drop, partiql: PartiQL, no_waiting: None) -> None:
    partiql.refusals.extend(["ThrottlingError"] * 10)
    with pytest.raises(TableOverloaded):
        drop({"events/a.ndjson": ndjson([purchase("a")])})


def test_message_that_announces_nothing_fails_alone(ingest_events: ModuleType, s3: "S3Client") -> None:
    event = batch("events/missing.ndjson", "events/also-missing.ndjson")
    event["Records"][0]["body"] = "hello"
    answer = ingest_events.handler(event, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


@pytest.mark.parametrize("write", [ndjson, csv_file, parquet, ndjson_gz])
def test_a_full_profile_stops_no_file_of_its_batch(
    s3: "S3Client",
    drop: Drop,
    table: ProfileTable,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[..., bytes],
) -> None:
    monkeypatch.setattr("shared.profiles.update.MAX_STATE_BYTES", 1_000)
    heavy = [purchase("full-one", number, category=f"c{number}") for number in range(200)]
    files = {"events/a.file": ndjson([purchase("889")]), "events/b.file": write([*heavy, purchase("890")])}
    ending = {ndjson: "ndjson", csv_file: "csv", parquet: "parquet", ndjson_gz: "ndjson.gz"}[write]
    files = {"events/a.ndjson": files["events/a.file"], f"events/b.{ending}": files["events/b.file"]}
    for _ in range(2):
        assert drop(files) == []
        assert {*table.load(f"customer#{name}" for name in ("889", "890", "full-one"))} == {
            "customer#889",
            "customer#890",
        }
        kept = [json.loads(line) for key in quarantined(s3) for line in body(s3, key).splitlines()]
        assert len(kept) == 200
        assert {(record["source_key"], *record["people"]) for record in kept} == {
            (f"events/b.{ending}", "customer#full-one")
        }


def test_events_of_a_full_profile_are_counted_as_quarantined_not_as_repeated(
    drop: Drop, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.profiles.update.MAX_STATE_BYTES", 1_000)
    heavy = [purchase("full-one", number, category=f"c{number}") for number in range(200)]
    drop({"events/a.ndjson": ndjson([*heavy, purchase("889")])})
    counts = measured()
    assert (counts["EventsCounted"], counts["EventsDuplicate"], counts["EventsQuarantined"]) == (1, 0, 200)


def test_a_file_with_events_of_a_profile_of_a_newer_release_comes_again_alone(
    dynamodb: "DynamoDBClient", drop: Drop, table: ProfileTable, measured: Measured
) -> None:
    assert drop({"events/a.ndjson": ndjson([purchase("newer")])}) == []
    newer = table.load(["customer#newer"])["customer#newer"]
    state = bytes([VERSION + 1]) + newer.state[1:]
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(replace(newer, state=state)))
    files = {
        "events/b.ndjson": ndjson([purchase("889")]),
        "events/c.ndjson": ndjson([purchase("newer", 1), purchase("890")]),
    }
    assert drop(files) == ["message-1"]
    assert {*table.load(["customer#889", "customer#890"])} == {"customer#889", "customer#890"}
    assert measured()["ProfilesUnreadable"] == 1
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(newer))
    assert drop({}, announced=["events/c.ndjson"]) == []
    profile = table.get("customer#newer")
    assert profile and profile.events == 2
