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

from shared.decisions.decision import iso
from shared.models.bundle import Bundle
from shared.models.labels import Labels, labels_key, parse_labels
from shared.models.layout import MANIFEST_FILE, ONNX_FILE, POINTER_KEY, PREFIX, bundle_key
from shared.models.shapes import Misfit, parsed
from training.base.errors import InputError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILES = {
    ONNX_FILE: "application/octet-stream",
    MANIFEST_FILE: "application/json",
    "reasons.npz": "application/octet-stream",
    "report.html": "text/html",
}
KEPT_SWITCHES = 200
"""Switches that `current.json` remembers."""
OVERTAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


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


@dataclass(frozen=True)
class Registry:
    """The bundles of one bucket."""

    s3: "S3Client"
    bucket: str

    def live(self) -> Live:
        """The live bundle, as it is now."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=POINTER_KEY)
        except self.s3.exceptions.NoSuchKey:
            return Live({})
        return Live(_document(POINTER_KEY, answer["Body"].read()), answer["ETag"])

    def upload(self, folder: Path, bundle_id: str) -> None:
        """Puts the bundle beside the others; nothing uses it yet."""
        for name, kind in FILES.items():
            body = (folder / name).read_bytes()
            self.s3.put_object(Bucket=self.bucket, Key=bundle_key(bundle_id, name), Body=body, ContentType=kind)

    def holds(self, bundle_id: str) -> bool:
        """Whether the bundle's files are all there."""
        return set(FILES) <= self._files().get(bundle_id, set())

    def bundle_ids(self) -> list[str]:
        """Every whole bundle, by name."""
        return [name for name, files in sorted(self._files().items()) if set(FILES) <= files]

    def manifest(self, bundle_id: str) -> dict[str, Any]:
        """What the bundle says of itself."""
        key = bundle_key(bundle_id, MANIFEST_FILE)
        return _document(key, self._read(key))

    def labels(self, bundle_id: str) -> Labels:
        """What the user calls the bundle's segments, and does for whom; empty where nothing was edited."""
        try:
            return parse_labels(self.s3.get_object(Bucket=self.bucket, Key=labels_key(bundle_id))["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return {}

    def label(self, bundle_id: str, labels: Labels) -> None:
        """Puts `labels` in the place of the bundle's labels before."""
        body = json.dumps(labels, indent=2).encode()
        self.s3.put_object(Bucket=self.bucket, Key=labels_key(bundle_id), Body=body, ContentType="application/json")

    def bundle(self, bundle_id: str) -> Bundle:
        """The bundle, ready to run. Raises BundleMismatch where this code computes other features."""
        return Bundle.from_files(self._read(bundle_key(bundle_id, ONNX_FILE)), self.manifest(bundle_id))

    def switch(self, before: Live, bundle_id: str, **notes: Any) -> dict[str, Any]:
        """Makes the bundle the live one, in one write, and records it with the `notes` that are not empty.

        Raises InputError where another process has switched since `before` was read: what was checked against that
        bundle says nothing about the new one.
        """
        # A bundle that is published again must not become its own predecessor: rollback would lead nowhere.
        previous = before.content.get("previous") if before.bundle_id == bundle_id else before.bundle_id
        now_ms = int(datetime.now(UTC).timestamp()) * 1000
        record = {"bundle_id": bundle_id, "published_at": iso(now_ms), "previous": previous}
        record |= {name: note for name, note in notes.items() if note}
        content = {**record, "history": [*before.content.get("history", []), record][-KEPT_SWITCHES:]}
        body = json.dumps(content, indent=2).encode()
        unchanged: dict[str, Any] = {"IfMatch": before.etag} if before.etag else {"IfNoneMatch": "*"}
        try:
            self.s3.put_object(
                Bucket=self.bucket, Key=POINTER_KEY, Body=body, ContentType="application/json", **unchanged
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in OVERTAKEN:
                raise InputError(
                    f"another bundle went live in {self.bucket} meanwhile; run the command again"
                ) from error
            raise
        return record

    def _files(self) -> dict[str, set[str]]:
        """Names of the files of every bundle, by bundle."""
        names: dict[str, set[str]] = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=PREFIX):
            for entry in page.get("Contents", []):
                _, bundle_id, *name = entry["Key"].split("/")
                if name:
                    names.setdefault(bundle_id, set()).add("/".join(name))
        return names

    def _read(self, key: str) -> bytes:
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey as error:
            raise InputError(f"bucket {self.bucket} holds no {key}") from error


def _document(key: str, content: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = parsed(content, {})
    except Misfit as misfit:
        raise InputError(f"{key} is damaged: {misfit}") from misfit
    return document


@contextmanager
def connect(bucket: str) -> Iterator[Registry]:
    """The registry of a bucket on AWS, or where AWS_ENDPOINT_URL points. Raises InputError where it cannot be used."""
    try:
        yield Registry(boto3.client("s3"), bucket)
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"bucket {bucket}: {error}") from error
