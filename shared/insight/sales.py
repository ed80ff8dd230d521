"""What was bought, and in which segment whoever bought it was by then: what reports of segments begin with.

A customer is in a segment from the move into it on, and what moved them counts for the segment that they were in before
it. What they bought before the first move that the ledger knows counts for the segment of that move, as their history
was taken in before it was decided on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.durations import WEEK_MS
from shared.insight.demand import Sales
from shared.insight.tables import Database

NEEDED = ("moves", "orders", "segments")
MOST_WEEKS = 104
MOST_CATEGORIES = 50
"""Those of which most is sold."""

_LINES = """
CREATE TEMP TABLE lines AS
SELECT customer_id, epoch_ms(happened_at) AS at_ms, type, category, line_id,
    CASE WHEN order_code IS NULL THEN 'line ' || line_id ELSE 'order ' || order_code END AS one_order,
    CASE type WHEN 'refund' THEN -CAST(amount AS DOUBLE) ELSE CAST(amount AS DOUBLE) END AS worth
FROM read_parquet($orders) WHERE epoch_ms(happened_at) < $as_of_ms
"""
_STAYS = """
CREATE TEMP TABLE stays AS
WITH moved AS (
    SELECT customer_id, epoch_ms(happened_at) AS at_ms, arg_max(to_segment_id, recorded_at) AS segment_id
    FROM read_parquet($moves) WHERE type = 'segment' AND epoch_ms(happened_at) < $as_of_ms GROUP BY ALL
), known AS (
    SELECT customer_id, min(at_ms) AS at_ms, arg_min(segment_id, at_ms) AS segment_id FROM moved GROUP BY ALL
), begun AS (
    SELECT customer_id, min(at_ms) - 1 AS at_ms FROM lines GROUP BY ALL
), every AS (
    SELECT customer_id, at_ms, segment_id FROM moved
    UNION ALL
    SELECT customer_id, begun.at_ms, known.segment_id FROM begun JOIN known USING (customer_id)
    WHERE begun.at_ms < known.at_ms
)
SELECT customer_id, segment_id, at_ms AS from_ms,
    lead(at_ms, 1, 9_000_000_000_000_000) OVER (PARTITION BY customer_id ORDER BY at_ms) AS until_ms
FROM every
"""
_SOLD = """
CREATE TEMP TABLE sold AS
SELECT lines.*, ($as_of_ms - 1 - lines.at_ms) // $week_ms AS weeks_ago, stays.segment_id
FROM lines ASOF LEFT JOIN stays ON lines.customer_id = stays.customer_id AND lines.at_ms > stays.from_ms
"""
NAMED = """
CREATE TEMP TABLE named AS
SELECT DISTINCT stays.segment_id, coalesce(segments.segment_name, 'segment ' || stays.segment_id) AS segment
FROM stays LEFT JOIN read_parquet($segments) AS segments USING (segment_id) WHERE stays.segment_id IS NOT NULL
"""
_CATEGORIES = """
SELECT category FROM sold WHERE type = 'purchase' AND category IS NOT NULL
GROUP BY category ORDER BY sum(worth) DESC, category LIMIT $most
"""
_WEEKS = """
SELECT segment_id, category, weeks_ago, CAST(count(*) AS DOUBLE) AS lines, sum(worth) AS amount FROM sold
WHERE type = 'purchase' AND segment_id IS NOT NULL AND list_contains($categories, category) AND weeks_ago < $weeks
GROUP BY ALL
"""
_SIZES = """
SELECT segment_id, at_ms, count(*) AS customers
FROM stays JOIN (SELECT unnest($instants) AS at_ms) AS looked ON from_ms < at_ms AND at_ms <= until_ms
WHERE segment_id IS NOT NULL GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Sold:
    """The series of what was bought, in both measures."""

    lines: Sales
    amount: Sales


def prepare(database: Database, as_of_ms: int) -> None:
    """Makes the tables `lines`, `stays`, `sold` and `named` that statements of reports read."""
    for statement in (_LINES, _STAYS, _SOLD, NAMED):
        database.run(statement, as_of_ms=as_of_ms, week_ms=WEEK_MS)


def sold(database: Database, as_of_ms: int) -> Sold:
    """What was bought in the whole weeks before an instant, by segment and category."""
    first = database.run("SELECT min(at_ms) FROM lines").fetchone()
    begun_ms = first[0] if first and first[0] is not None else as_of_ms
    weeks = min(MOST_WEEKS, (as_of_ms - begun_ms) // WEEK_MS)
    names = database.rows("SELECT segment_id, segment FROM named ORDER BY segment_id")
    ids = [row["segment_id"] for row in names]
    categories = [row["category"] for row in database.rows(_CATEGORIES, most=MOST_CATEGORIES)]
    counts = {measure: np.zeros((len(ids), len(categories), weeks)) for measure in ("lines", "amount")}
    for row in database.rows(_WEEKS, categories=categories, weeks=weeks):
        at = ids.index(row["segment_id"]), categories.index(row["category"]), weeks - 1 - row["weeks_ago"]
        for measure, count in counts.items():
            count[at] = row[measure]
    customers = sizes(database, ids, [as_of_ms - (weeks - i) * WEEK_MS for i in range(weeks + 1)])
    segments = [row["segment"] for row in names]
    series = {measure: Sales(segments, categories, count, customers) for measure, count in counts.items()}
    return Sold(series["lines"], series["amount"])


def sizes(database: Database, ids: Sequence[int], instants: Sequence[int]) -> NDArray[np.float64]:
    """How many customers were in each segment at each instant [n_segments, n_instants]."""
    counts = np.zeros((len(ids), len(instants)))
    for row in database.rows(_SIZES, instants=list(instants)):
        counts[ids.index(row["segment_id"]), instants.index(row["at_ms"])] = row["customers"]
    return counts
