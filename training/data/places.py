"""Where event files are: on this machine, or in S3, from where workers of Spark read them as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from shared.events import ByteStream
from training.base.errors import InputError

S3 = "s3://"
_HIDDEN = (".", "_")


@dataclass(frozen=True)
class EventFile:
    """A file of events."""

    place: str
    """A path, or `s3://BUCKET/KEY`."""
    size: int
    """In bytes."""

    @property
    def name(self) -> str:
        """The last part of its path or key, whose ending tells the format."""
        return self.place.rpartition("/")[2]

    @contextmanager
    def opened(self) -> Iterator[ByteStream]:
        """Its bytes. Raises InputError where they do not come from S3, OSError where not from the disk."""
        if not self.place.startswith(S3):
            with Path(self.place).open("rb") as stream:
                yield stream
            return
        bucket, _, key = self.place.removeprefix(S3).partition("/")
        try:
            yield boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        except (ClientError, BotoCoreError) as error:
            raise InputError(f"{self.place}: {error}") from error


def event_files(places: Iterable[str | Path]) -> list[EventFile]:
    """Files, and those of whole folders and of prefixes of buckets, in the order of their names; hidden ones are passed
    over. Raises InputError where there are none at one of the places."""
    return [file for place in places for file in _files_at(str(place))]


def _files_at(place: str) -> list[EventFile]:
    if place.startswith(S3):
        return _objects_at(place)
    path = Path(place)
    if path.is_dir():
        within = (file for file in path.rglob("*") if file.is_file() and not file.name.startswith(_HIDDEN))
        files = [EventFile(str(file), file.stat().st_size) for file in sorted(within)]
        if not files:
            raise InputError(f"no event files in the folder {path}")
        return files
    if not path.exists():
        raise InputError(f"there is no file or folder {path}")
    return [EventFile(str(path), path.stat().st_size)]


def _objects_at(place: str) -> list[EventFile]:
    bucket, _, prefix = place.removeprefix(S3).partition("/")
    try:
        pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        objects = [(each["Key"], each["Size"]) for page in pages for each in page.get("Contents", [])]
    except (ClientError, BotoCoreError) as error:
        raise InputError(f"{place}: {error}") from error
    files = [EventFile(f"{S3}{bucket}/{key}", size) for key, size in objects if not key.endswith("/")]
    files = [file for file in files if not file.name.startswith(_HIDDEN)]
    if not files:
        raise InputError(f"no event files at {place}")
    return files
