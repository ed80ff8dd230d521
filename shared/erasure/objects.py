"""Archived events, quarantined lines and exported rows of people who are erased: found by object, and taken out."""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from shared.aws.fresh_object import ABSENT, CHANGED, is_absent
from shared.erasure.parquet import ParquetFile
from shared.erasure.streams import LONGEST_OBJECT_BYTES, TOO_LARGE, Begun, Bounded, NotSearchable
from shared.erasure.texts import (
    BLOCK_BYTES,
    Piece,
    Pieces,
    archived,
    csv_rows,
    json_rows,
    mentions,
    quarantined,
    reasons,
)
from shared.erasure.wanted import Wanted
from shared.exports.tables import EXPORTS, is_of_nobody, is_of_people
from shared.identity.keys import is_visitor
from shared.intake import archive
from shared.intake.quarantine import PREFIX as QUARANTINE
from shared.profiles.races import RACES_AT_MOST, TooManyRaces, races

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from shared.profiles.places import Places

_NOT_LISTED = re.compile(r"/[a-z]+-\d{9}\.(named|capped)\.ndjson$")
"""They are found by the index, or hold nothing of anybody."""
_LINES = re.compile(r"/[a-z]+-\d{9}(\.named|\.nameless)?\.ndjson$")
_GZIP = b"\x1f\x8b"
_IN_MEMORY = 8 << 20
_NOT_WHOLE = (gzip.BadGzipFile, zlib.error, EOFError)
_BROKEN = "it is not whole"
_UNCLEAR = "a line names them and is too broken to tell whether it is theirs"
_NAMED = "it names them, in no format that lines are taken out of"
_FORMATS: dict[str, Pieces] = {".csv": csv_rows, ".tsv": csv_rows, ".ndjson": json_rows, ".jsonl": json_rows}


@dataclass(frozen=True, slots=True)
class Searched:
    """What came of one object."""

    lines: int = 0
    """Lines or rows taken out."""
    visitors: frozenset[str] = frozenset()
    """Profile keys of the visitors that lines taken out name beside a customer."""
    doubt: str | None = None
    """Why it may still hold something of theirs."""


class SearchedObjects:
    """The objects below `archive/`, `exports/` and `quarantine/` of a bucket, and the people who go from all of them.

    `go_on` says whether there is time to read on. `before_change` is told what is about to be taken out of an object.
    """

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        places: Places,
        people: Iterable[str],
        go_on: Callable[[], bool] = lambda: True,
        before_change: Callable[[str, Searched], None] = lambda _key, _searched: None,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._places = places
        self._wanted = Wanted(people)
        self._go_on = go_on
        self._before_change = before_change

    def keys(self, after: str = "", since: datetime | None = None) -> Iterator[str]:
        """The objects that may hold lines of theirs, in order, those `after` a key alone. Raises ClientError.

        Where an index says whom an object names, the index is asked. All others are listed, those alone that were
        written `since`.
        """
        noted = sorted({key for person in self._wanted.people for key in self._places.of(person)})
        yield from merge((key for key in noted if key > after), self._listed(after, since))

    def search(self, key: str, unfinished: bool = False) -> Searched:
        """Takes their lines out of one object, and its former versions away if there were any.

        `unfinished` says that it broke off when it was about to change the object. Raises ClientError, OutOfTime and
        TooManyRaces.
        """
        if key.endswith("/"):
            return Searched()
        for _ in races():
            with tempfile.TemporaryDirectory() as folder:
                result = _Attempt(self, key, Path(folder), unfinished).made()
            if result is not None:
                return result
        raise TooManyRaces(f"an object was changed by others in each of {RACES_AT_MOST} attempts to search it")

    def _listed(self, after: str, since: datetime | None) -> Iterator[str]:
        if after < EXPORTS or after.startswith(EXPORTS):
            yield from self._exports(after, since)
        if after < QUARANTINE or after.startswith(QUARANTINE):
            start: Any = {"StartAfter": after} if after.startswith(QUARANTINE) else {}
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=QUARANTINE, **start)
            for entry in (entry for page in pages for entry in page.get("Contents", ())):
                if not _NOT_LISTED.search(entry["Key"]) and (since is None or entry["LastModified"] >= since):
                    yield entry["Key"]

    def _exports(self, after: str, since: datetime | None) -> Iterator[str]:
        """Also those of ours that are gone or were written anew, of which a version is left that may name somebody."""
        start: Any = {"KeyMarker": after} if after.startswith(EXPORTS) else {}
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=EXPORTS, **start)
        for page in pages:
            kept: Any = [entry for entry in page.get("Versions", ()) if entry["IsLatest"] or is_of_people(entry["Key"])]
            keys = {entry["Key"] for entry in kept if since is None or entry["LastModified"] >= since}
            yield from sorted(key for key in keys if key > after and not is_of_nobody(key))
            after = max([after, *keys])


class _Attempt:
    """One object as it is now. What others write meanwhile makes the attempt fail rather than be lost."""

    def __init__(self, objects: SearchedObjects, key: str, folder: Path, unfinished: bool) -> None:
        self._objects = objects
        self._key = key
        self._folder = folder
        self._unfinished = unfinished
        self._s3 = objects._s3
        self._bucket = objects._bucket
        self._wanted = objects._wanted
        self._source: Any = {"Bucket": objects._bucket, "Key": key}

    def made(self) -> Searched | None:
        """What came of it; None where others changed the object meanwhile."""
        try:
            answer = self._s3.get_object(**self._source)
        except ClientError as error:
            if not is_absent(self._s3, self._bucket, self._key, error):
                raise
            if self._unfinished or self._may_have_held_them:
                self._drop_versions(None)
            return Searched()
        self._source["IfMatch"] = answer["ETag"]
        self._version = answer.get("VersionId", "null")
        self._kind = answer.get("ContentType", "application/octet-stream")
        first = answer["Body"].read(len(_GZIP))
        self._is_zipped = first == _GZIP
        self._opened = cast(Begun | None, Begun(first, answer["Body"]))
        try:
            if answer["ContentLength"] > LONGEST_OBJECT_BYTES:
                raise NotSearchable(TOO_LARGE)
            return self._parquet() if self._ending == ".parquet" else self._text()
        except NotSearchable as error:
            return Searched(doubt=str(error))
        except ClientError as error:
            if error.response["Error"]["Code"] in CHANGED | ABSENT:
                return None
            raise

    @property
    def _may_have_held_them(self) -> bool:
        """Whether a former version may name them though the latest does not: a source that came again after they had
        been marked is quarantined, archived or exported without them in the same place."""
        return self._key.startswith(archive.PREFIX) or self._key.endswith(".named.ndjson") or is_of_people(self._key)

    @property
    def _ending(self) -> str:
        """Of an export, without that of gzip."""
        name = self._key.lower().removesuffix(".gz") if self._key.startswith(EXPORTS) else ""
        return PurePosixPath(name).suffix

    def _pieces(self) -> Pieces | None:
        if self._key.startswith(EXPORTS):
            return _FORMATS.get(self._ending)
        if self._key.startswith(archive.PREFIX):
            return archived
        if self._key.endswith("/reason.json"):
            return reasons
        return quarantined if _LINES.search(self._key) else None

    def _text(self) -> Searched:
        read = self._pieces()
        if read is None:
            return self._whole()
        lines = 0
        visitors = set[str]()
        doubtful = False
        try:
            for piece in self._read(read):
                doubtful |= piece.doubtful
                if piece.theirs:
                    lines += 1
                    visitors.update(filter(is_visitor, piece.people))
        except NotSearchable as error:
            return Searched(doubt=str(error) if self._whole().doubt else None)
        result = Searched(lines, frozenset(visitors), _UNCLEAR if doubtful else None)
        if lines:
            self._objects._before_change(self._key, result)
            self._take_out(read)
        elif self._unfinished or self._may_have_held_them:
            self._drop_versions(self._version)
        return result

    def _take_out(self, read: Pieces) -> None:
        people = set[str]()
        empty = True
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as kept:
            file = cast(IO[bytes], kept)
            packing = gzip.GzipFile(fileobj=file, mode="wb", mtime=0) if self._is_zipped else nullcontext(file)
            with packing as out:
                for piece in self._read(read):
                    if not piece.theirs:
                        people.update(piece.people)
                        empty = empty and not piece.raw
                        out.write(piece.raw)
            if people:
                # The object lives on from now, and so must its entries.
                self._objects._places.note(self._key, people)
            self._put(None if empty else file)

    def _parquet(self) -> Searched:
        source = self._folder / "source.parquet"
        kept = self._folder / "kept.parquet"
        with source.open("wb") as file:
            shutil.copyfileobj(self._body(), file, BLOCK_BYTES)
        rows = ParquetFile(source, kept, self._wanted, self._objects._go_on).rewrite()
        result = Searched(rows)
        if rows:
            self._objects._before_change(self._key, result)
            with kept.open("rb") as left:
                self._put(left)
        elif self._unfinished or self._may_have_held_them:
            self._drop_versions(self._version)
        return result

    def _whole(self) -> Searched:
        """Nothing is taken out of what is in no format; whether it names them is told."""
        try:
            named = mentions(self._plain(), self._wanted)
        except NotSearchable as error:
            return Searched(doubt=str(error))
        except _NOT_WHOLE:
            return Searched(doubt=_BROKEN)
        return Searched(doubt=_NAMED if named else None)

    def _put(self, kept: IO[bytes] | None) -> None:
        version = None
        if kept is not None:
            kept.seek(0)
            version = self._s3.put_object(**self._source, Body=kept, ContentType=self._kind).get("VersionId", "null")
        self._drop_versions(version)

    def _drop_versions(self, latest: str | None) -> None:
        """Drops what was before `latest`, or the version that was read and what was before it; later ones stay."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=self._key)
        every = [one for page in pages for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))]
        own = [one for one in every if one["Key"] == self._key]
        own.sort(key=lambda one: (one["IsLatest"], one["LastModified"]), reverse=True)
        versions = [one["VersionId"] for one in own]
        if latest is not None:
            versions = versions[versions.index(latest) + 1 :] if latest in versions else []
        elif "IfMatch" in self._source:
            versions = versions[versions.index(self._version) :] if self._version in versions else []
        # The oldest first: whatever breaks off, the latest is still there to be searched again.
        for version_id in reversed(versions):
            self._s3.delete_object(Bucket=self._bucket, Key=self._key, VersionId=version_id)

    def _read(self, read: Pieces) -> Iterator[Piece]:
        try:
            yield from read(self._plain(), self._wanted)
        except _NOT_WHOLE as error:
            raise NotSearchable(_BROKEN) from error

    def _plain(self) -> Bounded:
        body = self._body()
        if not self._is_zipped:
            return body
        return Bounded(gzip.GzipFile(fileobj=cast(IO[bytes], body)), self._objects._go_on)

    def _body(self) -> Bounded:
        opened, self._opened = self._opened, None
        return Bounded(opened or self._s3.get_object(**self._source)["Body"], self._objects._go_on)
