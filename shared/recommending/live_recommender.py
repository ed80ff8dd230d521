"""The recommender that `recommenders/current.json` names, followed without a redeploy."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.fresh_object import FreshObject, is_absent
from shared.recommending.layout import CURRENT_KEY, FILE, Publication, decode_publication, recommender_key
from shared.recommending.recommender import MOST_BYTES, NoRecommender, Recommender
from shared.telemetry.errors import why

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics
    from mypy_boto3_s3 import S3Client

CHECK_EVERY_SECONDS = 15.0
REFUSED_SECONDS = 300.0
"""How long one that was refused is not read again, as its file may be mended under the same name."""


class LiveRecommender:
    """Loads it once and replaces it when another is published. One that cannot be loaded never replaces one that
    works: the one before stays, and `problem` says why."""

    def __init__(self, s3: S3Client, bucket: str, check_every: float = CHECK_EVERY_SECONDS) -> None:
        self._s3, self._bucket = s3, bucket
        self._pointer = FreshObject(s3, bucket, CURRENT_KEY, check_every)
        self._recommender: Recommender | None = None
        self._loaded: bytes | None = None
        self._refused_until = float("-inf")
        self.problem: str | None = None

    def get(self, now: float) -> Recommender | None:
        """The live recommender at `now` (a monotonic clock, seconds), None while there is none.

        Raises ClientError or BotoCoreError where S3 cannot be asked and there is none yet to go on with.
        """
        try:
            self._follow(self._pointer.read(now), now)
        except (ClientError, BotoCoreError) as error:
            if self._recommender is None:
                raise
            self.problem = f"S3 does not answer: {why(error)}"
        return self._recommender

    def watched(self, logger: Logger, metrics: Metrics) -> Recommender | None:
        """The same now, for a handler: what is wrong is logged, and counted as `RecommenderRefused`."""
        recommender = self.get(time.monotonic())
        self.tell(logger, metrics)
        return recommender

    def tell(self, logger: Logger, metrics: Metrics) -> None:
        """Logs what is wrong, and counts it."""
        if self.problem:
            logger.error("The live recommender cannot be loaded", extra={"problem": self.problem})
        metrics.add_metric("RecommenderRefused", "Count", int(self.problem is not None))

    def _follow(self, pointer: bytes | None, now: float) -> None:
        if pointer == self._loaded and (self.problem is None or now < self._refused_until):
            return
        self._loaded, self.problem = pointer, None
        try:
            self._recommender = None if pointer is None else self._load(decode_publication(pointer))
        except (NoRecommender, ValueError) as error:
            self.problem = str(error)
            self._refused_until = now + REFUSED_SECONDS
        except (ClientError, BotoCoreError):
            self._loaded = None
            raise

    def _load(self, publication: Publication) -> Recommender:
        key = recommender_key(publication.recommender_id, FILE)
        if self._recommender and self._recommender.recommender_id == publication.recommender_id:
            return self._recommender
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if is_absent(self._s3, self._bucket, key, error):
                raise NoRecommender("the recommender that is to be live is not there") from error
            raise
        if answer["ContentLength"] > MOST_BYTES:
            raise NoRecommender(f"the recommender that is to be live has more than {MOST_BYTES:,} bytes")
        content = answer["Body"].read()
        if hashlib.sha256(content).hexdigest() != publication.sha256:
            raise NoRecommender("the recommender that is to be live is not the one that was published")
        return Recommender.from_bytes(content)
