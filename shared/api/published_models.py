"""The bundles of a stack, for people to read: which is live and how good it is, and which were before it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.features import FEATURES
from shared.models.switching import Live, live, whole_bundles
from shared.shapes import Misfit, check

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from shared.models.manifests import Manifests

OF_A_TARGET = (
    *("trained", "reason", "meaning", "output", "horizon_days", "model", "calibration", "rows"),
    *("metrics", "validation", "thresholds"),
)
"""What is said of a target: as training wrote it into the manifest."""


def published(s3: S3Client, bucket: str, manifests: Manifests) -> dict[str, Any]:
    """The live bundle with what its manifest says of it, all that was published, the newest first, and what features
    mean. Raises ClientError."""
    pointer = _pointer(s3, bucket)
    whole = {*whole_bundles(s3, bucket)}
    manifest = manifests.get(pointer.bundle_id, time.monotonic()) if pointer.bundle_id else {}
    switches = [one for one in pointer.content.get("history", ()) if isinstance(one, dict)][::-1]
    return {
        "live": _live(pointer.content, manifest) if manifest else None,
        "published": [_switch(one, whole, is_latest=i == 0) for i, one in enumerate(switches)],
        "features": {one.name: {"meaning": one.description, "unit": one.unit} for one in FEATURES},
    }


def _pointer(s3: S3Client, bucket: str) -> Live:
    """What names the live bundle; where it is damaged there is none, as for every look-up."""
    try:
        pointer = live(s3, bucket)
        check(pointer.content.get("history", []), [{}])
    except Misfit:
        return Live({})
    return pointer


def _live(content: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    events = manifest.get("events", {})
    return {
        "bundle_id": manifest["bundle_id"],
        "published_at": content.get("published_at"),
        "forced": content.get("force_reason"),
        "as_of": manifest.get("as_of"),
        "created_at": manifest.get("created_at"),
        "events": {name: events.get(name) for name in ("rows", "customers", "first", "last")},
        "algorithm": manifest.get("segmentation", {}).get("algorithm"),
        "targets": {
            name: {part: target[part] for part in OF_A_TARGET if part in target}
            for name, target in manifest["targets"].items()
        },
        "thresholds": manifest["thresholds"],
        "actions": manifest.get("actions", {}),
    }


def _switch(record: Mapping[str, Any], whole: set[str], *, is_latest: bool) -> dict[str, Any]:
    return {
        "bundle_id": str(record.get("bundle_id")),
        "published_at": record.get("published_at"),
        "rolled_back_from": record.get("rolled_back_from"),
        "forced": record.get("force_reason"),
        "can_be_live": record.get("bundle_id") in whole,
        "is_latest": is_latest,
    }
