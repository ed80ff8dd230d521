"""Exports all tables as Parquet, and follows the run.

python -m operations.export [--stack NAME] [--wait] [--run NAME] [--hyper FILE] [--pbids FILE]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from operations.stack import UNFINISHED, DeployedStack, parser, run, say
from operations.tableau import write_hyper, write_pbids
from shared.bulk.run_parts import RunParts
from shared.exports.partitions import PartitionProgress

STATE_MACHINE = "ExportTablesStateMachine"
LOOK_EVERY_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.export") -> int:
    """The command line."""
    made = parser(prog, "Export all tables for warehouses.")
    made.add_argument("--wait", action="store_true", help="follow the run to its end, and say what it wrote")
    made.add_argument("--run", metavar="NAME", help="a run that broke off, to go on with")
    made.add_argument("--hyper", type=Path, metavar="FILE", help="write the last export for Tableau, nothing else")
    made.add_argument("--pbids", type=Path, metavar="FILE", help="write what opens Power BI at Athena")
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    if given.hyper or given.pbids:
        return _write_files(stack, given)
    started = stack.begin(STATE_MACHINE, {"run": given.run} if given.run else {})
    name = given.run or started.rpartition(":")[2]
    say(f"run {name}: its report will be reports/exports/{name}.json of the data bucket")
    if not given.wait:
        return 0
    ended = _followed(stack, started, name)
    say(ended["status"].lower(), *filter(None, [ended.get("cause")]))
    if ended["status"] != "SUCCEEDED":
        return UNFINISHED
    _say_report(stack, name)
    return 0


def _write_files(stack: DeployedStack, given: argparse.Namespace) -> int:
    if given.hyper:
        day = write_hyper(stack.s3, stack.resource("DataBucket"), given.hyper)
        say(f"{given.hyper} holds all tables of {day}")
    if given.pbids:
        write_pbids(stack.resource("ExportDatabase"), given.pbids)
        say(f"{given.pbids} opens Power BI at Athena")
    return 0


def _followed(stack: DeployedStack, execution: str, name: str) -> Mapping[str, Any]:
    """What became of a run, once it has ended; meanwhile it is said how far it is, whenever that changes."""
    states = stack.client("stepfunctions")
    parts = RunParts(stack.s3, stack.resource("DataBucket"), "exports", name, PartitionProgress)
    said = ""
    while (state := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        begun = [*parts.all()]
        line = f"{sum(part.read for part in begun):,} customers, {sum(part.done for part in begun)} partitions done"
        if begun and line != said:
            said = line
            say(line)
        time.sleep(LOOK_EVERY_SECONDS)
    return state  # type: ignore[no-any-return]


def _say_report(stack: DeployedStack, name: str) -> None:
    key = f"reports/exports/{name}.json"
    report = msgspec.json.decode(stack.s3.get_object(Bucket=stack.resource("DataBucket"), Key=key)["Body"].read())
    if report["superseded"]:
        say("another run of the same date was at work; nothing of this one is left")
        return
    say(
        f"{report['date']} is whole: of {report['customers_read']:,} customers {report['customers_exported']:,} are"
        f" rows, {report['customers_erased_meanwhile']:,} were erased meanwhile and"
        f" {report['customers_unreadable']:,} cannot be read"
    )
    for table, counted in report["tables"].items():
        say(f"  {table:<12} {counted['rows']:>12,} rows {counted['bytes']:>14,} bytes")


if __name__ == "__main__":
    sys.exit(main())
