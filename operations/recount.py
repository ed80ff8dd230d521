"""Counts who is in each segment and audience, and compares it with the sizes of the ledger; corrects them if told to.

python -m operations.recount [--stack NAME] [--correct]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from operations.stack import UNFINISHED, DeployedStack, parser, run, say
from shared.identity.keys import is_visitor
from shared.profiles.members import Members, audience_size_key, size_key, size_name
from shared.profiles.stored_profile import PROFILE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SETTLE_SECONDS = 60.0
"""Between two counts: moves that were on their way to the ledger at the first have arrived by the second."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.recount") -> int:
    """The command line."""
    made = parser(prog, "Compare sizes of segments and audiences with who is there.")
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
    for group, lack in sorted(lacks.items(), key=str):
        kind = "segment" if isinstance(group, int) else "audience"
        say(f"{kind} {group}: {lack:+,} customers to be added")
    if not lacks:
        say("Every size is what was counted, but for moves that are under way")
        return 0
    if not given.correct:
        say("Nothing was changed; --correct adds what the sizes lack")
        return UNFINISHED
    correct(dynamodb, table, lacks)
    say("The sizes are corrected")
    return 0


type Group = int | str
"""A segment, or the key of an audience."""


def lacking(client: DynamoDBClient, table: str) -> dict[Group, int]:
    """By group, how many customers more are in it than its size says. Reads the whole table. Raises ClientError."""
    counted = Counter[Group]()
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="sk = :profile AND attribute_exists(decision)",
        ExpressionAttributeValues={":profile": {"S": PROFILE}},
        ProjectionExpression="pk, decision.segment, decision.audiences",
    )
    for page in pages:
        for item in page["Items"]:
            if not is_visitor(item["pk"]["S"]):
                counted.update(_groups(item["decision"]["M"]))
    members = Members(client, table)
    sizes = Counter[Group]()
    sizes.update(members.sizes())
    sizes.update(members.audience_sizes())
    return {group: lack for group in {*counted, *sizes} if (lack := counted[group] - sizes[group])}


def _groups(decision: Mapping[str, Any]) -> Iterator[Group]:
    yield int(decision["segment"]["N"])
    yield from decision.get("audiences", {"M": {}})["M"]


def settled(
    first: dict[Group, int],
    again: Callable[[], dict[Group, int]],
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[Group, int]:
    """What is lacking in both of two counts alike; a difference that changes is a move under way."""
    sleep(seconds)
    second = again()
    return {group: lack for group, lack in first.items() if second.get(group) == lack}


def correct(client: DynamoDBClient, table: str, lacks: dict[Group, int]) -> None:
    """Adds to the sizes what they lack, beside moves that are recorded meanwhile. Raises ClientError."""
    for group, lack in lacks.items():
        client.update_item(
            TableName=table,
            Key=size_key(group, 0) if isinstance(group, int) else audience_size_key(0),
            UpdateExpression="ADD #size :gain",
            ExpressionAttributeNames={"#size": "customers" if isinstance(group, int) else size_name(group)},
            ExpressionAttributeValues={":gain": {"N": str(lack)}},
        )


if __name__ == "__main__":
    sys.exit(main())
