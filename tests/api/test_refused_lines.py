"""What is read of the quarantine: the newest objects, the begin of each, and nothing that breaks it."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.api import refused_lines
from shared.api.refused_lines import latest_lines, refused
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def put(s3: "S3Client", key: str, *records: Any, raw: bytes = b"") -> None:
    body = raw or b"".join(json.dumps(record).encode() + b"\n" for record in records)
    s3.put_object(Bucket=BUCKET, Key=f"quarantine/{key}", Body=body)


def test_a_record_that_stands_for_many_lines_counts_as_many(s3: "S3Client") -> None:
    put(s3, "events/a/1/lines-1.named.ndjson", {"reason": "price must be a number, not 'x'", "line": 1})
    put(s3, "events/a/1/lines-2.capped.ndjson", {"reason": "price must be a number, not 'y'", "line": 2, "lines": 40})
    put(s3, "events/b/1/reason.json", {"reason": "it is no gzip"})
    assert refused(s3, BUCKET) == {
        "reasons": [{"reason": "price must be a number", "lines": 41}, {"reason": "it is no gzip", "lines": 1}],
        "examined": 3,
        "complete": True,
    }


def test_what_was_refused_before_an_instant_may_be_left_out(s3: "S3Client") -> None:
    put(s3, "events/a/1/reason.json", {"reason": "it is no gzip"})
    (entry,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    at_ms = round(entry["LastModified"].timestamp() * 1_000)
    assert refused(s3, BUCKET, since_ms=at_ms)["examined"] == 1
    assert refused(s3, BUCKET, since_ms=at_ms + 1_000)["examined"] == 0


def test_the_begin_of_a_huge_object_is_read_and_said_to_be_not_all(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused_lines, "MOST_BYTES", 200)
    put(s3, "a/lines-1.ndjson", *[{"reason": "r", "line": i, "original": "x" * 50} for i in range(9)])
    answer = refused(s3, BUCKET)
    assert not answer["complete"]
    assert 0 < answer["reasons"][0]["lines"] < 9


def test_files_that_are_no_records_are_passed_over(s3: "S3Client") -> None:
    for i, raw in enumerate((b"\xff\xfe", b"[" * 100_000, b'"x"', b'{"reason": 7}', b"{", b"\n\n")):
        put(s3, f"{i}/whole.ndjson", raw=raw)
    assert refused(s3, BUCKET)["reasons"] == []
    assert latest_lines(s3, BUCKET) == []


def test_as_many_objects_and_lines_are_read_as_there_is_room_for(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused_lines, "MOST_READ", 2)
    monkeypatch.setattr(refused_lines, "LINES_SHOWN", 3)
    for i in range(4):
        put(s3, f"{i}/lines.ndjson", *[{"reason": "r", "original": "<b>" * 999, "line": n} for n in range(2)])
    answer = refused(s3, BUCKET)
    assert (answer["examined"], answer["complete"]) == (2, False)
    lines = latest_lines(s3, BUCKET)
    assert len(lines) == 3
    assert {len(line["original"]) for line in lines} == {1_000}
