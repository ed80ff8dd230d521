"""The journeys that are live, followed without a redeploy, and those of before that somebody is still on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.aws.fresh_object import FreshObject
from shared.aws.versioned_document import current_key, version_key
from shared.journeys.journey import NONE, Journey, Journeys, NotJourneys, decode_publication
from shared.journeys.publishing import PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHECK_EVERY_SECONDS = 15.0
MOST_KEPT = 100


class KnownJourneys:
    """Reads them when they change. A document that cannot be read never replaces one that could, nor none: nobody's
    journey is to end by it."""

    def __init__(self, s3: S3Client, bucket: str, check_every: float = CHECK_EVERY_SECONDS) -> None:
        self._s3, self._bucket = s3, bucket
        self._document = FreshObject(s3, bucket, current_key(PREFIX), check_every)
        self._content: bytes | None = None
        self._live: Journeys | None = None
        self._before: dict[int, Journeys] = {}
        self.problem: str | None = None
        """What is wrong with the live document, which is ignored then where another is known."""

    def live(self, now: float) -> Journeys:
        """The live journeys at `now` (a monotonic clock, seconds).

        Raises ClientError when S3 refuses, and NotJourneys where none that can be read is known.
        """
        content = self._document.read(now)
        if content is not self._content or self._live is None:
            self._content = content
            self.problem = None
            try:
                self._live = NONE if content is None else decode_publication(content).journeys
            except NotJourneys as error:
                self.problem = str(error)
                if self._live is None:
                    raise
        assert self._live is not None
        return self._live

    def of_version(self, key: str, version: int, now: float) -> Journey | None:
        """A journey as it was of a version; None where it is not live any more, in whatever version.

        Raises ClientError, and NotJourneys where the document of that version is none.
        """
        journey = self.live(now).get(key)
        if journey is None or journey.version == version:
            return journey
        if version not in self._before:
            content = FreshObject(self._s3, self._bucket, version_key(PREFIX, version), 0.0).read(now)
            if len(self._before) >= MOST_KEPT:
                self._before.clear()
            self._before[version] = NONE if content is None else decode_publication(content).journeys
        return self._before[version].get(key)
