"""Quarantined lines and exported rows of people who are erased: found object by object, and taken out."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from shared import archive
from shared.fresh_object import ABSENT
from shared.keys import customer_id, is_visitor, visitor_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

QUARANTINE, EXPORTS = "quarantine/", "exports/"
_LINES = re.compile(r"/(lines|claims|unwritten)-\d{9}(\.named|\.nameless)?\.ndjson$")


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one object."""

    lines: int = 0
    """Lines or rows taken out."""
    visitors: frozenset[str] = frozenset()
    """Profile keys of the visitors that lines taken out name beside a customer."""
    unsearched: bool = False
    """It is a whole file that nobody could read, or of no format that is exported."""


class SearchedObjects:
    """The objects below `quarantine/` and `exports/` of a bucket, and the people who go from all of them."""

    def __init__(self, s3: S3Client, bucket: str, people: Iterable[str]) -> None:
        self._s3, self._bucket, self._people = s3, bucket, frozenset(people)
        self._customers = {customer_id(key) for key in self._people if not is_visitor(key)}
        ids = sorted(self._customers | {visitor_id(key) for key in self._people if is_visitor(key)})
        self._named = re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, ids)) + r")(?![\w-])")

    def keys(self, after: str = "") -> Iterator[str]:
        """The objects that may hold lines of theirs, in order, those `after` a key alone. Raises ClientError."""
        for prefix in (archive.PREFIX, EXPORTS, QUARANTINE):
            if after < prefix or after.startswith(prefix):
                start: Any = {"StartAfter": after} if after.startswith(prefix) else {}
                pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, **start)
                yield from (found["Key"] for page in pages for found in page.get("Contents", ()))

    def search(self, key: str) -> Found:
        """Takes their lines out of one object, and its former versions away if there were any. Raises ClientError."""
        if key.endswith(("/", "/reason.json")):
            return Found()
        if key.startswith(archive.PREFIX):
            return self._take_out(key, self._archived)
        if key.startswith(QUARANTINE):
            return self._take_out(key, self._quarantined) if _LINES.search(key) else Found(unsearched=True)
        name = key.lower().removesuffix(".gz")
        read = {".csv": self._csv, ".ndjson": self._json, ".jsonl": self._json}.get(name[name.rfind(".") :])
        return self._take_out(key, read) if read else Found(unsearched=True)

    def _take_out(self, key: str, read: Any) -> Found:
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return Found()
            raise
        zipped = key.lower().endswith(".gz")
        kept, lines, visitors = read(gzip.decompress(body) if zipped else body)
        if lines:
            if kept:
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=gzip.compress(kept) if zipped else kept)
            self._drop_versions(key, keep_latest=bool(kept))
        return Found(lines, frozenset(visitors))

    def _drop_versions(self, key: str, *, keep_latest: bool) -> None:
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key)
        for page in pages:
            for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                if version["Key"] == key and not (keep_latest and version["IsLatest"]):
                    self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=version["VersionId"])

    def _quarantined(self, body: bytes) -> tuple[bytes, int, set[str]]:
        kept, gone, visitors = list[bytes](), 0, set[str]()
        for line in body.splitlines(keepends=True):
            record = msgspec.json.decode(line)
            if self._names_them(record):
                gone += 1
                visitors |= {key for key in record.get("people", ()) if is_visitor(key)}
            else:
                kept.append(line)
        return b"".join(kept), gone, visitors

    def _archived(self, body: bytes) -> tuple[bytes, int, set[str]]:
        lines = body.splitlines(keepends=True)
        kept = [line for line in lines if self._people.isdisjoint(archive.people_in(line))]
        return b"".join(kept), len(lines) - len(kept), set()

    def _names_them(self, record: Any) -> bool:
        if "people" in record:
            return not self._people.isdisjoint(record["people"])
        # Too broken to tell its fields: any word of it may be the id.
        return self._named.search(record.get("original", "")) is not None

    def _json(self, body: bytes) -> tuple[bytes, int, set[str]]:
        lines = body.splitlines(keepends=True)
        kept = [line for line in lines if not self._is_theirs(msgspec.json.decode(line).get("customer_id"))]
        return b"".join(kept), len(lines) - len(kept), set()

    def _csv(self, body: bytes) -> tuple[bytes, int, set[str]]:
        header, *rows = csv.reader(io.StringIO(body.decode()))
        at = header.index("customer_id") if "customer_id" in header else None
        kept = [row for row in rows if at is None or not self._is_theirs(row[at])]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *kept])
        return text.getvalue().encode(), len(rows) - len(kept), set()

    def _is_theirs(self, value: Any) -> bool:
        return str(value) in self._customers
