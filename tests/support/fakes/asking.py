"""Queries over exports, asked of DuckDB and of what stands for other warehouses."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot

from local.emulator import ROOT
from operations.warehouse import VIEWS, columns, qualified, statements, view
from shared.exports.tables import FOR_WAREHOUSES

PYTHON = ROOT / ".venv-warehouses/bin/python"


def answers(dialect: str, exports: Path, queries: Sequence[str], folder: Path) -> list[list[Any]]:
    """The rows of each query, which is in DuckDB's SQL, over the views and tables of exports below a folder.

    A test is left out where the environment of the fakes is not installed.
    """
    if dialect == "duckdb":
        with duckdb.connect() as database:
            for statement in statements("duckdb", f"{exports}/"):
                database.execute(statement)
            return [database.execute(query).fetchall() for query in queries]
    if not PYTHON.exists():
        pytest.skip("make warehouses installs the fakes of Snowflake and BigQuery")
    given = {
        "exports": str(exports),
        "tables": {table.name: columns(table, dialect) for table in FOR_WAREHOUSES},
        "views": {name: view(name, dialect) for name in VIEWS},
        "queries": [qualified(sqlglot.parse_one(query, dialect="duckdb"), dialect).sql(dialect) for query in queries],
    }
    (folder / "given.json").write_text(json.dumps(given))
    command = [str(PYTHON), str(Path(__file__).with_name(f"fake_{dialect}.py")), str(folder / "given.json")]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert answer.returncode == 0, answer.stderr[-2_000:]
    rows: list[list[Any]] = json.loads(answer.stdout.splitlines()[-1])
    return rows
