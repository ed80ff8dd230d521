"""Experiments as exported tables tell them: the same that `shared/experiments/histories.py` counts, in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import numpy as np

from shared.durations import DAY_MS
from shared.experiments.assignment import Planned
from shared.experiments.estimates import COLUMNS, COVARIATE_DAYS
from shared.experiments.moments import Moments
from shared.experiments.trial import CONTROL, TREATMENT, Cost, Group, Trial
from shared.insight.tables import Database, Tables

MOST_CAMPAIGNS = 300
"""Whoever may send events may make up campaigns; each takes a part of a second, and of the document."""
NEEDED = ("exposures", "moves", "orders", "segments")
VISITS = frozenset({"visited", "visited_before"})
"""What exports of releases before do not tell."""

_FILES_WITH_VISITS = """
SELECT count(DISTINCT file_name) AS files FROM parquet_schema($exposures) WHERE name = 'next_visit_at'
"""
_VISITED = """
    coalesce(epoch_ms(next_visit_at) - at_ms < $window_ms, false) AS visited,
    coalesce(at_ms - epoch_ms(last_visit_at) <= $window_ms, false) AS visited_before
"""
_UNKNOWN = "false AS visited, false AS visited_before"
# The earlier exposure counts, and of two at one instant the one in which nothing was done.
_FIRST = """
CREATE TEMP TABLE first AS
WITH exposed AS (
    SELECT campaign, customer_id, epoch_ms(happened_at) AS at_ms, arm = 'treatment' AS treated, {visited}
    FROM read_parquet($exposures, union_by_name = true) WHERE epoch_ms(happened_at) < $as_of_ms
), moved AS (
    SELECT customer_id, epoch_ms(happened_at) AS at_ms, arg_max(to_segment_id, recorded_at) AS segment_id
    FROM read_parquet($moves) WHERE type = 'segment' GROUP BY ALL
), once AS (
    SELECT campaign, customer_id, min(at_ms) AS first_ms,
        arg_min(treated, 2 * at_ms + CAST(treated AS BIGINT)) AS treated,
        CAST(arg_min(visited, at_ms) AS DOUBLE) AS visited,
        CAST(arg_min(visited_before, at_ms) AS DOUBLE) AS visited_before,
        count(*) FILTER (WHERE treated) AS contacts, bool_or(treated) AND NOT bool_and(treated) AS switched
    FROM exposed GROUP BY ALL
)
SELECT once.*, named.segment_name AS segment
FROM once ASOF LEFT JOIN moved ON once.customer_id = moved.customer_id AND once.first_ms >= moved.at_ms
LEFT JOIN read_parquet($segments) AS named USING (segment_id)
"""
_LINES = """
CREATE TEMP TABLE lines AS
SELECT customer_id, epoch_ms(happened_at) AS at_ms, type, order_code, line_id,
    CASE type WHEN 'refund' THEN -CAST(amount AS DOUBLE) ELSE CAST(amount AS DOUBLE) END AS worth
FROM read_parquet($orders)
WHERE epoch_ms(happened_at) < $as_of_ms AND customer_id IN (SELECT customer_id FROM first)
"""
_COUNTED = """
CREATE TEMP TABLE counted AS
WITH ordered AS (
    SELECT customer_id, min(at_ms) AS at_ms FROM lines WHERE type = 'purchase'
    GROUP BY customer_id, order_code, CASE WHEN order_code IS NULL THEN line_id END
), bought AS (
    SELECT campaign, customer_id,
        count(*) FILTER (WHERE at_ms BETWEEN first_ms AND first_ms + $window_ms - 1) AS orders,
        count(*) FILTER (WHERE at_ms BETWEEN first_ms - $window_ms AND first_ms - 1) AS orders_before,
        bool_or(at_ms < first_ms) AS buyer
    FROM first JOIN ordered USING (customer_id) GROUP BY ALL
), paid AS (
    SELECT campaign, customer_id,
        sum(worth) FILTER (WHERE at_ms BETWEEN first_ms AND first_ms + $window_ms - 1) AS revenue,
        sum(worth) FILTER (WHERE at_ms BETWEEN first_ms - $window_ms AND first_ms - 1) AS revenue_before,
        sum(worth) FILTER (WHERE at_ms BETWEEN first_ms - $covariate_ms AND first_ms - 1) AS spend_before
    FROM first JOIN lines USING (customer_id) GROUP BY ALL
)
SELECT first.*, coalesce(revenue, 0) AS revenue, coalesce(revenue_before, 0) AS revenue_before,
    coalesce(spend_before, 0) AS spend_before, CAST(coalesce(orders, 0) AS DOUBLE) AS orders,
    CAST(coalesce(orders_before, 0) AS DOUBLE) AS orders_before, CAST(coalesce(orders, 0) > 0 AS DOUBLE) AS converted,
    CAST(coalesce(orders_before, 0) > 0 AS DOUBLE) AS converted_before, CAST(coalesce(buyer, false) AS DOUBLE) AS buyer,
    CAST(coalesce(buyer, false) AND coalesce(orders, 0) = 0 AS DOUBLE) AS churned
FROM first LEFT JOIN bought USING (campaign, customer_id) LEFT JOIN paid USING (campaign, customer_id)
"""
_CAMPAIGNS = """
WITH every AS (
    SELECT campaign, count(*) AS reached, list_contains(CAST($designed AS VARCHAR[]), campaign) AS is_designed
    FROM counted GROUP BY campaign
)
SELECT campaign FROM every
QUALIFY is_designed OR row_number() OVER (PARTITION BY is_designed ORDER BY reached DESC, campaign) <= $most
ORDER BY campaign
"""
_PAIRS = tuple(combinations_with_replacement(COLUMNS, 2))
_MOMENTS = f"""
SELECT treated, segment, count(*) AS n, sum(contacts) AS contacts,
    {", ".join(f"avg({name}) AS mean_{i}" for i, name in enumerate(COLUMNS))},
    {", ".join(f"covar_pop({a}, {b}) AS covariance_{i}" for i, (a, b) in enumerate(_PAIRS))}
FROM counted
WHERE campaign = $campaign AND first_ms >= $since_ms AND first_ms + $window_ms <= $as_of_ms
GROUP BY treated, segment
"""  # noqa: S608  # names of ours
_ASSIGNED = """
SELECT count(*) FILTER (WHERE treated) AS treatment, count(*) FILTER (WHERE NOT treated) AS control,
    count(*) FILTER (WHERE switched) AS switched
FROM counted WHERE campaign = $campaign AND first_ms >= $since_ms
"""
_TIMES = "SELECT first_ms FROM counted WHERE campaign = $campaign AND first_ms >= $since_ms ORDER BY first_ms"
_ELSEWHERE = """
SELECT other.campaign, own.treated, count(*) AS met FROM counted AS own JOIN counted AS other USING (customer_id)
WHERE own.campaign = $campaign AND own.first_ms >= $since_ms AND other.campaign <> own.campaign AND other.treated
    AND other.first_ms BETWEEN own.first_ms AND own.first_ms + $window_ms - 1
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Design:
    """How a campaign was planned."""

    planned: Planned | None = None
    since_ms: int = 0
    """Since when: who was exposed before, under another plan, is left out."""
    cost: Cost | None = None


def trials(tables: Tables, as_of_ms: int, window_days: int, designs: Mapping[str, Design]) -> list[Trial]:
    """Campaigns that anybody was exposed to before `as_of_ms`, over windows of `window_days`: all that are designed,
    and of the others the MOST_CAMPAIGNS that most customers were exposed to."""
    spans = {"window_ms": window_days * DAY_MS, "covariate_ms": COVARIATE_DAYS * DAY_MS, "as_of_ms": as_of_ms}
    with tables.opened(*NEEDED) as database:
        columns = _known(database)
        first = _FIRST.format(visited=_VISITED if columns >= VISITS else _UNKNOWN)
        for statement in (first, _LINES, _COUNTED):
            database.run(statement, **spans)
        campaigns = database.rows(_CAMPAIGNS, designed=[*designs], most=MOST_CAMPAIGNS)
        every = [(row["campaign"], designs.get(row["campaign"], Design())) for row in campaigns]
        counted = [_trial(database, campaign, window_days, design, spans) for campaign, design in every]
        return [replace(trial, columns=columns) for trial in counted]


def _known(database: Database) -> frozenset[str]:
    """The columns that the exports tell: of a date that two releases wrote, those that both do."""
    (row,) = database.rows(_FILES_WITH_VISITS)
    return frozenset(COLUMNS) - (VISITS if row["files"] < len(database.paths["exposures"]) else frozenset())


def _trial(database: Database, campaign: str, window_days: int, design: Design, spans: Mapping[str, int]) -> Trial:
    asked: dict[str, int | str] = {**spans, "campaign": campaign, "since_ms": design.since_ms}
    groups: dict[Group, Moments] = {}
    contacts = 0
    for row in database.rows(_MOMENTS, **asked):
        groups[TREATMENT if row["treated"] else CONTROL, row["segment"]] = _moments(row)
        contacts += int(row["contacts"]) if row["treated"] else 0
    (assigned,) = database.rows(_ASSIGNED, **asked)
    times = database.run(_TIMES, **asked).fetchnumpy()["first_ms"]
    return Trial(
        campaign,
        window_days,
        groups,
        np.asarray(times, np.int64),
        {arm: assigned[arm] for arm in (TREATMENT, CONTROL)},
        contacts=contacts,
        switched=assigned["switched"],
        elsewhere=_elsewhere(database, asked, assigned),
        planned=design.planned,
        cost=design.cost,
    )


def _moments(row: Mapping[str, float]) -> Moments:
    n = int(row["n"])
    at = {name: i for i, name in enumerate(COLUMNS)}
    mean = np.array([row[f"mean_{i}"] for i in range(len(COLUMNS))])
    scatter = np.zeros((len(COLUMNS), len(COLUMNS)))
    for i, (a, b) in enumerate(_PAIRS):
        scatter[at[a], at[b]] = scatter[at[b], at[a]] = n * row[f"covariance_{i}"]
    return Moments(n, mean, scatter)


def _elsewhere(
    database: Database, asked: Mapping[str, int | str], assigned: Mapping[str, int]
) -> dict[str, tuple[float, float]]:
    shares: dict[str, list[float]] = {}
    for row in database.rows(_ELSEWHERE, **asked):
        own = shares.setdefault(row["campaign"], [0.0, 0.0])
        arm = TREATMENT if row["treated"] else CONTROL
        own[0 if row["treated"] else 1] = row["met"] / assigned[arm]
    return {name: (treated, held_back) for name, (treated, held_back) in shares.items()}
