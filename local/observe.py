"""Looking at a running stack from outside: what it counted, what it refused, and when it has caught up."""

import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local.emulator import LocalStackError, tail
from local.stack import Stack
from shared.profiles.item import decode_profile
from shared.profiles.stored_profile import PROFILE, StoredProfile
from shared.profiles.table import ProfileTable
from training.base.progress import progress

QUIET_SECONDS = 2.0
PATIENCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What stands in quarantine."""

    reasons: Counter[str]
    """Lines by reason."""
    unreadable: int
    """Files that could not be read at all."""
    oldest_write: datetime | None
    """When the object written longest ago was written."""

    @property
    def lines(self) -> int:
        """Lines of all reasons."""
        return self.reasons.total()


def drop(stack: Stack, files: list[Path], prefix: str) -> None:
    """Put the files under events/`prefix`/ of the data bucket and wait until the stack has worked them off.

    Raises LocalStackError where it does not, or where files end in the dead-letter queue.
    """
    with progress("folding event files", 2 * len(files)) as advance:
        for file in files:
            stack.s3.upload_file(str(file), stack.bucket, f"events/{prefix}/{file.name}")
            advance(1, f"dropped {file.name}")
        done = 0
        moved = time.monotonic()
        quiet = time.monotonic()
        while time.monotonic() - quiet < QUIET_SECONDS:
            waiting = _messages(stack, stack.queue_url)
            now = time.monotonic()
            if waiting:
                quiet = now
            if len(files) - waiting > done:
                advance(len(files) - waiting - done, f"{waiting} files to go")
                done = len(files) - waiting
                moved = now
            if now - moved > PATIENCE_SECONDS:
                raise LocalStackError(f"{waiting} files are still waiting:\n\n{tail(stack.log)}")
            time.sleep(0.5)
    if failed := _messages(stack, stack.dlq_url):
        raise LocalStackError(f"{failed} files ended in the dead-letter queue:\n\n{tail(stack.log)}")


def read_profiles(stack: Stack) -> dict[str, StoredProfile]:
    """All profiles of the table, by key."""
    pages = stack.dynamodb.get_paginator("scan").paginate(
        TableName=stack.table, FilterExpression="sk = :profile", ExpressionAttributeValues={":profile": {"S": PROFILE}}
    )
    profiles = [decode_profile(item) for page in pages for item in page["Items"]]
    return ProfileTable(stack.dynamodb, stack.table).complete(profiles)


def read_quarantine(stack: Stack, prefix: str = "") -> Quarantined:
    """What was refused of the files under events/`prefix` of the data bucket."""
    pages = stack.s3.get_paginator("list_objects_v2").paginate(
        Bucket=stack.bucket, Prefix=f"quarantine/events/{prefix}"
    )
    entries = [entry for page in pages for entry in page.get("Contents", [])]
    reasons = Counter[str]()
    for entry in entries:
        if entry["Key"].endswith(".ndjson") and "/lines-" in entry["Key"]:
            body = stack.s3.get_object(Bucket=stack.bucket, Key=entry["Key"])["Body"].read()
            for record in map(json.loads, body.splitlines()):
                reasons[record["reason"]] += record.get("lines", 1)
    return Quarantined(
        reasons,
        unreadable=sum(entry["Key"].endswith("/reason.json") for entry in entries),
        oldest_write=min((entry["LastModified"] for entry in entries), default=None),
    )


def _messages(stack: Stack, queue_url: str) -> int:
    queue = stack.sqs.get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return int(queue["ApproximateNumberOfMessages"]) + int(queue["ApproximateNumberOfMessagesNotVisible"])
