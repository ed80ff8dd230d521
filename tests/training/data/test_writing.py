"""A file of tables has the same bytes however its rows came."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.data import writing
from training.data.writing import blocks, write_tables

TABLE = pa.table({"id": [f"c{i % 9}" for i in range(25)], "names": [["a"] * (i % 3) for i in range(25)]})


@pytest.mark.parametrize("size", [1, 7, 25, 100])
def test_a_file_has_the_bytes_that_pyarrow_writes_of_the_whole(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "ROW_GROUP", 10)
    pq.write_table(TABLE, tmp_path / "whole", row_group_size=10)
    write_tables((TABLE.slice(start, size) for start in range(0, 25, size)), tmp_path / "new" / "parts")
    assert (tmp_path / "new" / "parts").read_bytes() == (tmp_path / "whole").read_bytes()


def test_what_breaks_off_leaves_the_file_of_before(tmp_path: Path) -> None:
    def tables(good: int):  # type: ignore[no-untyped-def]
        yield from [TABLE] * good
        raise RuntimeError

    out = tmp_path / "scores.parquet"
    out.write_text("before")
    with pytest.raises(RuntimeError):
        write_tables(tables(1), out)
    assert out.read_text() == "before"
    assert [*tmp_path.iterdir()] == [out]


@pytest.mark.parametrize("sizes", [[10], [1] * 10, [7, 0, 3], [3, 7]])
def test_blocks_begin_at_the_same_rows_however_these_came(sizes: list[int]) -> None:
    ends = np.cumsum(sizes).tolist()
    rows = np.arange(10)
    parts = [
        ([*map(str, rows[end - size : end])], rows[end - size : end]) for end, size in zip(ends, sizes, strict=True)
    ]
    in_blocks = [(keys, each.tolist()) for keys, each in blocks(parts, 4)]
    assert in_blocks == [([*map(str, each)], each) for each in ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9])]


def test_of_nothing_there_are_no_blocks() -> None:
    assert [*blocks([], 4)] == []
