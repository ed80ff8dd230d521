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

from shared.aws.fresh_object import is_absent
from shared.decisions.decision import iso
from shared.models import switching
from shared.models.bundle import Bundle
from shared.models.labels import Labels, labels_key, parse_labels
from shared.models.layout import MANIFEST_FILE, ONNX_FILE, POINTER_KEY, bundle_key
from shared.models.switching import BESIDE, FILES, Live
from shared.shapes import Misfit, parsed
from training.base.errors import InputError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Registry:
    """The bundles of one bucket."""

    s3: "S3Client"
    bucket: str

    def live(self) -> Live:
        """The live bundle, as it is now."""
        try:
            return switching.live(self.s3, self.bucket)
        except Misfit as misfit:
            raise InputError(f"{POINTER_KEY} is damaged: {misfit}") from misfit

    def upload(self, folder: Path, bundle_id: str) -> None:
        """Puts the bundle beside the others; nothing uses it yet."""
        beside = {name: kind for name, kind in BESIDE.items() if (folder / name).is_file()}
        for name, kind in (FILES | beside).items():
            body = (folder / name).read_bytes()
            self.s3.put_object(Bucket=self.bucket, Key=bundle_key(bundle_id, name), Body=body, ContentType=kind)

    def holds(self, bundle_id: str) -> bool:
        """Whether the bundle's files are all there."""
        return bundle_id in self.bundle_ids()

    def bundle_ids(self) -> list[str]:
        """Every whole bundle, by name."""
        return switching.whole_bundles(self.s3, self.bucket)

    def manifest(self, bundle_id: str) -> dict[str, Any]:
        """What the bundle says of itself."""
        key = bundle_key(bundle_id, MANIFEST_FILE)
        return _document(key, self._read(key))

    def labels(self, bundle_id: str) -> Labels:
        """What the user calls the bundle's segments, and does for whom; empty where nothing was edited."""
        key = labels_key(bundle_id)
        try:
            return parse_labels(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except ClientError as error:
            if is_absent(self.s3, self.bucket, key, error):
                return {}
            raise

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
        now_ms = int(datetime.now(UTC).timestamp()) * 1000
        try:
            return switching.switch(self.s3, self.bucket, before, bundle_id, iso(now_ms), **notes)
        except switching.Overtaken as error:
            raise InputError(f"another bundle went live in {self.bucket} meanwhile; run the command again") from error

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
