"""A customer who is erased: nothing of them is left anywhere, and nothing brings them back."""

import importlib
import json
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.ledger.rows import Ledger
from shared.profiles.members import Members
from shared.profiles.stored_profile import VERSIONS_A_MILLISECOND
from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET, TABLE
from tests.functions.conftest import Context
from tests.functions.erasure.conftest import FILES, Drop, Erase
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import csv_file, ndjson, parquet, purchase
from tests.support.memory_table import writes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def everything(s3: "S3Client", dynamodb: "DynamoDBClient") -> str:
    """All that the table and the bucket hold but for the users' own files, former versions included."""
    items = [json.dumps(item, default=repr) for item in dynamodb.scan(TableName=TABLE)["Items"]]
    versions = s3.list_object_versions(Bucket=BUCKET).get("Versions", [])
    bodies = [
        s3.get_object(Bucket=BUCKET, Key=v["Key"], VersionId=v["VersionId"])["Body"].read().decode(errors="replace")
        for v in versions
        if not v["Key"].startswith(("events/", "models/"))
    ]
    return "\n".join([*items, *bodies])


@pytest.mark.usefixtures("shop")
def test_nothing_of_an_erased_customer_is_left_and_the_same_files_bring_nothing_back(
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    drop: Drop,
    ask: Erase,
    work: Callable[..., None],
    table: ProfileTable,
    publisher: ModuleType,
    stream: TableStream,
    bus: Bus,
    measured: Callable[[], dict[str, int]],
) -> None:
    bus.details()
    sizes = Members(dynamodb, TABLE).sizes()
    assert [text for text in ("889", "those of 889", "win 889 back") if text not in everything(s3, dynamodb)] == []
    receipt = ask("889")
    work()
    assert Members(dynamodb, TABLE).sizes() == {2: sizes[2] - 1}
    (announced,) = {detail["transition_id"]: detail for detail in bus.details()}.values()
    moved = [announced[name] for name in ("customer_id", "from", "to", "cause")]
    assert moved == ["889", 2, None, "erasure"]

    def check() -> None:
        kept = everything(s3, dynamodb)
        lines = [line for line in kept.splitlines() if "889" in line and "890" not in line]
        assert lines == []
        assert table.load(["customer#889", "visitor#phone of 889"]) == {}
        assert Ledger(dynamodb, TABLE).history("customer#889", 10) == ([], None)

    check()
    body = json.loads(s3.get_object(Bucket=BUCKET, Key=receipt)["Body"].read())
    assert (body["state"], body["customers"], body["visitors"], body["lines"]) == ("done", 1, 1, 5)
    measured()
    drop(FILES)
    assert measured()["EventsForgotten"] == 12 + 3 + 4
    publisher.handler({"Records": stream.records()}, Context())
    check()
    others = table.load(["customer#890"])["customer#890"]
    assert others.events == 13 and writes(others) == 1


@pytest.mark.usefixtures("shop")
def test_a_writer_who_did_not_see_the_mark_brings_nobody_back(
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    drop: Drop,
    ask: Erase,
    work: Callable[..., None],
    ingest_events: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    table: ProfileTable,
) -> None:
    sizes = Members(dynamodb, TABLE).sizes()
    ask("889")

    def late() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(ingest_events.marks, "load", lambda _keys: {})
            drop(FILES)
        assert table.load(["customer#889"])

    work(before_the_last=late)
    assert table.load(["customer#889", "visitor#phone of 889"]) == {}
    assert Ledger(dynamodb, TABLE).history("customer#889", 10) == ([], None)
    assert Members(dynamodb, TABLE).sizes() == {2: sizes[2] - 1}


@pytest.mark.parametrize("slots", [(3, 700), (700, 3)], ids=["above", "below"])
def test_two_who_begin_a_customer_in_the_same_millisecond_begin_two_lives(
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    drop: Drop,
    ask: Erase,
    work: Callable[..., None],
    ingest_events: ModuleType,
    publisher: ModuleType,
    stream: TableStream,
    bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
    slots: tuple[int, int],
) -> None:
    publish(s3, make_bundle())
    now = ingest_events.read_clock()
    monkeypatch.setattr(ingest_events, "read_clock", lambda: now)
    monkeypatch.setattr(ingest_events.marks, "slot", slots[0])
    drop({"events/first.ndjson": ndjson([purchase("889", 1)])})
    publisher.handler({"Records": stream.records()}, Context())
    ask("889")

    def late() -> None:
        with monkeypatch.context() as patch:  # it had read that there is neither a profile nor a mark
            patch.setattr(ingest_events.marks, "load", lambda _keys: {})
            patch.setattr(ingest_events.marks, "slot", slots[1])
            drop({"events/second.ndjson": ndjson([purchase("889", 2)])})
        publisher.handler({"Records": stream.records()}, Context())
        drop({"events/third.ndjson": ndjson([purchase("889", 3)])})  # of who is stored nobody asks for the mark

    work(before_the_last=late)
    assert {*Members(dynamodb, TABLE).sizes().values()} == {0}
    assert Ledger(dynamodb, TABLE).history("customer#889", 10) == ([], None)
    moves = {detail["transition_id"]: (detail["from"], detail["to"]) for detail in bus.details()}
    assert [*moves.values()] == [(None, 0), (0, None), (None, 0), (0, 1), (1, None)]


def test_someone_nobody_knows_is_kept_out_as_well(
    s3: "S3Client", queue: str, ask: Erase, work: Callable[..., None], drop: Drop, table: ProfileTable, bus: Bus
) -> None:
    receipt = ask("889")
    work()
    drop(FILES)
    assert table.load(["customer#889", "visitor#phone of 889"]).keys() == {"visitor#phone of 889"}
    assert json.loads(s3.get_object(Bucket=BUCKET, Key=receipt)["Body"].read())["customers"] == 0
    assert "889" not in receipt


def test_a_step_done_again_is_done_and_the_receipt_stays(
    s3: "S3Client", queue: str, ask: Erase, work: Callable[..., None], drop: Drop, table: ProfileTable, bus: Bus
) -> None:
    drop(FILES)
    receipts = [ask("889"), ask("889")]
    work()
    written = [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in receipts]
    assert sorted(body["customers"] for body in written) == [0, 1]
    assert {body["state"] for body in written} == {"done"}


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.ndjson", ndjson), ("a.csv", csv_file), ("a.parquet", parquet)],
    ids=["ndjson", "csv", "parquet"],
)
@pytest.mark.usefixtures("shop")
def test_a_refusal_erases_and_a_later_consent_begins_anew(
    drop: Drop,
    work: Callable[..., None],
    table: ProfileTable,
    dynamodb: "DynamoDBClient",
    name: str,
    write: Callable[..., bytes],
) -> None:
    sizes = Members(dynamodb, TABLE).sizes()
    ended = table.load(["customer#889"])["customer#889"].version
    drop({f"events/no-{name}": write([{**purchase("889", 50, day=20), "consent": False}])})
    work()
    assert table.load(["customer#889", "visitor#phone of 889"]) == {}
    assert Members(dynamodb, TABLE).sizes() == {2: sizes[2] - 1}
    drop({f"events/yes-{name}": write([{**purchase("889", 51, day=22), "consent": True}, purchase("889", 52, day=21)])})
    drop({"events/later.ndjson": ndjson([purchase("889", 53, day=23)])})
    profile = table.load(["customer#889"])["customer#889"]
    assert (profile.events, writes(profile)) == (2, 2) and profile.version > ended + VERSIONS_A_MILLISECOND
    drop(FILES)
    assert table.load(["customer#889"])["customer#889"] == profile
    work()
    assert table.load(["customer#889"])["customer#889"] == profile
    assert sum(Members(dynamodb, TABLE).sizes().values()) == sizes[2]


@pytest.mark.parametrize("customer", ["x" * 129, ""])
def test_what_is_no_customer_id_is_refused(queue: str, customer: str) -> None:
    app = importlib.reload(importlib.import_module("functions.request_erasure.app"))
    request: Any = {"resource": "/customers/{customer_id}", "path": f"/customers/{customer}", "httpMethod": "DELETE"}
    answer = app.handler({**request, "headers": {}, "requestContext": {"requestId": "r"}, "body": None}, Context())
    assert 400 <= answer["statusCode"] < 500
    assert json.loads(answer["body"])["error"]["code"]


@pytest.mark.parametrize("by_event", [True, False])
def test_who_was_never_stored_refuses_and_their_lines_go(
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    queue: str,
    drop: Drop,
    ask: Erase,
    work: Callable[..., None],
    bus: Bus,
    *,
    by_event: bool,
) -> None:
    refusal = {"events/no.ndjson": ndjson([{**purchase("889", 50, day=20), "consent": False}])}
    drop({"events/bad.ndjson": ndjson([{**purchase(customer), "price": -1} for customer in ("889", "890")])})
    if by_event:
        drop(refusal)
    else:
        ask("889")
    work()
    lines = [line for line in everything(s3, dynamodb).splitlines() if "customer#" in line]
    assert lines and not [line for line in lines if "889" in line]
    drop(refusal)
    work()
    drop(refusal)
    assert "Messages" not in boto3.client("sqs").receive_message(QueueUrl=queue)
