"""A night's measurement: the exports of a date in, documents of results and of reports out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice, pairwise
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from shared.audiences.audience import Audiences, Publication
from shared.audiences.publishing import current, versions
from shared.aws.fresh_object import is_absent
from shared.events.event import parse_timestamp
from shared.experiments.assignment import Planned
from shared.experiments.document import document
from shared.experiments.results import Look
from shared.experiments.trial import Cost
from shared.exports.plan import manifest_of
from shared.exports.tables import EXPORTS, MOVES, SNAPSHOTS, folder
from shared.insight.layout import LATEST_RESULTS, RESULTS, report_key
from shared.insight.reports import calibration, segment_reports
from shared.insight.tables import Tables, TooLarge
from shared.insight.trials import Design, trials
from shared.models.labels import cost_and_margin
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

MOST_BYTES = 6 * 2**30
"""Of the exports of one date: what a function's disk has room for beside what DuckDB puts there."""
MOST_VERSIONS = 200
"""Of audiences, looked through for when a control group's share became what it is."""
DAYS_LATE = 3
"""By which a snapshot may be older than one horizon ago."""
OF_A_DATE = ("customers", "exposures", "orders", "segments")


class Replaced(AnonymousError):
    """Another run of the export took an object away meanwhile: what it writes instead is measured at its end."""


@dataclass(frozen=True)
class Measuring:
    """What measures the exports of a bucket."""

    s3: S3Client
    bucket: str
    window_days: int
    currency: str

    def measure(self, day: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Writes the results and reports of a date, and says how many there are: none while its exports are not whole,
        as there are none or a run is at work on them. `manifest` is that of the live bundle, empty where there is none.

        Raises TooLarge, ClientError.
        """
        snapshot = manifest_of(self.s3, self.bucket, SNAPSHOTS.name, day)
        if snapshot is None:
            return _not_whole(day)
        try:
            return self._measure(day, snapshot.plan.as_of_ms, manifest)
        except Replaced:
            return _not_whole(day)

    def _measure(self, day: str, as_of_ms: int, manifest: Mapping[str, Any]) -> dict[str, Any]:
        with self._tables(day) as tables:
            counted = trials(tables, as_of_ms, self.window_days, self._designs(manifest))
            results = {"date": day, **document(counted, Look(as_of_ms), self.currency)}
            reports = segment_reports(tables, as_of_ms) | {"calibration": self._calibration(tables, day, manifest)}
        self._put(f"{RESULTS}{day}.json", results)
        if self._is_latest(as_of_ms):
            self._put(LATEST_RESULTS, results)
            for name, report in reports.items():
                head = {"report": name, "date": day, "as_of": results["as_of"], "currency": self.currency}
                self._put(report_key(name), head | report)
        return {"date": day, "whole": True, "results": len(results["results"]), "reports": len(reports)}

    def _is_latest(self, as_of_ms: int) -> bool:
        body = self._body(LATEST_RESULTS)
        return body is None or parse_timestamp(msgspec.json.decode(body)["as_of"]) <= as_of_ms

    # ---- What was exported -------------------------------------------------------------------------------------------

    @contextmanager
    def _tables(self, day: str) -> Iterator[Tables]:
        keys = {name: self._keys(name, day) for name in OF_A_DATE if name != "customers"}
        keys[MOVES.name] = [*self._moves(day)]
        with TemporaryDirectory() as place:
            yield self._fetched(Path(place), keys)

    def _fetched(self, place: Path, keys: Mapping[str, list[str]]) -> Tables:
        """The objects as files of ours."""
        left = MOST_BYTES
        files: dict[str, list[Path]] = {}
        for name, own in keys.items():
            for number, key in enumerate(own):
                path = place / f"{name}-{number}.parquet"
                with path.open("wb") as file:
                    copyfileobj(self._object(key), file)
                left -= path.stat().st_size
                if left < 0:
                    raise TooLarge(f"exports of a date have more than {MOST_BYTES:,} bytes")
                files.setdefault(name, []).append(path)
        return Tables(place, files)

    def _keys(self, table: str, day: str) -> list[str]:
        manifest = manifest_of(self.s3, self.bucket, table, day)
        return [one.key for one in manifest.objects] if manifest else []

    def _moves(self, day: str) -> Iterator[str]:
        """The objects of moves of all dates up to a day."""
        place = f"{EXPORTS}{MOVES.name}/"
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=place):
            for entry in page.get("Contents", ()):
                key = entry["Key"]
                if key.endswith(".parquet") and key < folder(MOVES.name, _after(day)):
                    yield key

    # ---- How campaigns were planned ----------------------------------------------------------------------------------

    def _designs(self, manifest: Mapping[str, Any]) -> dict[str, Design]:
        live = current(self.s3, self.bucket)
        before = [*islice(versions(self.s3, self.bucket, live), MOST_VERSIONS)] if live.audiences.version else []
        designs = {}
        for audience in live.audiences.all:
            known = cost_and_margin(manifest, audience.action) if audience.action else None
            share = share_held_back(live.audiences, audience.key)
            designs[audience.key] = Design(
                planned=Planned(share, "audience") if share else None,
                since_ms=planned_since(before, audience.key),
                cost=Cost(*known) if known else None,
            )
        return designs

    # ---- How far predictions came true -------------------------------------------------------------------------------

    def _calibration(self, now: Tables, day: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        told = {}
        for target in ("churn", "conversion"):
            horizon = manifest.get("targets", {}).get(target, {}).get("horizon_days")
            before = self._customers_before(day, horizon) if horizon else None
            if not horizon or before is None:
                told[target] = {"state": "not_enough_data", "horizon_days": horizon}
                continue
            with TemporaryDirectory() as place:
                then = self._fetched(Path(place), {"customers": self._keys("customers", before)})
                files = {"customers": then.files.get("customers", ()), "orders": now.files.get("orders", ())}
                bins = calibration(Tables(now.folder, files), target, horizon)
            told[target] = {"state": "measured", "horizon_days": horizon, "said_on": before, "bins": bins}
        return told

    def _customers_before(self, day: str, horizon: int) -> str | None:
        """The latest whole date on which what was said has come true by now, or not."""
        for late in range(DAYS_LATE + 1):
            earlier = _days_after(day, -horizon - late)
            if manifest_of(self.s3, self.bucket, SNAPSHOTS.name, earlier):
                return earlier
        return None

    # ---- Objects -----------------------------------------------------------------------------------------------------

    def _body(self, key: str) -> bytes | None:
        try:
            return self._object(key).read()
        except Replaced:
            return None

    def _object(self, key: str) -> StreamingBody:
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"]
        except ClientError as error:
            if is_absent(self.s3, self.bucket, key, error):
                raise Replaced("an object that is named is not there") from None
            raise

    def _put(self, key: str, told: Mapping[str, Any]) -> None:
        body = msgspec.json.encode(told)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")


def _not_whole(day: str) -> dict[str, Any]:
    return {"date": day, "whole": False, "results": 0, "reports": 0}


def share_held_back(audiences: Audiences, key: str) -> float:
    """The share of an audience that is its control group: by its own lot, or by that of all audiences."""
    own = next((audience.holdout for audience in audiences.all if audience.key == key), 0.0)
    return 1 - (1 - own) * (1 - audiences.holdout)


def planned_since(newest_first: list[Publication], key: str) -> int:
    """When the share that an audience holds back became what it is, UTC milliseconds; 0 where it never was another."""
    shares = [(publication, share_held_back(publication.audiences, key)) for publication in newest_first]
    known = [(publication, share) for publication, share in shares if _has(publication.audiences, key)]
    for (later, share), (_, before) in pairwise(known):
        if share != before:
            return parse_timestamp(later.at)
    return 0


def _has(audiences: Audiences, key: str) -> bool:
    return any(audience.key == key for audience in audiences.all)


def _after(day: str) -> str:
    return _days_after(day, 1)


def _days_after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
