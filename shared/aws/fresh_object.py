"""One S3 object that is read often and changes rarely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
FORBIDDEN = frozenset({"AccessDenied", "403"})
UNCHANGED = frozenset({"NotModified", "304"})
MOST_BYTES = 8_000_000
"""Of a document that people or training write: far above what it takes, and far below what a function has room for."""
CHANGED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})


def is_absent(s3: S3Client, bucket: str, key: str, error: ClientError, version_id: str | None = None) -> bool:
    """Whether reading an object failed because there is none, or not the version that was named. Raises ClientError.

    S3 says "access denied" of what does not exist to a role that may not list the whole bucket, and no role here may:
    so it is looked for among those whose names begin as its own does.
    """
    code = error.response["Error"]["Code"]
    if code not in FORBIDDEN:
        return code in ABSENT
    if version_id is None:
        objects = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        return not objects or objects[0]["Key"] != key
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
    kept = ((each["Key"], each["VersionId"]) for page in pages for each in page.get("Versions", ()))
    return (key, version_id) not in kept


class FreshObject:
    """The object's bytes, asked for again at most every `check_every` seconds and sent only when they changed.

    An object of more than MOST_BYTES is taken for an empty one, which is no document of any kind.
    """

    def __init__(self, s3: S3Client, bucket: str, key: str, check_every: float) -> None:
        self._s3, self._bucket, self._key, self._check_every = s3, bucket, key, check_every
        self._etag: str | None = None
        self._checked = float("-inf")
        self._body: bytes | None = None

    def read(self, now: float) -> bytes | None:
        """The content as of at most `check_every` seconds before `now` (a monotonic clock, seconds); None if absent.

        Raises ClientError when S3 refuses for any other reason than absence.
        """
        if now - self._checked >= self._check_every:
            self._refresh()
            self._checked = now
        return self._body

    def _refresh(self) -> None:
        condition = {"IfNoneMatch": self._etag} if self._etag else {}
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key, **condition)  # type: ignore[arg-type]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in UNCHANGED:
                return
            if not is_absent(self._s3, self._bucket, self._key, error):
                raise
            self._etag = self._body = None
        else:
            self._body = answer["Body"].read() if answer["ContentLength"] <= MOST_BYTES else b""
            self._etag = answer["ETag"]
