"""Says why lines and files were refused, the most frequent reason first, and where the first of each stands.

python -m operations.quarantine [--stack NAME] [--below events/2026/]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from operations.stack import DeployedStack, parser, run, say

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "quarantine/"
REASONS = ("reason.json", ".ndjson")
LARGEST_OBJECT_BYTES = 64 << 20
"""A whole file that nobody could read may be larger, and holds no reasons."""


class Record(msgspec.Struct):
    """As much of a quarantined line's record as says why."""

    reason: str = "no reason was kept"
    line: int | None = None


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.quarantine") -> int:
    """The command line."""
    made = parser(prog, "Say why lines and files were refused.")
    made.add_argument(
        "--below", default="", metavar="KEY", help="of sources below this key alone, such as events/2026/"
    )
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    counts = Counter[str]()
    first = dict[str, str]()
    for reason, place in reasons(stack.s3, stack.resource("DataBucket"), f"{PREFIX}{given.below}"):
        counts[reason] += 1
        first.setdefault(reason, place)
    for reason, count in counts.most_common():
        say(f"{count:>9,}  {reason}", f"           first in {first[reason]}")
    say(f"{counts.total():,} refused lines and files, for {len(counts):,} reasons")
    return 0


def reasons(s3: S3Client, bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Why each line or file below a prefix was refused, without the value that was, and where it stands."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            if entry["Key"].endswith(REASONS) and entry["Size"] <= LARGEST_OBJECT_BYTES:
                body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                yield from ((reason, entry["Key"]) for reason in _reasons(body))


def _reasons(body: bytes) -> Iterator[str]:
    for line in body.splitlines():
        try:
            yield _without_value(msgspec.json.decode(line, type=Record).reason)
        except (ValueError, RecursionError):
            # A dropped file that nobody could read may have such a name too.
            return


def _without_value(reason: str) -> str:
    """Reasons end with the value where there is one: `price must be a number, not the text 'x'`."""
    return reason.partition(", not ")[0]


if __name__ == "__main__":
    sys.exit(main())
