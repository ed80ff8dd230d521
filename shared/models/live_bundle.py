"""The bundle that `models/current.json` names, with the shop's audiences: both followed without a redeploy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.audiences.audience import UNKNOWN
from shared.audiences.live_audiences import LiveAudiences
from shared.aws.fresh_object import FreshObject, is_absent
from shared.models.bundle import Bundle, BundleMismatch
from shared.models.labels import checked_labels, labelled, labels_key
from shared.models.layout import MANIFEST_FILE, ONNX_FILE, POINTER_KEY, PREFIX, bundle_key
from shared.models.manifests import live_bundle_id
from shared.recommending.live_recommender import LiveRecommender
from shared.shapes import Misfit
from shared.telemetry.errors import why

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics
    from mypy_boto3_s3 import S3Client

CHECK_EVERY_SECONDS = 15.0
REFUSED_SECONDS = 300.0
"""How long a bundle that was refused is not tried again, as its files may be mended under the same name."""
MOST_BYTES = 256_000_000
"""Of a file of a bundle: what the functions have memory for."""


class LiveBundle:
    """Loads the live bundle once and replaces it when the pointer names another; its manifest has the user's labels,
    and with it go the shop's audiences.

    A bundle that cannot be loaded never replaces one that works: the one before stays, and `problem` says why until
    the pointer names a bundle that loads.
    """

    def __init__(
        self, s3: S3Client, bucket: str, check_every: float = CHECK_EVERY_SECONDS, time_zone: str | None = None
    ) -> None:
        """Of the bucket; only bundles trained for days in `time_zone`, where one is given."""
        self._s3 = s3
        self._time_zone = time_zone
        self._bucket = bucket
        self._check_every = check_every
        self._pointer = FreshObject(s3, bucket, POINTER_KEY, check_every)
        self._audiences = LiveAudiences(s3, bucket, check_every)
        self._recommender = LiveRecommender(s3, bucket, check_every)
        self._asks = False
        """Whether a rule of the audiences asks what is recommended."""
        self._bundle: Bundle | None = None
        self._refused: tuple[bytes, str, float] | None = None
        self.problem: str | None = None
        self.ignored: str | None = None
        """What is wrong with the user's labels, which are ignored then."""

    def get(self, now: float) -> Bundle | None:
        """The live bundle at `now` (a monotonic clock, seconds), or None while none has been published.

        Raises ClientError or BotoCoreError when S3 cannot be asked and there is no bundle yet to go on with.
        """
        try:
            self._follow(self._pointer.read(now), now)
            self._label(now)
            self._give_audiences(now)
            self.problem = self._bundle.failure if self._bundle else None
        except BundleMismatch as error:
            self.problem = str(error)
        except (ClientError, BotoCoreError) as error:
            if self._bundle is None:
                raise
            self.problem = f"S3 does not answer: {why(error)}"
        return self._bundle

    def watched(self, logger: Logger, metrics: Metrics) -> Bundle | None:
        """The live bundle now, for a handler: what is wrong of it is logged, and counted as `BundleRefused`; and what
        is wrong of the user's labels as `LabelsRefused`, of audiences as `AudiencesRefused`.

        Raises what `get` raises.
        """
        bundle = self.get(time.monotonic())
        if self.problem:
            logger.error("The live bundle cannot be loaded", extra={"problem": self.problem})
        elif bundle is None:
            logger.warning("No bundle is published yet: histories are kept, decisions wait")
        if self._audiences.problem:
            logger.error("Audiences are ignored", extra={"problem": self._audiences.problem})
        metrics.add_metric("AudiencesRefused", "Count", int(self._audiences.problem is not None))
        if self._asks:
            self._recommender.tell(logger, metrics)
        if self.ignored:
            logger.error("Labels of the user's are ignored", extra={"problem": self.ignored})
        metrics.add_metric("BundleRefused", "Count", int(self.problem is not None))
        metrics.add_metric("LabelsRefused", "Count", int(self.ignored is not None))
        return bundle

    def _follow(self, pointer: bytes | None, now: float) -> None:
        if pointer is None:
            return
        if self._refused and self._refused[0] == pointer and now < self._refused[2]:
            raise BundleMismatch(self._refused[1])
        try:
            bundle_id = _bundle_id(pointer)
            if self._bundle is None or self._bundle.bundle_id != bundle_id:
                self._bundle = self._load(bundle_id)
                self._bundle.audiences = UNKNOWN  # until they are read, or a fault of S3 would make everybody leave
                self._trained = self._bundle.manifest
                self._labels = FreshObject(self._s3, self._bucket, labels_key(bundle_id), self._check_every)
            self._refused = None
        except BundleMismatch as error:
            self._refused = (pointer, str(error), now + REFUSED_SECONDS)
            raise

    def _label(self, now: float) -> None:
        if self._bundle:
            labels, self.ignored = checked_labels(self._labels.read(now))
            self._bundle.manifest = labelled(self._trained, labels)

    def _give_audiences(self, now: float) -> None:
        if self._bundle is None:
            return
        audiences = self._audiences.get(now)
        self._asks = audiences.ask_recommendations
        if self._asks:
            recommender = self._bundle.recommender = self._recommender.get(now)
            if recommender is None and self._recommender.problem:
                audiences = UNKNOWN  # or all would leave whom what it recommends brought in
        self._bundle.audiences = audiences

    def _load(self, bundle_id: str) -> Bundle:
        manifest = self._object(bundle_key(bundle_id, MANIFEST_FILE))
        onnx = self._object(bundle_key(bundle_id, ONNX_FILE))
        try:
            bundle = Bundle.from_bytes(onnx, manifest)
        except BundleMismatch as error:
            raise BundleMismatch(f"{PREFIX}{bundle_id}: {error}") from error
        if self._time_zone not in (None, bundle.zone.name):
            raise BundleMismatch(
                f"{PREFIX}{bundle_id}: it was trained for days in {bundle.zone.name}, and this stack's are those of"
                f" {self._time_zone}: train with that time_zone, or deploy with TimeZone={bundle.zone.name}"
            )
        return bundle

    def _object(self, key: str) -> bytes:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if is_absent(self._s3, self._bucket, key, error):
                raise BundleMismatch(f"{POINTER_KEY} names a bundle without {key}") from error
            raise
        if answer["ContentLength"] > MOST_BYTES:
            raise BundleMismatch(f"{key} has {answer['ContentLength']:,} bytes, more than {MOST_BYTES:,}")
        return answer["Body"].read()


def _bundle_id(pointer: bytes) -> str:
    try:
        return live_bundle_id(pointer)
    except Misfit as misfit:
        raise BundleMismatch(f"{POINTER_KEY} names no bundle: {misfit}") from misfit
