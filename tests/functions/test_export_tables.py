"""The functions that export: what becomes of the table, page by page, and when a date is whole."""

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from shared.exports import partitions
from shared.exports.partitions import run_mark
from shared.exports.tables import TABLES
from shared.features import FEATURE_NAMES
from shared.ledger.rows import Ledger
from shared.profiles.item import encode_profile
from shared.profiles.table import ProfileTable
from shared.telemetry.errors import AnonymousError
from tests.conftest import BUCKET, TABLE
from tests.functions.conftest import Context, Hurried, Unhurried, function, written
from tests.functions.streams import TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import ndjson, purchase
from tests.support.exported import exported, object_keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

DAY = "2017-11-01"
EXPOSED = {**purchase("b", 50), "event_type": "campaign_exposure", "campaign": "win_back", "arm": "control"}
REFUND = {**purchase("b", 51), "event_type": "refund", "price": 2.5}
SAID = {**purchase("c", 52), "event_type": "identify", "attributes": {"tier": "gold", "size; DROP": 'a"b'}}


class Interrupted(AnonymousError):
    pass


type Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETTLE_SECONDS", "0")


@pytest.fixture
def export_tables(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return function("export_tables", monkeypatch)


@pytest.fixture
def finish_export(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return function("finish_export", monkeypatch)


@pytest.fixture
def run(export_tables: ModuleType, finish_export: ModuleType) -> Run:
    """Runs an export to its end, each part in its own order."""

    def play(name: str = "r", segments: int = 2, context: type = Unhurried) -> dict[str, Any]:
        for segment in range(segments):
            event = {"run": name, "segment": segment, "segments": segments}
            while not export_tables.handler(event, context())["done"]:
                pass
        answer: dict[str, Any] = finish_export.handler({"run": name, "parts": segments}, Context())
        return answer

    return play


@pytest.fixture
def shop(s3: "S3Client", drop: Callable[..., list[str]], publisher: ModuleType, stream: TableStream) -> None:
    """Three customers, of whom b was to be approached and c has said something of themselves; all moves are kept."""
    publish(s3, make_bundle())
    lines = [purchase(c, n, day=1 + n) for c, orders in (("a", 1), ("b", 3), ("c", 12)) for n in range(orders)]
    drop({"events/all.ndjson": ndjson([*lines, EXPOSED, REFUND, SAID])})
    publisher.handler({"Records": stream.records()}, Context())


@pytest.mark.usefixtures("shop")
def test_everybody_is_a_row_with_features_decision_and_attributes(
    s3: "S3Client", run: Run, table: ProfileTable
) -> None:
    assert run() == {
        "report": "reports/exports/r.json",
        "date": DAY,
        "unfinished": 0,
        "superseded": False,
        "reconciles": True,
    }
    rows = {row["customer_id"]: row for row in exported(s3, "customers", DAY)}
    stored = table.load(["customer#a", "customer#b", "customer#c"])
    assert {*rows} == {"a", "b", "c"}
    for name, row in rows.items():
        decision = stored[f"customer#{name}"].decision
        assert decision
        assert (row["segment_id"], row["intent"], row["action"]) == (decision.segment, decision.intent, decision.action)
        assert row["churn_probability"] == decision.predictions.get("churn_probability")
        assert row["segment_name"]
        assert row["as_of"] == row["snapshot_at"] == datetime(2017, 11, 1)
        assert row["audiences"] == row["control_audiences"] == []
        assert {*FEATURE_NAMES} <= {*row}
        assert not any(value != value for value in row.values())  # NULL rather than NaN
    assert [rows[name]["orders_lifetime"] for name in "abc"] == [1, 3, 12]
    assert [rows[name]["events"] for name in "abc"] == [1, 5, 13]
    assert json.loads(rows["c"]["attributes"]) == {"tier": "gold", "size; DROP": 'a"b'}
    assert rows["a"]["attributes"] == "{}"


@pytest.mark.usefixtures("shop")
def test_orders_and_exposures_are_rows_of_the_events_kept(s3: "S3Client", run: Run) -> None:
    run()
    lines = exported(s3, "orders", DAY)
    assert len(lines) == 17
    assert len({(line["customer_id"], line["line_id"]) for line in lines}) == 17
    assert {line["category"] for line in lines} == {"Bakery"}
    (refund,) = [line for line in lines if line["type"] == "refund"]
    assert (refund["customer_id"], refund["amount"]) == ("b", Decimal("2.5000"))
    assert {line["amount"] for line in lines if line["type"] == "purchase"} == {Decimal("9.9900")}
    assert all(line["order_code"] and line["product_code"] is None for line in lines)
    (exposure,) = exported(s3, "exposures", DAY)
    assert (exposure["customer_id"], exposure["campaign"], exposure["arm"]) == ("b", "win_back", "control")
    assert exposure["happened_at"] == datetime(2017, 10, 1, 12)


@pytest.mark.usefixtures("shop")
def test_moves_are_rows_as_the_ledger_has_them_and_come_once(s3: "S3Client", run: Run, ledger: Ledger) -> None:
    run()
    rows = exported(s3, "moves")
    kept = [moved for name in "abc" for moved in ledger.history(f"customer#{name}", 10)[0]]
    assert {row["transition_id"] for row in rows} == {moved.id for moved in kept}
    assert {row["to_segment_id"] for row in rows} == {moved.entered for moved in kept}
    assert {row["cause"] for row in rows} == {"events"}
    assert all(row["recorded_at"] for row in rows)


@pytest.mark.usefixtures("shop")
def test_the_next_day_holds_what_was_recorded_since_and_nothing_twice(
    s3: "S3Client",
    run: Run,
    drop: Callable[..., list[str]],
    publisher: ModuleType,
    stream: TableStream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("first")
    first = exported(s3, "moves", DAY)
    monkeypatch.setenv("FROZEN_TIME", "2017-11-02T00:00:00Z")
    drop({"events/more.ndjson": ndjson([purchase("a", n, day=2 + n) for n in range(1, 12)])})
    publisher.handler({"Records": stream.records()}, Context())
    run("second")
    second = exported(s3, "moves", "2017-11-02")
    assert {row["customer_id"] for row in second} == {"a"}
    assert not {row["transition_id"] for row in first} & {row["transition_id"] for row in second}
    assert [row["customer_id"] for row in exported(s3, "decisions", "2017-11-02")] == ["a"]
    assert len(exported(s3, "customers", "2017-11-02")) == 3
    before, after = ({row["table_name"]: row for row in exported(s3, "snapshots", day)} for day in (DAY, "2017-11-02"))
    assert before["moves"]["recorded_from"] is None
    assert after["moves"]["recorded_from"] == before["moves"]["recorded_until"] < after["moves"]["recorded_until"]
    assert after["customers"]["recorded_from"] is None


@pytest.mark.usefixtures("shop")
def test_a_date_is_whole_once_it_says_so_and_its_counts_are_those_of_its_rows(s3: "S3Client", run: Run) -> None:
    run()
    counted = {row["table_name"]: row["row_count"] for row in exported(s3, "snapshots", DAY)}
    assert {*counted} == {table.name for table in TABLES} - {"snapshots"}
    assert counted == {table: len(exported(s3, table, DAY)) for table in counted}
    manifest = written(s3, f"exports/customers/date={DAY}/_manifest.json")
    assert sum(one["rows"] for one in manifest["objects"]) == 3
    report = written(s3, "reports/exports/r.json")
    assert report["customers_exported"] == report["customers_read"] == 3
    assert report["tables"]["orders"]["rows"] == 17


@pytest.mark.usefixtures("shop")
def test_every_table_has_the_columns_that_are_declared(s3: "S3Client", run: Run) -> None:
    run()
    for table in TABLES:
        for row in exported(s3, table.name, DAY)[:1]:
            assert tuple(row) == table.names


@pytest.mark.usefixtures("shop")
def test_a_part_that_broke_off_before_it_was_kept_writes_the_same_objects_again(
    s3: "S3Client", run: Run, export_tables: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "BYTES_AT_ONCE", 1)
    pages_of_one(export_tables, monkeypatch)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    keep = export_tables.RunParts.write
    broken = [True]

    def write(self: Any, number: int, part: Any) -> None:
        if broken.pop() if broken else False:
            raise Interrupted
        keep(self, number, part)

    monkeypatch.setattr(export_tables.RunParts, "write", write)
    with pytest.raises(Interrupted):
        export_tables.handler({"run": "r", "segment": 0, "segments": 1}, Unhurried())
    before = [key for key in object_keys(s3) if key.endswith(".parquet")]
    answer = run(segments=1, context=Hurried)
    assert (answer["reconciles"], answer["unfinished"]) == (True, 0)
    assert {*before} <= {*object_keys(s3)}
    assert len(exported(s3, "customers", DAY)) == 3
    versions = s3.list_object_versions(Bucket=BUCKET, Prefix="exports/customers/")["Versions"]
    assert all(version["IsLatest"] for version in versions)


@pytest.mark.usefixtures("shop")
def test_a_date_that_is_run_again_is_replaced_and_not_whole_meanwhile(
    s3: "S3Client", run: Run, export_tables: ModuleType
) -> None:
    run("first", segments=3)
    export_tables.handler({"run": "second", "segment": 0, "segments": 1}, Unhurried())
    assert exported(s3, "snapshots", DAY) == []
    run("second", segments=1)
    assert len(exported(s3, "customers", DAY)) == 3
    assert len(exported(s3, "snapshots", DAY)) == len(TABLES) - 1
    assert len({row["transition_id"] for row in exported(s3, "moves")}) == len(exported(s3, "moves"))


@pytest.mark.usefixtures("shop")
def test_of_two_runs_of_a_date_the_second_gives_way(
    s3: "S3Client", run: Run, export_tables: ModuleType, finish_export: ModuleType
) -> None:
    export_tables.handler({"run": "slow", "segment": 0, "segments": 2}, Unhurried())
    assert run("quick")["superseded"] is True
    assert not [key for key in object_keys(s3) if run_mark("quick") in key]
    export_tables.handler({"run": "slow", "segment": 1, "segments": 2}, Unhurried())
    assert finish_export.handler({"run": "slow", "parts": 2}, Context())["superseded"] is False
    assert len(exported(s3, "customers", DAY)) == 3
    assert exported(s3, "snapshots", DAY)[0]["run"] == "slow"


@pytest.mark.usefixtures("shop")
def test_a_run_that_did_not_go_on_for_hours_is_replaced_and_takes_its_objects_away(
    s3: "S3Client", run: Run, export_tables: ModuleType, finish_export: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_tables.handler({"run": "slow", "segment": 0, "segments": 2}, Unhurried())
    monkeypatch.setattr("shared.exports.plan.LEASE_MS", 0)
    assert run("quick")["superseded"] is False
    monkeypatch.undo()
    export_tables.handler({"run": "slow", "segment": 1, "segments": 2}, Unhurried())
    assert finish_export.handler({"run": "slow", "parts": 2}, Context())["superseded"] is True
    assert not [key for key in object_keys(s3) if run_mark("slow") in key]
    assert exported(s3, "snapshots", DAY)[0]["run"] == "quick"


@pytest.mark.usefixtures("shop")
def test_a_run_whose_parts_are_not_done_makes_nothing_whole(
    s3: "S3Client", export_tables: ModuleType, finish_export: ModuleType
) -> None:
    export_tables.handler({"run": "r", "segment": 0, "segments": 2}, Unhurried())
    assert finish_export.handler({"run": "r", "parts": 2}, Context())["unfinished"] == 1
    assert exported(s3, "snapshots") == []


@pytest.mark.usefixtures("shop")
def test_a_profile_that_cannot_be_read_is_counted_and_keeps_nobody_out(
    s3: "S3Client", run: Run, table: ProfileTable, dynamodb: "DynamoDBClient"
) -> None:
    item: Any = encode_profile(table.load(["customer#b"])["customer#b"])
    dynamodb.put_item(TableName=TABLE, Item=item | {"state": {"B": b"\x01broken"}})
    assert run()["reconciles"] is True
    assert {row["customer_id"] for row in exported(s3, "customers", DAY)} == {"a", "c"}
    assert written(s3, "reports/exports/r.json")["customers_unreadable"] == 1


def test_a_shop_without_anybody_or_a_model_exports_empty_tables(s3: "S3Client", run: Run) -> None:
    assert run()["reconciles"] is True
    assert exported(s3, "customers") == []
    assert {row["table_name"]: row["row_count"] for row in exported(s3, "snapshots", DAY)}["segments"] == 0


@pytest.mark.usefixtures("shop")
def test_progress_and_reports_name_nobody(s3: "S3Client", run: Run) -> None:
    run()
    for key in object_keys(s3, "reports/exports/"):
        assert "customer#" not in s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


def pages_of_one(export_tables: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = export_tables.dynamodb.scan
    monkeypatch.setattr(export_tables.dynamodb, "scan", lambda **request: whole(**request, Limit=1))
