"""Small files that stand for gigabytes are read or refused in bounded memory and time, each in a process of its own."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.events.lines import GOOD, ndjson

MOST_MB = 512
MOST_SECONDS = 60
"""On a slow and busy core; what is quadratic takes many times as long."""
ROWS = 25_000
LONG = "x" * (10 * 2**20)


def _gzipped(path: Path, part: bytes, times: int) -> Path:
    """Many gzip files one after the other, which are one."""
    path.write_bytes(gzip.compress(part, 6) * times)
    return path


def _rows(path: Path, n: int = ROWS, **columns: Any) -> Path:
    plain = {"event_type": ["search"] * n, "timestamp": [1_506_852_000] * n, "customer_id": [*map(str, range(n))]}
    table = pa.table({**plain, "event_id": plain["customer_id"], **columns})
    pq.write_table(table, path, compression="zstd")
    return path


def _named_by(index: list[int], *texts: str) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(texts))


def long_lines(folder: Path) -> Path:
    return _gzipped(folder / "a.ndjson.gz", (b"x" * 2**20 + b"\n") * 32, 32)


def orders_of_many_products(folder: Path) -> Path:
    order = {"type": "track", "event": "Order Completed", "userId": "1", "timestamp": 1_506_852_000}
    line = json.dumps({**order, "properties": {"products": [{}] * 1_000}}, separators=(",", ":")).encode()
    return _gzipped(folder / "a.ndjson.gz", line + b"\n", 100)


def an_order_of_a_million_products(folder: Path) -> Path:
    order = {"type": "track", "event": "Order Completed", "userId": "1", "timestamp": 1_506_852_000}
    (folder / "a.ndjson").write_bytes(ndjson({**order, "properties": {"products": [{}] * 250_000}}, GOOD))
    return folder / "a.ndjson"


def products_beside_many_params(folder: Path) -> Path:
    params = [{"key": f"k{i}", "value": {"int_value": 1}} for i in range(15_000)]
    bought = {"event_name": "purchase", "event_timestamp": 1_506_003_200_123_456, "user_id": "1"}
    line = {**bought, "event_params": params, "device": params[:4_000], "items": [{"price": 1}] * 1_000}
    (folder / "a.ndjson").write_bytes(ndjson(*[line] * 5))
    return folder / "a.ndjson"


def a_quote_that_never_closes(folder: Path) -> Path:
    (folder / "a.csv").write_bytes(b'event_type,timestamp,customer_id\n"' + b"a,b\n" * 100_000)
    return folder / "a.csv"


def many_columns_of_csv(folder: Path) -> Path:
    (folder / "a.csv").write_bytes(b"event_type,timestamp," + b",".join(b"c%d" % i for i in range(100_000)) + b"\n")
    return folder / "a.csv"


def one_long_text_in_every_row(folder: Path) -> Path:
    return _rows(folder / "a.parquet", category=_named_by([0] * ROWS, LONG))


def one_long_text_inside_of_every_row(folder: Path) -> Path:
    nested = pa.StructArray.from_arrays([_named_by([0] * ROWS, LONG)], ["k"])
    return _rows(folder / "a.parquet", nested=nested, price=[-1.0] * ROWS)


def texts_of_120_kb_in_refused_rows(folder: Path) -> Path:
    return _rows(folder / "a.parquet", extra=_named_by([0] * ROWS, "x" * 120_000), price=[-1.0] * ROWS)


def two_rows_with_long_texts(folder: Path) -> Path:
    index = [int(i in (777, 20_000)) for i in range(ROWS)]
    return _rows(folder / "a.parquet", category=_named_by(index, "x", LONG))


def rows_of_the_longest_texts(folder: Path) -> Path:
    texts = {name: _named_by([0] * ROWS, "x" * 1_024) for name in ("category", "brand", "order_id", "session_id")}
    return _rows(folder / "a.parquet", **texts)


def one_row_with_20_million_values(folder: Path) -> Path:
    values = pa.DictionaryArray.from_arrays(pa.array(memoryview(bytes(20_000_000)), pa.int8()), pa.array(["a"]))
    return _rows(folder / "a.parquet", 1, tags=pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values))


def one_text_of_200_mb(folder: Path) -> Path:
    return _rows(folder / "a.parquet", 1, category=["y" * (200 * 2**20)])


def many_columns_of_parquet(folder: Path) -> Path:
    pq.write_table(pa.table({f"c{i}": [1] for i in range(10_000)}), folder / "a.parquet")
    return folder / "a.parquet"


def many_row_groups(folder: Path) -> Path:
    table = pq.read_table(_rows(folder / "a.parquet", 5_000))
    pq.write_table(table, folder / "a.parquet", row_group_size=1)
    return folder / "a.parquet"


FILES: dict[Callable[[Path], Path], dict[str, Any]] = {
    long_lines: {"unreadable": "a gzip file may expand 200-fold, and this one expands further"},
    orders_of_many_products: {"events": 100_000, "refused": 0},
    an_order_of_a_million_products: {"events": 1, "reason": "properties.products lists more than 1,000 products"},
    products_beside_many_params: {"events": 5_000},
    a_quote_that_never_closes: {"events": 0},
    many_columns_of_csv: {"unreadable": "the CSV header names 100,002 columns, more than 1,000"},
    one_long_text_in_every_row: {"events": 0},
    one_long_text_inside_of_every_row: {"events": 0},
    texts_of_120_kb_in_refused_rows: {"unreadable": "a file may expand 200-fold, and this one expands further"},
    two_rows_with_long_texts: {"events": ROWS - 2, "refused": 2},
    rows_of_the_longest_texts: {"events": ROWS},
    one_row_with_20_million_values: {"events": 0},
    one_text_of_200_mb: {"events": 0},
    many_columns_of_parquet: {"unreadable": "more than 1,000 columns, those inside of others included"},
    many_row_groups: {"events": 5_000},
}


@pytest.mark.parametrize("written", FILES, ids=lambda written: written.__name__)
def test_a_file_is_read_in_bounded_memory_and_time(written: Callable[[Path], Path], tmp_path: Path) -> None:
    path = written(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "tests.events.reading", str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=5 * MOST_SECONDS,
    )
    read = json.loads(done.stdout)
    assert read["peak_mb"] < MOST_MB
    assert read["seconds"] < MOST_SECONDS
    assert read["most_original_bytes"] < 2 * 2**23
    for name, expected in FILES[written].items():
        assert expected in read[name] if isinstance(expected, str) else read[name] == expected, read
