"""Recommenders of a shop: each stays under its id, one is live, and an earlier one can be put back."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.aws.versioned_document import VersionedDocument
from shared.recommending.layout import (
    FILE,
    PREFIX,
    REPORT,
    Publication,
    decode_publication,
    encode_publication,
    recommender_key,
)
from shared.recommending.recommender import Recommender

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def publish(s3: S3Client, bucket: str, content: bytes, report: bytes, why: Publication) -> Publication:
    """Makes the recommender in `content` the live one, whose id, version and hash are filled into `why`.

    Raises NoRecommender, EditedMeanwhile, ClientError, and ValueError where the live document is none.
    """
    recommender_id = Recommender.from_bytes(content).recommender_id
    for name, body, kind in ((FILE, content, "application/octet-stream"), (REPORT, report, "application/json")):
        s3.put_object(Bucket=bucket, Key=recommender_key(recommender_id, name), Body=body, ContentType=kind)
    sha256 = hashlib.sha256(content).hexdigest()

    def edited(before: Publication | None) -> Publication:
        version = before.version + 1 if before else 1
        return replace(why, version=version, recommender_id=recommender_id, sha256=sha256)

    published = _document(s3, bucket).publish(edited)
    assert published is not None
    return published


def put_back(s3: S3Client, bucket: str, why: Publication, to: int | None = None) -> Publication:
    """Makes an earlier recommender the live one again, as a new version: that of the number `to`, or the one before.

    Raises NoSuchVersion, EditedMeanwhile, ClientError and ValueError.
    """

    def again(former: Publication, version: int) -> Publication:
        return replace(why, version=version, recommender_id=former.recommender_id, sha256=former.sha256)

    return _document(s3, bucket).put_back(again, to)


def current(s3: S3Client, bucket: str) -> Publication | None:
    """Which one is live. Raises ClientError and ValueError."""
    return _document(s3, bucket).current()[0]


def _document(s3: S3Client, bucket: str) -> VersionedDocument[Publication]:
    return VersionedDocument(s3, bucket, PREFIX, encode_publication, decode_publication, lambda one: one.version)
