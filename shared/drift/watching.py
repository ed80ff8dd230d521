"""A night: the exports of a date in, what drifted out, as a report and, where it is new, an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from shared.decisions.decision import iso
from shared.drift import comparing, outcomes, reference
from shared.drift.comparing import Finding
from shared.drift.layout import nights_key
from shared.drift.measures import MOST_CUSTOMERS, PREDICTION, REASONS, TYPES, Values, tonight
from shared.drift.nights import ACCEPTED, Night, Nights, frequent
from shared.drift.reference import BrokenReference, Reference
from shared.events.event import parse_timestamp
from shared.events.locked import locked_database
from shared.exports.plan import manifest_of
from shared.exports.tables import SNAPSHOTS, STATES
from shared.features import BrokenState, Profiles, UnknownStateVersion, merge
from shared.identity.keys import customer_key
from shared.insight.fetching import Exported, Replaced
from shared.insight.layout import DRIFT, report_key
from shared.insight.tables import Tables
from shared.models import switching
from shared.models.bundle import Bundle
from shared.models.layout import DISTRIBUTION_FILE, MANIFEST_FILE, ONNX_FILE, bundle_key
from shared.models.manifests import BundleMismatch
from shared.profiles.histories import gathered
from shared.shapes import Misfit

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DETAIL_TYPE = "Model Drifted"
MOST_BYTES = 128 * 2**20
"""Of states that are read: the memory of a function has room for what becomes of them."""
MEMORY = "400MB"
SHOWN = 100
"""Measures of a report."""

type Announce = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Watching:
    """What looks for drift in the exports of a bucket."""

    s3: S3Client
    bucket: str
    currency: str
    announce: Announce
    """Puts the detail of an event on the stack's bus."""

    @cached_property
    def exported(self) -> Exported:
        """What there is to look at."""
        return Exported(self.s3, self.bucket)

    def watch(self, day: str, refused: Mapping[str, int]) -> dict[str, Any]:
        """Compares a date with what the live bundle was trained on, and writes the report and gives it: without
        measures where the date is not whole or there is nothing to compare with. `refused` are the lines of
        its day by why they were refused.

        Doing it again comes to the same. Raises ClientError, and what the event's bus raises.
        """
        snapshot = manifest_of(self.s3, self.bucket, SNAPSHOTS.name, day)
        if snapshot is None:
            return {"date": day, "state": "not_whole", "drifted": [], "measures": []}
        try:
            return self._watch(day, snapshot.plan.as_of_ms, refused)
        except Replaced:
            return {"date": day, "state": "not_whole", "drifted": [], "measures": []}

    def _watch(self, day: str, as_of_ms: int, refused: Mapping[str, int]) -> dict[str, Any]:
        bundle, known, state = self._live()
        report = {
            "report": DRIFT,
            "date": day,
            "as_of": iso(as_of_ms),
            "currency": self.currency,
            "bundle_id": bundle.bundle_id if bundle else None,
            "trained_as_of": iso(known.as_of_ms) if known else None,
            "state": state,
            "drifted": list[str](),
            "measures": list[dict[str, Any]](),
            "predictions": list[dict[str, Any]](),
        }
        if bundle and known:
            report |= self._compared(day, as_of_ms, bundle, known, refused)
        if self._is_latest(as_of_ms):
            self._put(report_key(DRIFT), report)
        return report

    def _compared(
        self, day: str, as_of_ms: int, bundle: Bundle, known: Reference, refused: Mapping[str, int]
    ) -> dict[str, Any]:
        profiles, share = self._profiles(day)
        nights = self._nights(bundle.bundle_id)
        seen = tonight(profiles, bundle, as_of_ms) if len(profiles) else {}
        counts = reference.histograms(known, seen)
        came = round(int(counts[TYPES].sum()) / share) if TYPES in counts else 0
        lines = {**frequent(refused), ACCEPTED: came} if came else {}
        findings = self._findings(day, as_of_ms, known, counts, nights, lines)
        drifted = sorted(one.name for one in findings if one.is_drift)
        is_told = day in nights.nights and nights.nights[day].told
        is_new = bool(drifted) and nights.is_new(day, drifted)
        report = {
            "state": "drifted" if drifted else "steady" if findings else "not_enough_data",
            "customers": len(profiles),
            "drifted": drifted,
            "measures": [{**asdict(one), "kind": one.name.partition("/")[0]} for one in findings[:SHOWN]],
            "predictions": self._predictions(day, bundle, seen),
        }
        if is_new and not is_told:
            self.announce(_detail(day, bundle.bundle_id, [one for one in findings if one.is_drift]))
        kept = {name: values.tolist() for name, values in counts.items()}
        night = Night(as_of_ms, kept, lines, drifted, is_told or is_new)
        self._put(nights_key(bundle.bundle_id), nights.and_also(day, night))
        return report

    def _findings(
        self,
        day: str,
        as_of_ms: int,
        known: Reference,
        counts: Mapping[str, Any],
        nights: Nights,
        lines: Mapping[str, int],
    ) -> list[Finding]:
        findings = comparing.compare(known, counts, as_of_ms, nights.a_year_before(day, as_of_ms))
        refusals = nights.refusals(day, lines)
        if refusals is None:
            return findings
        measure, tonight = refusals
        # Of refusals the nights before are all that is known: the reference ends with the last of them.
        before = Reference(reference.FORMAT, known.bundle_id, as_of_ms, {REASONS: measure})
        return comparing.judged([*findings, *comparing.compare(before, {REASONS: tonight}, as_of_ms)])

    # ---- Predictions -------------------------------------------------------------------------------------------------

    def _predictions(self, day: str, bundle: Bundle, seen: Mapping[str, Values]) -> list[dict[str, Any]]:
        """Of churn and conversion what is expected of them now, and what came of them one horizon ago."""
        with TemporaryDirectory() as place:

            @cache  # both may be of one date, and orders are those of now
            def files(table: str, date: str) -> Mapping[str, Sequence[Path]]:
                folder = Path(place, f"{table}-{date}")
                folder.mkdir()
                return self.exported.fetched(folder, {table: self.exported.keys(table, date)}).files

            def came_true(target: str, before: str, horizon: int) -> dict[str, Any] | None:
                tables = Tables(Path(place), {**files("customers", before), **files("orders", day)})
                return outcomes.came_true(tables, target, horizon)

            predictions = []
            for target in ("churn", "conversion"):
                values = seen.get(f"{PREDICTION}/{target}_probability")
                if values is None or not len(values.value):
                    continue
                horizon = bundle.manifest.get("targets", {}).get(target, {}).get("horizon_days")
                before = self.exported.whole_before(day, horizon) if horizon else None
                predictions.append(
                    {
                        "target": target,
                        "horizon_days": horizon,
                        "customers": len(values.value),
                        "expected": outcomes.expected(values.value),
                        "said_on": before,
                        "came_true": came_true(target, before, horizon) if before else None,
                    }
                )
            return predictions

    # ---- What there is -----------------------------------------------------------------------------------------------

    def _live(self) -> tuple[Bundle | None, Reference | None, str]:
        """The live bundle and what it was trained on, and else why there is none."""
        try:
            bundle_id = switching.live(self.s3, self.bucket).bundle_id
            if bundle_id is None:
                return None, None, "no_model"
            onnx, manifest = (
                self.exported.body(bundle_key(bundle_id, name)).read() for name in (ONNX_FILE, MANIFEST_FILE)
            )
            bundle = Bundle.from_bytes(onnx, manifest)
        except (Misfit, Replaced, BundleMismatch):
            return None, None, "no_model"
        try:
            known = reference.from_bytes(
                self.exported.body(bundle_key(bundle_id, DISTRIBUTION_FILE)).read(reference.MOST_BYTES + 1)
            )
        except (Replaced, BrokenReference):
            return bundle, None, "no_distribution"
        return (bundle, known, "steady") if known.bundle_id == bundle_id else (bundle, None, "no_distribution")

    def _profiles(self, day: str) -> tuple[Profiles, float]:
        """The histories of those of a part of the table, which hashes deal out, and what share of all they are."""
        manifest = manifest_of(self.s3, self.bucket, STATES.name, day)
        if manifest is None:
            raise Replaced("an object that is named is not there")
        read: list[Profiles] = []
        rows, size = 0, 0
        for written in manifest.objects:
            if read and (rows >= MOST_CUSTOMERS or size + written.bytes > MOST_BYTES):
                break
            with TemporaryDirectory() as place:
                tables = self.exported.fetched(Path(place), {STATES.name: [written.key]})
                read.append(_gathered(tables.files[STATES.name][0], MOST_CUSTOMERS - rows))
            rows += len(read[-1])
            size += written.bytes
        return merge(*read), max(rows, 1) / max(manifest.rows, rows, 1)

    def _nights(self, bundle_id: str) -> Nights:
        try:
            return msgspec.json.decode(self.exported.body(nights_key(bundle_id)).read(), type=Nights)
        except (Replaced, msgspec.MsgspecError):
            return Nights(bundle_id)

    def _is_latest(self, as_of_ms: int) -> bool:
        try:
            latest = msgspec.json.decode(self.exported.body(report_key(DRIFT)).read())
        except Replaced:
            return True
        return parse_timestamp(latest["as_of"]) <= as_of_ms

    def _put(self, key: str, document: object) -> None:
        body = msgspec.json.encode(document)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")


def _gathered(path: Path, most: int) -> Profiles:
    with locked_database(path, memory=MEMORY) as database:
        database.execute("SELECT customer_id, state FROM read_parquet(?) LIMIT ?", [str(path), most])
        rows = [(customer_key(customer), bytes(state)) for customer, state in database.fetchall()]
    try:
        return gathered(rows)
    except (BrokenState, UnknownStateVersion):
        return Profiles.empty()


def _detail(day: str, bundle_id: str, drifted: list[Finding]) -> dict[str, Any]:
    return {
        "date": day,
        "model_version": bundle_id,
        "measures": [
            {"name": one.name, "index": round(one.index, 4), "p_value": one.p_value} for one in drifted[:SHOWN]
        ],
        "report": report_key(DRIFT),
    }
