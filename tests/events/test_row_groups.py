"""Parquet files by their groups of rows: they tell what the whole file tells, whoever wrote it."""

import contextlib
import io
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import UnreadableFile, read_file
from shared.events.pieces import Piece, Position
from shared.events.row_groups import parquet_pieces
from tests.events.lines import GOOD
from tests.events.test_pieces import RULES, fetch, told
from tests.support.examples import at_most

ROWS = [
    {**GOOD, "event_id": f"e{i % 90}", "brand": "x" * (i % 7), "price": -1.0 if i % 11 == 0 else i} for i in range(100)
]


def pieces(content: bytes, least: int) -> list[Piece]:
    """The pieces of a file, each found anew from where the one before says that it begins."""
    so_far: list[Piece] = []
    position: Position | None = Position()
    while position:
        begin = msgspec.json.decode(msgspec.json.encode(position), type=Position)
        so_far.append(next(parquet_pieces(fetch(content), len(content), None, begin, least)))
        position = so_far[-1].end
    return so_far


def check(content: bytes, least: int) -> int:
    cut = pieces(content, least)
    whole = told(read_file(io.BytesIO(content), "events.parquet", RULES))
    assert told(chunk for piece in cut for chunk in piece.chunks(RULES)) == whole
    return len(cut)


def written(rows: list[dict[str, Any]], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, **options)
    return out.getvalue()


@given(
    st.integers(1, 60),
    st.integers(8, 60),
    st.integers(1, 5_000),
    st.fixed_dictionaries(
        {
            "compression": st.sampled_from(["NONE", "SNAPPY", "ZSTD", "GZIP"]),
            "use_dictionary": st.booleans(),
            "write_page_index": st.booleans(),
            "data_page_version": st.sampled_from(["1.0", "2.0"]),
        }
    ),
)
@settings(max_examples=at_most(25))
def test_groups_of_rows(rows: int, group: int, least: int, options: dict[str, Any]) -> None:
    check(written(ROWS[:rows], row_group_size=group, **options), least)


def test_groups_that_duckdb_wrote(tmp_path: Any) -> None:
    table = pa.Table.from_pylist(ROWS * 60)
    path = tmp_path / "events.parquet"
    duckdb.from_arrow(table).write_parquet(str(path), row_group_size=2_048)
    assert check(path.read_bytes(), 1) == 3


def test_nested_columns() -> None:
    record = {"messageId": "m", "type": "track", "event": "Order Completed", "userId": "1", "timestamp": "2017-10-01"}
    products = [{"price": 2.0, "quantity": 1, "category": "Hats"}]
    rows = [
        {**record, "messageId": f"m{i}", "properties": {"order_id": f"{i}", "products": products}} for i in range(30)
    ]
    assert check(written(rows, row_group_size=10), 1) == 3


@pytest.mark.parametrize("at", [-1, -6, -40, -200])
def test_a_footer_that_is_damaged_is_no_crash(at: int) -> None:
    content = bytearray(written(ROWS, row_group_size=10))
    content[at] ^= 0xFF
    try:
        assert pieces(bytes(content), 1)
    except UnreadableFile as error:
        assert "not a readable Parquet file" in str(error)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    content = b"PAR1" + data + len(data).to_bytes(4, "little") + b"PAR1"
    with contextlib.suppress(UnreadableFile):
        assert pieces(content, 1) is not None
