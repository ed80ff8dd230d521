"""Rows of Parquet files; tests/erasure/test_objects.py has the odd names of columns."""

import io
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow.parquet import read_table, write_table

from shared.erasure.parquet import ParquetFile
from shared.erasure.streams import NotSearchable, OutOfTime
from shared.erasure.wanted import Wanted

WANTED = Wanted(["customer#889", "visitor#phone"])


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept.parquet"


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    file = path.with_name("source.parquet")
    write_table(pyarrow.Table.from_pylist(rows), file)
    return file


def test_their_rows_go_and_the_others_stay_in_order(kept: Path) -> None:
    source = written(kept, [{"customer_id": name, "n": n} for n, name in enumerate(("1", "889", "2"))])
    assert ParquetFile(source, kept, WANTED).rewrite() == 1
    assert read_table(kept).to_pylist() == [{"customer_id": "1", "n": 0}, {"customer_id": "2", "n": 2}]


def test_nothing_is_written_where_nothing_is_theirs(kept: Path) -> None:
    assert ParquetFile(written(kept, [{"customer_id": 1, "n": 889}]), kept, WANTED).rewrite() == 0
    assert not kept.exists()


def test_ids_that_became_numbers_are_theirs(kept: Path) -> None:
    assert ParquetFile(written(kept, [{"customer_id": 889.0}, {"customer_id": 1.5}]), kept, WANTED).rewrite() == 1


def test_without_a_column_of_people_a_mention_cannot_be_taken_out(kept: Path) -> None:
    assert ParquetFile(written(kept, [{"n": "1"}]), kept, WANTED).rewrite() == 0
    with pytest.raises(NotSearchable, match="no column says whose a row is"):
        ParquetFile(written(kept, [{"n": "889"}]), kept, WANTED).rewrite()


def test_what_is_no_parquet_cannot_be_searched(kept: Path) -> None:
    source = kept.with_name("source.parquet")
    source.write_bytes(io.BytesIO(b"PAR1 and no more").getvalue())
    with pytest.raises(NotSearchable, match="not a readable Parquet file"):
        ParquetFile(source, kept, WANTED).rewrite()
    with pytest.raises(OutOfTime):
        ParquetFile(source, kept, WANTED, lambda: False).rewrite()
