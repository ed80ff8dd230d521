"""Tables that come in parts, written as one Parquet file: the same bytes however they are parted."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

ROW_GROUP = 2**20
"""Rows of a row group: as many as pyarrow makes one of by itself."""


def blocks[T: np.generic](
    parts: Iterable[tuple[list[str], NDArray[T]]], size: int
) -> Iterator[tuple[list[str], NDArray[T]]]:
    """The rows of all parts, each of which has a key, `size` of them at a time and what is left in the end."""
    keys: list[str] = []
    rows: list[NDArray[T]] = []
    for part_keys, part_rows in parts:
        keys += part_keys
        rows.append(part_rows)
        if len(keys) >= size:
            together = np.concatenate(rows)
            whole = len(keys) - len(keys) % size
            for start in range(0, whole, size):
                yield keys[start : start + size], together[start : start + size]
            keys = keys[whole:]
            rows = [together[whole:]]
    if keys:
        yield keys, np.concatenate(rows)


def write_tables(tables: Iterable[pa.Table], out: Path) -> None:
    """Writes the tables one after the other, of which there is at least one. The file is there once it is whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.unfinished")
    writer: Any = None
    try:
        for group in _row_groups(tables):
            if writer is None:
                writer = pq.ParquetWriter(unfinished, group.schema)
            writer.write_table(group)
        writer.close()
        unfinished.rename(out)
    finally:
        unfinished.unlink(missing_ok=True)


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(map(len, waiting)) >= ROW_GROUP:
            together = pa.concat_tables(waiting)
            yield together.slice(0, ROW_GROUP).combine_chunks()
            waiting = [together.slice(ROW_GROUP)]
    if sum(map(len, waiting)):
        yield pa.concat_tables(waiting).combine_chunks()
