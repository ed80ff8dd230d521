"""How long a rule takes to be counted over the export of a shop of a million, beside pandas with the same columns."""

from functools import cache
from pathlib import Path

from bench.work import Inputs, Work
from shared.audiences.reading import Names, read_rule
from shared.exports.schema import Column, Kind
from shared.exports.tables import CUSTOMERS
from shared.insight.rule_sizes import rule_size
from shared.insight.tables import Tables
from shared.models.labels import ACTIONS
from shared.models.manifests import TARGETS

EXPORTED = 10
"""Times the customers of the made-up shop."""
RULE = "churn_probability > 0.6 and expected_ltv > 50 and days_since_order > 30 and region = 'DE'"
_COLUMNS = ["customer_id", "churn_probability", "expected_ltv", "days_since_order", "attributes"]
_MADE_UP = {
    "customer_id": "CAST(i AS VARCHAR)",
    "attributes": """'{"region": "' || CASE WHEN i % 4 = 0 THEN 'DE' ELSE 'FR' END || '"}'""",
    "snapshot_at": "TIMESTAMP '2017-12-31'",
    "churn_probability": "random()",
}
_OF_A_KIND = {
    Kind.TEXT: "'a text'",
    Kind.TEXTS: "['an_audience']",
    Kind.WHOLE: "i % 5",
    Kind.NUMBER: "100 * random()",
    Kind.FLOAT: "100 * random()",
    Kind.TIME: "TIMESTAMP '2017-12-30'",
    Kind.FLAG: "false",
}


def count_export(inputs: Inputs) -> Work:
    """Count whom a rule of predictions, a feature and an attribute holds of, as `audiences preview --exact` does."""
    customers = EXPORTED * inputs.customers
    path = _export(inputs.purchases.parent, customers)
    tables = Tables(path.parent, {"customers": [path]})
    rule = read_rule(RULE, Names.of(TARGETS, ACTIONS))
    return Work(lambda: rule_size(tables, rule), customers)


def scan_export(inputs: Inputs) -> Work:
    """Only read the columns that the rule asks for, with DuckDB."""
    import duckdb

    customers = EXPORTED * inputs.customers
    path = _export(inputs.purchases.parent, customers)
    least = ", ".join(f"min({column})" for column in _COLUMNS)

    def run() -> object:
        with duckdb.connect() as database:
            return database.execute(f"SELECT {least} FROM read_parquet('{path}')").fetchone()  # noqa: S608  names of ours

    return Work(run, customers)


def pandas_export(inputs: Inputs) -> Work:
    """The same with pandas, which reads the columns that are needed and no others."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401  what read_parquet would import first, which is not its work

    customers = EXPORTED * inputs.customers
    path = _export(inputs.purchases.parent, customers)

    def run() -> int:
        c = pd.read_parquet(path, columns=_COLUMNS)
        c = c[(c.churn_probability > 0.6) & (c.expected_ltv > 50) & (c.days_since_order > 30)]
        return int((c.attributes.str.extract('"region": "([^"]*)"')[0] == "DE").sum())

    return Work(run, customers)


@cache
def _export(folder: Path, customers: int) -> Path:
    """A made-up export of customers, written once."""
    import duckdb

    path = folder / f"export-of-{customers}.parquet"
    if not path.exists():
        columns = ", ".join(f"CAST({_value(column)} AS {column.kind}) AS {column.name}" for column in CUSTOMERS.columns)
        with duckdb.connect() as database:
            statement = f"SELECT setseed(0.5); COPY (SELECT {columns} FROM range({customers}) AS numbers(i))"  # noqa: S608
            database.execute(f"{statement} TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    return path


def _value(column: Column) -> str:
    return _MADE_UP.get(column.name) or _OF_A_KIND[column.kind]
