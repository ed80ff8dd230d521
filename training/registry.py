"""The published bundles of a data bucket: `models/<bundle_id>/…`, and `models/current.json` that names the live one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from shared.decision import iso
from training.config import InputError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILES = {"bundle.onnx": "application/octet-stream", "manifest.json": "application/json", "report.html": "text/html"}
CURRENT = "models/current.json"


@dataclass(frozen=True)
class Registry:
    """The bundles of one bucket."""

    s3: "S3Client"
    bucket: str

    def current(self) -> dict[str, Any] | None:
        """What `models/current.json` says; None before anything was published."""
        try:
            content: dict[str, Any] = json.loads(self.s3.get_object(Bucket=self.bucket, Key=CURRENT)["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None
        return content

    def upload(self, folder: Path, bundle_id: str) -> None:
        """Puts the bundle beside the others; nothing uses it yet."""
        for name, kind in FILES.items():
            body = (folder / name).read_bytes()
            self.s3.put_object(Bucket=self.bucket, Key=f"models/{bundle_id}/{name}", Body=body, ContentType=kind)

    def holds(self, bundle_id: str) -> bool:
        """Whether the bundle's files are all there."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"models/{bundle_id}/").get("Contents", [])
        return {f"models/{bundle_id}/{name}" for name in FILES} <= {entry["Key"] for entry in listed}

    def switch(self, bundle_id: str, **notes: str | None) -> dict[str, Any]:
        """Makes the bundle the live one, in one write; `notes` are recorded with it."""
        live = self.current() or {}
        # A bundle that is published again must not become its own predecessor: rollback would lead nowhere.
        previous = live.get("previous") if live.get("bundle_id") == bundle_id else live.get("bundle_id")
        now_ms = int(datetime.now(UTC).timestamp()) * 1000
        said = {name: note for name, note in notes.items() if note}
        content = {"bundle_id": bundle_id, "published_at": iso(now_ms), "previous": previous, **said}
        body = json.dumps(content).encode()
        self.s3.put_object(Bucket=self.bucket, Key=CURRENT, Body=body, ContentType="application/json")
        return content


@contextmanager
def connect(bucket: str) -> Iterator[Registry]:
    """The registry of a bucket on AWS, or where AWS_ENDPOINT_URL points. Raises InputError where it cannot be used."""
    try:
        yield Registry(boto3.client("s3"), bucket)
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"bucket {bucket}: {error}") from error
