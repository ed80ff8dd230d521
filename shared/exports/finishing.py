"""The end of a run: its date is whole once all of it stands, what was there before is gone, and the counts agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.exports.objects import ExportObjects
from shared.exports.parquet import parquet
from shared.exports.partitions import PartitionProgress, run_mark
from shared.exports.plan import Manifest, Plan, Plans, Written
from shared.exports.rows import Rows, lists, numbers, texts
from shared.exports.schema import Growth, Table
from shared.exports.tables import AUDIENCES, CUSTOMERS, SEGMENTS, SNAPSHOTS, TABLES, folder

if TYPE_CHECKING:
    from shared.audiences.audience import Audiences
    from shared.profiles.members import Members


NOTHING: Rows = {}


@dataclass(frozen=True)
class Finishing:
    """What ends a run."""

    objects: ExportObjects
    plans: Plans
    members: Members
    live: Mapping[str, Any]
    """The manifest of the live bundle, empty where there is none."""
    audiences: Audiences

    def finish(self, plan: Plan, parts: Sequence[PartitionProgress], expected: int, now_ms: int) -> dict[str, Any]:
        """The run's report. Its date is whole from now on if no part is `unfinished` and it `reconciles`.

        Doing it again comes to the same. Raises ClientError.
        """
        report = _report(plan, parts, expected)
        is_held = self.plans.hold(plan.run, plan.date, now_ms)
        if is_held and not report["superseded"] and (report["unfinished"] or not report["reconciles"]):
            return report
        if not is_held or report["superseded"] or not self._is_all_there(plan, parts):
            self._withdraw(plan)
            if is_held:
                self.plans.release(plan.date)
            return {**report, "superseded": True, "unfinished": 0}
        manifests = [*self._of_people(plan, parts), *self._of_nobody(plan)]
        self._take_away(manifests)
        snapshots = _one(self, plan, SNAPSHOTS, _snapshots(plan, manifests))
        for manifest in (*manifests, snapshots):
            self.plans.write(manifest)
        # A run that was replaced may have written until it could know.
        self._take_away(manifests)
        self.plans.release(plan.date)
        tables = {one.table: {"rows": one.rows, "objects": len(one.objects), "bytes": _bytes(one)} for one in manifests}
        return {**report, "tables": tables}

    def _is_all_there(self, plan: Plan, parts: Sequence[PartitionProgress]) -> bool:
        """Whether no other run, to which the date belonged meanwhile, took this one's objects away."""
        return all(
            {one.key for part in parts for one in part.objects.get(table.name, ())}
            <= {*self.objects.keys(folder(table.name, plan.date))}
            for table in TABLES
        )

    def _withdraw(self, plan: Plan) -> None:
        for table in TABLES:
            for key in [*self.objects.keys(f"{folder(table.name, plan.date)}{run_mark(plan.run)}-")]:
                self.objects.drop(key)

    def _of_people(self, plan: Plan, parts: Sequence[PartitionProgress]) -> list[Manifest]:
        manifests = []
        for table in (table for table in TABLES if table.is_personal):
            objects = [one for part in parts for one in part.objects.get(table.name, ())]
            # Some warehouses take a date without any object for a mistake.
            manifests.append(Manifest(table.name, plan, objects) if objects else _one(self, plan, table, NOTHING))
        return manifests

    def _of_nobody(self, plan: Plan) -> list[Manifest]:
        sizes = self.members.sizes()
        segments = self.live.get("segments", ())
        members = self.members.audience_sizes()
        every = self.audiences.all
        return [
            _one(
                self,
                plan,
                SEGMENTS,
                {
                    "segment_id": numbers(one["id"] for one in segments),
                    "segment_name": texts(one["name"] for one in segments),
                    "description": texts(one.get("description") for one in segments),
                    "customers": numbers(sizes[one["id"]] for one in segments),
                    "model_version": texts(self.live["bundle_id"] for _ in segments),
                },
            ),
            _one(
                self,
                plan,
                AUDIENCES,
                {
                    "audience": texts(one.key for one in every),
                    "audience_name": texts(one.name for one in every),
                    "rule": texts(one.where for one in every),
                    "version": numbers(one.version for one in every),
                    "published_version": numbers(self.audiences.version for _ in every),
                    "holdout": numbers(one.holdout for one in every),
                    "action": texts(one.action for one in every),
                    "destinations": lists(one.destinations for one in every),
                    "customers": numbers(members[one.key] for one in every),
                },
            ),
        ]

    def _take_away(self, manifests: Sequence[Manifest]) -> None:
        """Objects of the date that no manifest names, of runs before or of one that was killed."""
        for manifest in manifests:
            own = {one.key for one in manifest.objects}
            for key in [*self.objects.keys(folder(manifest.table, manifest.plan.date))]:
                if key not in own:
                    self.objects.drop(key)


def _one(finishing: Finishing, plan: Plan, table: Table, rows: Rows) -> Manifest:
    """A table that is one object."""
    body, count = parquet(table, [rows] if rows else [{name: np.empty(0) for name in table.names}])
    key = f"{folder(table.name, plan.date)}{table.name}.parquet"
    finishing.objects.put(key, body)
    return Manifest(table.name, plan, [Written(key, count, len(body))])


def _snapshots(plan: Plan, manifests: Sequence[Manifest]) -> Rows:
    n = len(manifests)
    grows = [table.growth is Growth.INCREMENT for one in manifests for table in TABLES if table.name == one.table]
    return {
        "table_name": texts(one.table for one in manifests),
        "row_count": numbers(one.rows for one in manifests),
        "object_count": numbers(len(one.objects) for one in manifests),
        "byte_count": numbers(map(_bytes, manifests)),
        "run": texts(plan.run for _ in manifests),
        "snapshot_at": np.full(n, float(plan.as_of_ms)),
        "recorded_from": numbers(plan.recorded_from_ms if one else None for one in grows),
        "recorded_until": numbers(plan.recorded_until_ms if one else None for one in grows),
    }


def _bytes(manifest: Manifest) -> int:
    return sum(one.bytes for one in manifest.objects)


def _report(plan: Plan, parts: Sequence[PartitionProgress], expected: int) -> dict[str, Any]:
    read, erased, unreadable = (sum(getattr(part, name) for part in parts) for name in ("read", "erased", "unreadable"))
    rows = sum(one.rows for part in parts for one in part.objects.get(CUSTOMERS.name, ()))
    return {
        "run": plan.run,
        "date": plan.date,
        "partitions": expected,
        "unfinished": expected - sum(part.done for part in parts),
        "superseded": any(part.superseded for part in parts),
        "customers_read": read,
        "customers_erased_meanwhile": erased,
        "customers_unreadable": unreadable,
        "customers_exported": rows,
        "reconciles": rows == read - erased - unreadable,
    }
