"""A stack's snapshot as engines have it: in memory, or by Spark, whose workers read the objects and ask whom they hold.

Each row of a snapshot is a whole customer, so that nobody has to be brought together as the events of files have to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from training.base.errors import InputError
from training.data.events import EventFiles
from training.data.reading import Reading
from training.data.stored import Snapshot, read_object, read_snapshot
from training.engines.engine import Engine, Memory, Part, Question, Whom, asked, kinds
from training.engines.spark import begun_or, in_order, in_words
from training.engines.tables import answer_schema, answer_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CUSTOMERS_AT_ONCE = 10_000
"""Whose histories a worker holds at once."""
OBJECT = pa.schema([("number", pa.int64()), ("object", pa.string())])

type OpenStored = Callable[[Snapshot], AbstractContextManager[Engine]]
"""Reads a snapshot. Raises InputError where it cannot be read."""


def stored_in_memory(snapshot: Snapshot) -> Memory:
    """All customers of a snapshot in memory. Raises InputError where they cannot be read."""
    return Memory(EventFiles(profiles=read_snapshot(snapshot)))


class StoredInSpark:
    """A snapshot in Spark's hands, which reads it anew for each turn of questions."""

    def __init__(self, session: SparkSession, snapshot: Snapshot, at_once: int = CUSTOMERS_AT_ONCE) -> None:
        self.reading = Reading()
        self._snapshot = snapshot
        self._at_once = at_once
        objects = [{"number": number, "object": one.key} for number, one in enumerate(snapshot.objects)]
        table = session.createDataFrame(pa.Table.from_pylist(objects, OBJECT))
        self._objects = table.repartition(len(objects), "number")

    def ask(self, whom: Whom, questions: Sequence[Question]) -> Iterator[Part]:
        """As `Engine`; some thousand customers at a time."""
        of = kinds(questions)
        asker = _Asker(self._snapshot, self._at_once, whom, questions)
        last = ""
        for part in in_order(self._objects.mapInArrow(asker, in_words(answer_schema(of))), of):
            if len({last, *part.keys}) <= len(part.keys):
                raise InputError(f"the snapshot of {self._snapshot.date} has a customer twice: `tessera export --wait`")
            last = part.keys[-1]
            yield part


@dataclass(frozen=True)
class _Asker:
    """Of rows of objects, what the customers in them answer."""

    snapshot: Snapshot
    at_once: int
    whom: Whom
    questions: Sequence[Question]

    def __call__(self, objects: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in objects:
            for key in batch["object"].to_pylist():
                for profiles in read_object(self.snapshot, key, self.at_once):
                    part = asked(profiles, self.whom, self.questions)
                    yield from answer_table(part.keys, part.answers).to_batches()


@contextmanager
def stored_by_spark(
    snapshot: Snapshot, session: SparkSession | None = None, at_once: int = CUSTOMERS_AT_ONCE
) -> Iterator[StoredInSpark]:
    """A snapshot by Spark: of `session`, or of one that is begun here as by `by_spark`. Raises InputError where there
    is no Spark."""
    with begun_or(session) as begun:
        yield StoredInSpark(begun, snapshot, at_once)
