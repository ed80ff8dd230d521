"""Rows as Parquet: what goes in comes out, whatever people call things, and unknown is NULL."""

import io
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import ParquetFile, read_table

from shared.exports.parquet import bytes_of, parquet
from shared.exports.rows import Rows, blobs, lists, numbers, texts
from shared.exports.schema import Column, Growth, Kind, Table

TABLE = Table(
    "all",
    "One column of each kind.",
    Growth.SNAPSHOT,
    ("text",),
    tuple(Column(kind.name.lower(), kind, "a value") for kind in Kind),
)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)


def rows_of(values: list[tuple[Any, ...]]) -> Rows:
    columns = [*zip(*values, strict=True)] or [()] * len(Kind)
    made: dict[str, Any] = {}
    for kind, column in zip(Kind, columns, strict=True):
        make: Any = {Kind.TEXT: texts, Kind.TEXTS: lists, Kind.BYTES: blobs}.get(kind, numbers)
        made[kind.name.lower()] = make(column)
    return made


def read(body: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(io.BytesIO(body)).to_pylist()
    return rows


@given(
    st.lists(
        st.tuples(
            st.none() | WORDS,
            st.none() | st.lists(WORDS, max_size=3),
            st.none() | st.integers(-(2**52), 2**52),
            st.none() | st.floats(width=32, allow_nan=False),
            st.none() | st.floats(allow_nan=False),
            st.none() | st.integers(0, 2**52),
            st.none() | st.booleans(),
            st.none() | st.integers(0, 4_000_000_000_000),
            st.none() | st.binary(max_size=20),
        ),
        max_size=5,
    )
)
def test_what_goes_in_comes_out_and_what_is_unknown_is_null(values: list[tuple[Any, ...]]) -> None:
    body, count = parquet(TABLE, [rows_of(values)])
    rows = read(body)
    assert len(rows) == count == len(values)
    for row, (text, some, whole, float_, number, money, flag, time_ms, raw) in zip(rows, values, strict=True):
        assert (row["text"], row["texts"], row["whole"], row["float"], row["number"]) == (
            text, some, whole, float_, number,
        )  # fmt: skip
        assert row["money"] == (None if money is None else Decimal(money) / 10_000)
        assert row["flag"] == flag
        assert row["time"] == (None if time_ms is None else datetime(1970, 1, 1) + timedelta(milliseconds=time_ms))
        assert row["bytes"] == raw


def test_texts_that_look_like_statements_stay_texts() -> None:
    hostile = "'); DROP TABLE part; --"
    body, _ = parquet(TABLE, [rows_of([(hostile, [hostile], 1, 1.0, 1.0, 1, True, 0, b"")])])
    (row,) = read(body)
    assert (row["text"], row["texts"]) == (hostile, [hostile])


def test_a_text_that_comes_late_in_a_column_of_nothing_is_there() -> None:
    values: list[tuple[Any, ...]] = [(None,) * len(Kind)] * 5_000
    values[4_321] = ("late", ["late"], 1, 1.0, 1.0, 1, False, 0, b"late")
    body, _ = parquet(TABLE, [rows_of(values)])
    assert [row["text"] for row in read(body) if row["text"] is not None] == ["late"]


def test_parts_stand_after_each_other_in_one_file_of_small_groups() -> None:
    part = rows_of([("x", [], 1, 1.0, 1.0, 1, True, 0, b"")] * 15_000)
    body, count = parquet(TABLE, [part, part])
    assert count == 30_000
    groups = ParquetFile(io.BytesIO(body)).metadata
    assert max(groups.row_group(i).num_rows for i in range(groups.num_row_groups)) <= 20_480


def test_bytes_are_those_of_arrays_and_texts() -> None:
    assert bytes_of({"a": np.zeros(10, np.float32), "b": texts(["four", None])}) == 40 + 16 + 4
