"""The last whole date of the exports as one file for Tableau, and the connection that Power BI opens Athena with."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from operations.exported import fetched, last_whole
from operations.stack import OperationError
from shared.exports.schema import Kind, Table
from shared.exports.tables import FOR_WAREHOUSES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[1]
WRITER = "import sys; sys.path[:0] = [sys.argv[1]]; import hyper_file; hyper_file.write(*sys.argv[2:])"
OWN_PYTHON = ROOT / ".venv-warehouses/bin/python"


def write_hyper(s3: S3Client, bucket: str, path: Path) -> str:
    """Writes all tables of the last whole date into a `.hyper` file, of increments all dates; returns that date.

    Lists are texts there, parted by commas, and numbers have 64 bits. Raises OperationError and ClientError.
    """
    day = last_whole(s3, bucket)
    with tempfile.TemporaryDirectory() as directory:
        flat = Path(directory)
        for table in FOR_WAREHOUSES:
            _flatten(table, fetched(s3, bucket, table, day, flat), flat / f"{table.name}.parquet")
        _run_writer(flat, path)
    return day


def write_pbids(database: str, path: Path) -> None:
    """Writes what opens Power BI at a database of Athena, by the data source `Tessera` of Athena's ODBC driver."""
    connection = {
        "details": {"protocol": "odbc", "address": {"options": {"dsn": "Tessera"}}},
        "options": {"database": database},
        "mode": "Import",
    }
    path.write_text(json.dumps({"version": "0.1", "connections": [connection]}, indent=2) + "\n")


def _flatten(table: Table, files: list[Path], path: Path) -> None:
    flat = {Kind.TEXTS: "array_to_string({0}, ', ') AS {0}", Kind.FLOAT: "CAST({0} AS DOUBLE) AS {0}"}
    columns = ", ".join(flat.get(column.kind, "{0}").format(column.name) for column in table.columns)
    with duckdb.connect() as database:
        database.execute(
            f"COPY (SELECT date, {columns} FROM read_parquet(?, hive_partitioning = true,"  # noqa: S608  # our own names
            f" hive_types = {{'date': VARCHAR}}, union_by_name = true)) TO '{path}' (FORMAT parquet)",
            [[str(file) for file in files]],
        )


def _run_writer(flat: Path, path: Path) -> None:
    python = sys.executable if find_spec("tableauhyperapi") else str(OWN_PYTHON)
    if not Path(python).exists():
        raise OperationError("Tableau's library is not there: `make warehouses`, or `uv pip install tableauhyperapi`")
    command: list[Any] = [python, "-c", WRITER, str(Path(__file__).parent), str(flat), str(path.resolve())]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=flat, check=False)  # noqa: S603  # our own
    if ended.returncode:
        raise OperationError(f"the file could not be written: {ended.stderr.strip().splitlines()[-3:]}")
