"""What a run exports: fixed once, by whichever of its parts comes first, and kept beside their progress."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from botocore.exceptions import ClientError

from shared.aws.fresh_object import ABSENT, CHANGED, is_absent
from shared.durations import HOUR_MS
from shared.exports.objects import ExportObjects
from shared.exports.tables import EXPORTS, LEASE, MANIFEST, SNAPSHOTS, folder
from shared.features.time_zone import TimeZone

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from shared.clock import Moment


LEASE_MS = 6 * HOUR_MS
"""After which a run that does not go on may be replaced. No invocation lives as long as half of it."""


class Lease(msgspec.Struct, frozen=True):
    """Which run a day is being written by, and when that was said last, UTC milliseconds."""

    run: str
    at_ms: int


class Plan(msgspec.Struct, frozen=True):
    """What a run exports. Times are UTC milliseconds."""

    run: str
    date: str
    """The day of the snapshot in the shop's time zone, YYYY-MM-DD."""
    as_of_ms: int
    recorded_until_ms: int
    """By the clock: increments hold what was recorded up to then, by functions that had all ended when it began."""
    recorded_from_ms: int | None = None
    """What was recorded later than that; None for all, where there is no snapshot of a day before."""

    def is_new(self, recorded_ms: int) -> bool:
        """Whether increments of this run hold what was recorded at a time."""
        return (self.recorded_from_ms or -1) < recorded_ms <= self.recorded_until_ms


class Written(msgspec.Struct, frozen=True):
    """One object."""

    key: str
    rows: int
    bytes: int


class Manifest(msgspec.Struct, frozen=True):
    """What a date holds of a table."""

    table: str
    plan: Plan
    objects: list[Written]

    @property
    def rows(self) -> int:
        """Of all objects."""
        return sum(one.rows for one in self.objects)


def days_written(s3: S3Client, bucket: str, table: str) -> set[str]:
    """The dates of which a table is whole; of `snapshots`, those of which all tables are. Raises ClientError."""
    place = f"{EXPORTS}{table}/date="
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=place)
    names = (entry["Key"].removeprefix(place).partition("/") for page in pages for entry in page.get("Contents", ()))
    return {day for day, _, name in names if name == MANIFEST}


def manifest_of(s3: S3Client, bucket: str, table: str, day: str) -> Manifest | None:
    """What a date holds of a table; None where it is not whole. Raises ClientError."""
    return _read(s3, bucket, folder(table, day) + MANIFEST, Manifest)[0]


def _read[T](s3: S3Client, bucket: str, key: str, kind: type[T]) -> tuple[T | None, str]:
    """A document and its tag, or none."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        body = answer["Body"].read()
    except ClientError as error:
        if is_absent(s3, bucket, key, error):
            return None, ""
        raise
    return msgspec.json.decode(body, type=kind), answer["ETag"]


def day_of(as_of_ms: int, zone: TimeZone) -> str:
    """The day of an instant in UTC milliseconds, in the shop's time zone."""
    days = int(zone.day(np.array([as_of_ms]))[0])
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


class Plans:
    """Plans and manifests of the data bucket."""

    def __init__(self, s3: S3Client, bucket: str, zone: TimeZone, settle_ms: int) -> None:
        """`settle_ms` is how long ago every function began that may still record what it has dated before."""
        self._s3 = s3
        self._bucket = bucket
        self._zone = zone
        self._settle_ms = settle_ms
        self._objects = ExportObjects(s3, bucket)

    def of(self, run: str, moment: Moment) -> Plan | None:
        """The plan of a run, made as of `moment` if it has none; None where another run of the date is at work.

        While it is at work itself its date is not whole. Raises ClientError.
        """
        key = f"reports/exports/{run}/plan.json"
        if plan := self._read(key, Plan):
            return plan
        day = day_of(moment.as_of_ms, self._zone)
        until_ms = moment.scored_at_ms - self._settle_ms
        plan = Plan(run, day, moment.as_of_ms, until_ms, self._recorded_before(day))
        if not self.hold(run, day, moment.scored_at_ms):
            return None
        self.open(day)
        is_first = self._put_if(key, msgspec.json.encode(plan), IfNoneMatch="*")
        return plan if is_first else self._read(key, Plan) or plan

    def whole(self, day: str) -> Plan | None:
        """The plan of the run that a day belongs to; None where it is not whole. Raises ClientError."""
        manifest = manifest_of(self._s3, self._bucket, SNAPSHOTS.name, day)
        return manifest.plan if manifest else None

    def open(self, day: str) -> None:
        """Says that a day is not whole. Raises ClientError."""
        place = folder(SNAPSHOTS.name, day)
        # The manifest last: what breaks off in between is begun again.
        for key in [*self._objects.keys(place), place + MANIFEST]:
            self._objects.drop(key)

    def hold(self, run: str, day: str, now_ms: int) -> bool:
        """Whether the day is the run's alone to write, for as long as an invocation lives.

        It is where it was nobody's, or the run's own, or of one that has not been at work for LEASE_MS. Raises
        ClientError.
        """
        key = folder(SNAPSHOTS.name, day) + LEASE
        body = msgspec.json.encode(Lease(run, now_ms))
        for _ in range(2):
            lease, etag = self._read_with_tag(key, Lease)
            if lease is None:
                if self._put_if(key, body, IfNoneMatch="*"):
                    return True
                continue
            age_ms = now_ms - lease.at_ms
            if lease.run == run and age_ms < LEASE_MS // 2:
                return True
            if lease.run != run and age_ms < LEASE_MS:
                return False
            if self._put_if(key, body, IfMatch=etag):
                return True
        lease, _ = self._read_with_tag(key, Lease)
        return lease is not None and lease.run == run

    def release(self, day: str) -> None:
        """Lets other runs have the day; only by the run that holds it. Raises ClientError."""
        self._objects.drop(folder(SNAPSHOTS.name, day) + LEASE)

    def write(self, manifest: Manifest) -> None:
        """Keeps the manifest of a table's date. Raises ClientError."""
        self._s3.put_object(
            Bucket=self._bucket,
            Key=folder(manifest.table, manifest.plan.date) + MANIFEST,
            Body=msgspec.json.format(msgspec.json.encode(manifest), indent=2),
            ContentType="application/json",
        )

    def _recorded_before(self, day: str) -> int | None:
        """Up to when the snapshot of the last whole day before holds what was recorded."""
        days = days_written(self._s3, self._bucket, SNAPSHOTS.name)
        for earlier in sorted((one for one in days if one < day), reverse=True):
            if plan := self.whole(earlier):
                return plan.recorded_until_ms
        return None

    def _put_if(self, key: str, body: bytes, **condition: Any) -> bool:
        """Whether the object was as the condition wants it, and is written."""
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in CHANGED | ABSENT:
                return False
            raise
        return True

    def _read[T](self, key: str, kind: type[T]) -> T | None:
        return self._read_with_tag(key, kind)[0]

    def _read_with_tag[T](self, key: str, kind: type[T]) -> tuple[T | None, str]:
        return _read(self._s3, self._bucket, key, kind)
