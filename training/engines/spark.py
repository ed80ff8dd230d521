"""More machines than one: Spark reads the files, brings together what each customer did, and asks them where they are.

What runs there is the same NumPy code: files are read by `read_file`, grouped events become histories and answers.
Spark moves tables of ours alone, and neither parses what users wrote nor runs any of it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from shared.events import Rules
from shared.events.translator import Translator
from shared.identity.links import Link, LinkState
from training.base.errors import InputError
from training.data.events import Source, nothing_in
from training.data.places import EventFile, event_files
from training.data.reading import Reading, read_one
from training.engines.engine import Part, Question, Whom, asked, kinds
from training.engines.tables import (
    EVENT,
    KEY,
    OWNER,
    Kind,
    answer_schema,
    answer_table,
    answers_of,
    event_table,
    histories,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

EVENTS_A_GROUP = 500_000
"""Of histories that a worker holds at once, about: customers are dealt to groups by the hashes of their keys."""
NOTE = "note"
"""Column of what a file says beside its events, in a row of its own that is no event."""
FILE = pa.schema([("number", pa.int64()), ("place", pa.string()), ("size", pa.int64())])
READ = EVENT.append(pa.field(NOTE, pa.binary()))
_HERE = {
    "spark.master": "local[*]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}
"""Where nobody says otherwise: on this machine, and listening to nobody else."""
_ROWS_AT_ONCE = 10_000
"""Rows of the answers that come back at a time."""


class Spark:
    """Events in Spark's hands."""

    def __init__(self, session: SparkSession, source: Source, groups: int | None = None) -> None:
        from pyspark import StorageLevel
        from pyspark.sql import functions as f

        self._session = session
        self.reading = Reading()
        files = event_files(source.paths)
        rows = [{"number": number, "place": file.place, "size": file.size} for number, file in enumerate(files)]
        table = pa.Table.from_pylist(rows, FILE)
        spread = session.createDataFrame(table).repartition(len(files), "number")
        read = spread.mapInArrow(_Reader(source.rules(), source.translator), in_words(READ)).persist(
            StorageLevel.DISK_ONLY
        )
        for note in read.where(f.col(NOTE).isNotNull()).select(NOTE).toLocalIterator():
            self.reading.include(_reading(note[NOTE]))
        if not self.reading.accepted:
            raise nothing_in(self.reading)
        self._groups = groups or 1 + self.reading.accepted // EVENTS_A_GROUP
        self._from_ms = self.reading.counts_from(source.as_of_ms)
        links = self._links(self.reading.resolved(source.as_of_ms))
        owner = f.coalesce(f.col("customer"), f.col(KEY))
        group = f.pmod(f.xxhash64(owner), f.lit(self._groups))
        linked = read.where(f.col(NOTE).isNull()).drop(NOTE).join(links, KEY, "left")
        counted = linked.where(f.col("shared").isNull() | ~f.col("shared"))
        self._events = counted.select(group.alias("group"), owner.alias(OWNER), *EVENT.names)

    def _links(self, links: dict[str, Link]) -> DataFrame:
        visitors = pa.array(links, pa.string())
        customers = pa.array([link.customer for link in links.values()], pa.string())
        shared = pa.array([link.state is LinkState.SHARED for link in links.values()], pa.bool_())
        return self._session.createDataFrame(pa.table({KEY: visitors, "customer": customers, "shared": shared}))

    def ask(self, whom: Whom, questions: Sequence[Question]) -> Iterator[Part]:
        """As `Engine`; some thousand customers at a time."""
        of = kinds(questions)
        schema = answer_schema(of)
        asker = _Asker(whom, questions, self.reading.category_names, self._from_ms)
        # It takes two arguments for a group's key and its rows, and counts an object's own among them.
        grouped = self._events.groupBy("group").applyInArrow(lambda events: asker(events), in_words(schema))
        yield from in_order(grouped, of)


def in_order(answers: DataFrame, of: Sequence[Kind]) -> Iterator[Part]:
    """The rows of answers of these kinds in the order of their keys; some thousand at a time. Raises InputError where a
    worker did."""
    from py4j.protocol import Py4JJavaError
    from pyspark import StorageLevel
    from pyspark.errors import PySparkException

    schema = answer_schema(of)
    kept = answers.persist(StorageLevel.DISK_ONLY)
    try:
        rows = kept.orderBy(KEY).toLocalIterator(prefetchPartitions=True)
        for table in _tables(rows, schema):
            yield Part(table[KEY].to_pylist(), answers_of(table, of))
    except (PySparkException, Py4JJavaError) as error:
        # A worker's errors come as the text of what it printed.
        said = re.search(rf"\b{InputError.__name__}: (.+)", str(error))
        if said is None:
            raise
        raise InputError(said[1]) from error
    finally:
        kept.unpersist()


@dataclass(frozen=True)
class _Reader:
    """Of rows of files, the rows of their events."""

    rules: Rules
    translator: Translator | None

    def __call__(self, files: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in files:
            for row in batch.to_pylist():
                reading = Reading()
                file = EventFile(row["place"], row["size"])
                for events in read_one(file, row["number"], self.rules, self.translator, reading):
                    table = event_table(events)
                    yield from table.append_column(NOTE, pa.nulls(len(table), pa.binary())).to_batches()
                note = pa.array([msgspec.msgpack.encode(reading)], pa.binary())
                yield pa.RecordBatch.from_arrays([*(pa.nulls(1, field.type) for field in EVENT), note], schema=READ)


@dataclass(frozen=True)
class _Asker:
    """Of the events of a group of customers, what they answer."""

    whom: Whom
    questions: Sequence[Question]
    category_names: dict[int, str]
    from_ms: dict[str, int]

    def __call__(self, events: pa.Table) -> pa.Table:
        part = asked(histories(events, self.category_names, self.from_ms), self.whom, self.questions)
        return answer_table(part.keys, part.answers)


def _reading(note: bytes) -> Reading:
    return msgspec.msgpack.decode(note, type=Reading, dec_hook=lambda kind, value: kind(value))


def _tables(rows: Iterator[Any], schema: pa.Schema) -> Iterator[pa.Table]:
    """Spark's rows as tables."""
    waiting: list[tuple[Any, ...]] = []
    for row in rows:
        waiting.append(tuple(row))
        if len(waiting) == _ROWS_AT_ONCE:
            yield _table(waiting, schema)
            waiting = []
    if waiting:
        yield _table(waiting, schema)


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(schema, zip(*rows, strict=True), strict=True)
    return pa.table([pa.array(values, field.type) for field, values in columns], schema=schema)


def in_words(schema: pa.Schema) -> str:
    """A schema of ours as Spark reads it."""
    words = {pa.string(): "string", pa.binary(): "binary", pa.int8(): "byte", pa.int32(): "int", pa.int64(): "long"}
    return ", ".join(f"`{field.name}` {words[field.type]}" for field in schema)


@contextmanager
def by_spark(source: Source, session: SparkSession | None = None, groups: int | None = None) -> Iterator[Spark]:
    """The events of a source by Spark: of `session`, or of one that is begun here and ends with it, where
    `spark-submit` says or else on all cores of this machine.

    Customers are asked in so many `groups`, by default as many as EVENTS_A_GROUP asks for. Raises InputError where
    there are no events, or no Spark.
    """
    with begun_or(session) as begun:
        yield Spark(begun, source, groups)


@contextmanager
def begun_or(session: SparkSession | None) -> Iterator[SparkSession]:
    """The session, or one that is begun and ends with what is done in it."""
    if session is not None:
        yield session
        return
    begun = begin()
    try:
        yield begun
    finally:
        begun.stop()


def begin(**options: str) -> SparkSession:
    """A session whose workers run this Python; options are named as Spark has them. Raises InputError where there is
    none."""
    try:
        from pyspark import SparkConf
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise InputError("Spark is not installed: `uv sync --group spark` installs it") from error

    # Workers would be whatever python3 is on the path.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        settings = SparkConf()
        for name, value in (_HERE if not settings.contains("spark.master") else {}).items() | options.items():
            settings.set(name, value)
        session: SparkSession = SparkSession.builder.appName("tessera").config(conf=settings).getOrCreate()
    except PySparkRuntimeError as error:
        raise InputError(f"Spark does not start, which needs Java 17 or later: {error}") from error
    return session
