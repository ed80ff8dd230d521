"""New versions of a shop's audiences: one document is live, and every version stays, with who made it and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.audiences.audience import (
    NONE,
    Audiences,
    Publication,
    decode_publication,
    encode_publication,
    renewed,
)
from shared.audiences.live_audiences import PREFIX
from shared.audiences.rules import LONGEST_TEXT
from shared.aws.versioned_document import VersionedDocument

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


def put_back(s3: S3Client, bucket: str, reason: Reason, to: int | None = None) -> Audiences:
    """Makes an earlier version the live one again, as a new version: that of the number `to`, or the one before the
    live one; where the live document is none, the last that was one.

    Raises NoSuchVersion, EditedMeanwhile, NotAudiences and ClientError.
    """

    def again(former: Publication, version: int) -> Publication:
        return Publication(replace(former.audiences, version=version), reason.at, reason.by, reason.why)

    return _document(s3, bucket).put_back(again, to).audiences


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
