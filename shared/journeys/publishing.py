"""New versions of a shop's journeys: one document is live, and every version stays, with who made it and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.audiences.publishing import Reason
from shared.aws.versioned_document import VersionedDocument
from shared.journeys.journey import (
    NONE,
    Journeys,
    Publication,
    decode_publication,
    encode_publication,
    renewed,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "journeys/"
NOTHING = Publication(NONE, "", "", "", "")


def publish(s3: S3Client, bucket: str, journeys: Journeys, text: str, reason: Reason) -> Journeys:
    """Makes the journeys of a file the live ones; where they are that already, nothing is published.

    Raises EditedMeanwhile, ClientError, and NotJourneys where the live document is none.
    """
    live = NONE

    def edit(before: Publication | None) -> Publication | None:
        nonlocal live
        live = (before or NOTHING).journeys
        after = renewed(live, journeys)
        if after == replace(live, version=after.version):
            return None
        return Publication(after, text, reason.at, reason.by, reason.why)

    published = _document(s3, bucket).publish(edit)
    return published.journeys if published else live


def current(s3: S3Client, bucket: str) -> Publication:
    """The live version; an empty one where there never was any. Raises NotJourneys and ClientError."""
    return _document(s3, bucket).current()[0] or NOTHING


def versions(s3: S3Client, bucket: str, live: Publication) -> Iterator[Publication]:
    """The live version and those before it, the newest first. Raises NotJourneys and ClientError."""
    yield live
    yield from _document(s3, bucket).before(live)


def _document(s3: S3Client, bucket: str) -> VersionedDocument[Publication]:
    return VersionedDocument(
        s3, bucket, PREFIX, encode_publication, decode_publication, lambda one: one.journeys.version
    )
