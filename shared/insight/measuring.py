"""A night's measurement: the exports of a date in, documents of results and of reports out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from shared.audiences.audience import Audiences, Publication
from shared.audiences.publishing import current, versions
from shared.events.event import parse_timestamp
from shared.experiments.assignment import Planned
from shared.experiments.document import document
from shared.experiments.results import Look
from shared.experiments.trial import Cost
from shared.exports.plan import manifest_of
from shared.exports.tables import MOVES, SNAPSHOTS
from shared.insight.fetching import Exported, Replaced
from shared.insight.layout import LATEST_RESULTS, RESULTS, report_key
from shared.insight.reports import calibration, segment_reports
from shared.insight.tables import Tables
from shared.insight.trials import Design, trials
from shared.models.labels import cost_and_margin

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_VERSIONS = 200
"""Of audiences, looked through for when a control group's share became what it is."""
OF_A_DATE = ("customers", "exposures", "orders", "segments")


@dataclass(frozen=True)
class Measuring:
    """What measures the exports of a bucket."""

    s3: S3Client
    bucket: str
    window_days: int
    currency: str

    @cached_property
    def exported(self) -> Exported:
        """What there is to measure."""
        return Exported(self.s3, self.bucket)

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

    @contextmanager
    def _tables(self, day: str) -> Iterator[Tables]:
        keys = {name: self.exported.keys(name, day) for name in OF_A_DATE if name != "customers"}
        keys[MOVES.name] = [*self.exported.keys_until(MOVES.name, day)]
        with TemporaryDirectory() as place:
            yield self.exported.fetched(Path(place), keys)

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
        by_target = {}
        for target in ("churn", "conversion"):
            horizon = manifest.get("targets", {}).get(target, {}).get("horizon_days")
            before = self.exported.whole_before(day, horizon) if horizon else None
            if not horizon or before is None:
                by_target[target] = {"state": "not_enough_data", "horizon_days": horizon}
                continue
            with TemporaryDirectory() as place:
                then = self.exported.fetched(Path(place), {"customers": self.exported.keys("customers", before)})
                files = {"customers": then.files.get("customers", ()), "orders": now.files.get("orders", ())}
                bins = calibration(Tables(now.folder, files), target, horizon)
            by_target[target] = {"state": "measured", "horizon_days": horizon, "said_on": before, "bins": bins}
        return by_target

    # ---- Objects -----------------------------------------------------------------------------------------------------

    def _body(self, key: str) -> bytes | None:
        try:
            return self.exported.body(key).read()
        except Replaced:
            return None

    def _put(self, key: str, content: Mapping[str, Any]) -> None:
        body = msgspec.json.encode(content)
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
