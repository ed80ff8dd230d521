"""The audiences that are live: those of `audiences/current.json`, followed without a redeploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.audiences.audience import NONE, UNKNOWN, Audiences, NotAudiences, decode_publication
from shared.aws.fresh_object import FreshObject
from shared.aws.versioned_document import current_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "audiences/"
CHECK_EVERY_SECONDS = 15.0
CURRENT_KEY = current_key(PREFIX)


class LiveAudiences:
    """Reads them when they change. A document that cannot be read never replaces one that could, and where there was
    none before, audiences are UNKNOWN."""

    def __init__(self, s3: S3Client, bucket: str, check_every: float) -> None:
        self._document = FreshObject(s3, bucket, CURRENT_KEY, check_every)
        self._content: bytes | None = None
        self._audiences = NONE
        self._were_known = False
        self.problem: str | None = None
        """What is wrong with the document, which is ignored then."""

    def get(self, now: float) -> Audiences:
        """The live audiences at `now` (a monotonic clock, seconds). Raises ClientError when S3 refuses."""
        content = self._document.read(now)
        if content is not self._content:
            self._content = content
            self.problem = None
            try:
                self._audiences = NONE if content is None else decode_publication(content).audiences
                self._were_known = True
            except NotAudiences as error:
                self.problem = str(error)
                if not self._were_known:
                    self._audiences = UNKNOWN
        return self._audiences
