"""The manifests of published bundles, for answers that name a segment or a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from shared.aws.fresh_object import FreshObject
from shared.models.labels import ACTION, LABELS, labelled, labels_key, parse_labels
from shared.models.layout import MANIFEST_FILE, POINTER_KEY, bundle_key
from shared.shapes import Misfit, Text, parsed
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHECK_EVERY_SECONDS = 60.0

TARGETS = {"churn_probability": "churn", "conversion_probability": "conversion", "expected_ltv": "ltv"}
"""The training target behind each prediction, as the manifest names it."""

_OWN_OUTPUT = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TAKEN = frozenset(
    {
        *("segment", "segment_distance", "runner_up", "runner_up_distance", "micro_segment", "margin", "intent"),
        *("action", "attribute", "attributes", "audiences", "views", "carts", "orders", "events", "features"),
        *("about", "changed_since", "problem", "own"),
    }
)
"""What stands beside predictions somewhere, and so is no prediction's name."""

_PROSE = Text(100_000)
MANIFEST = {
    "bundle_id": Text(128),
    "segments": [
        {
            "id": int,
            "name": _PROSE,
            "description?": _PROSE,
            "profile?": {"*": (float, None)},
            "actions?": {"*": ACTION},
        }
    ],
    "targets": {
        "*": {
            "trained?": bool,
            "reason?": (_PROSE, None),
            "horizon_days?": int,
            "output?": Text(64),
            "intent?": Text(64),
        }
    },
    "thresholds": {"dormant_days": float, "newcomer_days": float, "loyal_orders": float, "*": float},
    "trained_on?": {"*": {"least": (float, None), "most": (float, None), "undefined": bool}},
    "actions?": {"*": ACTION},
    "labels?": LABELS,
    "reasons?": {"sha256": Text(64)},
    "feature_set_hash?": Text(64),
    "currency?": (Text(3), None),
    "time_zone?": Text(64),
}
"""The shape of those parts of `manifest.json` that functions use."""


def is_free(name: str) -> bool:
    """Whether a shop may call a prediction of its own so."""
    return _OWN_OUTPUT.fullmatch(name) is not None and name not in _TAKEN


def outputs(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The target behind each prediction that the bundle of `manifest` makes or leaves out, by the prediction's name:
    those of TARGETS, and then the shop's own."""
    targets: Mapping[str, Mapping[str, Any]] = manifest.get("targets", {})
    own = {str(about["output"]): name for name, about in targets.items() if "output" in about}
    return TARGETS | {output: name for output, name in own.items() if is_free(output) and output not in TARGETS}


def predicted(values: Mapping[str, float], asked: Iterable[str] = TARGETS) -> dict[str, float | None]:
    """Predictions as answers tell them: all that were `asked` for, null where there is none, and what else there is."""
    return dict.fromkeys(asked) | dict(values)


def step_name(output: str) -> str:
    """What the steps of a prediction are called in a bundle's graph, and its arrays in `reasons.npz`."""
    return TARGETS.get(output, output)


def is_probability(output: str) -> bool:
    """Whether a prediction is one; others are amounts, or what a campaign changes of a probability."""
    return output.endswith("_probability")


def is_uplift(output: str) -> bool:
    """Whether a prediction is what a campaign changes of a probability."""
    return output.endswith("_uplift")


_BUNDLE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class BundleMismatch(AnonymousError):
    """The bundle cannot be used: it is broken, or its format or the features it needs are not those of this code."""


def live_bundle_id(pointer: bytes) -> str:
    """The bundle that the content of `models/current.json` names. Raises Misfit."""
    bundle_id = str(parsed(pointer, {"bundle_id": Text(128)})["bundle_id"])
    if not _BUNDLE_ID.fullmatch(bundle_id):
        raise Misfit("its bundle_id is not made of letters, digits, dots, hyphens and underscores")
    return bundle_id


class Manifests:
    """Manifests by bundle id with the user's labels, read when first asked for and again when they change: a renamed
    segment shows soon."""

    def __init__(self, s3: S3Client, bucket: str, check_every: float = CHECK_EVERY_SECONDS) -> None:
        self._object = cache(lambda name: FreshObject(s3, bucket, bundle_key(name, MANIFEST_FILE), check_every))
        self._labels = cache(lambda name: FreshObject(s3, bucket, labels_key(name), check_every))
        self._pointer = FreshObject(s3, bucket, POINTER_KEY, check_every)

    def get(self, bundle_id: str, now: float) -> Mapping[str, Any]:
        """The manifest at `now` (a monotonic clock, seconds), empty if there is none. Raises ClientError.

        One that is broken counts as none: `LiveBundle` is who says so, and who says which labels are ignored.
        """
        manifest = _manifest(self._object(bundle_id).read(now))
        return labelled(manifest, parse_labels(self._labels(bundle_id).read(now))) if manifest else {}

    def live(self, now: float) -> Mapping[str, Any]:
        """The manifest of the bundle that is live at `now`, empty while there is none. Raises ClientError."""
        bundle_id = _live(self._pointer.read(now))
        return self.get(bundle_id, now) if bundle_id else {}


@lru_cache(maxsize=16)
def _manifest(body: bytes | None) -> Mapping[str, Any]:
    try:
        manifest: Mapping[str, Any] = parsed(body, MANIFEST) if body is not None else {}
    except Misfit:
        return {}
    return manifest


def _live(pointer: bytes | None) -> str | None:
    try:
        return live_bundle_id(pointer) if pointer is not None else None
    except Misfit:
        return None
