"""Which bundle is live: what `models/current.json` says, and its change in one write that nobody can overtake."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws.fresh_object import CHANGED, is_absent
from shared.models.layout import DISTRIBUTION_FILE, MANIFEST_FILE, ONNX_FILE, POINTER_KEY, PREFIX
from shared.shapes import parsed
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEPT_SWITCHES = 200
"""Switches that `current.json` remembers."""
FILES = {
    ONNX_FILE: "application/octet-stream",
    MANIFEST_FILE: "application/json",
    "reasons.npz": "application/octet-stream",
    "report.html": "text/html",
}
"""What a whole bundle consists of, and which kinds of content these are."""
BESIDE = {DISTRIBUTION_FILE: "application/json"}
"""What it may have beside."""


class Overtaken(AnonymousError):
    """Another bundle went live meanwhile: what was checked against the one before says nothing about it."""


@dataclass(frozen=True)
class Live:
    """What `models/current.json` said when it was read."""

    content: dict[str, Any]
    """Empty before anything was published."""
    etag: str | None = None

    @property
    def bundle_id(self) -> str | None:
        """The live bundle, None before anything was published."""
        return self.content.get("bundle_id")


def live(s3: S3Client, bucket: str) -> Live:
    """The live bundle, as it is now. Raises Misfit where the pointer is damaged, and ClientError."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=POINTER_KEY)
    except ClientError as error:
        if is_absent(s3, bucket, POINTER_KEY, error):
            return Live({})
        raise
    return Live(parsed(answer["Body"].read(), {}), answer["ETag"])


def whole_bundles(s3: S3Client, bucket: str) -> list[str]:
    """Every bundle that has all its files, by name."""
    names: dict[str, set[str]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX):
        for entry in page.get("Contents", []):
            _, bundle_id, *name = entry["Key"].split("/")
            if name:
                names.setdefault(bundle_id, set()).add("/".join(name))
    return [name for name, files in sorted(names.items()) if files >= FILES.keys()]


def switch(s3: S3Client, bucket: str, before: Live, bundle_id: str, at: str, **notes: Any) -> dict[str, Any]:
    """Makes the bundle the live one, in one write, and records when that was, `at`, with the `notes` that are not
    empty.

    Raises Overtaken where another process has switched since `before` was read, and ClientError.
    """
    # A bundle that is published again must not become its own predecessor: rollback would lead nowhere.
    previous = before.content.get("previous") if before.bundle_id == bundle_id else before.bundle_id
    record = {"bundle_id": bundle_id, "published_at": at, "previous": previous}
    record |= {name: note for name, note in notes.items() if note}
    content = {**record, "history": [*before.content.get("history", []), record][-KEPT_SWITCHES:]}
    unchanged: dict[str, Any] = {"IfMatch": before.etag} if before.etag else {"IfNoneMatch": "*"}
    body = json.dumps(content, indent=2).encode()
    try:
        s3.put_object(Bucket=bucket, Key=POINTER_KEY, Body=body, ContentType="application/json", **unchanged)
    except ClientError as error:
        if error.response["Error"]["Code"] in CHANGED | {"NoSuchKey"}:
            raise Overtaken from error
        raise
    return record
