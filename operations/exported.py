"""What a stack exported, fetched to this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from operations.stack import OperationError
from shared.exports.plan import days_written, manifest_of
from shared.exports.schema import Growth, Table
from shared.exports.tables import SNAPSHOTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def last_whole(s3: S3Client, bucket: str) -> str:
    """The last date of which all tables are exported. Raises OperationError where there is none, and ClientError."""
    day = max(days_written(s3, bucket, SNAPSHOTS.name), default=None)
    if day is None:
        raise OperationError("no date is whole yet: run `tessera export --wait` first")
    return day


def fetched(s3: S3Client, bucket: str, table: Table, day: str, into: Path) -> list[Path]:
    """The table's objects of a date, of an increment those of all dates, each in a folder of its date below `into`.

    Raises ClientError.
    """
    days = [day]
    if table.growth is Growth.INCREMENT:
        days = sorted(days_written(s3, bucket, table.name))
    files: list[Path] = []
    for one in days:
        manifest = manifest_of(s3, bucket, table.name, one)
        for written in manifest.objects if manifest else ():
            file = into / f"{table.name}-{len(files)}" / f"date={one}" / "part.parquet"
            file.parent.mkdir(parents=True)
            s3.download_file(bucket, written.key, str(file))
            files.append(file)
    return files
