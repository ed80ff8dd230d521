"""A customer who is erased: every export loses them, whenever it was written."""

import importlib
import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

import boto3
import pytest
from pyarrow.parquet import read_table

from tests.conftest import BUCKET
from tests.functions.conftest import Unhurried
from tests.functions.erasure.conftest import Erase
from tests.functions.streams import Bus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def export(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("SETTLE_SECONDS", "0")
    return importlib.reload(importlib.import_module("functions.export_tables.app"))


PERSONAL = ("customers", "states", "orders", "exposures", "decisions", "moves")


def names_in(s3: "S3Client") -> set[tuple[str, str]]:
    """Who is in which table of the exports, in any version of any object."""
    names = set[tuple[str, str]]()
    for version in s3.list_object_versions(Bucket=BUCKET, Prefix="exports/").get("Versions", []):
        key = version["Key"]
        if key.endswith(".parquet"):
            body = s3.get_object(Bucket=BUCKET, Key=key, VersionId=version["VersionId"])["Body"].read()
            rows = read_table(io.BytesIO(body)).to_pylist()
            names |= {(key.split("/")[1], row["customer_id"]) for row in rows}
    return names


@pytest.mark.usefixtures("shop")
def test_every_export_loses_who_is_erased_and_keeps_all_others(
    s3: "S3Client", export: ModuleType, ask: Erase, work: Callable[..., None], bus: Bus
) -> None:
    for run in ("first", "second"):
        export.handler({"run": run, "segment": 0, "segments": 1}, Unhurried())
    assert names_in(s3) >= {(table, "889") for table in PERSONAL}
    receipt = ask("889")
    work()
    left = names_in(s3)
    assert {name for _, name in left} == {"890"}
    assert {table for table, _ in left} == {*PERSONAL} - {"exposures"}
    written = json.loads(s3.get_object(Bucket=BUCKET, Key=receipt)["Body"].read())
    assert (written["state"], written["not_searched"]) == ("done", {})


@pytest.mark.usefixtures("shop")
def test_an_export_that_had_read_the_customer_before_the_erasure_began_holds_nothing_of_them_in_the_end(
    s3: "S3Client",
    export: ModuleType,
    ask: Erase,
    work: Callable[..., None],
    bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late: list[tuple[str, bytes]] = []
    monkeypatch.setattr(export.objects, "put", lambda key, body: late.append((key, body)))
    export.handler({"run": "r", "segment": 0, "segments": 1}, Unhurried())
    ask("889")

    def write() -> None:
        for key, body in late:
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        assert ("customers", "889") in names_in(s3)

    work(before_the_last=write)
    assert late
    assert {name for _, name in names_in(s3)} == {"890"}


@pytest.mark.usefixtures("shop")
def test_an_export_that_begins_while_the_erasure_is_under_way_leaves_the_customer_out(
    s3: "S3Client", export: ModuleType, ask: Erase, work: Callable[..., None], worker: ModuleType, queue: str, bus: Bus
) -> None:
    ask("889")
    (find,) = boto3.client("sqs").receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    worker.handler({"Records": [{"body": find["Body"]}]}, Unhurried())
    export.handler({"run": "r", "segment": 0, "segments": 1}, Unhurried())
    assert {name for _, name in names_in(s3)} == {"890"}


@pytest.mark.usefixtures("shop")
def test_versions_of_an_export_that_was_written_again_or_removed_go_as_well(
    s3: "S3Client", export: ModuleType, ask: Erase, work: Callable[..., None], bus: Bus
) -> None:
    export.handler({"run": "r", "segment": 0, "segments": 1}, Unhurried())
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="exports/customers/")["Contents"]
    (key,) = [entry["Key"] for entry in listed]
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert ("customers", "889") in names_in(s3)
    ask("889")
    work()
    assert "889" not in {name for _, name in names_in(s3)}
