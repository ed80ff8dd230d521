"""How good probabilities are: as they themselves say, before anybody knows, and as it came out.

Calibrated probabilities say how good they are: the Brier score of p is p (1 - p) on the average, and of two customers
one of whom does it, that one has the higher probability as often as weighing each customer by p and by 1 - p says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.insight.tables import Tables

BINS = 1_000

_SAID = """
WITH told AS (
    SELECT customer_id, epoch_ms(snapshot_at) AS at_ms,
        CASE $target WHEN 'churn' THEN churn_probability ELSE conversion_probability END AS probability
    FROM read_parquet($customers)
    WHERE probability IS NOT NULL AND ($target <> 'churn' OR days_since_order IS NOT NULL)
), bought AS (
    SELECT DISTINCT customer_id FROM told JOIN read_parquet($orders) USING (customer_id)
    WHERE type = 'purchase' AND epoch_ms(happened_at) BETWEEN at_ms AND at_ms + $horizon_ms - 1
)
SELECT least($bins - 1, CAST(floor(probability * $bins) AS BIGINT)) AS bin, count(*) AS customers,
    sum(probability) AS said, sum(probability * (1 - probability)) AS unsure,
    sum(CASE WHEN ($target = 'churn') = (bought.customer_id IS NULL) THEN 1 ELSE 0 END) AS came,
    sum(CASE WHEN ($target = 'churn') = (bought.customer_id IS NULL) THEN (1 - probability) * (1 - probability)
        ELSE probability * probability END) AS error
FROM told LEFT JOIN bought USING (customer_id) GROUP BY bin ORDER BY bin
"""


def expected(probability: NDArray[np.floating[Any]]) -> dict[str, float | None]:
    """The AUC and the Brier score that probabilities [n] say of themselves; null where there are none."""
    at = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    said = np.bincount(at, probability, minlength=BINS)
    number = np.bincount(at, minlength=BINS)
    unsure = float((probability * (1 - probability)).mean()) if len(probability) else None
    return {"auc": auc(said, number - said), "brier": unsure}


def came_true(tables: Tables, target: str, horizon_days: int) -> dict[str, Any] | None:
    """The AUC and the Brier score of what was said, of `customers` as they were one horizon ago and `orders` as they
    are now, beside those that were expected of it; None where nothing was. `target` is `churn` or `conversion`."""
    with tables.opened("customers", "orders") as database:
        rows = database.rows(_SAID, target=target, bins=BINS, horizon_ms=horizon_days * DAY_MS)
    customers = sum(row["customers"] for row in rows)
    if not customers:
        return None
    return {
        "customers": customers,
        "auc": auc(_of(rows, "came"), _of(rows, "customers") - _of(rows, "came")),
        "brier": sum(row["error"] for row in rows) / customers,
        "expected_auc": auc(_of(rows, "said"), _of(rows, "customers") - _of(rows, "said")),
        "expected_brier": sum(row["unsure"] for row in rows) / customers,
    }


def auc(with_it: NDArray[np.floating[Any]], without: NDArray[np.floating[Any]]) -> float | None:
    """How often one of those with it is in a higher bin than one of those without, and half of ties; None where there
    are none of either. Both are numbers of customers by bin [n_bins], lowest first."""
    pairs = float(with_it.sum() * without.sum())
    if pairs <= 0:
        return None
    below = np.cumsum(without) - without
    return float((with_it * (below + without / 2)).sum()) / pairs


def _of(rows: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    return np.array([row[name] for row in rows], np.float64)
