"""Exported tables of a bucket as files of ours, to be read without the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.aws.fresh_object import is_absent
from shared.exports.plan import manifest_of
from shared.exports.tables import EXPORTS, SNAPSHOTS, folder
from shared.insight.tables import Tables, TooLarge
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

MOST_BYTES = 6 * 2**30
"""Of the exports of one date: what a function's disk has room for beside what DuckDB puts there."""
DAYS_LATE = 3
"""By which a snapshot may be older than one horizon ago."""


class Replaced(AnonymousError):
    """Another run of the export took an object away meanwhile: what it writes instead is measured at its end."""


@dataclass(frozen=True)
class Exported:
    """What a bucket holds of exports."""

    s3: S3Client
    bucket: str

    def keys(self, table: str, day: str) -> list[str]:
        """The objects of a table's date, as its manifest names them. Raises ClientError."""
        manifest = manifest_of(self.s3, self.bucket, table, day)
        return [one.key for one in manifest.objects] if manifest else []

    def keys_until(self, table: str, day: str) -> Iterator[str]:
        """The objects of a table of all dates up to a day. Raises ClientError."""
        place = f"{EXPORTS}{table}/date="
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=place):
            for entry in page.get("Contents", ()):
                key = entry["Key"]
                if key.endswith(".parquet") and key < folder(table, days_after(day, 1)):
                    yield key

    def fetched(self, place: Path, keys: Mapping[str, Sequence[str]]) -> Tables:
        """The objects as files in a folder, by table. Raises TooLarge, Replaced, ClientError."""
        left = MOST_BYTES
        files: dict[str, list[Path]] = {}
        for name, own in keys.items():
            for number, key in enumerate(own):
                path = place / f"{name}-{number}.parquet"
                with path.open("wb") as file:
                    copyfileobj(self.body(key), file)
                left -= path.stat().st_size
                if left < 0:
                    raise TooLarge(f"exports of a date have more than {MOST_BYTES:,} bytes")
                files.setdefault(name, []).append(path)
        return Tables(place, files)

    def whole_before(self, day: str, horizon_days: int) -> str | None:
        """The latest whole date on which what was said has come true by a day, or not. Raises ClientError."""
        for late in range(DAYS_LATE + 1):
            earlier = days_after(day, -horizon_days - late)
            if manifest_of(self.s3, self.bucket, SNAPSHOTS.name, earlier):
                return earlier
        return None

    def body(self, key: str) -> StreamingBody:
        """An object's. Raises Replaced where it is not there, and ClientError."""
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"]
        except ClientError as error:
            if is_absent(self.s3, self.bucket, key, error):
                raise Replaced("an object that is named is not there") from None
            raise


def days_after(day: str, days: int) -> str:
    """The day so many days later, or before."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
