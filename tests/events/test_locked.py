"""DuckDB reads the files it was opened for, and reaches nothing else."""

from pathlib import Path

import duckdb
import pytest

from shared.events.locked import locked_database
from tests.events.test_parquet_sql import written


def test_the_database_reads_its_one_file_and_reaches_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    path.write_bytes(written({"a": [1]}))
    (tmp_path / "other.parquet").write_bytes(path.read_bytes())
    with locked_database(path) as database:
        assert database.execute("SELECT a FROM read_parquet($path)", {"path": str(path)}).fetchall() == [(1,)]
        for forbidden in (
            f"SELECT * FROM read_parquet('{tmp_path}/other.parquet')",
            "SELECT * FROM read_text('/proc/self/environ')",
            "SELECT * FROM glob('/etc/*')",
            "SELECT getenv('HOME')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/out.db'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET memory_limit = '9GB'",
            "SET allowed_directories = ['/']",
            "SELECT * FROM HOSTILE",
        ):
            with pytest.raises(duckdb.Error):
                database.execute(forbidden).fetchall()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it's.parquet", "other.parquet"]
