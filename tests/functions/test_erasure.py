"""A customer who is erased: nothing of them is left anywhere, and nothing brings them back."""

import importlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from pyarrow.parquet import read_table

from shared.ledger.rows import Ledger
from shared.profiles.members import Members
from shared.profiles.stored_profile import VERSIONS_A_MILLISECOND
from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET, TABLE
from tests.functions.conftest import Context, Unhurried
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.document import check_answer
from tests.support.event_files import csv_file, ndjson, parquet, purchase
from tests.support.memory_table import writes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Erase = Callable[[str], str]

SIGN_IN = {**purchase("889", 20), "anonymous_id": "phone of 889", "attributes": {"likes": "those of 889"}}
APPROACHED = {
    **purchase("889", 21),
    "event_type": "campaign_exposure",
    "campaign": "win 889 back",
    "arm": "treatment",
}
VISIT = {**purchase("phone", 1), "customer_id": None, "anonymous_id": "phone of 889"}
BROKEN = [
    {**purchase("889", 30), "price": -1},
    {**purchase("889", 31), "customer_id": 889},
    {**VISIT, "currency": "EUR"},
    {**purchase("890", 32), "price": -1},
]
FILES = {
    "events/all.ndjson": ndjson(
        [*(purchase(c, n, day=1 + n) for c in ("889", "890") for n in range(12)), SIGN_IN, APPROACHED, VISIT, *BROKEN]
    ),
    "events/broken.csv": csv_file([{**purchase("889", 40), "price": "many"}, {**purchase("890", 41), "price": 889}]),
}


class Clock:
    def __init__(self, app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = app.erasing.now_ms()
        monkeypatch.setattr(app, "erasing", replace(app.erasing, now_ms=lambda: self.now))


@pytest.fixture
def queue(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> str:
    url = boto3.client("sqs").create_queue(QueueName="erasures")["QueueUrl"]
    monkeypatch.setenv("ERASURE_QUEUE_URL", url)
    return url


@pytest.fixture
def worker(queue: str, dynamodb: "DynamoDBClient") -> ModuleType:
    return importlib.reload(importlib.import_module("functions.erase_customer.app"))


@pytest.fixture
def ask(queue: str) -> Erase:
    app = importlib.reload(importlib.import_module("functions.request_erasure.app"))

    def delete(customer: str) -> str:
        request = {
            "resource": "/customers/{customer_id}",
            "path": f"/customers/{customer}",
            "httpMethod": "DELETE",
            "headers": {},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "requestContext": {"requestId": "r", "stage": "v1"},
            "body": None,
            "isBase64Encoded": False,
        }
        answer = app.handler(request, Context())
        body = json.loads(answer["body"])
        check_answer("DELETE", "/customers/{customer_id}", answer["statusCode"], body)
        assert answer["statusCode"] == 202
        return str(body["receipt"])

    return delete


@pytest.fixture
def work(
    worker: ModuleType,
    queue: str,
    publisher: ModuleType,
    stream: TableStream,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., None]:
    """Does all steps that are queued, each twice; the delays of messages pass at once."""
    clock, sqs = Clock(worker, monkeypatch), boto3.client("sqs")
    waiting: list[str] = []
    monkeypatch.setattr(worker.sqs, "send_message", lambda **message: waiting.append(message["MessageBody"]))

    def until_done(*, before_the_last: Callable[[], object] = lambda: None) -> None:
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                waiting.append(message["Body"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        meanwhile = [before_the_last]
        while waiting:
            body = waiting.pop(0)
            if json.loads(body).get("again") and json.loads(body)["name"] == "erase":
                if meanwhile:
                    meanwhile.pop()()
                clock.now += 30_000
            worker.handler({"Records": [{"body": body}]}, Unhurried())
            publisher.handler({"Records": stream.records()}, Context())
        publisher.handler({"Records": stream.records()}, Context())

    return until_done


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


@pytest.fixture
def shop(s3: "S3Client", queue: str, drop: Drop, publisher: ModuleType, stream: TableStream) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    publish(s3, make_bundle())
    drop(FILES)
    drop(FILES)
    s3.put_object(Bucket=BUCKET, Key="exports/members.csv", Body=b"customer_id,segment\n889,2\n890,2\n")
    publisher.handler({"Records": stream.records()}, Context())


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
    assert [told for told in ("889", "those of 889", "win 889 back") if told not in everything(s3, dynamodb)] == []
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


@pytest.fixture
def export(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("SETTLE_SECONDS", "0")
    return importlib.reload(importlib.import_module("functions.export_tables.app"))


PERSONAL = ("customers", "states", "orders", "exposures", "decisions", "moves")


def names_in(s3: "S3Client") -> set[tuple[str, str]]:
    """Who is in which table of the exports, in any version of any object."""
    found = set[tuple[str, str]]()
    for version in s3.list_object_versions(Bucket=BUCKET, Prefix="exports/").get("Versions", []):
        key = version["Key"]
        if key.endswith(".parquet"):
            body = s3.get_object(Bucket=BUCKET, Key=key, VersionId=version["VersionId"])["Body"].read()
            rows = read_table(io.BytesIO(body)).to_pylist()
            found |= {(key.split("/")[1], row["customer_id"]) for row in rows}
    return found


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
