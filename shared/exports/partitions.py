"""The table exported, partition by partition and object by object, so that it can break off anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from shared.exports.objects import ExportObjects
from shared.exports.parquet import bytes_of, parquet
from shared.exports.plan import Plan, Written
from shared.exports.reading import Counts, Cursor, Reader
from shared.exports.rows import Rows
from shared.exports.tables import TABLES, folder
from shared.profiles.item import Item

BYTES_AT_ONCE = 48 << 20
"""Of rows that are gathered for one object of each table: half of a function's memory holds them three times."""

_PERSONAL = {table.name: table for table in TABLES if table.is_personal}


class PartitionProgress(msgspec.Struct, frozen=True):
    """How far one partition of the table is, and what came of it. Times are UTC milliseconds."""

    partition: int
    partitions: int
    started_ms: int
    updated_ms: int
    cursor: Cursor | None = None
    done: bool = False
    superseded: bool = False
    """Another run has made its date whole meanwhile."""
    chunks: int = 0
    """How often objects were written."""
    objects: dict[str, list[Written]] = {}
    """What was written, by table."""
    read: int = 0
    """Customers' profiles read."""
    erased: int = 0
    unreadable: int = 0

    @classmethod
    def begin(cls, partition: int, partitions: int, now_ms: int) -> PartitionProgress:
        """Nothing done yet."""
        return cls(partition, partitions, now_ms, now_ms)


@dataclass
class _Gathered:
    """Rows for one object of each table."""

    parts: dict[str, list[Rows]] = field(default_factory=dict)
    size: int = 0

    def add(self, table: str, rows: Rows) -> None:
        if len(next(iter(rows.values()))):
            self.parts.setdefault(table, []).append(rows)
            self.size += bytes_of(rows)


@dataclass(frozen=True)
class Exporter:
    """What a partition is exported with."""

    plan: Plan
    scan: Callable[[Cursor | None], tuple[list[Item], Cursor | None]]
    reader: Callable[[Counts], Reader]
    objects: ExportObjects
    is_superseded: Callable[[], bool]
    now_ms: Callable[[], int]
    go_on: Callable[[], bool]

    def export(
        self, progress: PartitionProgress, keep: Callable[[PartitionProgress], None]
    ) -> tuple[PartitionProgress, Counts]:
        """Goes on from `progress`, a page at least and then while `go_on` says so; `keep` is given it after objects.

        Whatever happens between two calls of `keep`, going on from what was kept last writes the same objects again.
        Gives how far it came, and what became of the profiles read on the way. Raises what the table, marks, the
        bucket and `keep` raise.
        """
        counts = Counts()
        while not progress.done:
            progress = self._next(progress, counts)
            keep(progress)
            if not self.go_on():
                break
        return progress, counts

    def _next(self, before: PartitionProgress, total: Counts) -> PartitionProgress:
        counts = Counts()
        reader = self.reader(counts)
        gathered = _Gathered()
        cursor = before.cursor
        while True:
            items, cursor = self.scan(cursor)
            for table, rows in reader.rows(items):
                gathered.add(table, rows)
            if cursor is None or gathered.size >= BYTES_AT_ONCE or not self.go_on():
                break
        written = {name: self._write(name, parts, before) for name, parts in gathered.parts.items()}
        if self.is_superseded():
            for one in [*written.values(), *(one for kept in before.objects.values() for one in kept)]:
                self.objects.drop(one.key)
            return msgspec.structs.replace(before, done=True, superseded=True, cursor=None, objects={})
        for name in ("read", "erased", "unreadable"):
            setattr(total, name, getattr(total, name) + getattr(counts, name))
        return msgspec.structs.replace(
            before,
            updated_ms=self.now_ms(),
            cursor=cursor,
            done=cursor is None,
            chunks=before.chunks + 1,
            objects={
                name: [*before.objects.get(name, ()), *([written[name]] if name in written else [])]
                for name in sorted({*before.objects, *written})
            },
            read=before.read + counts.read,
            erased=before.erased + counts.erased,
            unreadable=before.unreadable + counts.unreadable,
        )

    def _write(self, name: str, parts: list[Rows], before: PartitionProgress) -> Written:
        body, rows = parquet(_PERSONAL[name], parts)
        number = f"{before.partition:04d}-{before.chunks:06d}"
        key = f"{folder(name, self.plan.date)}{run_mark(self.plan.run)}-{number}.parquet"
        self.objects.put(key, body)
        return Written(key, rows, len(body))


def run_mark(run: str) -> str:
    """What the objects of a run are called after."""
    return "run-" + hashlib.blake2b(run.encode(), digest_size=6).hexdigest()
