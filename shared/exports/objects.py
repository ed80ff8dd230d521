"""Objects of exports, as the bucket keeps them: the same name is the same part, and no version before it stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.aws.fresh_object import CHANGED

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ExportObjects:
    """Objects below `exports/`. What goes, goes for good: the bucket keeps versions, and an erasure must find all."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, key: str, body: bytes) -> None:
        """Writes an object, in the place of what an attempt before may have left. Raises ClientError."""
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] not in CHANGED:
                raise
            latest = self._s3.put_object(Bucket=self._bucket, Key=key, Body=body).get("VersionId")
            self._drop(key, latest)

    def keys(self, place: str) -> Iterator[str]:
        """The objects of a table's date, those of ours that stand beside them excepted. Raises ClientError."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=place):
            yield from (key for entry in page.get("Contents", ()) if (key := entry["Key"]).endswith(".parquet"))

    def drop(self, key: str) -> None:
        """Takes an object away with all its versions. Raises ClientError."""
        self._drop(key, None)

    def _drop(self, key: str, latest: str | None) -> None:
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key)
        every = [one for page in pages for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))]
        own = [one for one in every if one["Key"] == key and one["VersionId"] != latest]
        if latest:
            # Whoever wrote the same after us takes ours away, and we leave theirs.
            own = [one for one in own if not one["IsLatest"]]
        # The latest last: whatever breaks off, it is still there to be found again.
        for one in sorted(own, key=lambda one: (one["IsLatest"], one["LastModified"])):
            self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=one["VersionId"])
