"""Live events as they came, kept so that a table that was lost can be made anew of them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.events import Chunk, Rules, read_lines
from shared.identity.consents import NEVER, Consent, Mark, in_order

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from shared.intake.live_events import TakenIn
    from shared.profiles.marks import Marks
    from shared.profiles.places import Places

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
        """Keeps the valid lines but for those that name people whose events do not count, and gives their number.

        Raises ClientError, and what marks and places raise.
        """
        people = {person for taken in batch for person in people_of(taken.chunk)}
        limits = self._limits(people, [consent for taken in batch for consent in taken.chunk.consents])
        valid = (line for taken in batch for line in taken.valid() if len(line) <= LONGEST_LINE_BYTES)
        # A file has an event a line. In JSON line ends stand between values alone, where an event is indented.
        lines = [b" ".join(line.splitlines()) for line in valid if not limits or _counts(line, limits)]
        if not lines:
            return 0
        ids = [taken.message.id + taken.message.part for taken in batch]
        key = object_key(ids, min(taken.message.sent_ms for taken in batch))
        self.places.note(key, {person for person in people if limits.get(person) != NEVER})
        body = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/gzip")
        return len(lines)

    def _limits(self, people: Iterable[str], consents: Iterable[Consent]) -> dict[str, int]:
        """From when on the events of those count who refused once, by what is known and by what the batch says."""
        marks = self.marks.load(people)
        for consent in in_order(consents):
            marks[consent.key] = marks.get(consent.key, Mark()).after(consent)
        return {key: limit for key, mark in marks.items() if (limit := mark.counts_from_ms) is not None}


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


def _counts(line: bytes, limits: Mapping[str, int]) -> bool:
    chunk = read_lines([line], Rules(currency=None))
    return all(limits.get(person, 0) <= int(chunk.events.rows.time_ms.min()) for person in people_of(chunk))
