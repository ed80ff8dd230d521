"""Where refused lines and unreadable files go, each with its reason: nothing is dropped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from shared.events import Rejection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LONGEST_FOLDER_BYTES = 900
"""S3 keys end at 1,024 bytes; the rest is for what comes below the folder."""


class Quarantine:
    """The folder `quarantine/<source key>/<version>/` of one version of one source object.

    Names follow from the source alone, so that reading it again overwrites the same objects with the same content.
    """

    def __init__(self, s3: S3Client, bucket: str, source_key: str, version: str, version_id: str | None = None) -> None:
        """`version` names the folder; `version_id` is S3's own for the version that is copied, else the latest is."""
        self._s3, self._bucket, self._source_key = s3, bucket, source_key
        self._source: Any = {"Bucket": bucket, "Key": source_key, **({"VersionId": version_id} if version_id else {})}
        self._folder = f"quarantine/{_folder_name(source_key)}/{version}"

    def lines(self, rejections: Sequence[Rejection], kind: str = "lines") -> None:
        """Keeps refused lines, one JSON object each, in a file named after their `kind` and the first of them."""
        records = [self._record(r.reason, r.line, people=r.people, **_original(r.original)) for r in rejections]
        self._put(f"{kind}-{rejections[0].line:09d}.ndjson", b"".join(record + b"\n" for record in records))

    def whole(self, reason: str) -> None:
        """Keeps a copy of the source object, its bytes as they are, and why beside it."""
        name = PurePosixPath(self._source_key).name
        # Copying tags would need rights that nothing else here needs.
        self._s3.copy(self._source, self._bucket, f"{self._folder}/{name}", {"TaggingDirective": "REPLACE"})
        self.note(reason)

    def note(self, reason: str) -> None:
        """Keeps the reason alone, where there is nothing to copy."""
        self._put("reason.json", self._record(reason, None))

    def _record(self, reason: str, line: int | None, people: Sequence[str] = (), **original: str) -> bytes:
        # Whom a line names, so that an erasure finds it.
        named = {**original, "people": people} if people else original
        return msgspec.json.encode({"source_key": self._source_key, "line": line, "reason": reason, **named})

    def _put(self, name: str, body: bytes) -> None:
        kind = "application/x-ndjson" if name.endswith(".ndjson") else "application/json"
        self._s3.put_object(Bucket=self._bucket, Key=f"{self._folder}/{name}", Body=body, ContentType=kind)


def _folder_name(source_key: str) -> str:
    encoded = source_key.encode()
    return source_key if len(encoded) <= _LONGEST_FOLDER_BYTES else hashlib.sha256(encoded).hexdigest()


def _original(line: bytes) -> dict[str, str]:
    try:
        return {"original": line.decode()}
    except UnicodeDecodeError:
        return {"original_base64": base64.b64encode(line).decode()}
