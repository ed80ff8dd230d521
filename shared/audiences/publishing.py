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
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 5


class EditedMeanwhile(AnonymousError):
    """Others published in every attempt; nothing was changed."""


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
    for _ in range(ATTEMPTS):
        before, etag = _current(s3, bucket)
        edited = edit(before.audiences)
        if renewed(before.audiences, edited) == replace(before.audiences, version=before.audiences.version + 1):
            return before.audiences
        after = Publication(
            renewed(before.audiences, edited), reason.at, reason.by[:LONGEST_TEXT], reason.why[:LONGEST_TEXT]
        )
        if before.audiences.version:
            # Should whoever published it not have come to this.
            _put(s3, bucket, version_key(before.audiences.version), before)
        try:
            condition: Any = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
            _put(s3, bucket, CURRENT_KEY, after, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in CHANGED:
                continue
            raise
        _put(s3, bucket, version_key(after.audiences.version), after)
        return after.audiences
    raise EditedMeanwhile(f"audiences were published by others in each of {ATTEMPTS} attempts")


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
    publication = _read(s3, bucket, version_key(max(wanted)))[0] if wanted else None
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
    return _current(s3, bucket)[0]


def versions(s3: S3Client, bucket: str, live: Publication) -> Iterator[Publication]:
    """The live version and those before it, the newest first. Raises NotAudiences and ClientError."""
    yield live
    for version in range(live.audiences.version - 1, 0, -1):
        publication = _read(s3, bucket, version_key(version))[0]
        if publication:
            yield publication


def _current(s3: S3Client, bucket: str) -> tuple[Publication, str | None]:
    publication, etag = _read(s3, bucket, CURRENT_KEY)
    return publication or Publication(NONE, "", "", ""), etag


def _read(s3: S3Client, bucket: str, key: str) -> tuple[Publication | None, str | None]:
    content, etag = _content(s3, bucket, key)
    return (None if content is None else decode_publication(content)), etag


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
