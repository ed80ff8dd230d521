"""The whole path on a local AWS: dropped files become segments that the API answers."""

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.credentials import Credentials

from local.stack import Stack
from shared.profiles.stored_profile import PROFILE
from tests.e2e.conftest import wait_until
from tests.events.lines import BROKEN
from tests.support.event_files import csv_file, ndjson, ndjson_gz, parquet, purchase

pytestmark = pytest.mark.e2e


def drop(stack: Stack, name: str, body: bytes) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=f"events/{name}", Body=body)


def answer(stack: Stack, customer: str) -> tuple[int, Any]:
    return stack.api_get(f"/customers/{customer}/segment")


def wait_for(stack: Stack, customer: str) -> dict[str, Any]:
    wait_until(lambda: answer(stack, customer)[0] == 200)
    return dict(answer(stack, customer)[1])


def quarantined(stack: Stack, name: str) -> list[dict[str, Any]]:
    """The records kept of a dropped file, one a refused line or one for the whole file."""
    listed = stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix=f"quarantine/events/{name}/")
    keys = [listed_object["Key"] for listed_object in listed.get("Contents", [])]
    records = [key for key in keys if key.endswith(("reason.json", ".ndjson"))]
    bodies = [stack.s3.get_object(Bucket=stack.bucket, Key=key)["Body"].read() for key in records]
    return sorted((json.loads(line) for body in bodies for line in body.splitlines()), key=lambda one: one["line"] or 0)


def profile(stack: Stack, customer: str) -> dict[str, Any]:
    key: Any = {"pk": {"S": f"customer#{customer}"}, "sk": {"S": PROFILE}}
    return dict(stack.dynamodb.get_item(TableName=stack.table, Key=key)["Item"])


@pytest.mark.parametrize(
    ("kind", "write"), [("ndjson", ndjson), ("ndjson.gz", ndjson_gz), ("csv", csv_file), ("parquet", parquet)]
)
def test_a_dropped_file_of_every_kind_becomes_segments(stack: Stack, kind: str, write: Any) -> None:
    frequent = f"frequent-{kind}"
    occasional = f"occasional-{kind}"
    orders = [purchase(frequent, number, day=number + 1) for number in range(12)] + [purchase(occasional)]
    drop(stack, f"all.{kind}", write(orders))
    decision = wait_for(stack, frequent)
    assert decision["segment"]["name"] == "About 10"
    assert decision["predictions"]["churn_probability"] < 0.01
    assert decision["as_of"] == "2018-01-01T00:00:00Z"
    assert answer(stack, occasional)[1]["segment"]["name"] in {"About 0", "About 2"}


def test_the_same_file_again_changes_no_profile(stack: Stack) -> None:
    orders = [purchase("repeated", number, day=number + 1) for number in range(5)]
    drop(stack, "first.ndjson", ndjson(orders))
    wait_for(stack, "repeated")
    before = profile(stack, "repeated")
    drop(stack, "second.ndjson", ndjson([*orders, purchase("witness of the second file")]))
    wait_for(stack, "witness%20of%20the%20second%20file")
    assert profile(stack, "repeated") == before


def test_refused_lines_are_quarantined_and_the_others_counted(stack: Stack) -> None:
    lines = [*ndjson([purchase("survivor")]).splitlines(), b"{broken", b'{"event_type": "purchase"}']
    drop(stack, "poisoned.ndjson", b"\n".join(lines))
    wait_for(stack, "survivor")
    wait_until(lambda: len(quarantined(stack, "poisoned.ndjson")) == 2)
    records = quarantined(stack, "poisoned.ndjson")
    assert [record["line"] for record in records] == [2, 3]
    assert [record["original"] for record in records] == ["{broken", '{"event_type": "purchase"}']
    assert all(record["source_key"] == "events/poisoned.ndjson" and record["reason"] for record in records)


def test_of_1000_lines_50_broken_in_10_ways_950_count_and_50_are_kept_with_10_reasons(stack: Stack) -> None:
    broken = [line.encode() for line in list(BROKEN)[:10]]
    good = ndjson([purchase("thousand", number, day=1 + number % 28) for number in range(950)]).splitlines()
    lines = [broken[i // 20 % 10] if i % 20 == 7 else good.pop() for i in range(1_000)]
    drop(stack, "thousand.ndjson", b"\n".join(lines))
    wait_for(stack, "thousand")
    wait_until(lambda: len(quarantined(stack, "thousand.ndjson")) == 50)
    records = quarantined(stack, "thousand.ndjson")
    assert profile(stack, "thousand")["events"] == {"N": "950"}
    assert [record["line"] for record in records] == list(range(8, 1_001, 20))
    assert [record["original"].encode() for record in records] == lines[7::20]
    assert len({record["reason"] for record in records}) == 10


def test_an_unreadable_file_is_quarantined_whole(stack: Stack) -> None:
    torn = gzip.compress(b"x" * 1000)[:20]
    drop(stack, "torn.ndjson.gz", torn)
    wait_until(lambda: bool(quarantined(stack, "torn.ndjson.gz")))
    listed = stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix="quarantine/events/torn.ndjson.gz/")["Contents"]
    (copy,) = [entry["Key"] for entry in listed if entry["Key"].endswith(".gz")]
    assert stack.s3.get_object(Bucket=stack.bucket, Key=copy)["Body"].read() == torn


def test_an_unknown_customer_is_not_found(stack: Stack) -> None:
    status, body = answer(stack, "nobody")
    assert status == 404
    assert body["error"]["code"] == "customer_not_found"


def test_an_unsigned_call_is_refused(stack: Stack) -> None:
    status, _ = stack.api_get("/customers/nobody/segment", signed=False)
    assert status == 403


def test_a_call_signed_with_a_wrong_secret_is_refused(stack: Stack) -> None:
    forged = Credentials(stack.emulator.credentials.access_key, "not the secret")
    status, _ = replace(stack, emulator=replace(stack.emulator, credentials=forged)).api_get("/customers/1/segment")
    assert status == 403


def test_no_file_was_given_up(stack: Stack) -> None:
    attributes = stack.sqs.get_queue_attributes(QueueUrl=stack.dlq_url, AttributeNames=["ApproximateNumberOfMessages"])[
        "Attributes"
    ]
    assert attributes["ApproximateNumberOfMessages"] == "0"
