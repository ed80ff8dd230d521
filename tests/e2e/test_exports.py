"""Tables as they are exported by a deployed stack, against its API, and as Athena reads them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
import sqlglot

from local.stack import STACK_NAME, Stack
from operations import export
from operations.warehouse import FOLDER, VIEWS
from shared.exports.tables import FOR_WAREHOUSES, STATES, TABLES
from tests.e2e.conftest import STACK_CLOCK, deployed_with_model, members, wait_until
from tests.e2e.looks import is_done
from tests.e2e.rights import client
from tests.support.event_files import ndjson, purchase
from tests.support.exported import exported, object_keys
from tests.support.fakes.asking import answers

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

DAY = STACK_CLOCK[:10]
ORDERS = {f"customer {number}": number % 6 + 1 for number in range(25)}
EXPOSED = {**purchase("customer 1", 99), "event_type": "campaign_exposure", "campaign": "spring", "arm": "control"}
SECONDS = 180


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with deployed_with_model() as deployed:
        lines = [purchase(name, n, day=1 + n) for name, orders in ORDERS.items() for n in range(orders)]
        deployed.s3.put_object(Bucket=deployed.bucket, Key="events/all.ndjson", Body=ndjson([*lines, EXPOSED]))
        wait_until(lambda: all(moves_of(deployed, name) for name in ORDERS), SECONDS)
        yield deployed


@pytest.fixture(autouse=True)
def credentials(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="module")
def whole(stack: Stack) -> list[str]:
    """What the command says of an export of everything."""
    time.sleep(21)  # what was recorded within the last 20 seconds is left to the next
    written: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.emulator.environment.items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        patch.setattr(export, "say", lambda *lines: written.extend(lines))
        assert export.main(["--stack", STACK_NAME, "--wait"]) == 0
    return written


def moves_of(stack: Stack, customer: str) -> list[Any]:
    moves: list[Any] = stack.api_get(f"/customers/{quote(customer)}/history")[1].get("transitions", [])
    return moves


def test_the_command_says_what_was_written_and_that_it_reconciles(whole: list[str]) -> None:
    assert f"{DAY} is whole: of 25 customers 25 are rows, 0 were erased meanwhile and 0 cannot be read" in whole
    assert [line.split()[:2] for line in whole if line.startswith("  orders")] == [
        ["orders", str(sum(ORDERS.values()))]
    ]


def test_customers_are_those_that_the_api_tells_of(stack: Stack, whole: list[str]) -> None:
    rows = {row["customer_id"]: row for row in exported(stack.s3, "customers", DAY, stack.bucket)}
    assert {*rows} == {*ORDERS}
    for name, row in rows.items():
        _, answer = stack.api_get(f"/customers/{quote(name)}/segment")
        assert (row["segment_id"], row["segment_name"]) == (answer["segment"]["id"], answer["segment"]["name"])
        assert (row["intent"], row["action"], row["model_version"]) == (
            answer["intent"], answer["action"], answer["model_version"],
        )  # fmt: skip
        assert {name: row[name] for name in answer["predictions"]} == answer["predictions"]
        assert row["orders_lifetime"] == ORDERS[name]
    for segment in stack.api_get("/segments")[1]["segments"]:
        there = {name for name, row in rows.items() if row["segment_id"] == segment["id"]}
        assert there == {*members(stack, segment["id"])}
        (listed,) = [
            one for one in exported(stack.s3, "segments", DAY, stack.bucket) if one["segment_id"] == segment["id"]
        ]
        assert (listed["customers"], listed["segment_name"]) == (len(there), segment["name"])


def test_moves_orders_and_exposures_are_there_to_the_row(stack: Stack, whole: list[str]) -> None:
    moves = {move["transition_id"]: name for name in ORDERS for move in moves_of(stack, name)}
    rows = exported(stack.s3, "moves", bucket=stack.bucket)
    assert {row["transition_id"]: row["customer_id"] for row in rows} == moves
    assert len(rows) == len(moves)
    assert len(exported(stack.s3, "orders", DAY, stack.bucket)) == sum(ORDERS.values())
    (exposure,) = exported(stack.s3, "exposures", DAY, stack.bucket)
    assert (exposure["customer_id"], exposure["campaign"], exposure["arm"]) == ("customer 1", "spring", "control")


def asked(stack: Stack, query: str) -> list[dict[str, str]]:
    """What Athena answers."""
    athena = client(stack, "athena")
    started = athena.start_query_execution(
        QueryString=query,
        QueryExecutionContext={"Database": STACK_NAME},
        ResultConfiguration={"OutputLocation": f"s3://{stack.bucket}/athena/"},
    )["QueryExecutionId"]
    states: list[Any] = []

    def is_over() -> bool:
        states.append(athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"])
        return states[-1]["State"] not in ("QUEUED", "RUNNING")

    wait_until(is_over)
    assert states[-1]["State"] == "SUCCEEDED", states[-1]
    head, *rows = athena.get_query_results(QueryExecutionId=started)["ResultSet"]["Rows"]
    names = [each["VarCharValue"] for each in head["Data"]]
    return [dict(zip(names, (each.get("VarCharValue") for each in row["Data"]), strict=True)) for row in rows]


def test_athena_reads_every_table_as_it_lies_there_and_counts_the_same(stack: Stack, whole: list[str]) -> None:
    counted = {row["table_name"]: row["row_count"] for row in exported(stack.s3, "snapshots", DAY, stack.bucket)}
    assert {*counted} == {table.name for table in TABLES} - {"snapshots"}
    for table, rows in ((table.name, counted[table.name]) for table in FOR_WAREHOUSES if table.name in counted):
        (answer,) = asked(stack, f"SELECT count(*) AS n FROM {table} WHERE date = '{DAY}'")
        assert (table, answer["n"]) == (table, str(rows))


def test_athena_says_by_the_views_what_the_api_says(stack: Stack, whole: list[str]) -> None:
    sizes = {str(one["id"]): str(one["size"]) for one in stack.api_get("/segments")[1]["segments"] if one["size"]}
    rows = asked(stack, over_views("SELECT segment_id, customer_count FROM segment_sizes"))
    assert {row["segment_id"]: row["customer_count"] for row in rows} == sizes
    moved = sum(len(moves_of(stack, name)) for name in ORDERS)
    (flows,) = asked(stack, over_views("SELECT sum(moves) AS n FROM segment_flows"))
    assert flows["n"] == str(moved)
    (bought,) = asked(stack, over_views("SELECT CAST(sum(revenue) AS double) AS n FROM revenue_by_segment"))
    assert float(bought["n"]) == pytest.approx(9.99 * sum(ORDERS.values()))
    for name in VIEWS:
        asked(stack, over_views(f"SELECT count(*) AS n FROM {name}"))


def over_views(query: str) -> str:
    """The query with the views in it: the local Athena keeps none."""
    views = [
        sqlglot.transpile((FOLDER / f"{name}.sql").read_text(), "duckdb", "athena", comments=False)[0] for name in VIEWS
    ]
    return f"WITH {', '.join(f'{name} AS ({body})' for name, body in zip(VIEWS, views, strict=True))} {query}"


@pytest.mark.parametrize("fake", ["duckdb", "snowflake", "bigquery"])
def test_other_warehouses_count_the_same(stack: Stack, whole: list[str], fake: str, tmp_path: Path) -> None:
    counted = {row["table_name"]: row["row_count"] for row in exported(stack.s3, "snapshots", DAY, stack.bucket)}
    for key in object_keys(stack.s3, bucket=stack.bucket):
        file = tmp_path / key
        file.parent.mkdir(parents=True, exist_ok=True)
        if key.endswith(".parquet"):
            stack.s3.download_file(stack.bucket, key, str(file))
    del counted[STATES.name]
    queries = [f"SELECT COUNT(*) FROM {table} WHERE date = '{DAY}'" for table in counted]
    assert [rows[0][0] for rows in answers(fake, tmp_path / "exports", queries, tmp_path)] == [*counted.values()]


def test_who_is_erased_is_in_no_table(stack: Stack, whole: list[str]) -> None:
    status, answer = stack.api("DELETE", f"/customers/{quote('customer 1')}")
    assert status == 202
    wait_until(lambda: is_done(stack, answer["receipt"]), SECONDS)
    for table in (table.name for table in TABLES if table.is_personal):
        assert "customer 1" not in {row["customer_id"] for row in exported(stack.s3, table, bucket=stack.bucket)}
        if table == STATES.name:
            continue  # which is no warehouse's
        (left,) = asked(stack, f"SELECT count(*) AS n FROM {table} WHERE customer_id = 'customer 1'")
        assert left["n"] == "0"
    receipt = json.loads(stack.s3.get_object(Bucket=stack.bucket, Key=answer["receipt"])["Body"].read())
    assert receipt["not_searched"] == {}


def test_it_runs_by_itself_at_the_hour_of_the_shop(stack: Stack) -> None:
    scheduler = client(stack, "scheduler")
    (named,) = [
        one["Name"] for one in scheduler.list_schedules()["Schedules"] if one["Target"]["Arn"].endswith("export-tables")
    ]
    schedule = scheduler.get_schedule(Name=named)
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == ("cron(0 3 * * ? *)", "UTC")
    kept = ("Name", "FlexibleTimeWindow", "Target", "State")
    before = len(runs(stack))
    scheduler.update_schedule(**{name: schedule[name] for name in kept}, ScheduleExpression="rate(1 minutes)")
    wait_until(lambda: "SUCCEEDED" in [one["status"] for one in runs(stack)[: len(runs(stack)) - before]], SECONDS)


def runs(stack: Stack) -> list[Any]:
    """All runs of the export, the latest first."""
    states = client(stack, "stepfunctions")
    (machine,) = [
        one["stateMachineArn"]
        for one in states.list_state_machines()["stateMachines"]
        if one["name"].endswith("export-tables")
    ]
    executions: list[Any] = states.list_executions(stateMachineArn=machine)["executions"]
    return sorted(executions, key=lambda run: run["startDate"], reverse=True)
