"""Live events as they came, kept so that a table that was lost can be made anew of them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.events import Chunk, Rules, read_lines

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from shared.live_events import TakenIn
    from shared.marks import Marks
    from shared.places import Places

PREFIX = "archive/"
LONGEST_LINE_BYTES = 1_000_000
"""What every reader of files takes; only a broker set up for more brings longer events."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One object for each batch of live messages, `archive/<year>/<month>/<day>/<hour>/….ndjson.gz`, its valid lines.

    The name follows from the messages, and the hour from when the first of them was sent. The same batch again
    overwrites its object; the same messages in another batch are kept twice, which counts once.
    """

    s3: S3Client
    bucket: str
    places: Places
    marks: Marks

    def keep(self, batch: Sequence[TakenIn]) -> int:
        """Keeps the valid lines but for those that name people who were erased, and gives their number.

        Raises ClientError, and what marks and places raise.
        """
        people = {person for taken in batch for person in people_of(taken.chunk)}
        refused = self.marks.refused(people)
        lines = [
            line for taken in batch for line in _valid(taken) if not refused or refused.isdisjoint(people_in(line))
        ]
        if not lines:
            return 0
        key = object_key([taken.message.id for taken in batch], min(taken.message.sent_ms for taken in batch))
        self.places.note(key, people - refused)
        body = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/gzip")
        return len(lines)


def object_key(message_ids: Sequence[str], sent_ms: int) -> str:
    """Where a batch of messages is kept whose first was sent at `sent_ms`, UTC milliseconds."""
    hour = datetime.fromtimestamp(sent_ms / 1_000, UTC).strftime("%Y/%m/%d/%H")
    name = hashlib.blake2b("\n".join(sorted(message_ids)).encode(), digest_size=16).hexdigest()
    return f"{PREFIX}{hour}/{name}.ndjson.gz"


def people_of(chunk: Chunk) -> set[str]:
    """The profile keys of all whom valid events name."""
    return {*chunk.events.keys, *(claim.visitor for claim in chunk.claims)}


def people_in(line: bytes) -> set[str]:
    """The profile keys of all whom an archived line names."""
    return people_of(read_lines([line], Rules(currency=None)))


def _valid(taken: TakenIn) -> list[bytes]:
    refused = {rejection.line for rejection in taken.chunk.rejections}
    valid = [line for number, line in enumerate(taken.message.lines, 1) if number not in refused]
    # A file has an event a line. In JSON line ends stand between values alone, as they do where an event is indented.
    return [b" ".join(line.splitlines()) for line in valid if len(line) <= LONGEST_LINE_BYTES]
