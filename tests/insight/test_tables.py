from pathlib import Path

import duckdb
import pytest

from shared.exports.tables import TABLES
from shared.insight import tables as module
from shared.insight.tables import Tables, TooLarge
from tests.insight.exported import write


def test_a_table_without_files_has_its_columns_and_no_row(tmp_path: Path) -> None:
    for table in TABLES:
        with Tables(tmp_path, {}).opened(table.name) as database:
            assert database.rows(f"SELECT {', '.join(table.names)} FROM read_parquet(${table.name})") == []


def test_nothing_but_the_tables_files_is_reached(tmp_path: Path) -> None:
    tables = write(tmp_path, orders=[{"customer_id": "c", "line_id": 1}], segments=[{"segment_id": 1}])
    with tables.opened("orders") as database:
        assert database.rows("SELECT customer_id, line_id FROM read_parquet($orders)") == [
            {"customer_id": "c", "line_id": 1}
        ]
        for path in (str(tmp_path / "segments.parquet"), "/proc/self/environ"):
            with pytest.raises(duckdb.Error):
                database.run("SELECT * FROM read_text($path)", path=path)


def test_what_memory_does_not_hold_goes_to_the_disk_and_is_refused_beyond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MEMORY", "40MB")
    many = "SELECT count(*) AS n FROM (SELECT DISTINCT 'a long text of its own ' || range FROM range(1_500_000))"
    with Tables(tmp_path, {}).opened() as database:
        assert database.rows(many) == [{"n": 1_500_000}]
        assert (tmp_path / "spill").exists()
    with pytest.raises(TooLarge), Tables(tmp_path, {}).opened() as database:
        database.run("SELECT string_agg('a long text of its own ' || range) FROM range(9_000_000)")
