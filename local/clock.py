"""Moves the clock of a stack on this machine: `python -m local.clock TIMESTAMP`, while `make local` runs.

Every function takes the new instant for now, and then does the one on the schedule what its ticks would: it decides on
whoever is due by then. Moved by many days at once, a customer makes one move, to where the last of them leads.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from local.console import console
from local.stack import STACK_NAME
from shared.events.event import parse_timestamp

REFRESH = "RefreshSegmentsFunction"
LONGEST = Config(read_timeout=300, retries={"total_max_attempts": 1})


class ClockNotMoved(Exception):
    """The clock, or those who are due at its new time, could not be moved; the message says why."""


def move_clock(session: boto3.Session, endpoint: str, to: str) -> Counter[str]:
    """Makes `to` (ISO 8601) the time of a local stack, and gives what came of it, as the function counts it.

    Raises ClockNotMoved.
    """
    functions = session.client("lambda", endpoint_url=endpoint, config=LONGEST)
    refresh = set_clock(session, endpoint, to)[REFRESH]
    total = Counter[str]()
    while (done := _tick(functions, refresh))["DueRead"]:
        total.update(done)
    return total


def set_clock(session: boto3.Session, endpoint: str, to: str) -> dict[str, str]:
    """Makes `to` the time and leaves the rest to the schedule; the functions' names by logical id."""
    functions = session.client("lambda", endpoint_url=endpoint)
    names = _functions(session.client("cloudformation", endpoint_url=endpoint))
    for name in names.values():
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        changed: Any = {"Variables": {**variables, "FROZEN_TIME": to}}
        functions.update_function_configuration(FunctionName=name, Environment=changed)
    for name in names.values():
        functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return names


def _functions(cloudformation: Any) -> dict[str, str]:
    """Names of the stack's functions by logical id."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    resources = [entry for page in pages for entry in page["StackResourceSummaries"]]
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def _tick(functions: Any, name: str) -> Counter[str]:
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    counts = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise ClockNotMoved(f"{name} failed: {counts}")
    return Counter(counts)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m local.clock") -> int:
    """Move the clock of the stack that the environment points at; exit status 2 where that is none of this machine."""
    parser = argparse.ArgumentParser(prog=prog, description="Move the clock of a local stack.")
    parser.add_argument("to", metavar="TIMESTAMP", help="ISO 8601 instant to take for now")
    given = parser.parse_args(arguments)
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    try:
        parse_timestamp(given.to)
    except ValueError:
        parser.error(f"not a time in ISO 8601: {given.to}")
    if urlsplit(endpoint).scheme != "http":
        parser.error("AWS_ENDPOINT_URL names no local AWS; paste the lines that `make local` prints")
    try:
        done = move_clock(boto3.Session(), endpoint, given.to)
    except ClockNotMoved as error:
        console.print(f"[red]✗[/] {error}", soft_wrap=True)
        return 1
    console.print(
        f"It is {given.to}: {done['DueRead']:,} customers were due, {done['SegmentsChanged']:,} moved.",
        soft_wrap=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
