"""One machine whose memory does not hold the events: DuckDB sorts them by customer, on the disk where it has to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from shared.events.locked import APART, LOCKED
from shared.identity.links import Link, LinkState
from training.base.progress import progress
from training.data.events import Source, nothing_in
from training.data.places import event_files
from training.data.reading import Reading, read_one
from training.engines.engine import Part, Question, Whom, asked
from training.engines.tables import EVENT, OWNER, cut_after, event_table, histories

MEMORY = "2GB"
"""Of DuckDB's own count, beside which a part of the histories is held."""
EVENTS_AT_ONCE = 500_000
"""Of histories that are held at once, but for one customer who has more."""
_SORTED = """
CREATE TABLE sorted AS
SELECT coalesce(customer, key) AS owner, events.*
FROM events LEFT JOIN links ON key = visitor
WHERE visitor IS NULL OR customer IS NOT NULL
ORDER BY owner
"""
_LINKS = pa.schema([("visitor", pa.string()), ("customer", pa.string())])


class Disk:
    """Events in a file of DuckDB's, sorted by whom they count for."""

    def __init__(self, database: duckdb.DuckDBPyConnection, source: Source, at_once: int = EVENTS_AT_ONCE) -> None:
        self.reading = Reading()
        self._database = database
        self._at_once = at_once
        self._gather(source)
        self._links = self.reading.resolved(source.as_of_ms)
        self._from_ms = self.reading.counts_from(source.as_of_ms)
        database.register("links", _link_table(self._links))
        database.execute(_SORTED)
        database.execute("DROP TABLE events")
        database.unregister("links")

    def _gather(self, source: Source) -> None:
        rules = source.rules()
        files = event_files(source.paths)
        count = 0
        self._database.register("none", EVENT.empty_table())
        self._database.execute("CREATE TABLE events AS SELECT * FROM none")
        with progress("reading events", sum(file.size for file in files)) as advance:
            for number, file in enumerate(files):
                waiting: list[pa.Table] = []
                for events in read_one(file, number, rules, source.translator, self.reading):
                    waiting.append(event_table(events))
                    count += len(events)
                    advance(0, f"{count:,} events")
                    if sum(map(len, waiting)) >= self._at_once:
                        self._insert(waiting)
                        waiting = []
                self._insert(waiting)
                advance(file.size, f"{count:,} events")
        if not self.reading.accepted:
            raise nothing_in(self.reading)

    def _insert(self, tables: Sequence[pa.Table]) -> None:
        if tables:
            self._database.register("more", pa.concat_tables(tables))
            self._database.execute("INSERT INTO events SELECT * FROM more")
            self._database.unregister("more")

    def ask(self, whom: Whom, questions: Sequence[Question]) -> Iterator[Part]:
        """As `Engine`; as many customers at a time as have EVENTS_AT_ONCE."""
        for table in self._parts():
            profiles = histories(table, self.reading.category_names, self._from_ms)
            yield asked(profiles, whom, questions)

    def _parts(self) -> Iterator[pa.Table]:
        """The sorted events in tables, none of which ends in the middle of a customer."""
        rest = None
        with self._database.cursor() as cursor:
            for batch in cursor.sql("SELECT * FROM sorted").to_arrow_reader(self._at_once):
                table = pa.Table.from_batches([batch])
                table = table if rest is None else pa.concat_tables([rest, table])
                end = cut_after(table[OWNER])
                rest = table.slice(end)
                if end:
                    yield table.slice(0, end)
        if rest is not None and len(rest):
            yield rest


@contextmanager
def on_disk(
    source: Source, folder: Path | None = None, memory: str = MEMORY, at_once: int = EVENTS_AT_ONCE
) -> Iterator[Disk]:
    """The events of a source on the disk, in a folder of its own in `folder`, which is gone in the end.

    It holds up to 200 bytes an event. Raises InputError where there are none.
    """
    with tempfile.TemporaryDirectory(prefix="tessera-", dir=folder) as place:
        spill = str(Path(place) / "spill")
        config: dict[str, str | bool | int | float | list[str]] = {"memory_limit": memory, "temp_directory": spill}
        with duckdb.connect(str(Path(place) / "events.duckdb"), config=config) as database:
            for setting in (*APART, LOCKED):
                database.execute(setting)
            yield Disk(database, source, at_once)


def _link_table(links: dict[str, Link]) -> pa.Table:
    """Visitors and their customers, who are null of devices that customers share."""
    visitors = list(links)
    customers = [link.customer if link.state is LinkState.LINKED else None for link in links.values()]
    return pa.table([pa.array(visitors, pa.string()), pa.array(customers, pa.string())], schema=_LINKS)
