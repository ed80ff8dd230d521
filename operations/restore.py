"""Makes the table of profiles anew, after it was lost, of what the data bucket holds.

python -m operations.restore [--stack NAME] [--go-on]

docs/restore.md says what comes back and what does not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from operations import gate
from operations.keep_marks import keep_marks
from operations.stack import UNFINISHED, DeployedStack, OperationError, parser, run, say
from shared.bulk.backfill import PREFIXES
from shared.identity.consents import Mark
from shared.intake.quarantine import PREFIX as QUARANTINE
from shared.intake.quarantine import people_in
from shared.models.layout import POINTER_KEY
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import Marks
from shared.profiles.places import Places

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AT_ONCE = 16
"""Marks written at the same time."""
MARKS_AT_ONCE = 1_000
POLL_SECONDS = 5.0
SUCCEEDED, NOTHING = "SUCCEEDED", "NothingToDo"


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.restore") -> int:
    """The command line."""
    made = parser(prog, "Make the table of profiles anew from the data bucket.")
    made.add_argument("--go-on", action="store_true", help="go on with the restore that broke off last")
    made.add_argument(
        "--settle",
        type=float,
        metavar="SECONDS",
        help="wait for functions that still run; default: the timeout of these",
    )
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    s3 = stack.s3
    bucket = stack.resource("DataBucket")
    kept = KeptMarks(s3, bucket)
    epoch = kept.epoch() if given.go_on else time.time_ns() // 1_000_000
    if not epoch:
        raise OperationError("no restore was begun: leave --go-on out")
    stopped = _stopped(s3, bucket, epoch) | {*gate.stop(stack)}
    since = time.monotonic()
    _write(s3, bucket, epoch, {"stopped": sorted(stopped)})
    say(f"Stopped what delivers events; should this break off, --go-on goes on (epoch {epoch})")

    if (count := _keep_what_is_left(stack, kept)) is not None:
        say(f"Kept {count:,} marks of the table that there was")
    kept.begin(epoch)
    stack.update({"TableEpoch": str(epoch)})
    table = stack.resource("ProfileTable")
    say(f"Made table {table}")

    marks = Marks(_many_at_once(stack), table, lambda: b"", kept, epoch)
    say(f"Put {put_back(marks, kept.all()):,} marks back")
    marks.complete()
    say(f"Noted {note_quarantine(s3, bucket, _places(stack, table)):,} objects of quarantine")

    # Live events that still were on their way when deliveries stopped are in the archive by then.
    settle = stack.timeout("IngestLiveEventsFunction") if given.settle is None else given.settle
    time.sleep(max(0.0, since + settle - time.monotonic()))
    name = f"restore-{epoch}"
    what = {"run": name, "prefixes": [*PREFIXES], "decide": False}
    status = stack.execute("BackfillEventsStateMachine", what, POLL_SECONDS)
    if status not in (SUCCEEDED, NOTHING):
        say(f"The back-fill ended as {status}: s3://{bucket}/reports/backfill/{name}.json says why; then use --go-on")
        return UNFINISHED
    say("Folded everything below " + ", ".join(PREFIXES))

    gate.start(stack, stopped)
    say("Deliveries go on")
    say(f"Set TableEpoch={epoch} where your parameters are written down, such as samconfig.toml")
    if not _exists(s3, bucket, POINTER_KEY):
        return 0
    say("The model decides on everybody; the second look at the table comes a quarter of an hour later")
    status = stack.execute("RescoreCustomersStateMachine", {"run": name}, POLL_SECONDS)
    say(f"The decisions ended as {status}: s3://{bucket}/reports/rescore/{name}.json")
    return 0 if status == SUCCEEDED else UNFINISHED


def _keep_what_is_left(stack: DeployedStack, kept: KeptMarks) -> int | None:
    """Of a table that is damaged rather than gone, marks that are in it alone."""
    secret = stack.mark_secret
    try:
        return keep_marks(stack.dynamodb, stack.resource("ProfileTable"), lambda: secret, kept)
    except stack.dynamodb.exceptions.ResourceNotFoundException:
        return None


def put_back(marks: Marks, kept: Iterable[tuple[str, Mark]]) -> int:
    """Makes the table's marks say what was kept; returns how many there are. Doing it again changes nothing."""
    count = 0
    with ThreadPoolExecutor(AT_ONCE) as workers:
        for some in batched(kept, MARKS_AT_ONCE, strict=False):
            for _ in workers.map(lambda named: marks.put_back(*named), some):
                count += 1
    return count


def note_quarantine(s3: S3Client, bucket: str, places: Places) -> int:
    """Notes who stands in quarantined lines, for erasures to find them; returns in how many objects."""
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=QUARANTINE):
        for entry in page.get("Contents", ()):
            if entry["Key"].endswith(".named.ndjson"):
                lines = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].iter_lines()
                places.note(entry["Key"], people_in(lines))
                count += 1
    return count


def _places(stack: DeployedStack, table: str) -> Places:
    secret = stack.mark_secret
    days = int(stack.parameters["QuarantineRetentionDays"])
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000  # noqa: E731
    return Places(stack.dynamodb, table, lambda: secret, now_ms, lambda _: days)


def _many_at_once(stack: DeployedStack) -> Any:
    return stack.client("dynamodb", Config(max_pool_connections=AT_ONCE))


def _key(epoch: int) -> str:
    return f"reports/restore/{epoch}.json"


def _stopped(s3: S3Client, bucket: str, epoch: int) -> set[str]:
    if not _exists(s3, bucket, _key(epoch)):
        return set()
    return {*json.loads(s3.get_object(Bucket=bucket, Key=_key(epoch))["Body"].read())["stopped"]}


def _write(s3: S3Client, bucket: str, epoch: int, progress: dict[str, Any]) -> None:
    s3.put_object(Bucket=bucket, Key=_key(epoch), Body=json.dumps(progress), ContentType="application/json")


def _exists(s3: S3Client, bucket: str, key: str) -> bool:
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents"))


if __name__ == "__main__":
    sys.exit(main())
