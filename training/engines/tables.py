"""Events, and what is asked of customers, as Arrow tables: what engines sort, group and carry to and fro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shared.features import EventColumns, Profiles, Rows, fold
from shared.features.columns import COLUMN_TYPES
from shared.identity.links import Link
from training.data.events import agreed

type Array = NDArray[Any]

KEY = "key"
"""Column of the profile that an event was of, or that an answer is about."""
OWNER = "owner"
"""Column of the profile that an event counts for: its visitor's customer, where they turned out to be one."""
SIGNED: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(f"i{np.dtype(kind).itemsize}") for name, kind in COLUMN_TYPES.items()
}
"""The columns of events as numbers of the same bits with a sign: not every engine knows others."""
EVENT = pa.schema([(KEY, pa.string()), *((name, pa.from_numpy_dtype(kind)) for name, kind in SIGNED.items())])


def event_table(events: EventColumns) -> pa.Table:
    """A row an event [n]. What events say of customers' attributes is left out, as nothing asks for it."""
    keys = pa.DictionaryArray.from_arrays(pa.array(events.profile), pa.array(events.keys, pa.string()))
    columns = [getattr(events.rows, name).view(kind) for name, kind in SIGNED.items()]
    return pa.table([keys.cast(pa.string()), *columns], schema=EVENT)


def events_of(table: pa.Table, category_names: dict[int, str]) -> EventColumns:
    """The events behind the rows of a table [n], whatever else is in it."""
    keys = table[KEY].combine_chunks().dictionary_encode()
    columns = (table[name].to_numpy().view(kind) for name, kind in COLUMN_TYPES.items())
    return EventColumns(
        keys.dictionary.to_pylist(), keys.indices.to_numpy().astype(np.int64), Rows(*columns), category_names
    )


def histories(table: pa.Table, category_names: dict[int, str], from_ms: Mapping[str, int]) -> Profiles:
    """The profiles of all who own the events of a table, all of whose events are in it. `from_ms` says, by key, from
    when on the events of those count who refused."""
    events = events_of(table, category_names)
    owners = table[OWNER].combine_chunks().take(pa.array(np.unique(events.profile, return_index=True)[1])).to_pylist()
    links = {key: Link(owner) for key, owner in zip(events.keys, owners, strict=True) if key != owner}
    return agreed(fold(events), links, from_ms)


ROW_BYTES = sum(np.dtype(kind).itemsize for kind in COLUMN_TYPES.values())
"""Of an event, column by column."""


def row_bytes(rows: Rows) -> NDArray[np.uint8]:
    """Each event as its bytes, column by column [n, ROW_BYTES]."""
    columns = [
        np.ascontiguousarray(column).view(np.uint8).reshape(len(rows), column.itemsize) for column in rows.columns()
    ]
    return np.concatenate(columns, axis=1)


def rows_of(content: bytes) -> Rows:
    """The events whose bytes these are, one after the other."""
    cells = np.frombuffer(content, np.uint8).reshape(-1, ROW_BYTES)
    ends = np.cumsum([np.dtype(kind).itemsize for kind in COLUMN_TYPES.values()])
    parts = zip(np.split(cells, ends[:-1], axis=1), COLUMN_TYPES.values(), strict=True)
    return Rows(*(np.ascontiguousarray(part).view(kind).ravel() for part, kind in parts))


@dataclass(frozen=True)
class Kind:
    """What an answer is, for one profile: numbers of one type, of which there are as many for each, or any bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """Bytes for one profile."""
        return self.dtype.itemsize * prod(self.shape)


def answer_schema(kinds: Sequence[Kind]) -> pa.Schema:
    """Of a table with a row a profile."""
    return pa.schema([(KEY, pa.string()), *((f"answer_{i}", pa.binary()) for i in range(len(kinds)))])


def answer_table(keys: Sequence[str], answers: Sequence[Array]) -> pa.Table:
    """Answers [n_profiles, …] as their bytes, which no engine changes."""
    kinds = [Kind(answer.dtype, answer.shape[1:]) for answer in answers]
    columns = [
        pa.array(answer, pa.binary()) if kind.dtype == object else _binary(answer, kind.width)
        for answer, kind in zip(answers, kinds, strict=True)
    ]
    return pa.table([pa.array(keys, pa.string()), *columns], schema=answer_schema(kinds))


def answers_of(table: pa.Table, kinds: Sequence[Kind]) -> list[Array]:
    """The answers in a table, in their order [n_profiles, …]."""
    return [_answer(table[1 + i].to_pylist(), kind) for i, kind in enumerate(kinds)]


def _answer(values: list[bytes], kind: Kind) -> Array:
    if kind.dtype == object:
        answer = np.empty(len(values), object)
        answer[:] = values
        return answer
    return np.frombuffer(b"".join(values), kind.dtype).reshape(len(values), *kind.shape)


def _binary(answer: Array, width: int) -> pa.Array:
    ends = np.arange(len(answer) + 1, dtype=np.int64) * width
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError(f"{len(answer):,} profiles with {width:,} bytes each are too many for one table")
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(np.ascontiguousarray(answer))]
    return pa.Array.from_buffers(pa.binary(), len(answer), buffers)


def cut_after(owners: pa.ChunkedArray) -> int:
    """How many of the first rows, sorted by who owns them, are of all owners but the last."""
    chunks = owners.combine_chunks()
    return int(chunks.index(chunks[-1]).as_py()) if len(chunks) else 0
