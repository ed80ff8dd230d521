"""What a stack has stored, by its latest whole snapshot: the same histories as of the files that they came from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import duckdb
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.fresh_object import ABSENT
from shared.events.locked import locked_database
from shared.exports.plan import days_written, manifest_of
from shared.exports.tables import SNAPSHOTS, STATES
from shared.features import BrokenState, Profiles, UnknownStateVersion, merge
from shared.identity.keys import customer_key
from shared.profiles.histories import gathered
from training.base.errors import InputError
from training.base.progress import progress

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


MEMORY = "1GB"
"""Of DuckDB's own count."""


@dataclass(frozen=True)
class Snapshot:
    """Everybody who was stored at an instant."""

    date: str
    as_of_ms: int
    profiles: Profiles


def read_snapshot(bucket: str) -> Snapshot:
    """The histories of the last day whose exports are whole; who was erased since is gone from them as well.

    Raises InputError where there is none, or it cannot be read.
    """
    try:
        return _read(boto3.client("s3"), bucket)
    except (ClientError, BotoCoreError) as error:
        raise InputError(f"bucket {bucket}: {error}") from error
    except (BrokenState, UnknownStateVersion, duckdb.Error, msgspec.MsgspecError) as error:
        raise InputError(f"bucket {bucket}: its snapshot cannot be read by this release: {error}") from error


def _read(s3: S3Client, bucket: str) -> Snapshot:
    day = latest_day(s3, bucket)
    manifest = manifest_of(s3, bucket, STATES.name, day)
    if manifest is None:
        raise InputError(f"bucket {bucket}: the release that exported {day} kept no states; export once more")
    states: list[Profiles] = []
    with progress("reading the snapshot", max(1, manifest.rows)) as advance, tempfile.TemporaryDirectory() as place:
        for number, written in enumerate(manifest.objects):
            path = Path(place) / f"{number}.parquet"
            _fetch(s3, bucket, written.key, path, day)
            states.append(gathered(_states(path)))
            path.unlink()
            advance(written.rows, f"{sum(map(len, states)):,} customers")
    return Snapshot(day, manifest.plan.as_of_ms, merge(*states))


def _fetch(s3: S3Client, bucket: str, key: str, path: Path, day: str) -> None:
    try:
        s3.download_file(bucket, key, str(path))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ABSENT:
            raise
        # A week after, or while the day is exported anew.
        raise InputError(f"bucket {bucket} keeps the snapshot of {day} no more: `tessera export --wait`") from error


def latest_day(s3: S3Client, bucket: str) -> str:
    """The last day whose exports are whole. Raises InputError where there is none."""
    day = max(days_written(s3, bucket, SNAPSHOTS.name), default=None)
    if day is None:
        raise InputError(f"bucket {bucket} has no whole snapshot: `tessera export --wait` makes one")
    return day


def _states(path: Path) -> Iterator[tuple[str, bytes]]:
    with locked_database(path, memory=MEMORY) as database:
        database.execute("SELECT customer_id, state FROM read_parquet(?)", [str(path)])
        while rows := database.fetchmany(10_000):
            yield from ((customer_key(customer), state) for customer, state in rows)
