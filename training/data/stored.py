"""What a stack has stored, by its latest whole snapshot: the same histories as of the files that they came from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import duckdb
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.fresh_object import ABSENT
from shared.events.locked import locked_database
from shared.exports.plan import Written, days_written, manifest_of
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
    """Everybody who was stored at an instant, in objects of which each row is a whole customer."""

    bucket: str
    date: str
    as_of_ms: int
    objects: tuple[Written, ...]

    @property
    def customers(self) -> int:
        """How many they are."""
        return sum(one.rows for one in self.objects)


def latest_snapshot(bucket: str) -> Snapshot:
    """The last day whose exports are whole; who was erased since is gone from them as well.

    Raises InputError where there is none, or where it is of nobody.
    """
    with _explained(bucket):
        s3 = boto3.client("s3")
        day = latest_day(s3, bucket)
        manifest = manifest_of(s3, bucket, STATES.name, day)
    if manifest is None:
        raise InputError(f"bucket {bucket}: the release that exported {day} kept no states; export once more")
    if not manifest.rows:
        raise InputError(f"bucket {bucket}: nobody was stored on {day}")
    return Snapshot(bucket, day, manifest.plan.as_of_ms, tuple(manifest.objects))


def read_snapshot(snapshot: Snapshot) -> Profiles:
    """The histories of all customers. Raises InputError where they cannot be read."""
    states: list[Profiles] = []
    with _explained(snapshot.bucket):
        s3 = boto3.client("s3")  # once for all objects: it takes longer to make than a small one takes to fetch
    with progress("reading the snapshot", snapshot.customers) as advance:
        for written in snapshot.objects:
            states += read_object(snapshot, written.key, max(1, written.rows), s3)
            advance(written.rows, f"{sum(map(len, states)):,} customers")
    return merge(*states)


def read_object(snapshot: Snapshot, key: str, at_once: int, s3: S3Client | None = None) -> Iterator[Profiles]:
    """The histories of the customers of one object, `at_once` of them at a time, by a client of one's own where there
    is none. Raises InputError where they cannot be read."""
    with _explained(snapshot.bucket), tempfile.TemporaryDirectory() as place:
        path = Path(place) / "states.parquet"
        _fetch(s3 or boto3.client("s3"), snapshot, key, path)
        with locked_database(path, memory=MEMORY) as database:
            database.execute("SELECT customer_id, state FROM read_parquet(?)", [str(path)])
            for rows in batched(_rows(database), at_once, strict=False):
                yield gathered((customer_key(customer), state) for customer, state in rows)


@contextmanager
def _explained(bucket: str) -> Iterator[None]:
    """What goes wrong with a bucket, in a line. Raises InputError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise InputError(f"bucket {bucket}: {error}") from error
    except (BrokenState, UnknownStateVersion, duckdb.Error, msgspec.MsgspecError) as error:
        raise InputError(f"bucket {bucket}: its snapshot cannot be read by this release: {error}") from error


def _fetch(s3: S3Client, snapshot: Snapshot, key: str, path: Path) -> None:
    try:
        s3.download_file(snapshot.bucket, key, str(path))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ABSENT:
            raise
        # A week after, or while the day is exported anew.
        kept = f"bucket {snapshot.bucket} keeps the snapshot of {snapshot.date} no more"
        raise InputError(f"{kept}: `tessera export --wait`") from error


def latest_day(s3: S3Client, bucket: str) -> str:
    """The last day whose exports are whole. Raises InputError where there is none."""
    day = max(days_written(s3, bucket, SNAPSHOTS.name), default=None)
    if day is None:
        raise InputError(f"bucket {bucket} has no whole snapshot: `tessera export --wait` makes one")
    return day


def _rows(database: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, bytes]]:
    while rows := database.fetchmany(10_000):
        yield from rows
