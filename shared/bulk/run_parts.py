"""What the parts of a run have done so far: one small S3 object a part, from which a part that broke off goes on.

A run is one execution of a state machine. Its parts stand under `reports/<kind>/<run>/`, its report beside them in
`reports/<kind>/<run>.json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from shared.aws.fresh_object import is_absent
from shared.decisions.decision import iso

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class RunParts[Part: msgspec.Struct]:
    """The parts of one run, each a `part` as JSON."""

    def __init__(self, s3: S3Client, bucket: str, kind: str, run: str, part: type[Part]) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._part = part
        self._name = f"reports/{kind}/{run}"

    def read(self, number: int) -> Part | None:
        """The part as it was last written, or None. Raises ClientError."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key(number))
        except ClientError as error:
            if is_absent(self._s3, self._bucket, self._key(number), error):
                return None
            raise
        return msgspec.json.decode(answer["Body"].read(), type=self._part)

    def write(self, number: int, part: Part) -> None:
        """Keeps the part in place of what was kept of it before."""
        self._put(self._key(number), msgspec.json.encode(part))

    def all(self) -> Iterator[Part]:
        """Every part that has begun, in order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{self._name}/part-")
        for page in pages:
            for entry in page.get("Contents", ()):
                body = self._s3.get_object(Bucket=self._bucket, Key=entry["Key"])["Body"].read()
                yield msgspec.json.decode(body, type=self._part)

    def write_report(self, report: object) -> str:
        """Keeps the run's report, for people to read; returns its key."""
        key = f"{self._name}.json"
        self._put(key, msgspec.json.format(msgspec.json.encode(report), indent=2))
        return key

    def _key(self, number: int) -> str:
        return f"{self._name}/part-{number:06d}.json"

    def _put(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")


def span(times: Sequence[tuple[int, int]]) -> Mapping[str, Any]:
    """From the first begin to the last change of the parts of a run, (begin, change) in UTC milliseconds."""
    if not times:
        return {"started": None, "updated": None, "seconds": 0.0}
    started = min(begin for begin, _ in times)
    updated = max(change for _, change in times)
    return {"started": iso(started), "updated": iso(updated), "seconds": (updated - started) / 1_000}
