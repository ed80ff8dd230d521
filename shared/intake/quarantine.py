"""Where refused lines and unreadable files go, each with its reason: nothing is dropped."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from shared.events import Rejection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from shared.profiles.places import Places

PREFIX = "quarantine/"
_LONGEST_FOLDER_BYTES = 900
"""S3 keys end at 1,024 bytes; the rest is for what comes below the folder."""
_REASONS_AT_MOST = 100
_ENDING = re.compile(r"(\.[a-z0-9]{1,8}){0,2}$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What was refused, below `quarantine/` of the data bucket."""

    s3: S3Client
    bucket: str
    places: Places
    most_bytes: int | None = None
    """Of originals of one version of a file, which is still where it was put; what comes live is always kept."""

    def folder(self, source_key: str, version: str, version_id: str | None = None) -> Folder:
        """Where what was refused of one `version` of a source object is kept; `version_id` is S3's, else the latest."""
        source = {"Bucket": self.bucket, "Key": source_key, **({"VersionId": version_id} if version_id else {})}
        return Folder(self, source, f"{PREFIX}{_folder_name(source_key)}/{version}")


@dataclass(slots=True)
class Folder:
    """The folder `quarantine/<source key>/<version>/` of one version of one source object.

    Names follow from the source alone, so that reading it again overwrites the same objects with the same content.
    """

    quarantine: Quarantine
    source: Any
    """As S3 is asked for it."""
    path: str
    capped: int = 0
    """Refused lines, or whole files, of which the reason is kept and the original is not."""
    _kept_bytes: int = 0

    def lines(self, rejections: Sequence[Rejection], kind: str = "lines") -> None:
        """Keeps refused lines, one JSON object each, in files named after their `kind` and the first of them.

        Lines that name people and lines that are too broken to tell stand apart: an erasure finds the former by whom
        they name, and has to read the latter. Once a file's originals are too many, those of further lines stay in the
        file alone, and each reason is kept with the first of its lines and their number.
        """
        rejections = self._within_bounds(rejections, kind)
        named = [rejection for rejection in rejections if rejection.people]
        nameless = [rejection for rejection in rejections if not rejection.people]
        if named:
            key = f"{self.path}/{kind}-{named[0].line:09d}.named.ndjson"
            self.quarantine.places.note(key, (person for rejection in named for person in rejection.people))
            self._put(key, self._records(named))
        if nameless:
            self._put(f"{self.path}/{kind}-{nameless[0].line:09d}.nameless.ndjson", self._records(nameless))

    def whole(self, reason: str, size: int) -> None:
        """Keeps a copy of the source object of so many bytes, as they are, and why beside it."""
        if self._left() < size:
            self.capped += 1
            self.note(reason, copied=False)
            return
        ending = _ENDING.search(PurePosixPath(self.source["Key"]).name.lower())
        # Not under the source's own name, which could be that of a file of lines.
        key = f"{self.path}/whole{ending.group() if ending else ''}"
        # Copying tags would need rights that nothing else here needs.
        self.quarantine.s3.copy(self.source, self.quarantine.bucket, key, {"TaggingDirective": "REPLACE"})
        self.note(reason)

    def note(self, reason: str, **more: Any) -> None:
        """Keeps the reason alone, where there is nothing to copy."""
        self._put(f"{self.path}/reason.json", self._record(reason, None, **more))

    def _within_bounds(self, rejections: Sequence[Rejection], kind: str) -> Sequence[Rejection]:
        """The first of them, as far as their originals may be kept; of the others the reasons are put down."""
        sizes = accumulate((len(rejection.original) for rejection in rejections), initial=self._kept_bytes)
        left = self._left() + self._kept_bytes
        kept = sum(size <= left for size in sizes) - 1
        self._kept_bytes += sum(len(rejection.original) for rejection in rejections[:kept])
        if beyond := rejections[kept:]:
            self.capped += len(beyond)
            counts = Counter(rejection.reason for rejection in beyond)
            first = {rejection.reason: rejection.line for rejection in reversed(beyond)}
            common = sorted(counts.most_common(_REASONS_AT_MOST), key=lambda one: first[one[0]])
            records = [self._record(reason, first[reason], lines=lines) for reason, lines in common]
            if others := len(beyond) - sum(lines for _, lines in common):
                records.append(self._record("other reasons", None, lines=others))
            key = f"{self.path}/{kind}-{beyond[0].line:09d}.capped.ndjson"
            self._put(key, b"".join(record + b"\n" for record in records))
        return rejections[:kept]

    def _left(self) -> float:
        most = self.quarantine.most_bytes
        return math.inf if most is None or self.source["Key"].startswith("live/") else most - self._kept_bytes

    def _records(self, rejections: Iterable[Rejection]) -> bytes:
        records = (self._record(r.reason, r.line, people=r.people, **_original(r.original)) for r in rejections)
        return b"".join(record + b"\n" for record in records)

    def _record(self, reason: str, line: int | None, people: Sequence[str] = (), **more: Any) -> bytes:
        # Whom a line names, so that an erasure finds it.
        named = {**more, "people": people} if people else more
        if ("lines" in more or "copied" in more) and "VersionId" in self.source:
            named["version_id"] = self.source["VersionId"]  # where the originals are
        return msgspec.json.encode({"source_key": self.source["Key"], "line": line, "reason": reason, **named})

    def _put(self, key: str, body: bytes) -> None:
        kind = "application/x-ndjson" if key.endswith(".ndjson") else "application/json"
        self.quarantine.s3.put_object(Bucket=self.quarantine.bucket, Key=key, Body=body, ContentType=kind)


def people_in(lines: Iterable[bytes]) -> set[str]:
    """The profile keys that lines of a `….named.ndjson` name, to note them again where the table was lost."""
    return {person for line in lines for person in _decode_named(line).people}


class _Named(msgspec.Struct):
    people: list[str] = []


_decode_named = msgspec.json.Decoder(_Named).decode


def _folder_name(source_key: str) -> str:
    encoded = source_key.encode()
    return source_key if len(encoded) <= _LONGEST_FOLDER_BYTES else hashlib.sha256(encoded).hexdigest()


def _original(line: bytes) -> dict[str, str]:
    try:
        return {"original": line.decode()}
    except UnicodeDecodeError:
        return {"original_base64": base64.b64encode(line).decode()}
