"""The tables that are exported, as they are declared: names that every warehouse takes, and a page made of them."""

import re
from pathlib import Path

import pytest
import sqlglot

from shared.exports.__main__ import markdown
from shared.exports.schema import GLUE, Growth, Kind, Table
from shared.exports.tables import TABLES, folder
from shared.features import FEATURE_NAMES

ROOT = Path(__file__).parents[2]
DIALECTS = ("athena", "bigquery", "databricks", "duckdb", "redshift", "snowflake")


def test_the_page_of_exports_is_what_is_declared() -> None:
    assert (ROOT / "docs/exports.md").read_text() == markdown(), "run: python -m shared.exports > docs/exports.md"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_has_distinct_columns_and_its_key_is_among_them(table: Table) -> None:
    assert len({*table.names}) == len(table.names)
    assert {*table.key} <= {*table.names}
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in (table.name, *table.names))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_name_has_to_be_quoted_in_any_warehouse(dialect: str) -> None:
    for table in TABLES:
        columns = ", ".join(f"t.{name}, {name} AS x_{name}" for name in table.names)
        sqlglot.parse_one(f"SELECT {columns} FROM {table.name} AS t WHERE date = '2026-01-01'", dialect=dialect)


def test_customers_have_every_feature() -> None:
    customers = TABLES[0]
    assert customers.names[-len(FEATURE_NAMES) :] == FEATURE_NAMES


def test_what_is_of_people_is_told_from_what_is_of_nobody() -> None:
    assert [table.name for table in TABLES if not table.is_personal] == ["segments", "audiences", "snapshots"]
    assert {table.growth for table in TABLES if not table.is_personal} == {Growth.SNAPSHOT}


def test_every_kind_but_bytes_has_a_type_in_glue() -> None:
    assert {*GLUE} == {*Kind} - {Kind.BYTES}


def test_objects_of_a_date_are_where_the_contract_says() -> None:
    assert folder("orders", "2026-01-31") == "exports/orders/date=2026-01-31/"
