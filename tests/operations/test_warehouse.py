"""The views, each written once: every warehouse's SQL parses, and where one runs here it says what the shop did."""

from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from operations import warehouse
from operations.warehouse import DIALECTS, FOLDER, VIEWS, columns, statements, view
from shared.exports.tables import FOR_WAREHOUSES
from tests.support import warehouse_shop
from tests.support.fakes.asking import answers
from tests.support.warehouse_shop import SAYS


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    warehouse_shop.write(folder)
    return folder


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_parses_in_every_dialect_and_reads_what_is_there(name: str, dialect: str) -> None:
    text = view(name, dialect).removesuffix("WITH NO SCHEMA BINDING")
    (parsed,) = sqlglot.parse(text, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert isinstance(parsed, exp.Create)
    known = {table.name for table in FOR_WAREHOUSES} | {*VIEWS[: VIEWS.index(name)]} | {"states"}
    assert {table.name for table in parsed.expression.find_all(exp.Table)} <= known


def test_every_view_is_in_its_order_and_says_what_it_is_for() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {*VIEWS}
    assert all(path.read_text().startswith("-- ") for path in FOLDER.iterdir())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_tables_are_declared_with_every_column(dialect: str) -> None:
    text = "\n".join(statements(dialect, "s3://shop's/exports/"))
    assert text.count("CREATE OR REPLACE VIEW") >= len(VIEWS)
    if dialect not in ("athena", "duckdb"):
        assert all(f"  {name} " in text for table in FOR_WAREHOUSES for name in table.names)
        assert "s3://shop''s/exports/" in text


@pytest.mark.parametrize("dialect", ["databricks", "duckdb", "redshift", "snowflake"])
def test_types_are_types_of_the_dialect(dialect: str) -> None:
    for table in FOR_WAREHOUSES:
        declared = ", ".join(f"{name} {type_}" for name, type_ in columns(table, dialect).items())
        (made,) = sqlglot.parse(f"CREATE TABLE t ({declared})", dialect=dialect)
        assert isinstance(made, exp.Create)
        assert len(made.this.expressions) == len(table.columns)


def test_the_command_prints_the_statements_of_a_location(capsys: pytest.CaptureFixture[str]) -> None:
    assert warehouse.main(["snowflake", "--location", "s3://mine/exports"]) == 0
    printed = capsys.readouterr().out
    assert "'s3://mine/exports/'" in printed
    assert printed.count("CREATE OR REPLACE VIEW") == len(VIEWS)


@pytest.mark.parametrize("dialect", ["duckdb", "snowflake", "bigquery"])
def test_the_views_say_what_the_shop_did(dialect: str, exports: Path, tmp_path: Path) -> None:
    for (query, said), rows in zip(SAYS.items(), answers(dialect, exports, [*SAYS], tmp_path), strict=True):
        assert (query, {tuple(map(plain, row)) for row in rows}) == (query, said)


def plain(value: Any) -> Any:
    """A value as DuckDB gives it, where a warehouse gives numbers as texts."""
    return round(value, 9) if isinstance(value, float) else value
