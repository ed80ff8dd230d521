"""Rows as Parquet, by DuckDB, which reaches nothing but the one file: no value of anybody's is part of a statement."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.events.locked import locked_database
from shared.exports.rows import Rows
from shared.exports.schema import Kind, Table

ROWS_A_GROUP = 20_000
"""Of rows that are read and written at once, by whoever reads them too: what an erasure has memory for."""

_NUMBER = "CASE WHEN isnan({0}) THEN NULL ELSE {0} END"
_EXPRESSIONS = {
    Kind.TEXT: "CAST({0} AS VARCHAR)",
    Kind.TEXTS: "CAST(from_json(CAST({0} AS VARCHAR), '[\"VARCHAR\"]') AS VARCHAR[])",
    Kind.WHOLE: f"CAST({_NUMBER} AS BIGINT)",
    Kind.FLOAT: f"CAST({_NUMBER} AS FLOAT)",
    Kind.NUMBER: _NUMBER,
    Kind.MONEY: f"CAST(CAST({_NUMBER} AS DECIMAL(18, 0)) * CAST(0.0001 AS DECIMAL(4, 4)) AS DECIMAL(18, 4))",
    Kind.FLAG: f"CAST({_NUMBER} AS BOOLEAN)",
    Kind.BYTES: "from_base64(CAST({0} AS VARCHAR))",
    Kind.TIME: f"make_timestamp_ms(CAST({_NUMBER} AS BIGINT))",
}


def parquet(table: Table, parts: Sequence[Rows]) -> tuple[bytes, int]:
    """The rows of all parts as a Parquet file, and how many that file says it holds.

    Raises KeyError where a part lacks a column.
    """
    columns = {f"c{i}": np.concatenate([part[name] for part in parts]) for i, name in enumerate(table.names)}
    selected = ", ".join(
        f"{_EXPRESSIONS[column.kind].format(f'c{i}')} AS {column.name}" for i, column in enumerate(table.columns)
    )
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rows.parquet"
        with locked_database(path) as database:
            database.register("part", columns)
            database.execute(
                f"COPY (SELECT {selected} FROM part) TO '{path}'"  # noqa: S608  # names and a path of ours
                f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_A_GROUP})"
            )
            counted = database.execute("SELECT num_rows FROM parquet_file_metadata(?)", [str(path)]).fetchone()
        assert counted
        return path.read_bytes(), int(counted[0])


def bytes_of(rows: Rows) -> int:
    """About the memory that rows take."""
    return sum(
        column.nbytes + (sum(map(len, filter(None, column.tolist()))) if column.dtype == object else 0)
        for column in rows.values()
    )
