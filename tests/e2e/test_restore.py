"""The table of a deployed stack deleted, and made anew by the command that docs/restore.md gives."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from local.emulator import ROOT
from local.stack import STACK_NAME, Stack
from tests.e2e.conftest import deployed_with_model, wait_until
from tests.e2e.journeys import Journeys
from tests.support.event_files import csv_file, ndjson, purchase
from tests.support.template import template

pytestmark = [pytest.mark.e2e, pytest.mark.drill]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with deployed_with_model() as deployed:
        yield deployed


def orders(customer: str, first: int, last: int) -> list[dict[str, Any]]:
    return [purchase(customer, n, day=1 + n) for n in range(first, last)]


def profiles(stack: Stack, table: str) -> dict[str, Any]:
    """Every profile's item but for what says when and how often it was written, and since when it is where it is."""
    attributes: dict[str, Any] = {}
    for page in stack.dynamodb.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            if item["sk"]["S"] == "profile":
                kept: Any = {name: value for name, value in item.items() if name not in {"version", "moved"}}
                if "decision" in kept:
                    kept["decision"] = {n: v for n, v in kept["decision"]["M"].items() if n != "scored_at_ms"}
                kept["visitors"] = {v: c["M"].get("state") for v, c in kept.get("visitors", {"M": {}})["M"].items()}
                attributes[item["pk"]["S"]] = kept
    return attributes


def table_of(stack: Stack) -> str:
    client = stack.emulator.session.client("cloudformation", endpoint_url=stack.endpoint)
    resource = client.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId="ProfileTable")
    return str(resource["StackResourceDetail"]["PhysicalResourceId"])


def mappings(stack: Stack) -> list[tuple[str, str]]:
    """Where the functions' events come from, and whether they do."""
    client = stack.emulator.session.client("lambda", endpoint_url=stack.endpoint)
    all_mappings = client.list_event_source_mappings()["EventSourceMappings"]
    return sorted((mapping["EventSourceArn"], mapping["State"]) for mapping in all_mappings)


def fill(stack: Stack) -> None:
    """Events by history, file and API, a visitor who signs in, one who refuses, and one who is erased."""
    stack.s3.put_object(Bucket=stack.bucket, Key="history/2017.csv", Body=csv_file(orders("known", 0, 12)))
    device = {**purchase("phone", 1), "customer_id": None, "anonymous_id": "phone"}
    dropped = [*orders("gone", 0, 5), device, *orders("known", 10, 14), purchase("gone", 9, price=-1)]
    stack.s3.put_object(Bucket=stack.bucket, Key="events/a.ndjson", Body=ndjson(dropped))
    wait_until(lambda: {"customer#gone", "visitor#phone"} <= profiles(stack, stack.table).keys(), 120)
    states = stack.emulator.session.client("stepfunctions", endpoint_url=stack.endpoint)
    states.start_execution(stateMachineArn=stack.backfill_arn, input="{}")
    live = [*orders("live", 0, 3), purchase("known", 20, day=20, anonymous_id="phone"), *orders("refused", 0, 1)]
    assert stack.api("POST", "/events", {"events": live})[0] == 202
    wait_until(lambda: {"customer#live", "customer#refused"} <= profiles(stack, stack.table).keys(), 120)
    no = {**purchase("refused", 2, day=3), "consent": False}
    assert stack.api("POST", "/events", {"events": [no]})[0] == 202
    assert stack.api("DELETE", "/customers/gone")[0] == 202
    wait_until(lambda: not {"customer#gone", "customer#refused"} & profiles(stack, stack.table).keys(), 120)
    wait_until(lambda: profiles(stack, stack.table)["customer#known"]["events"] == {"N": "15"}, 120)
    wait_until(lambda: len(stack.api_get("/customers/live/history")[1].get("transitions", ())) > 0)


def test_a_deleted_table_comes_back_without_those_who_were_erased(stack: Stack) -> None:
    journeys = Journeys(stack)
    fill(stack)
    was = profiles(stack, stack.table)
    lost = table_of(stack)
    before = mappings(stack)
    announced = {moved["transition_id"] for who in ("known", "live") for moved in journeys.of(who)}
    stack.dynamodb.update_table(TableName=lost, DeletionProtectionEnabled=False)
    stack.dynamodb.delete_table(TableName=lost)

    command = [sys.executable, "-m", "operations.restore", "--stack", STACK_NAME, "--settle", "0"]
    done = subprocess.run(
        command, cwd=ROOT, env=stack.emulator.environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    made = table_of(stack)
    assert made != lost
    assert profiles(stack, made) == was
    described = stack.dynamodb.describe_table(TableName=made)["Table"]
    wanted = template()["Resources"]["ProfileTable"]["Properties"]
    assert {i["IndexName"] for i in described["GlobalSecondaryIndexes"]} == {"members", "due"}
    assert described["StreamSpecification"]["StreamViewType"] == wanted["StreamSpecification"]["StreamViewType"]
    stream = described["LatestStreamArn"]
    moved = [(stream if ":dynamodb:" in source else source, state) for source, state in before]
    assert mappings(stack) == sorted(moved) and {state for _, state in moved} == {"Enabled"}

    late = [*orders("gone", 20, 21), *orders("refused", 20, 21), *orders("live", 3, 12)]
    assert stack.api("POST", "/events", {"events": late})[0] == 202
    wait_until(lambda: profiles(stack, made)["customer#live"]["events"] == {"N": "12"}, 120)
    assert {"customer#gone", "customer#refused"}.isdisjoint(profiles(stack, made))
    wait_until(lambda: {moved["to"] for moved in journeys.of("live")} >= {2}, 120)
    again = [moved["transition_id"] for who in ("known", "live") for moved in journeys.of(who)]
    assert len({*again}) > len(announced) and announced < {*again}
    status, history = stack.api_get("/customers/live/history")
    assert status == 200 and json.dumps(history).count("transition_id") >= 2
