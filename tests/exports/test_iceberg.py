"""The exports once more as Iceberg tables: what the template has of them, and what statements come to in DuckDB."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from shared.exports.iceberg import DATE, MIRRORED, columns, logical_id, machine, resources, statement
from shared.exports.schema import Column, Kind, Table
from shared.exports.tables import CUSTOMERS, DELIVERIES, SEGMENTS, SNAPSHOTS
from tests.support.examples import at_most
from tests.support.template import template

ROOT = Path(__file__).parents[2]

# ---- What the template has -------------------------------------------------------------------------------------------


def test_the_template_has_the_tables_as_they_are_declared() -> None:
    assert resources() in (ROOT / "template.yaml").read_text(), "run: python -m shared.exports.iceberg"


def test_the_state_machine_has_the_statements_of_the_tables() -> None:
    written = (ROOT / "statemachines/mirror_exports.asl.json").read_text()
    assert written == machine(), (
        "run: python -m shared.exports.iceberg --machine > statemachines/mirror_exports.asl.json"
    )


@pytest.mark.parametrize("table", MIRRORED, ids=lambda table: table.name)
def test_a_table_has_every_column_of_its_export_with_its_date_and_run(table: Table) -> None:
    properties: Any = template()["Resources"][logical_id(table)]["Properties"]
    fields = properties["IcebergMetadata"]["IcebergSchemaV2"]["SchemaV2FieldList"]
    assert [field["Name"] for field in fields] == ["date", "run", *table.names]
    assert (properties["TableName"], properties["Namespace"]) == (table.name, "tessera")
    ids = [field["Id"] for field in fields] + [
        field["Type"]["element-id"] for field in fields if isinstance(field["Type"], dict)
    ]
    assert len({*ids}) == len(ids)


def test_the_erased_stay_in_no_snapshot_for_long() -> None:
    every = [template()["Resources"][logical_id(table)]["Properties"]["SnapshotManagement"] for table in MIRRORED]
    assert all(one == {"Status": "enabled", "MinSnapshotsToKeep": 1, "MaxSnapshotAgeHours": 24} for one in every)
    removed = template()["Resources"]["TableBucket"]["Properties"]["UnreferencedFileRemoval"]
    assert removed == {"Status": "Enabled", "UnreferencedDays": 1, "NoncurrentDays": 1}


def test_without_a_name_there_is_none_of_it() -> None:
    optional = {name for name, one in template()["Resources"].items() if one.get("Condition") == "HasTableBucket"}
    mirrors = {name for name in template()["Resources"] if name.startswith("Mirror")}
    kinds = {name for name, one in template()["Resources"].items() if one["Type"].startswith("AWS::S3Tables::")}
    assert {*map(logical_id, MIRRORED)} <= kinds
    assert optional == mirrors | kinds
    assert template()["Parameters"]["TableBucketName"]["Default"] == ""


# ---- What the statements say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["athena", "trino"])
@pytest.mark.parametrize("table", MIRRORED, ids=lambda table: table.name)
def test_a_statement_parses_and_names_just_the_columns_of_the_export(table: Table, dialect: str) -> None:
    (merge,) = sqlglot.parse(statement(table), dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert isinstance(merge, exp.Merge)
    names = ["date", "run", *table.names]
    (insert,) = merge.find_all(exp.Insert)
    assert [column.name for column in insert.this.expressions] == names
    assert [column.name for column in insert.expression.expressions] == names
    assert {column.name for column in merge.find_all(exp.Column)} == {*names, "leaves", "table_name"}
    read = {(one.catalog, one.name) for one in merge.find_all(exp.Table)} - {("", "")}
    assert read == {("", table.name), ("awsdatacatalog", table.name), ("awsdatacatalog", SNAPSHOTS.name)}


def test_no_statement_is_longer_than_athena_takes() -> None:
    assert max(len(statement(table).encode()) for table in MIRRORED) < 262_144


# ---- What they come to -----------------------------------------------------------------------------------------------

DAYS = ("2026-01-01", "2026-01-02", "2026-02-28")
NAMES = ("a", "b", "it's c")
VALUES: dict[Kind, Any] = {
    Kind.TEXT: "'{name} {version}'",
    Kind.TEXTS: "['{name}', '{version}']",
    Kind.WHOLE: "{version}",
    Kind.FLOAT: "{version} / 2",
    Kind.NUMBER: "{version} / 3",
    Kind.MONEY: "{version} / 4",
    Kind.FLAG: "{version} % 2 = 0",
    Kind.TIME: "make_timestamp(1767225600000000 + {version} * 1000)",
}


class Shop:
    """Exports as Glue has them, and the Iceberg tables, in one DuckDB; each row is of a name and a version."""

    def __init__(self, *tables: Table) -> None:
        self._tables = tables
        self._db = duckdb.connect()
        self._db.execute("ATTACH ':memory:' AS awsdatacatalog")
        self._db.execute("CREATE SCHEMA awsdatacatalog.shop")
        for table in (*tables, SNAPSHOTS):
            self._db.execute(f"CREATE TABLE {_exported(table)} ({_declared((*table.columns, DATE))})")
        for table in tables:
            self._db.execute(f"CREATE TABLE {table.name} ({_declared(columns(table))})")

    def begin(self, day: str, run: int) -> None:
        """A run of a day takes back that it is whole, and writes beside what was there."""
        self._db.execute(f"DELETE FROM {_exported(SNAPSHOTS)} WHERE date = '{day}'")
        self.write_beside(day, run)

    def write_beside(self, day: str, run: int) -> None:
        for table in self._tables:
            self._write(table, day, NAMES[0], run)

    def export(self, day: str, run: int, names: Iterable[str]) -> None:
        """A run of a day from its beginning to its end."""
        self.begin(day, run)
        for table in self._tables:
            self._db.execute(f"DELETE FROM {_exported(table)} WHERE date = '{day}'")
            for name in names:
                self._write(table, day, name, run)
            whole = f"'{day}', '{table.name}', 'run {run}'"
            self._db.execute(f"INSERT INTO {_exported(SNAPSHOTS)} (date, table_name, run) VALUES ({whole})")

    def erase(self, name: str) -> None:
        for table in (table for table in self._tables if table.is_personal):
            self._db.execute(f"DELETE FROM {_exported(table)} WHERE customer_id = $1", [name])

    def expire(self, day: str) -> None:
        self._db.execute(f"DELETE FROM {_exported(CUSTOMERS)} WHERE date = '{day}'")

    def mirror(self, *tables: Table) -> None:
        for table in tables or self._tables:
            self._db.execute(_in_duckdb(table))

    def mirrored(self, table: Table) -> list[Any]:
        return self._db.sql(f"SELECT * FROM {table.name} ORDER BY ALL").fetchall()

    def whole(self, table: Table) -> list[Any]:
        """What should be there: the rows of whole dates, each with its run."""
        rows = self._db.sql(f"SELECT date, * EXCLUDE (date) FROM {_exported(table)} ORDER BY ALL").fetchall()
        runs = dict(
            self._db.sql(f"SELECT date, run FROM {_exported(SNAPSHOTS)} WHERE table_name = '{table.name}'").fetchall()
        )
        return [(row[0], runs[row[0]], *row[1:]) for row in rows if row[0] in runs]

    def _write(self, table: Table, day: str, name: str, version: int) -> None:
        values = {column.name: VALUES[column.kind] for column in table.columns}
        whose = {"customer_id": "'{name}'", "segment_id": "{number}", "audience": "'{name}'"}
        values |= {
            column: whose[column] for column in ("customer_id", *table.key) if column in values and column in whose
        }
        quoted = name.replace("'", "''")
        listed = ", ".join(values.values()).format(name=quoted, number=NAMES.index(name), version=version)
        self._db.execute(f"INSERT INTO {_exported(table)} ({', '.join(values)}, date) VALUES ({listed}, '{day}')")


@cache
def _in_duckdb(table: Table) -> str:
    return sqlglot.transpile(statement(table).replace("${Database}", "shop"), "athena", "duckdb")[0]


def _exported(table: Table) -> str:
    return f"awsdatacatalog.shop.{table.name}"


def _declared(of: Iterable[Column]) -> str:
    return ", ".join(f"{column.name} {column.kind}" for column in of)


@pytest.fixture
def shop() -> Shop:
    made = Shop(*MIRRORED)
    made.export(DAYS[0], 1, NAMES)
    made.export(DAYS[1], 2, NAMES[:2])
    made.mirror()
    return made


def test_every_whole_date_is_brought_and_bringing_it_again_changes_nothing(shop: Shop) -> None:
    for _ in range(2):
        assert {len(shop.mirrored(table)) for table in MIRRORED} == {5}
        assert [shop.mirrored(table) for table in MIRRORED] == [shop.whole(table) for table in MIRRORED]
        shop.mirror()


def test_who_is_erased_leaves_every_date_and_nobody_else_does(shop: Shop) -> None:
    before = {table: shop.mirrored(table) for table in MIRRORED}
    shop.erase("a")
    shop.mirror()
    for table, rows in before.items():
        place = [column.name for column in columns(table)].index("customer_id") if table.is_personal else None
        others = [row for row in rows if place is None or row[place] != "a"]
        assert shop.mirrored(table) == others
        assert len(others) == (3 if table.is_personal else 5)


def test_a_date_that_is_written_anew_is_replaced_once_it_is_whole(shop: Shop) -> None:
    first = shop.mirrored(CUSTOMERS)
    shop.begin(DAYS[1], 3)
    shop.mirror()
    assert shop.mirrored(CUSTOMERS) == [row for row in first if row[0] == DAYS[0]]
    shop.export(DAYS[1], 3, NAMES[1:])
    shop.mirror()
    assert {row[1:3] for row in shop.mirrored(CUSTOMERS) if row[0] == DAYS[1]} == {
        ("run 3", name) for name in NAMES[1:]
    }


def test_what_was_read_while_another_run_wrote_beside_it_leaves(shop: Shop) -> None:
    shop.export(DAYS[2], 3, NAMES)
    shop.write_beside(DAYS[2], 4)
    shop.mirror()
    assert len(shop.mirrored(CUSTOMERS)) == 9
    shop.export(DAYS[2], 4, NAMES)
    shop.mirror()
    assert [shop.mirrored(table) for table in MIRRORED] == [shop.whole(table) for table in MIRRORED]


SOME = (CUSTOMERS, DELIVERIES, SEGMENTS)
ACTIONS = st.one_of(
    st.tuples(st.just("export"), st.sampled_from(DAYS), st.sets(st.sampled_from(NAMES))),
    st.tuples(st.just("begin"), st.sampled_from(DAYS)),
    st.tuples(st.just("erase"), st.sampled_from(NAMES)),
    st.tuples(st.just("expire"), st.sampled_from(DAYS)),
    st.tuples(st.just("mirror"), st.sampled_from(SOME)),
)


@settings(max_examples=at_most(40), deadline=None)
@given(st.lists(ACTIONS, max_size=8))
def test_whatever_broke_off_before_one_more_run_comes_to_what_is_whole(actions: list[Any]) -> None:
    shop = Shop(*SOME)
    for run, (kind, *given_) in enumerate(actions):
        match kind:
            case "export":
                shop.export(given_[0], run, sorted(given_[1]))
            case "begin":
                shop.begin(given_[0], run)
            case _:
                getattr(shop, kind)(*given_)
    shop.mirror()
    for table in SOME:
        assert shop.mirrored(table) == shop.whole(table)
