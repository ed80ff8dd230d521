"""What of dropped files is refused, and where it is kept: lines, whole files, and versions that are gone."""

import base64
import json
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET
from tests.functions.conftest import Context, announcement, batch_of, body, quarantined
from tests.support.event_files import ndjson, ndjson_gz, purchase

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Measured = Callable[[], dict[str, int]]


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
    kept_lines = [json.loads(line) for key in keys for line in body(s3, key).splitlines()]
    records = sorted(kept_lines, key=lambda record: record["line"])
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


def test_longest_key_leaves_room_for_its_quarantine(s3: "S3Client", drop: Drop) -> None:
    key = f"events/{'é' * 500}.ndjson"
    assert drop({key: b"not json"}) == []
    (kept,) = quarantined(s3)
    assert json.loads(body(s3, kept))["source_key"] == key


def test_what_came_before_the_break_in_a_file_counts(s3: "S3Client", drop: Drop, measured: Measured) -> None:
    whole = ndjson_gz([purchase(str(i % 9), number=i) for i in range(60_000)])
    assert drop({"events/cut.ndjson.gz": whole[: len(whole) - 9]}) == []
    counts = measured()
    assert counts["EventsCounted"] >= 50_000 and counts["FilesUnreadable"] == 1


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
