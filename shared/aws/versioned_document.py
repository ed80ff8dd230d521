"""A document of the bucket of which one version is live and every version stays, below one prefix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws.fresh_object import CHANGED, is_absent
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 5


class EditedMeanwhile(AnonymousError):
    """Others published in every attempt; nothing was changed."""


class NoSuchVersion(AnonymousError):
    """There is no version that could be put back, or not the one that was asked for."""


def current_key(prefix: str) -> str:
    """Where the live version is."""
    return f"{prefix}current.json"


def version_key(prefix: str, version: int) -> str:
    """Where a version is kept."""
    return f"{prefix}versions/{version:08d}.json"


@dataclass(frozen=True)
class VersionedDocument[D]:
    """Versions of one kind, each with a number of its own."""

    s3: S3Client
    bucket: str
    prefix: str
    encode: Callable[[D], bytes]
    decode: Callable[[bytes], D]
    number: Callable[[D], int]

    def publish(self, edit: Callable[[D | None], D | None]) -> D | None:
        """Makes what `edit` makes of the live version the live one, and returns it; None where it makes nothing.

        Where others publish meanwhile, their version is edited. Raises EditedMeanwhile, ClientError, and what `edit`
        and `decode` raise.
        """
        for _ in range(ATTEMPTS):
            before, etag = self.current()
            after = edit(before)
            if after is None:
                return None
            if before is not None:
                # Should whoever published it not have come to this.
                self._put(version_key(self.prefix, self.number(before)), before)
            try:
                condition: Any = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
                self._put(current_key(self.prefix), after, **condition)
            except ClientError as error:
                if error.response["Error"]["Code"] in CHANGED:
                    continue
                raise
            self._put(version_key(self.prefix, self.number(after)), after)
            return after
        raise EditedMeanwhile(f"others published in each of {ATTEMPTS} attempts")

    def put_back(self, again: Callable[[D, int], D], to: int | None = None) -> D:
        """Makes an earlier version the live one, as `again` makes a new one of it and of its new number: the version
        `to`, or the one before the live one; where the live document is none, the last that was one.

        Raises NoSuchVersion, EditedMeanwhile, ClientError and what `decode` raises.
        """
        content, etag = self._content(current_key(self.prefix))
        try:
            live = self.number(self.decode(content)) if content is not None else None
        except ValueError:
            live = None  # it is none
        kept = self._numbers()
        wanted = [number for number in kept if (number == to if to else number != live)]
        former = self._read(version_key(self.prefix, max(wanted)))[0] if wanted else None
        if former is None or etag is None:
            raise NoSuchVersion(f"there is no version {to}" if to else "there is no version before the live one")
        after = again(former, max([*kept, live or 0]) + 1)
        try:
            self._put(current_key(self.prefix), after, IfMatch=etag)
        except ClientError as error:
            if error.response["Error"]["Code"] in CHANGED:
                raise EditedMeanwhile("others published meanwhile") from None
            raise
        self._put(version_key(self.prefix, self.number(after)), after)
        return after

    def current(self) -> tuple[D | None, str | None]:
        """The live version and its tag; None where there never was one. Raises ClientError and what `decode` raises."""
        return self._read(current_key(self.prefix))

    def before(self, live: D) -> Iterator[D]:
        """The versions before the live one, the newest first. Raises ClientError and what `decode` raises."""
        for number in range(self.number(live) - 1, 0, -1):
            document, _ = self._read(version_key(self.prefix, number))
            if document is not None:
                yield document

    def _numbers(self) -> list[int]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}versions/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return [int(key.rpartition("/")[2].removesuffix(".json")) for key in keys]

    def _read(self, key: str) -> tuple[D | None, str | None]:
        content, etag = self._content(key)
        return (None if content is None else self.decode(content)), etag

    def _content(self, key: str) -> tuple[bytes | None, str | None]:
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if is_absent(self.s3, self.bucket, key, error):
                return None, None
            raise
        return answer["Body"].read(), answer["ETag"]

    def _put(self, key: str, document: D, **condition: Any) -> None:
        content = self.encode(document)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType="application/json", **condition)
