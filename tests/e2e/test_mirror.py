"""A stack with a table bucket, as far as the local AWS goes: its Athena is asked, and has no Iceberg to answer from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import STACK_NAME, Stack, local_stack
from shared.exports.iceberg import MIRRORED, NAMESPACE, revision, statement
from tests.e2e.conftest import STACK_CLOCK, wait_until
from tests.e2e.rights import client

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

NAME = f"shop-tables-{revision()}"
SECONDS = 180


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with local_stack(clock=STACK_CLOCK, TableBucketName="shop-tables") as deployed:
        yield deployed


def machine(stack: Stack, name: str) -> str:
    every = client(stack, "stepfunctions").list_state_machines()["stateMachines"]
    (arn,) = [one["stateMachineArn"] for one in every if one["name"] == f"{STACK_NAME}-{name}"]
    return str(arn)


def test_the_bucket_holds_a_table_for_each_export(stack: Stack) -> None:
    tables = client(stack, "s3tables")
    (bucket,) = tables.list_table_buckets()["tableBuckets"]
    assert bucket["name"] == NAME
    listed = tables.list_tables(tableBucketARN=bucket["arn"])["tables"]
    assert {one["name"] for one in listed} == {table.name for table in MIRRORED}


def test_the_end_of_an_export_has_athena_run_a_statement_for_each_table(stack: Stack) -> None:
    states, athena = client(stack, "stepfunctions"), client(stack, "athena")
    mirror = machine(stack, "mirror-exports")
    definition = states.describe_state_machine(stateMachineArn=mirror)["definition"]
    # The local Step Functions cannot wait for Athena, but ask it.
    asking = definition.replace(
        "states:::athena:startQueryExecution.sync", "states:::aws-sdk:athena:startQueryExecution"
    )
    assert asking != definition
    states.update_state_machine(stateMachineArn=mirror, definition=asking)
    states.start_execution(stateMachineArn=machine(stack, "export-tables"), input="{}")

    def ended() -> list[Any]:
        return states.list_executions(stateMachineArn=mirror, statusFilter="SUCCEEDED")["executions"]  # type: ignore[no-any-return]

    wait_until(lambda: bool(ended()), SECONDS)
    ids = athena.list_query_executions(WorkGroup=f"{STACK_NAME}-mirror")["QueryExecutionIds"]
    asked = [athena.get_query_execution(QueryExecutionId=one)["QueryExecution"] for one in ids]
    assert sorted(one["Query"].strip() for one in asked) == sorted(
        statement(table).replace("${Database}", STACK_NAME).strip() for table in MIRRORED
    )
    for one in asked:
        assert one["QueryExecutionContext"] == {"Catalog": f"s3tablescatalog/{NAME}", "Database": NAMESPACE}
        assert one["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{stack.bucket}/mirror/")
