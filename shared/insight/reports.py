"""Reports of segments: revenue, sizes, flows, retention, demand, and how far predictions came true."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared.durations import DAY_MS, WEEK_MS
from shared.insight import demand, sales
from shared.insight.tables import Database, Tables

DAYS = 90
"""Of sizes and flows."""
MONTHS = 24
BINS = 10

_REVENUE = """
SELECT weeks_ago, segment, sum(worth) AS revenue, count(DISTINCT (customer_id, one_order)) AS orders,
    count(DISTINCT customer_id) AS buyers
FROM sold LEFT JOIN named USING (segment_id) WHERE weeks_ago < $weeks GROUP BY ALL ORDER BY weeks_ago DESC, segment
"""
_FLOWS = """
SELECT ($as_of_ms - 1 - epoch_ms(happened_at)) // $day_ms AS days_ago, old.segment AS "from", new.segment AS "to",
    cause, count(*) AS customers
FROM read_parquet($moves) AS moves LEFT JOIN named AS old ON old.segment_id = from_segment_id
LEFT JOIN named AS new ON new.segment_id = to_segment_id
WHERE type = 'segment' AND epoch_ms(happened_at) < $as_of_ms AND days_ago < $days
GROUP BY ALL ORDER BY days_ago DESC, "from", "to", cause
"""
_RETENTION = """
WITH bought AS (
    SELECT customer_id, date_trunc('month', make_timestamp_ms(at_ms)) AS month, arg_max(segment_id, at_ms) AS segment_id
    FROM sold WHERE type = 'purchase' GROUP BY ALL
), followed AS (
    SELECT month, segment_id, count(*) AS customers, count(later.customer_id) AS again
    FROM bought LEFT JOIN (SELECT DISTINCT customer_id, month - INTERVAL 1 MONTH AS month FROM bought) AS later
    USING (customer_id, month)
    WHERE month + INTERVAL 2 MONTHS <= make_timestamp_ms($as_of_ms)
        AND month + $months * INTERVAL 1 MONTH > make_timestamp_ms($as_of_ms)
    GROUP BY ALL
)
SELECT strftime(month, '%Y-%m') AS month, segment, customers, again FROM followed LEFT JOIN named USING (segment_id)
ORDER BY month, segment
"""
_TRUE = """
WITH told AS (
    SELECT customer_id, epoch_ms(snapshot_at) AS at_ms,
        CASE $target WHEN 'churn' THEN churn_probability ELSE conversion_probability END AS probability
    FROM read_parquet($customers) WHERE probability IS NOT NULL
), bought AS (
    SELECT customer_id, count(*) > 0 AS bought FROM told JOIN read_parquet($orders) USING (customer_id)
    WHERE type = 'purchase' AND epoch_ms(happened_at) BETWEEN at_ms AND at_ms + $horizon_ms - 1 GROUP BY ALL
)
SELECT least($bins - 1, CAST(floor(probability * $bins) AS BIGINT)) AS bin, count(*) AS customers,
    avg(probability) AS said,
    avg(CASE WHEN ($target = 'churn') = (bought IS NULL) THEN 1.0 ELSE 0.0 END) AS came_true
FROM told LEFT JOIN bought USING (customer_id) GROUP BY bin ORDER BY bin
"""


def segment_reports(tables: Tables, as_of_ms: int) -> dict[str, dict[str, Any]]:
    """All reports that a date's exports tell, by name, but for the calibration."""
    with tables.opened(*sales.NEEDED) as database:
        sales.prepare(database, as_of_ms)
        series = sales.sold(database, as_of_ms)
        return {
            "revenue": {"weeks": _revenue(database, as_of_ms)},
            "sizes": {"days": _sizes(database, as_of_ms)},
            "flows": {"days": _flows(database, as_of_ms)},
            "retention": {
                "months": database.rows(_RETENTION, as_of_ms=as_of_ms, months=MONTHS),
            },
            "demand": {"lines": demand.report(series.lines), "amount": demand.report(series.amount)},
        }


def calibration(before: Tables, target: str, horizon_days: int) -> list[dict[str, Any]]:
    """How often a prediction came true, in bins of what it said, of `customers` as they were one horizon ago and
    `orders` as they are now. `target` is `churn` or `conversion`."""
    with before.opened("customers", "orders") as database:
        return database.rows(_TRUE, target=target, bins=BINS, horizon_ms=horizon_days * DAY_MS)


def _revenue(database: Database, as_of_ms: int) -> list[dict[str, Any]]:
    rows = database.rows(_REVENUE, weeks=sales.MOST_WEEKS)
    return [_dated(row, "week", "weeks_ago", as_of_ms, WEEK_MS) for row in rows]


def _flows(database: Database, as_of_ms: int) -> list[dict[str, Any]]:
    rows = database.rows(_FLOWS, as_of_ms=as_of_ms, day_ms=DAY_MS, days=DAYS)
    return [_dated(row, "day", "days_ago", as_of_ms, DAY_MS) for row in rows]


def _sizes(database: Database, as_of_ms: int) -> list[dict[str, Any]]:
    names = database.rows("SELECT segment_id, segment FROM named ORDER BY segment_id")
    instants = [as_of_ms - days * DAY_MS for days in range(DAYS, -1, -1)]
    counts = sales.sizes(database, [row["segment_id"] for row in names], instants)
    return [
        {"day": _day(at_ms), "segment": name["segment"], "customers": int(counts[i, j])}
        for j, at_ms in enumerate(instants)
        for i, name in enumerate(names)
        if counts[:, j].any()
    ]


def _dated(row: Mapping[str, Any], name: str, ago: str, as_of_ms: int, length_ms: int) -> dict[str, Any]:
    """A row with the day on which its week or day begins in the place of how long ago that was."""
    begin = _day(as_of_ms - (row[ago] + 1) * length_ms)
    return {name: begin} | {key: value for key, value in row.items() if key != ago}


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).date().isoformat()
