"""The mappings of the data bucket, `mappings/*.toml`: a dropped file is read by the first that names it, live events by
the one that they name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from shared.intake import archive

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from shared.events.translator import Translator

PREFIX = "mappings/"
CHECK_EVERY_SECONDS = 15.0
LEAST_SECONDS = 1.0
"""Between two looks for names that nobody knows."""
MOST_MAPPINGS = 100


@dataclass(frozen=True, slots=True)
class _Known:
    """What an object said when it was read."""

    etag: str
    translator: Translator | None
    """None where it is no mapping."""


class Mappings:
    """What the mappings of a bucket say, asked for again at most every `check_every` seconds."""

    def __init__(self, s3: S3Client, bucket: str, check_every: float = CHECK_EVERY_SECONDS) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._check_every = check_every
        self._checked = float("-inf")
        self._known: dict[str, _Known] = {}

    def translator(self, key: str, now: float) -> Translator | None:
        """The one by which the object `key` is read, at `now` (a monotonic clock, seconds); None for our own columns.

        The first by its name counts. Live events that were archived have our columns, whatever mappings name them.
        Raises ClientError when S3 cannot be asked.
        """
        if key.startswith(archive.PREFIX):
            return None
        if now - self._checked >= self._check_every:
            self._refresh()
            self._checked = now
        usable = (known.translator for _, known in sorted(self._known.items()) if known.translator)
        return next((translator for translator in usable if translator.suits(key)), None)

    def named(self, name: str, now: float) -> Translator | None:
        """The one that live events name, at `now`; None where there is none of that name that can be used.

        One that is not known yet is looked for at once. Raises ClientError when S3 cannot be asked.
        """
        key = f"{PREFIX}{name}.toml"
        since = now - self._checked
        if since >= self._check_every or (key not in self._known and since >= LEAST_SECONDS):
            self._refresh()
            self._checked = now
        known = self._known.get(key)
        return known.translator if known else None

    @property
    def refused(self) -> int:
        """Objects there that are no mappings: files that they are meant for are read as if there were none."""
        return sum(known.translator is None for known in self._known.values())

    def _refresh(self) -> None:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=PREFIX)
        listed = (item for page in pages for item in page.get("Contents", ()) if item["Key"].endswith(".toml"))
        before = self._known
        self._known = {}
        for item in islice(listed, MOST_MAPPINGS):
            known = before.get(item["Key"])
            if known is None or known.etag != item["ETag"]:
                known = _Known(item["ETag"], self._read(item["Key"], item["Size"]))
            self._known[item["Key"]] = known

    def _read(self, key: str, size: int) -> Translator | None:
        # Only where there is a mapping: they take a cold start some milliseconds.
        from shared.events.mapping import MOST_BYTES, InvalidMapping, read_mapping
        from shared.events.translator import Translator

        if size > MOST_BYTES:
            return None
        document = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        try:
            return Translator(read_mapping(document))
        except InvalidMapping:
            return None
