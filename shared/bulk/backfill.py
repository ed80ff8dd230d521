"""A history of many files taken in by batches, each of which can break off anywhere and go on from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from shared.aws.fresh_object import is_absent
from shared.bulk.run_parts import span
from shared.events.pieces import without_text
from shared.intake.dropped_file import FileReport
from shared.intake.gathering import Intake
from shared.intake.object_parts import Part
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HISTORY = "history/"
"""Files of a history stand below it, where dropping them does not announce them one by one."""
PREFIXES = (HISTORY, "events/", "archive/")
"""All that profiles are made of; a table that was lost is made anew from it."""

FILES_A_BATCH = 200
BYTES_A_BATCH = 256 << 20
"""Files beside each other concern the same customers: what one batch holds of them is written once."""

CHECKPOINT_SECONDS = 60.0


class NothingToDo(AnonymousError):
    """There are no files to take in; the message says where none were found."""


class FilesFailed(AnonymousError):
    """Some files of a batch could not be fetched; all others are in, and another attempt takes these alone."""


class Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some of the files, as the state machine hands them out."""

    number: int
    keys: list[str]
    decides: bool = True
    """Whether a model decides on those whom it changes; without, their histories are stored alone."""


class BatchProgress(msgspec.Struct):
    """How far a batch is, and what came of it. Times are UTC milliseconds."""

    todo: list[str]
    """Files not yet in, those that failed excepted."""
    started_ms: int
    updated_ms: int
    rest: Part | None = None
    """What is not yet in of the first of these, where that is not all of it."""
    failed: dict[str, str] = {}
    """Why files are not in, by key."""
    files: int = 0
    """Files that are in: their events are counted or in quarantine."""
    accepted: int = 0
    """Valid events, repeats included."""
    counted: int = 0
    """Events counted for the first time."""
    forgotten: int = 0
    """Events of those who were erased."""
    quarantined: int = 0
    capped: int = 0
    """Of these, and of files, those whose originals are in their file alone."""
    unreadable: list[str] = []
    """Files kept whole in quarantine."""
    missing: list[str] = []
    """Files deleted since the history was listed."""
    customers: int = 0
    """Profiles changed, by writes: a customer of several batches is changed by several."""

    @property
    def done(self) -> bool:
        """Whether every file is in."""
        return not self.todo and not self.failed


def list_files(s3: S3Client, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    """The key and the size in bytes of every file below a prefix. Raises ClientError."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from ((file["Key"], file["Size"]) for file in page.get("Contents", ()) if file["Key"][-1] != "/")


def batches(files: Iterator[tuple[str, int]], most_files: int, most_bytes: int) -> Iterator[Batch]:
    """The files in their order, at most `most_files` and `most_bytes` a batch; a larger file is a batch of its own."""
    number = 0
    keys: list[str] = []
    held = 0
    for key, size in files:
        if keys and (len(keys) >= most_files or held + size > most_bytes):
            yield Batch(number, keys)
            number += 1
            keys = []
            held = 0
        keys.append(key)
        held += size
    if keys:
        yield Batch(number, keys)


def plan(s3: S3Client, bucket: str, prefixes: Sequence[str], *, decides: bool) -> list[Batch]:
    """All files below the prefixes in batches. Raises NothingToDo and ClientError."""
    if not all(prefix.startswith(PREFIXES) for prefix in prefixes):
        raise NothingToDo(f"events stand below {', '.join(PREFIXES)}, which the prefix of this run does not")
    files = (file for prefix in prefixes for file in list_files(s3, bucket, prefix))
    planned = [replace(batch, decides=decides) for batch in batches(files, FILES_A_BATCH, BYTES_A_BATCH)]
    if not planned:
        raise NothingToDo("there is no file below the prefix of this run")
    return planned


def read_plan(s3: S3Client, bucket: str, key: str) -> list[Batch] | None:
    """The plan of a run that began before; None of one that did not. Raises ClientError."""
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if is_absent(s3, bucket, key, error):
            return None
        raise
    return msgspec.json.decode(body, type=list[Batch])


def take_batch(
    progress: BatchProgress,
    take_in: Callable[[Part, Intake], FileReport],
    intake: Callable[[], Intake],
    keep: Callable[[BatchProgress], None],
    monotonic: Callable[[], float],
    go_on: Callable[[], bool],
) -> None:
    """Goes on from `progress`, which it changes, a file or a part of one at least and then while `go_on` says so.

    `keep` is given it whenever files are in. A file that S3 does not give, or with events of a profile that may take
    them later, is noted and left for another attempt.
    Taking a file in twice counts its events once.
    Raises what the intake and `keep` raise.
    """
    if not progress.todo:
        progress.todo = [*progress.failed]
        progress.failed = {}
    while progress.todo:
        since = monotonic()
        gathered = intake()
        taken = _Taken()
        for key in progress.todo:
            part = progress.rest if progress.rest and not taken.reports else Part(key)
            try:
                taken.add(key, part, take_in(part, gathered))
            except (ClientError, BotoCoreError) as error:
                taken.failed[key] = str(error)
            if taken.rest or monotonic() - since >= CHECKPOINT_SECONDS or not go_on():
                break
        gathered.flush()
        _add(progress, taken, gathered)
        keep(progress)
        if not go_on():
            break


@dataclass
class _Taken:
    """What came of files, of which the last may have a rest."""

    reports: dict[str, FileReport] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    rest: Part | None = None

    def add(self, key: str, part: Part, report: FileReport) -> None:
        """Takes in what came of a file or a part of one."""
        if report.missing and not part.is_whole:
            # It was replaced since it was begun, and is read from its new beginning, or found to be gone.
            report = FileReport(rest=(Part(key),))
        self.reports[key] = report
        for rest in report.rest:
            # Progress is kept where an erasure does not look.
            self.rest = replace(rest, begin=without_text(rest.begin))


def _add(progress: BatchProgress, taken: _Taken, intake: Intake) -> None:
    reports = taken.reports.values()
    waiting = {key for key, report in taken.reports.items() if report.rest and key not in intake.again}
    progress.rest = taken.rest if waiting else None
    progress.todo = progress.todo[len(taken.reports) + len(taken.failed) - len(waiting) :]
    progress.failed = {**progress.failed, **taken.failed, **intake.again}
    progress.files += len(taken.reports.keys() - intake.again.keys() - waiting)
    progress.accepted += intake.accepted
    progress.counted += intake.total.events
    progress.forgotten += intake.total.forgotten
    progress.customers += intake.total.customers
    progress.quarantined += intake.refused + intake.unwritten + sum(report.quarantined for report in reports)
    progress.capped += sum(report.capped for report in reports)
    progress.unreadable = [*progress.unreadable, *(key for key, report in taken.reports.items() if report.unreadable)]
    progress.missing = [*progress.missing, *(key for key, report in taken.reports.items() if report.missing)]


def report(parts: Sequence[BatchProgress], expected: int) -> Mapping[str, Any]:
    """The run's sums; `unfinished` counts those of the `expected` batches that are not at their end."""
    accepted = sum(part.accepted for part in parts)
    counted = sum(part.counted for part in parts)
    forgotten = sum(part.forgotten for part in parts)
    return {
        "batches": expected,
        "unfinished": expected - sum(part.done for part in parts),
        "files": sum(part.files for part in parts),
        "events_accepted": accepted,
        "events_counted": counted,
        "events_duplicate": accepted - counted - forgotten,
        "events_forgotten": forgotten,
        "events_quarantined": sum(part.quarantined for part in parts),
        "profiles_changed": sum(part.customers for part in parts),
        "files_unreadable": [key for part in parts for key in part.unreadable],
        "files_missing": [key for part in parts for key in part.missing],
        "files_failed": {key: reason for part in parts for key, reason in part.failed.items()},
        "files_waiting": sum(len(part.todo) for part in parts),
        **span([(part.started_ms, part.updated_ms) for part in parts]),
    }
