"""Functions, DuckDB and warehouses say the same of the same rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audiences.evaluating import Customers, Histories
from shared.audiences.reading import read_rule
from shared.audiences.rules import from_json, to_json
from shared.audiences.sql import to_sql
from shared.features import FEATURE_NAMES, Profiles, features
from shared.identity.keys import customer_id
from shared.recommending.lists import LISTS
from tests.audiences.random_rules import NAMES, PRODUCTS, rules
from tests.features.histories import LEAP_DAY, folded, histories

RULES_AT_ONCE = 8
EXAMPLES = settings().max_examples // 4
"""10,000 examples of a night are 20,000 rules."""


@settings(max_examples=EXAMPLES)
@given(
    history=histories(),
    texts=st.lists(rules, min_size=RULES_AT_ONCE, max_size=RULES_AT_ONCE),
    days=st.integers(0, 400),
    numbers=st.randoms(use_true_random=False),
)
def test_functions_and_duckdb_agree_on_random_rules(history: Any, texts: list[str], days: int, numbers: Any) -> None:
    profiles = folded(history)
    at = LEAP_DAY + timedelta(days=days, milliseconds=numbers.choice([0, 0, 1, 3_600_000]))
    customers = customers_of(profiles, at, numbers)
    trees = [from_json(to_json(read_rule(text, NAMES))) for text in texts]
    held = {
        customer_id(key): tuple(row)
        for key, row in zip(profiles.keys, np.column_stack([customers.holds(tree) for tree in trees]), strict=True)
    }
    columns = ", ".join(f"coalesce({to_sql(tree)}, false)" for tree in trees)
    with duckdb.connect() as connection:
        write_tables(connection, history, profiles, customers, at)
        rows = connection.sql(f"SELECT customer_id, {columns} FROM customers c").fetchall()
    assert held == {row[0]: row[1:] for row in rows}


@settings(max_examples=EXAMPLES)
@pytest.mark.parametrize("dialect", ["snowflake", "bigquery", "redshift", "databricks", "athena", "duckdb"])
@given(text=rules)
def test_every_dialect_reads_what_is_written_for_it(dialect: str, text: str) -> None:
    condition = to_sql(read_rule(text, NAMES), dialect)

    sqlglot.parse_one(f"SELECT c.customer_id FROM customers AS c WHERE {condition}", dialect=dialect)


def test_lists_are_asked_as_each_warehouse_has_them() -> None:
    rule = read_rule("'p1' in buy_again", NAMES)
    assert {dialect: to_sql(rule, dialect) for dialect in ("snowflake", "redshift", "athena")} == {
        "snowflake": """COALESCE(ARRAY_CONTAINS(CAST('p1' AS VARIANT), CAST("c"."buy_again" AS ARRAY)), FALSE)""",
        "redshift": """COALESCE(EXISTS(SELECT 1 FROM "c"."buy_again" AS p WHERE p = 'p1'), FALSE)""",
        "athena": """COALESCE(CONTAINS("c"."buy_again", 'p1'), FALSE)""",
    }


def customers_of(profiles: Profiles, at: datetime, numbers: Any) -> Customers:
    at_ms = round(at.timestamp() * 1_000)
    n = len(profiles)

    def some(*values: Any) -> np.ndarray:
        return np.array([numbers.choice(values) for _ in range(n)])

    decided = {
        "segment": some(0, 1, 2),
        "churn_probability": some(0.0, 0.5, 0.6, 1.0).astype(np.float32),
        "expected_ltv": some(-1.5, 0.0, 200.0, 199.99).astype(np.float32),
        "intent": some("loyal", "dormant", "steady").astype(object),
    }
    products = [product.replace("''", "'") for product in PRODUCTS]
    by_customer = [{name: numbers.sample(products, numbers.randrange(4)) for name in LISTS} for _ in range(n)]
    recommended = numbers.choice([None, {name: [one[name] for one in by_customer] for name in LISTS}])
    return Customers(features(profiles, at_ms), decided, Histories(profiles, recommended), np.arange(n), at_ms)


def write_tables(
    connection: duckdb.DuckDBPyConnection, history: Any, profiles: Profiles, customers: Customers, at: datetime
) -> None:
    at = at.astimezone(UTC).replace(tzinfo=None)
    ids = [customer_id(key) for key in profiles.keys]
    columns = dict(zip(FEATURE_NAMES, customers.features.T, strict=True))
    lists: dict[str, Any] = {name: [None] * len(ids) for name in LISTS} | {**(customers.histories.recommended or {})}
    known = pd.DataFrame({"customer_id": ids, "as_of": pd.Timestamp(at), **columns, **customers.decided, **lists})
    said = [(ids[i], name, value) for i, name, time_ms, value in profiles.attributes.entries() if _before(time_ms, at)]
    attributes = pd.DataFrame(said, columns=["customer_id", "name", "json"])
    events = pd.DataFrame([_event(i, event) for i, event in enumerate(history)])
    connection.execute(
        "CREATE TABLE customers AS SELECT * REPLACE"
        " (buy_again::VARCHAR[] AS buy_again, new_for_you::VARCHAR[] AS new_for_you) FROM known"
    )
    connection.execute(
        "CREATE TABLE attributes AS SELECT customer_id::VARCHAR AS customer_id, name::VARCHAR AS name,"
        " json_extract_string(json::JSON, '$') AS value FROM attributes"
    )
    connection.execute("CREATE TABLE events AS FROM events")
    del known, attributes, events


def _before(time_ms: int, at: datetime) -> bool:
    return time_ms < round(at.replace(tzinfo=UTC).timestamp() * 1_000)


def _event(i: int, event: dict[str, Any]) -> dict[str, Any]:
    names = ("customer_id", "event_type", "category", "brand", "product_id", "campaign")
    time = pd.Timestamp(event["timestamp"]).tz_localize(None)
    return {"time": time, "order_id": event.get("order_id") or f"own {i}", **{name: event.get(name) for name in names}}
