"""Counts who is in each segment and compares it with the sizes that the ledger keeps; corrects them if told to.

python -m operations.recount [--stack NAME] [--correct]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from operations.stack import UNFINISHED, DeployedStack, parser, run, say
from shared.identity.keys import is_visitor
from shared.profiles.members import Members, size_key
from shared.profiles.stored_profile import PROFILE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SETTLE_SECONDS = 60.0
"""Between two counts: moves that were on their way to the ledger at the first have arrived by the second."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.recount") -> int:
    """The command line."""
    made = parser(prog, "Compare the sizes of segments with who is in them.")
    made.add_argument("--correct", action="store_true", help="add what the sizes lack")
    made.add_argument("--settle", type=float, default=SETTLE_SECONDS, metavar="SECONDS", help="between two counts")
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    dynamodb = stack.dynamodb
    table = stack.resource("ProfileTable")
    lacks = lacking(dynamodb, table)
    if lacks:
        say(f"Some sizes differ; counting again in {given.settle:g} s, as moves may be on their way")
        lacks = settled(lacks, lambda: lacking(dynamodb, table), given.settle)
    for segment, lack in sorted(lacks.items()):
        say(f"segment {segment}: {lack:+,} customers to be added")
    if not lacks:
        say("Every size is what was counted, but for moves that are under way")
        return 0
    if not given.correct:
        say("Nothing was changed; --correct adds what the sizes lack")
        return UNFINISHED
    correct(dynamodb, table, lacks)
    say("The sizes are corrected")
    return 0


def lacking(client: DynamoDBClient, table: str) -> dict[int, int]:
    """By segment, how many customers more are in it than its size says. Reads the whole table. Raises ClientError."""
    counted = Counter[int]()
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="sk = :profile AND attribute_exists(decision)",
        ExpressionAttributeValues={":profile": {"S": PROFILE}},
        ProjectionExpression="pk, decision.segment",
    )
    for page in pages:
        customers = (item for item in page["Items"] if not is_visitor(item["pk"]["S"]))
        counted.update(int(item["decision"]["M"]["segment"]["N"]) for item in customers)
    sizes = Members(client, table).sizes()
    return {segment: lack for segment in {*counted, *sizes} if (lack := counted[segment] - sizes[segment])}


def settled(
    first: dict[int, int],
    again: Callable[[], dict[int, int]],
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[int, int]:
    """What is lacking in both of two counts alike; a difference that changes is a move under way."""
    sleep(seconds)
    second = again()
    return {segment: lack for segment, lack in first.items() if second.get(segment) == lack}


def correct(client: DynamoDBClient, table: str, lacks: dict[int, int]) -> None:
    """Adds to the sizes what they lack, beside moves that are recorded meanwhile. Raises ClientError."""
    for segment, lack in lacks.items():
        client.update_item(
            TableName=table,
            Key=size_key(segment, 0),
            UpdateExpression="ADD customers :gain",
            ExpressionAttributeValues={":gain": {"N": str(lack)}},
        )


if __name__ == "__main__":
    sys.exit(main())
