"""Prints what makes the exports tables of a warehouse, and the views over them, in its own SQL.

python -m operations.warehouse DIALECT [--stack NAME] [--location URL]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import sqlglot
from sqlglot import exp

from operations.stack import DeployedStack, parser, run, say
from shared.exports.schema import Kind, Table
from shared.exports.tables import EXPORTS, FOR_WAREHOUSES

WRITTEN_IN = "duckdb"
DIALECTS = ("athena", "bigquery", "databricks", "duckdb", "redshift", "snowflake")
FOLDER = Path(__file__).parent / "views"
VIEWS = (
    "whole_days",
    "latest_customers",
    "latest_orders",
    "segment_sizes",
    "segment_flows",
    "revenue_by_segment",
    "outcomes_30d",
    "retention_by_segment",
    "churn_calibration",
    "sync_log",
)
"""In an order in which each finds those that it reads."""
SCHEMA = "tessera"
"""What tables stand in where they have to say so: Redshift keeps external ones apart, BigQuery knows no other way."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.warehouse") -> int:
    """The command line."""
    made = parser(prog, "Print the SQL that makes a warehouse read the exports.")
    made.add_argument("dialect", choices=DIALECTS, help="the warehouse's SQL")
    made.add_argument("--location", metavar="URL", help="of the folder exports/; default: that of the stack's bucket")
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    location = given.location or f"s3://{stack.resource('DataBucket')}/{EXPORTS}"
    say(*statements(given.dialect, location.rstrip("/") + "/"))
    return 0


def statements(dialect: str, location: str) -> Iterator[str]:
    """All statements for a warehouse, each with its semicolon. `location` ends with a slash."""
    yield from _TABLES[dialect](location)
    for name in VIEWS:
        yield f"{view(name, dialect)};"


def view(name: str, dialect: str) -> str:
    """The statement that makes a view, in the SQL of a warehouse."""
    query = sqlglot.parse_one((FOLDER / f"{name}.sql").read_text(), dialect=WRITTEN_IN)
    comment = " ".join(query.pop_comments() or ())
    body = qualified(query, dialect).sql(dialect=dialect, pretty=True)
    schema = {"redshift": "public.", "bigquery": f"{SCHEMA}."}.get(dialect, "")
    created = f"CREATE OR REPLACE VIEW {schema}{name} AS"
    # Redshift has external tables in views that look for nothing before they are read.
    ending = "\nWITH NO SCHEMA BINDING" if dialect == "redshift" else ""
    return f"--{comment}\n{created}\n{body}{ending}"


def qualified(query: exp.Expr, dialect: str) -> exp.Expr:
    """The query with the schemas of tables and views, where a warehouse wants them."""
    ours = {table.name for table in FOR_WAREHOUSES}
    for table in query.find_all(exp.Table) if dialect in ("bigquery", "redshift") else ():
        if table.name in ours or (table.name in VIEWS and dialect == "bigquery"):
            table.set("db", exp.to_identifier(SCHEMA))
        elif table.name in VIEWS:
            table.set("db", exp.to_identifier("public"))
    return query


def columns(table: Table, dialect: str) -> dict[str, str]:
    """The types of a table's columns, as a warehouse calls them."""
    return {column.name: _type(column.kind, dialect) for column in table.columns}


def _type(kind: Kind, dialect: str) -> str:
    if dialect in ("redshift", "snowflake") and kind is Kind.TEXTS:
        return {"redshift": "ARRAY<VARCHAR(65535)>", "snowflake": "VARIANT"}[dialect]
    if dialect == "redshift" and kind is Kind.TEXT:
        return "VARCHAR(65535)"
    if dialect == "bigquery" and kind is Kind.TIME:
        return "DATETIME"
    return exp.DataType.build(kind.value, dialect=WRITTEN_IN).sql(dialect=dialect)


def _declared(types: Mapping[str, str]) -> str:
    return ",\n".join(f"  {name} {type_}" for name, type_ in types.items())


def _athena(location: str) -> Iterator[str]:
    yield f"-- The tables are there: the stack's Glue database finds dates below {location} by their names."


def _duckdb(location: str) -> Iterator[str]:
    for table in FOR_WAREHOUSES:
        source = (
            f"read_parquet('{_quoted(location)}{table.name}/*/*.parquet', hive_partitioning = true,"
            " hive_types = {'date': VARCHAR}, union_by_name = true)"
        )
        yield f"CREATE OR REPLACE VIEW {table.name} AS SELECT * FROM {source};"  # noqa: S608  # a person's own


def _snowflake(location: str) -> Iterator[str]:
    yield "-- An administrator makes the integration first: docs.snowflake.com, CREATE STORAGE INTEGRATION."
    yield (
        f"CREATE STAGE IF NOT EXISTS tessera_exports URL = '{_quoted(location)}'"
        " STORAGE_INTEGRATION = tessera FILE_FORMAT = (TYPE = PARQUET);"
    )
    date = "date VARCHAR AS (SPLIT_PART(SPLIT_PART(METADATA$FILENAME, 'date=', 2), '/', 1))"
    for table in FOR_WAREHOUSES:
        types = columns(table, "snowflake")
        read = ",\n".join(
            [f"  {date}", *(f"  {name} {type_} AS (VALUE:{name}::{type_})" for name, type_ in types.items())]
        )
        yield (
            f"CREATE OR REPLACE EXTERNAL TABLE {table.name} (\n{read}\n) PARTITION BY (date)"
            f" LOCATION = @tessera_exports/{table.name}/ PATTERN = '.*[.]parquet' AUTO_REFRESH = FALSE"
            " FILE_FORMAT = (TYPE = PARQUET);"
        )
        yield f"ALTER EXTERNAL TABLE {table.name} REFRESH; -- after each export"


def _bigquery(location: str) -> Iterator[str]:
    yield "-- `aws-us-east-1.tessera` is a connection of BigQuery Omni in the bucket's region, made first."
    for table in FOR_WAREHOUSES:
        place = f"{_quoted(location)}{table.name}/"
        yield (
            f"CREATE OR REPLACE EXTERNAL TABLE {SCHEMA}.{table.name} (\n{_declared(columns(table, 'bigquery'))}\n)"
            " WITH PARTITION COLUMNS (date STRING) WITH CONNECTION `aws-us-east-1.tessera`"
            f" OPTIONS (format = 'PARQUET', enable_list_inference = TRUE, hive_partition_uri_prefix = '{place}',"
            f" uris = ['{place}*.parquet']);"
        )


def _redshift(location: str) -> Iterator[str]:
    yield "-- Spectrum does not find dates by their names: each is added, once it is whole."
    yield (
        f"CREATE EXTERNAL SCHEMA {SCHEMA} FROM DATA CATALOG DATABASE '{SCHEMA}_spectrum'"
        " IAM_ROLE default CREATE EXTERNAL DATABASE IF NOT EXISTS;"
    )
    for table in FOR_WAREHOUSES:
        name = f"{SCHEMA}.{table.name}"
        place = f"{_quoted(location)}{table.name}/"
        yield (
            f"CREATE EXTERNAL TABLE {name} (\n{_declared(columns(table, 'redshift'))}\n)"
            f" PARTITIONED BY (date VARCHAR(10)) STORED AS PARQUET LOCATION '{place}';"
        )
        yield (
            f"ALTER TABLE {name} ADD IF NOT EXISTS PARTITION (date = '2026-01-31')"
            f" LOCATION '{place}date=2026-01-31/'; -- for each date"
        )


def _databricks(location: str) -> Iterator[str]:
    for table in FOR_WAREHOUSES:
        types = columns(table, "databricks") | {"date": "STRING"}
        yield (
            f"CREATE TABLE IF NOT EXISTS {table.name} (\n{_declared(types)}\n) USING PARQUET PARTITIONED BY (date)"
            f" LOCATION '{_quoted(location)}{table.name}/';"
        )
        yield f"MSCK REPAIR TABLE {table.name}; -- after each export"


_TABLES: dict[str, Callable[[str], Iterator[str]]] = {
    "athena": _athena,
    "bigquery": _bigquery,
    "databricks": _databricks,
    "duckdb": _duckdb,
    "redshift": _redshift,
    "snowflake": _snowflake,
}


def _quoted(location: str) -> str:
    return location.replace("'", "''")


if __name__ == "__main__":
    sys.exit(main())
