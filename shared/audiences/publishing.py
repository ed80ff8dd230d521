"""New versions of a shop's audiences: one document is live, and every version stays, with who made it and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.audiences.audience import (
    NONE,
    Audiences,
    NotAudiences,
    Publication,
    decode_publication,
    encode_publication,
    renewed,
)
from shared.audiences.live_audiences import CURRENT_KEY, PREFIX, version_key
from shared.audiences.rules import LONGEST_TEXT
from shared.aws.fresh_object import CHANGED, is_absent
from shared.aws.versioned_document import EditedMeanwhile, VersionedDocument

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOTHING = Publication(NONE, "", "", "")


@dataclass(frozen=True, slots=True)
class Reason:
    """Who publishes, when and why."""

    at: str
    """ISO 8601."""
    by: str
    why: str


def publish(s3: S3Client, bucket: str, edit: Callable[[Audiences], Audiences], reason: Reason) -> Audiences:
    """Makes what `edit` makes of the live audiences the live ones; where that is the same, nothing is published.

    Where others publish meanwhile, their version is edited. Raises EditedMeanwhile, what `edit` raises,
    ClientError, and NotAudiences where the live document is none.
    """
    live = NONE

    def edited(before: Publication | None) -> Publication | None:
        nonlocal live
        live = (before or NOTHING).audiences
        after = renewed(live, edit(live))
        if after == replace(live, version=after.version):
            return None
        return Publication(after, reason.at, reason.by[:LONGEST_TEXT], reason.why[:LONGEST_TEXT])

    published = _document(s3, bucket).publish(edited)
    return published.audiences if published else live


class NoSuchVersion(ValueError):
    """There is no version that could be put back, or not the one that was asked for."""


def put_back(s3: S3Client, bucket: str, reason: Reason, to: int | None = None) -> Audiences:
    """Makes an earlier version the live one again, as a new version: that of the number `to`, or the one before the
    live one; where the live document is none, the last that was one.

    Raises NoSuchVersion, EditedMeanwhile, NotAudiences and ClientError.
    """
    content, etag = _content(s3, bucket, CURRENT_KEY)
    try:
        live = decode_publication(content).audiences.version if content is not None else None
    except NotAudiences:
        live = None
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{PREFIX}versions/")
    kept = [
        int(found["Key"].rpartition("/")[2].removesuffix(".json")) for p in pages for found in p.get("Contents", ())
    ]
    wanted = [number for number in kept if (number == to if to else number != live)]
    kept_content = _content(s3, bucket, version_key(max(wanted)))[0] if wanted else None
    publication = decode_publication(kept_content) if kept_content is not None else None
    if publication is None or etag is None:
        raise NoSuchVersion(f"there is no version {to}" if to else "there is no version before the live one")
    version = max([*kept, live or 0]) + 1
    after = Publication(replace(publication.audiences, version=version), reason.at, reason.by, reason.why)
    try:
        _put(s3, bucket, CURRENT_KEY, after, IfMatch=etag)
    except ClientError as error:
        if error.response["Error"]["Code"] in CHANGED:
            raise EditedMeanwhile("audiences were published by others meanwhile") from None
        raise
    _put(s3, bucket, version_key(version), after)
    return after.audiences


def current(s3: S3Client, bucket: str) -> Publication:
    """The live version; an empty one where there never was any. Raises NotAudiences and ClientError."""
    return _document(s3, bucket).current()[0] or NOTHING


def versions(s3: S3Client, bucket: str, live: Publication) -> Iterator[Publication]:
    """The live version and those before it, the newest first. Raises NotAudiences and ClientError."""
    yield live
    yield from _document(s3, bucket).before(live)


def _document(s3: S3Client, bucket: str) -> VersionedDocument[Publication]:
    return VersionedDocument(
        s3, bucket, PREFIX, encode_publication, decode_publication, lambda one: one.audiences.version
    )


def _content(s3: S3Client, bucket: str, key: str) -> tuple[bytes | None, str | None]:
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_absent(s3, bucket, key, error):
            return None, None
        raise
    return answer["Body"].read(), answer["ETag"]


def _put(s3: S3Client, bucket: str, key: str, publication: Publication, **condition: Any) -> None:
    content = encode_publication(publication)
    s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/json", **condition)
