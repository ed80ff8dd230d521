"""The bundle that is live: the one `models/current.json` names, followed without a redeploy."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.bundle import Bundle, BundleMismatch
from shared.errors import why
from shared.fresh_object import ABSENT, FreshObject
from shared.labels import labelled, labels_key, parse_labels
from shared.manifests import POINTER_KEY

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics
    from mypy_boto3_s3 import S3Client

CHECK_EVERY_SECONDS = 15.0


class LiveBundle:
    """Loads the live bundle once and replaces it when the pointer names another; its manifest has the user's labels.

    A bundle that cannot be loaded never replaces one that works: the one before stays, and `problem` says why until
    the pointer names a bundle that loads.
    """

    def __init__(self, s3: S3Client, bucket: str, check_every: float = CHECK_EVERY_SECONDS) -> None:
        self._s3, self._bucket, self._check_every = s3, bucket, check_every
        self._pointer = FreshObject(s3, bucket, POINTER_KEY, check_every)
        self._bundle: Bundle | None = None
        self._refused: tuple[bytes, str] | None = None
        self.problem: str | None = None

    def get(self, now: float) -> Bundle | None:
        """The live bundle at `now` (a monotonic clock, seconds), or None while none has been published.

        Raises ClientError or BotoCoreError when S3 cannot be asked and there is no bundle yet to go on with.
        """
        try:
            self._follow(self._pointer.read(now))
            self._label(now)
            self.problem = None
        except BundleMismatch as error:
            self.problem = str(error)
        except (ClientError, BotoCoreError) as error:
            if self._bundle is None:
                raise
            self.problem = f"S3 does not answer: {why(error)}"
        return self._bundle

    def watched(self, logger: Logger, metrics: Metrics) -> Bundle | None:
        """The live bundle now, for a handler: what is wrong of it is logged, and counted as `BundleRefused`.

        Raises what `get` raises.
        """
        bundle = self.get(time.monotonic())
        if self.problem:
            logger.error("The live bundle cannot be loaded", extra={"problem": self.problem})
        elif bundle is None:
            logger.warning("No bundle is published yet: histories are kept, decisions wait")
        metrics.add_metric("BundleRefused", "Count", int(self.problem is not None))
        return bundle

    def _follow(self, pointer: bytes | None) -> None:
        if pointer is None:
            return
        if self._refused and self._refused[0] == pointer:
            raise BundleMismatch(self._refused[1])
        try:
            bundle_id = _bundle_id(pointer)
            if self._bundle is None or self._bundle.bundle_id != bundle_id:
                self._bundle = self._load(bundle_id)
                self._trained = self._bundle.manifest
                self._labels = FreshObject(self._s3, self._bucket, labels_key(bundle_id), self._check_every)
            self._refused = None
        except BundleMismatch as error:
            self._refused = (pointer, str(error))
            raise

    def _label(self, now: float) -> None:
        if self._bundle:
            self._bundle.manifest = labelled(self._trained, parse_labels(self._labels.read(now)))

    def _load(self, bundle_id: str) -> Bundle:
        key = f"models/{bundle_id}/manifest.json"
        try:
            manifest = json.loads(self._object(key))
        except ValueError as error:
            raise BundleMismatch(f"{key} is not JSON: {error}") from error
        return Bundle.from_files(self._object(f"models/{bundle_id}/bundle.onnx"), manifest)

    def _object(self, key: str) -> bytes:
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                raise BundleMismatch(f"{POINTER_KEY} names a bundle without {key}") from error
            raise


def _bundle_id(pointer: bytes) -> str:
    try:
        return str(json.loads(pointer)["bundle_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleMismatch(f"{POINTER_KEY} is not a pointer with a bundle_id: {pointer[:200]!r}") from error
