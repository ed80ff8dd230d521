"""Keeps what the table's marks say apart from the table, and which links were undone by hand.

python -m operations.keep_marks [--stack NAME]

Run it once after the release before this one, whose marks are in the table alone, and after `training.unlink`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from operations.stack import DeployedStack, parser, run, say
from shared.identity.links import LinkState
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import LEADING, SORT_KEY, keyed_hash, mark_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AT_ONCE = 16


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.keep_marks") -> int:
    """The command line."""
    return run(_run, parser(prog, "Keep what marks say apart from the table."), arguments)


def _run(stack: DeployedStack, _given: argparse.Namespace) -> int:
    kept = KeptMarks(stack.s3, stack.resource("DataBucket"))
    secret = stack.mark_secret
    count = keep_marks(stack.dynamodb, stack.resource("ProfileTable"), lambda: secret, kept)
    say(f"Kept {count:,} marks")
    return 0


def keep_marks(client: DynamoDBClient, table: str, secret: Callable[[], bytes], kept: KeptMarks) -> int:
    """Keeps all that there is; returns the number of marks. Reads the whole table; again, it changes nothing.

    Raises ClientError.
    """
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="sk = :mark OR link.#state = :unlinked",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":mark": {"S": SORT_KEY}, ":unlinked": {"S": LinkState.UNLINKED}},
    )
    count = 0
    with ThreadPoolExecutor(AT_ONCE) as workers:
        for page in pages:
            marks = [item for item in page["Items"] if item["sk"]["S"] == SORT_KEY]
            keys = [item["pk"]["S"] for item in page["Items"] if "link" in item]
            done = [workers.submit(kept.keep, item["pk"]["S"].removeprefix(LEADING), mark_of(item)) for item in marks]
            done += [workers.submit(kept.unlinked, keyed_hash(secret(), key)) for key in keys]
            count += len([one.result() for one in done])
    return count


if __name__ == "__main__":
    sys.exit(main())
