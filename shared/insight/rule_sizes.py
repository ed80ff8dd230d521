"""How many customers a rule holds of, counted over the last export: all of them, where a preview looks at some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from shared.audiences.rules import Attribute, Count, Field, Rule, operands, shown
from shared.audiences.sql import to_sql
from shared.events.columns import product_code
from shared.exports.tables import CUSTOMERS
from shared.insight.tables import Tables
from shared.telemetry.errors import AnonymousError

NEEDED = ("customers", "exposures", "orders")
EXPORTED_TYPES = ("campaign_exposure", "purchase", "refund")
EXAMPLES = 10
RENAMED = {"segment": "segment_id", "micro_segment": "micro_segment_id", "margin": "segment_margin"}
"""Columns that rules know by other names."""

_COUNTED = """
WITH customers AS (
    SELECT * EXCLUDE (as_of), snapshot_at AS as_of{fields}
    FROM read_parquet($customers) WHERE segment_id IS NOT NULL
), attributes AS (
    SELECT customer_id, unnest($names) AS name, unnest(json_extract_string(attributes, $pointers)) AS value
    FROM read_parquet($customers)
), events AS (
    SELECT customer_id, happened_at AS time, type AS event_type, category,
        $subjects[list_position($codes, brand_code)] AS brand,
        $subjects[list_position($codes, product_code)] AS product_id,
        CAST(NULL AS VARCHAR) AS campaign,
        coalesce('order ' || order_code, 'line ' || line_id) AS order_id
    FROM read_parquet($orders)
    UNION ALL BY NAME
    SELECT customer_id, happened_at AS time, 'campaign_exposure' AS event_type, campaign FROM read_parquet($exposures)
)
SELECT count(*) AS everybody, count(*) FILTER (WHERE holds) AS inside,
    list(customer_id ORDER BY customer_id) FILTER (WHERE holds AND place <= $examples) AS examples,
    max(as_of) AS as_of
FROM (
    SELECT customer_id, as_of, holds, row_number() OVER (PARTITION BY holds ORDER BY customer_id) AS place
    FROM (SELECT customer_id, as_of, coalesce({condition}, false) AS holds FROM customers AS c)
)
"""


class NotExported(AnonymousError):
    """A rule asks for what exports do not hold."""


@dataclass(frozen=True)
class Size:
    """Of how many customers a rule holds, and of whom for example."""

    inside: int
    everybody: int
    examples: Sequence[str]
    """Ids of customers."""
    as_of: Any
    """The instant of the export, a naive datetime in UTC; None where nobody is in it."""


def rule_size(tables: Tables, rule: Rule) -> Size:
    """Counts the customers of an export whom a rule holds of, among those who are decided on.

    What decisions say is what stood by then; features, attributes and counts are as of the export. Raises NotExported
    where the rule counts what exports do not hold, and TooLarge.
    """
    counts = [operand for operand in operands(rule) if isinstance(operand, Count)]
    if missing := [shown(count) for count in counts if not _is_exported(count)]:
        raise NotExported(f"exports hold orders and exposures, and nothing to count {', '.join(missing)} by")
    subjects = sorted({count.subject for count in counts if count.subject})
    names = sorted({operand.name for operand in operands(rule) if isinstance(operand, Attribute)})
    given = {
        "names": names,
        "pointers": [_pointer(name) for name in names],
        "subjects": subjects,
        "codes": [product_code(subject) for subject in subjects],
        "examples": EXAMPLES,
    }
    with tables.opened(*NEEDED) as database:
        statement = _COUNTED.format(fields=_fields(rule), condition=to_sql(rule))
        (row,) = database.rows(statement, **given)
    return Size(row["inside"], row["everybody"], row["examples"] or (), row["as_of"])


def _is_exported(count: Count) -> bool:
    if count.of == "type":
        return count.subject in EXPORTED_TYPES
    return count.of == "campaign" if count.measure == "events" else count.measure == "orders" and count.of != "campaign"


def _fields(rule: Rule) -> str:
    """What a rule asks of decisions and does not find under its name in the table: the names are a bundle's."""
    asked = dict.fromkeys(operand.name for operand in operands(rule) if isinstance(operand, Field))
    columns = [
        exp.alias_(
            exp.column(RENAMED[name]) if name in RENAMED else _own_prediction(name),
            name,
            quoted=True,
        )
        for name in asked
        if name not in CUSTOMERS.names
    ]
    return "".join(f", {column.sql('duckdb')}" for column in columns)


def _own_prediction(name: str) -> exp.Expr:
    value = exp.func("json_extract_string", exp.column("own_predictions"), exp.Literal.string(_pointer(name)))
    return exp.cast(value, "double")


def _pointer(name: str) -> str:
    """Where an attribute stands in a JSON object, by RFC 6901."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
