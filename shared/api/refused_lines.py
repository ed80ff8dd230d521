"""What stands in quarantine, for people to read: why lines were refused, and the latest of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from shared.aws.fresh_object import ABSENT
from shared.intake.quarantine import PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_LISTED = 5_000
"""Objects of the quarantine that are looked for; the newest MOST_READ of them are read."""
MOST_READ = 40
MOST_BYTES = 262_144
"""Of each object, from its begin."""
LINES_SHOWN = 100
LONGEST_SHOWN = 1_000
"""Characters of a line as it came."""


class Record(msgspec.Struct):
    """A line of the quarantine, as far as it is shown."""

    reason: str = "no reason was kept"
    source_key: str = ""
    line: int | None = None
    lines: int = 1
    """For how many it stands."""
    original: str = ""


def refused(s3: S3Client, bucket: str, since_ms: int = 0) -> dict[str, Any]:
    """Why lines were refused, the most frequent reason first, and how many objects were looked at for it; of those
    written since an instant (UTC milliseconds) alone.

    Raises ClientError.
    """
    counts = Counter[str]()
    read = 0
    entries, is_all = _newest(s3, bucket)
    entries = [entry for entry in entries if entry["LastModified"].timestamp() * 1_000 >= since_ms]
    for entry in entries:
        read += 1
        for record in _records(s3, bucket, entry["Key"]):
            counts[_without_value(record.reason)] += record.lines
    return {
        "reasons": [{"reason": reason, "lines": lines} for reason, lines in counts.most_common()],
        "examined": read,
        "complete": is_all and all(entry["Size"] <= MOST_BYTES for entry in entries),
    }


def latest_lines(s3: S3Client, bucket: str) -> list[dict[str, Any]]:
    """The latest LINES_SHOWN refused lines, as they came. Raises ClientError."""
    lines: list[dict[str, Any]] = []
    for entry in _newest(s3, bucket)[0]:
        for record in _records(s3, bucket, entry["Key"]):
            lines.append(_shown(record))
            if len(lines) == LINES_SHOWN:
                return lines
    return lines


def _newest(s3: S3Client, bucket: str) -> tuple[list[Any], bool]:
    """The newest objects that hold reasons, and whether there are no others."""
    entries: list[Any] = []
    listed = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX):
        for entry in page.get("Contents", ()):
            listed += 1
            if entry["Key"].endswith((".ndjson", "/reason.json")):
                entries.append(entry)
        if listed >= MOST_LISTED:
            break
    newest = sorted(entries, key=lambda entry: entry["LastModified"], reverse=True)
    return newest[:MOST_READ], listed < MOST_LISTED and len(newest) <= MOST_READ


def _records(s3: S3Client, bucket: str, key: str) -> Iterator[Record]:
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{MOST_BYTES - 1}")
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return  # erased meanwhile
        raise
    for line in answer["Body"].read().splitlines():
        try:
            yield msgspec.json.decode(line, type=Record)
        except (ValueError, RecursionError):
            return  # cut off, or a dropped file of such a name that nobody could read


def _without_value(reason: str) -> str:
    """Reasons end with the value where there is one: `price must be a number, not the text 'x'`."""
    return reason.partition(", not ")[0]


def _shown(record: Record) -> dict[str, Any]:
    return {
        "source": record.source_key,
        "line": record.line,
        "reason": record.reason,
        "group": _without_value(record.reason),
        "lines": record.lines,
        "original": record.original[:LONGEST_SHOWN],
    }
