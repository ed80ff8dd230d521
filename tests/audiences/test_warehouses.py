"""What stands here for warehouses says of random rules what DuckDB says, to which the functions are held."""

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings

from operations.warehouse import SCHEMA
from shared.audiences.reading import read_rule
from shared.audiences.rules import Rule
from shared.audiences.sql import to_sql
from tests.audiences.random_rules import NAMES, rules
from tests.audiences.test_sql import customers_of, write_tables
from tests.features.histories import LEAP_DAY, folded, histories
from tests.support.fakes.asking import PYTHON

RULES = 250
SHOPS = 60
"""Of which the one with most events is asked about."""
TYPES = {
    "snowflake": {
        "DOUBLE": "FLOAT",
        "VARCHAR": "VARCHAR",
        "BIGINT": "NUMBER",
        "TIMESTAMP": "TIMESTAMP_NTZ",
        "VARCHAR[]": "VARIANT",
    },
    "bigquery": {
        "DOUBLE": "FLOAT64",
        "VARCHAR": "STRING",
        "BIGINT": "INT64",
        "TIMESTAMP": "TIMESTAMP",
        "VARCHAR[]": "ARRAY<STRING>",
    },
}
TABLES = ("customers", "attributes", "events")


@pytest.mark.parametrize("dialect", TYPES)
def test_it_says_of_random_rules_what_duckdb_says(dialect: str, tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip("make warehouses installs the fakes of Snowflake and BigQuery")
    trees = _rules()
    with duckdb.connect() as database:
        history, profiles = max(_histories(), key=lambda shop: len(shop[0]))
        at = LEAP_DAY + timedelta(days=100)
        write_tables(database, history, profiles, customers_of(profiles, at, Random(1)), at)
        tables = {
            name: _written(database, name, tmp_path, TYPES[dialect]) for name in ("customers", "attributes", "events")
        }
        ours = [_who(database.sql(_asked(tree, "duckdb")).fetchall()) for tree in trees]
    assert any(ours) and not all(ours)
    given = {
        "exports": str(tmp_path), "tables": tables, "views": {}, "queries": [_asked(tree, dialect) for tree in trees],
    }  # fmt: skip
    (tmp_path / "given.json").write_text(json.dumps(given))
    script = Path(__file__).parents[1] / f"support/fakes/fake_{dialect}.py"
    command = [str(PYTHON), str(script), str(tmp_path / "given.json")]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert answer.returncode == 0, answer.stderr[-2_000:]
    theirs = [_who(rows) for rows in json.loads(answer.stdout.splitlines()[-1])]
    assert [
        (ask, own, other) for ask, own, other in zip(given["queries"], ours, theirs, strict=True) if own != other
    ] == []


def _asked(tree: Rule, dialect: str) -> str:
    query = f"SELECT c.customer_id FROM customers AS c WHERE {to_sql(tree, dialect)}"
    if dialect == "bigquery":  # whose emulator finds nothing in a table that is named without its dataset
        return re.sub(r"(?<=FROM )(?=customers|attributes|events)", f"{SCHEMA}.", query)
    if dialect == "snowflake":  # which has ARRAY_CONTAINS, but fakesnow keeps lists as JSON and has none for it
        return _IN_LIST.sub(r"""CONTAINS(CAST(\2 AS VARCHAR), '"\1"')""", query)
    return query


_IN_LIST = re.compile(r"""ARRAY_CONTAINS\(CAST\('((?:[^'\\]|''|\\.)*)' AS VARIANT\), CAST\(([^ ]+) AS ARRAY\)\)""")


def _who(rows: list[Any]) -> list[str]:
    return sorted(str(row[0]) for row in rows)


def _rules() -> list[Rule]:
    made: list[Rule] = []

    @settings(max_examples=RULES, database=None)
    @given(text=rules)
    def collect(text: str) -> None:
        made.append(read_rule(text, NAMES))

    collect()
    return made


def _histories() -> list[tuple[Any, Any]]:
    made: list[tuple[Any, Any]] = []

    @settings(max_examples=SHOPS, database=None)
    @given(history=histories())
    def collect(history: Any) -> None:
        made.append((history, folded(history)))

    collect()
    return made


def _written(database: duckdb.DuckDBPyConnection, name: str, folder: Path, types: dict[str, str]) -> dict[str, str]:
    """Writes a table as exports are written, and gives its columns with their types in a warehouse."""
    kinds = {"FLOAT": "DOUBLE", '"NULL"': "VARCHAR", "TIMESTAMP_NS": "TIMESTAMP"}
    described = database.sql(f"DESCRIBE {name}").fetchall()
    columns = {column: kinds.get(kind, kind) for column, kind, *_ in described}
    # What is undefined is NULL in exports.
    chosen = [
        f"CAST({f"nullif({column}, 'NaN')" if kind == 'DOUBLE' else column} AS {kind}) AS {column}"
        for column, kind in columns.items()
    ]
    file = folder / name / "date=2024-01-01/0.parquet"
    file.parent.mkdir(parents=True)
    database.execute(f"COPY (SELECT {', '.join(chosen)} FROM {name}) TO '{file}' (FORMAT parquet)")
    return {column: types[kind] for column, kind in columns.items()}
