"""The manifests of published bundles, for answers that name a segment or a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from shared.fresh_object import FreshObject
from shared.labels import labelled, labels_key, parse_labels

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

POINTER_KEY = "models/current.json"
CHECK_EVERY_SECONDS = 60.0


class Manifests:
    """Manifests by bundle id with the user's labels, read when first asked for and again when they change: a renamed
    segment shows soon."""

    def __init__(self, s3: S3Client, bucket: str, check_every: float = CHECK_EVERY_SECONDS) -> None:
        self._object = cache(lambda name: FreshObject(s3, bucket, f"models/{name}/manifest.json", check_every))
        self._labels = cache(lambda name: FreshObject(s3, bucket, labels_key(name), check_every))
        self._pointer = FreshObject(s3, bucket, POINTER_KEY, check_every)

    def get(self, bundle_id: str, now: float) -> Mapping[str, Any]:
        """The manifest at `now` (a monotonic clock, seconds), empty if there is none. Raises ClientError."""
        body = self._object(bundle_id).read(now)
        return labelled(_parse(body), parse_labels(self._labels(bundle_id).read(now))) if body else {}

    def live(self, now: float) -> Mapping[str, Any]:
        """The manifest of the bundle that is live at `now`, empty while there is none. Raises ClientError."""
        pointer = self._pointer.read(now)
        return self.get(str(_parse(pointer)["bundle_id"]), now) if pointer else {}


@lru_cache(maxsize=16)
def _parse(body: bytes) -> Mapping[str, Any]:
    manifest: Mapping[str, Any] = json.loads(body)
    return manifest
