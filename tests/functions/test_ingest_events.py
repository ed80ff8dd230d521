import base64
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
from tests.conftest import BUCKET, TABLE
from tests.functions.conftest import Context, announcement, batch, batch_of
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import csv_file, ndjson, ndjson_gz, parquet, purchase
from tests.support.memory_table import writes
from tests.support.partiql import PartiQL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Measured = Callable[[], dict[str, int]]


def test_dropped_file_becomes_a_decision(s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured) -> None:
    publish(s3, make_bundle())
    assert drop({"events/day.ndjson": ndjson([purchase("889", number=i) for i in range(3)])}) == []
    profile = table.get("customer#889")
    assert profile is not None and profile.events == 3
    assert profile.decision is not None and profile.decision.segment == 1
    assert profile.decision.as_of_ms == 1_509_494_400_000 < profile.decision.scored_at_ms
    assert measured() == {
        "BundleRefused": 0,
        "LabelsRefused": 0,
        "EventsCounted": 3,
        "EventsDuplicate": 0,
        "EventsForgotten": 0,
        "EventsQuarantined": 0,
        "FilesUnreadable": 0,
        "QuarantineCapped": 0,
        "FilesMissing": 0,
        "CustomersChanged": 1,
        "SegmentsChanged": 0,
        "VisitorsLinked": 0,
        "LinksRefused": 0,
        "SharedDevices": 0,
    }


def test_formats_mix_in_one_batch_and_a_shared_customer_is_written_once(drop: Drop, table: ProfileTable) -> None:
    one, two, three, four = ([purchase("889", number=i)] for i in range(4))
    files = {
        "events/a.ndjson": ndjson(one),
        "events/b.ndjson.gz": ndjson_gz(two),
        "events/c.csv": csv_file(three),
        "events/d.parquet": parquet(four),
    }
    assert drop(files) == []
    profile = table.get("customer#889")
    assert profile is not None and (profile.events, writes(profile)) == (4, 1)


def test_same_file_again_changes_nothing(drop: Drop, table: ProfileTable, measured: Measured) -> None:
    files = {"events/day.ndjson": ndjson([purchase("889", number=i) for i in range(5)])}
    drop(files)
    before = table.get("customer#889")
    measured()
    drop(files)
    assert table.get("customer#889") == before
    seen = measured()
    assert (seen["EventsCounted"], seen["EventsDuplicate"], seen["CustomersChanged"]) == (0, 5, 0)


@pytest.mark.parametrize("key", ["events/two words+plus.ndjson", "events/Größe/日本.ndjson", "events/100%25.ndjson"])
def test_keys_with_unusual_characters_are_found(drop: Drop, table: ProfileTable, key: str) -> None:
    assert drop({key: ndjson([purchase("889")])}) == []
    assert table.get("customer#889") is not None


def test_bad_lines_go_to_quarantine_and_the_rest_counts(
    s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured
) -> None:
    lines = [
        *ndjson([purchase("889")]).splitlines(),
        b"not json",
        b'{"event_type": "purchase", "customer_id": "1"}',
        b'{"event_type": "\xff"}',
    ]
    assert drop({"events/day 1.ndjson": b"\n".join(lines)}) == []
    assert drop({"events/day 1.ndjson": b"\n".join(lines)}) == []

    keys = quarantined(s3)
    assert {key.split("/")[2] for key in keys} == {"day 1.ndjson"}
    assert [key.split("/")[4] for key in keys] == ["lines-000000002.nameless.ndjson", "lines-000000003.named.ndjson"]
    found = [json.loads(line) for key in keys for line in body(s3, key).splitlines()]
    records = sorted(found, key=lambda record: record["line"])
    assert [(record["source_key"], record["line"]) for record in records] == [
        ("events/day 1.ndjson", n) for n in (2, 3, 4)
    ]
    assert all(record["reason"] for record in records)
    assert [record.get("original", "").encode() for record in records[:2]] == lines[1:3]
    assert base64.b64decode(records[2]["original_base64"]) == lines[3]
    assert table.get("customer#889") is not None
    assert measured()["EventsQuarantined"] == 6


def test_unreadable_file_is_quarantined_whole(
    s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured
) -> None:
    files = {"events/a.ndjson.gz": b"not gzip", "events/b.xlsx": b"PK", "events/c.ndjson": ndjson([purchase("889")])}
    assert drop(files) == []
    assert table.get("customer#889") is not None
    assert measured()["FilesUnreadable"] == 2
    kept = {key.rsplit("/", 1)[1]: body(s3, key) for key in quarantined(s3) if not key.endswith("reason.json")}
    assert kept == {"whole.ndjson.gz": b"not gzip", "whole.xlsx": b"PK"}
    reasons = [json.loads(body(s3, key)) for key in quarantined(s3) if key.endswith("reason.json")]
    assert {reason["source_key"] for reason in reasons} == {"events/a.ndjson.gz", "events/b.xlsx"}


def test_visitor_becomes_a_customer_and_nobody_elses(
    s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(s3, make_bundle())
    visits = [purchase("visit", number=i, customer_id=None, anonymous_id="phone") for i in range(2)]
    assert drop({"events/monday.ndjson": ndjson(visits)}) == []
    assert drop({"events/tuesday.ndjson": ndjson([purchase("889", anonymous_id="phone")])}) == []
    customer, visitor = table.get("customer#889"), table.get("visitor#phone")
    assert customer and customer.decision and customer.decision.segment == 1
    assert visitor and visitor.decision is None and visitor.events == 2
    assert measured()["VisitorsLinked"] == 1

    lines = ndjson([purchase("889", number=1), purchase("secret-2", anonymous_id="phone")])
    files = {"events/a.ndjson": lines, "events/b.ndjson": ndjson([purchase("secret-3", anonymous_id="phone")])}
    for _ in range(2):
        assert drop(files) == []
    kept = {key: [json.loads(line) for line in body(s3, key).splitlines()] for key in quarantined(s3)}
    assert [(key.split("/")[2], key.split("/")[4]) for key in kept] == [
        ("a.ndjson", "claims-000000002.named.ndjson"),
        ("b.ndjson", "claims-000000001.named.ndjson"),
    ]
    ((record,), _) = kept.values()
    assert (record["source_key"], record["line"]) == ("events/a.ndjson", 2)
    assert record["original"].encode() == lines.splitlines()[1]
    assert "889" not in record["reason"] and "secret" not in record["reason"]
    assert table.get("customer#secret-2") is not None
    printed = capsys.readouterr().out
    assert "secret-" not in printed and "phone" not in printed
    emitted = [json.loads(line) for line in printed.splitlines() if line.startswith("{") and "_aws" in line]
    assert [metric["SharedDevices"] for metric in emitted] == [[1.0], [0.0]]
    assert [metric["LinksRefused"] for metric in emitted] == [[2.0], [2.0]]
    assert [metric["EventsQuarantined"] for metric in emitted] == [[0.0, 0.0], [0.0, 0.0]]


def test_longest_key_leaves_room_for_its_quarantine(s3: "S3Client", drop: Drop) -> None:
    key = f"events/{'é' * 500}.ndjson"
    assert drop({key: b"not json"}) == []
    (kept,) = quarantined(s3)
    assert json.loads(body(s3, kept))["source_key"] == key


def test_what_came_before_the_break_in_a_file_counts(s3: "S3Client", drop: Drop, measured: Measured) -> None:
    whole = ndjson_gz([purchase(str(i % 9), number=i) for i in range(60_000)])
    assert drop({"events/cut.ndjson.gz": whole[: len(whole) - 9]}) == []
    seen = measured()
    assert seen["EventsCounted"] >= 50_000 and seen["FilesUnreadable"] == 1


def test_deleted_file_is_told_and_not_retried(s3: "S3Client", drop: Drop, measured: Measured) -> None:
    assert drop({}, announced=["events/gone.ndjson"]) == []
    assert measured()["FilesMissing"] == 1
    (key,) = quarantined(s3)
    assert "deleted" in json.loads(body(s3, key))["reason"]


@pytest.fixture
def overwrite(s3: "S3Client", ingest_events: ModuleType) -> Callable[..., list[str]]:
    """Puts one key several times before any of it is read, announces every version, and gives their ids."""
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def put_and_announce(key: str, *bodies: bytes, deleted: bool = False) -> list[str]:
        versions = [s3.put_object(Bucket=BUCKET, Key=key, Body=body)["VersionId"] for body in bodies]
        if deleted:
            s3.delete_object(Bucket=BUCKET, Key=key)
        answer = ingest_events.handler(batch_of(*(announcement(key, version) for version in versions)), Context())
        assert answer == {"batchItemFailures": []}
        return versions

    return put_and_announce


@pytest.mark.parametrize("deleted", [False, True])
def test_every_version_of_a_file_that_is_replaced_counts(
    overwrite: Callable[..., list[str]], table: ProfileTable, measured: Measured, deleted: bool
) -> None:
    first, second = ([purchase("889", number=number)] for number in (1, 2))
    overwrite("events/day.ndjson", ndjson(first), ndjson(second), deleted=deleted)
    profile = table.get("customer#889")
    assert profile is not None and profile.events == 2
    assert measured()["EventsCounted"] == 2


def test_an_unreadable_version_is_kept_as_it_was_when_it_is_replaced(
    s3: "S3Client", overwrite: Callable[..., list[str]]
) -> None:
    overwrite("events/day.ndjson.gz", b"not gzip", b"nor this")
    kept = {key: body(s3, key) for key in quarantined(s3) if key.endswith("whole.ndjson.gz")}
    assert sorted(kept.values()) == [b"nor this", b"not gzip"]


def test_a_version_that_is_gone_is_told_and_not_retried(
    s3: "S3Client", ingest_events: ModuleType, overwrite: Callable[..., list[str]], measured: Measured
) -> None:
    (gone,) = overwrite("events/day.ndjson", ndjson([purchase("889")]))
    s3.delete_object(Bucket=BUCKET, Key="events/day.ndjson", VersionId=gone)
    measured()
    ingest_events.handler(batch_of(announcement("events/day.ndjson", gone)), Context())
    assert measured()["FilesMissing"] == 1
    assert [key.rsplit("/", 1)[1] for key in quarantined(s3)] == ["reason.json"]


def test_folders_made_in_the_console_are_no_files(s3: "S3Client", drop: Drop) -> None:
    assert drop({"events/2017/": b""}) == []
    assert quarantined(s3) == []


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


def test_model_is_switched_without_a_redeploy(
    s3: "S3Client", drop: Drop, table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    drop({"events/0.ndjson": ndjson([purchase("889", number=0)])})
    publish(s3, make_bundle("20171001-old"))
    clock += 20
    drop({"events/1.ndjson": ndjson([purchase("889", number=1)])})
    first = table.get("customer#889")
    publish(s3, make_bundle("20171001-new", centroids=(5.0, 100.0)))
    clock += 20
    drop({"events/2.ndjson": ndjson([purchase("889", number=2)])})
    second = table.get("customer#889")
    assert first and second and first.decision and second.decision
    assert (first.decision.model_version, second.decision.model_version) == ("20171001-old", "20171001-new")
    assert (first.decision.segment, second.decision.segment) == (1, 0)


def test_refused_bundle_is_measured_and_histories_are_kept(
    s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured
) -> None:
    publish(s3, make_bundle(metadata={"feature_set_hash": "0000"}))
    assert drop({"events/day.ndjson": ndjson([purchase("889")])}) == []
    assert measured()["BundleRefused"] == 1
    profile = table.get("customer#889")
    assert profile is not None and profile.decision is None


@pytest.mark.parametrize(
    "labels", [b'{"segments": []}', b"[" * 99_999, b"\xff", b'{"actions": {"steady": {"key": 5}}}']
)
def test_labels_of_any_kind_do_not_stop_ingestion(
    s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured, labels: bytes
) -> None:
    publish(s3, make_bundle())
    s3.put_object(Bucket=BUCKET, Key="models/20171001-aaaaaaaa/labels.json", Body=labels)
    assert drop({"events/day.ndjson": ndjson([purchase("889")])}) == []
    counted = measured()
    assert (counted["LabelsRefused"], counted["BundleRefused"], counted["EventsCounted"]) == (1, 0, 1)
    profile = table.get("customer#889")
    assert profile and profile.decision


def test_logs_name_no_customer(drop: Drop, capsys: pytest.CaptureFixture[str]) -> None:
    drop(
        {
            "events/day.ndjson": ndjson([purchase("secret-customer")])
            + b'{"customer_id": "secret-customer"}\nsecret-customer'
        }
    )
    assert "secret-customer" not in capsys.readouterr().out


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch, ingest_events: ModuleType) -> None:
    monkeypatch.setattr(ingest_events.table, "_sleep", lambda _seconds: None)


def quarantined(s3: "S3Client") -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/").get("Contents", ())]


def body(s3: "S3Client", key: str) -> bytes:
    return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


class _BreaksOff:
    def read(self, _amount: int = -1) -> bytes:
        raise IncompleteReadError(actual_bytes=1, expected_bytes=2)


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
