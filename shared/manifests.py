"""The manifests of published bundles, for answers that name a segment or a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from shared.fresh_object import FreshObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHECK_EVERY_SECONDS = 60.0


class Manifests:
    """Manifests by bundle id, read when first asked for and again when they change: a renamed segment shows soon."""

    def __init__(self, s3: S3Client, bucket: str, check_every: float = CHECK_EVERY_SECONDS) -> None:
        self._object = cache(lambda name: FreshObject(s3, bucket, f"models/{name}/manifest.json", check_every))

    def get(self, bundle_id: str, now: float) -> Mapping[str, Any]:
        """The manifest at `now` (a monotonic clock, seconds), empty if there is none. Raises ClientError."""
        body = self._object(bundle_id).read(now)
        return _parse(body) if body else {}


@lru_cache(maxsize=16)
def _parse(body: bytes) -> Mapping[str, Any]:
    manifest: Mapping[str, Any] = json.loads(body)
    return manifest
