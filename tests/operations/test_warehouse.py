"""The views, each written once: every warehouse's SQL parses, and where one runs here it says what the shop did."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from local.emulator import ROOT
from operations import warehouse
from operations.warehouse import DIALECTS, FOLDER, VIEWS, columns, qualified, statements, view
from shared.exports.tables import TABLES
from tests.support import warehouse_shop
from tests.support.warehouse_shop import SAYS

FAKES = ROOT / ".venv-warehouses/bin/python"


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
    known = {table.name for table in TABLES} | {*VIEWS[: VIEWS.index(name)]} | {"states"}
    assert {table.name for table in parsed.expression.find_all(exp.Table)} <= known


def test_every_view_is_in_its_order_and_says_what_it_is_for() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {*VIEWS}
    assert all(path.read_text().startswith("-- ") for path in FOLDER.iterdir())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_tables_are_declared_with_every_column(dialect: str) -> None:
    text = "\n".join(statements(dialect, "s3://shop's/exports/"))
    assert text.count("CREATE OR REPLACE VIEW") >= len(VIEWS)
    if dialect not in ("athena", "duckdb"):
        assert all(f"  {name} " in text for table in TABLES for name in table.names)
        assert "s3://shop''s/exports/" in text


@pytest.mark.parametrize("dialect", ["databricks", "duckdb", "redshift", "snowflake"])
def test_types_are_types_of_the_dialect(dialect: str) -> None:
    for table in TABLES:
        declared = ", ".join(f"{name} {type_}" for name, type_ in columns(table, dialect).items())
        (made,) = sqlglot.parse(f"CREATE TABLE t ({declared})", dialect=dialect)
        assert isinstance(made, exp.Create)
        assert len(made.this.expressions) == len(table.columns)


def test_on_duckdb_the_views_say_what_the_shop_did(exports: Path) -> None:
    with duckdb.connect() as database:
        for statement in statements("duckdb", f"{exports}/"):
            database.execute(statement)
        for query, said in SAYS.items():
            assert {*database.execute(query).fetchall()} == said


def test_the_command_prints_the_statements_of_a_location(capsys: pytest.CaptureFixture[str]) -> None:
    assert warehouse.main(["snowflake", "--location", "s3://mine/exports"]) == 0
    printed = capsys.readouterr().out
    assert "'s3://mine/exports/'" in printed
    assert printed.count("CREATE OR REPLACE VIEW") == len(VIEWS)


@pytest.fixture(params=["snowflake", "bigquery"])
def fake(request: pytest.FixtureRequest) -> Iterator[str]:
    if not FAKES.exists():
        pytest.skip("make warehouses installs the fakes of Snowflake and BigQuery")
    yield str(request.param)


def test_on_a_fake_of_the_warehouse_the_views_say_the_same(fake: str, exports: Path, tmp_path: Path) -> None:
    asked = [qualified(sqlglot.parse_one(query, dialect="duckdb"), fake).sql(dialect=fake) for query in SAYS]
    given = {
        "exports": str(exports),
        "tables": {table.name: columns(table, fake) for table in TABLES},
        "views": {name: view(name, fake) for name in VIEWS},
        "queries": asked,
    }
    (tmp_path / "given.json").write_text(json.dumps(given))
    script = ROOT / f"tests/support/fakes/fake_{fake}.py"
    answer = subprocess.run(
        [str(FAKES), str(script), str(tmp_path / "given.json")],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2_000:]
    for (query, said), rows in zip(SAYS.items(), json.loads(answer.stdout.splitlines()[-1]), strict=True):
        assert (query, {tuple(map(plain, row)) for row in rows}) == (query, said)


def plain(value: Any) -> Any:
    """A value as DuckDB gives it, where a warehouse gives numbers as texts."""
    return round(value, 9) if isinstance(value, float) else value
