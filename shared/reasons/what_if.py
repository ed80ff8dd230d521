"""What would change a decision: the smallest change of one or two features that is within a customer's reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURE_NAMES
from shared.reasons.contributions import Reasons
from shared.reasons.nearest import Row
from shared.reasons.wording import ABOUT, instead

if TYPE_CHECKING:
    from shared.models.bundle import Bundle, Decisions

ACTING: Mapping[str, int] = {
    "visits_30d": 1,
    "active_days_30d": 1,
    "orders_30d": 1,
    "orders_90d": 1,
    "net_revenue_30d": 1,
    "net_revenue_90d": 1,
    "average_order_value_90d": 1,
    "basket_size_365d": 1,
    "views_30d": 1,
    "carts_30d": 1,
    "checkouts_90d": 1,
    "distinct_categories_90d": 1,
    "searches_90d": 1,
    "page_views_90d": 1,
    "email_opens_90d": 1,
    "email_clicks_90d": 1,
    "days_since_visit": -1,
    "days_since_order": -1,
    "order_overdue": -1,
    "days_since_cart": -1,
    "cart_abandonment_90d": -1,
}
"""What customers change by what they do, and whether doing it makes the number larger or smaller."""

WHOLE = frozenset({"visits", "orders", "days", "views", "events", "categories", "e-mails", "clicks"})
"""Units of which a customer has a whole number."""
STEPS, STEPS_OF_PAIRS = 12, 4
WORTH = "net_revenue_365d"
"""The better of two segments is the one whose typical customer has more of this."""
BETTER_SEGMENT, BELOW_CHURN_THRESHOLD = "better_segment", "below_churn_threshold"

type Option = tuple[tuple[int, float], ...]
"""Positions of features and the values they take."""


def what_would_change(x: Row, bundle: Bundle, reasons: Reasons) -> list[dict[str, Any]]:
    """For each goal that the customer `x` [n_features] has not reached, the smallest change that reaches it.

    A goal that no change of one feature reaches is tried with two; one that those do not reach either is left out.
    The size of a change is its share of the range that is within reach, from the 5th to the 95th of a hundred
    customers. The other features stay as they are, also where acting would move them too.
    """
    now = bundle.decide(x[None])
    wanted = goals(x, now, bundle.manifest)
    found: dict[str, dict[str, Any]] = {}
    for options in (_singles, _pairs):
        missing = [goal for goal in wanted if goal not in found]
        tried = options(_within_reach(x, reasons)) if missing else []
        if not tried:
            continue
        decided = bundle.decide(np.stack([changed(x, option) for option in tried]))
        sizes = np.array([_size(x, option, reasons) for option in tried])
        for goal in missing:
            reached = np.flatnonzero(reaches(goal, decided, now, bundle.manifest))
            if len(reached):
                best = reached[sizes[reached].argmin()]
                found[goal] = _answer(goal, x, tried[best], int(decided.segment[best]), decided, int(best))
    return [found[goal] for goal in wanted if goal in found]


def changed(x: Row, option: Option) -> Row:
    """The customer with the option's features at their new values."""
    other = x.copy()
    for j, value in option:
        other[j] = value
    return other


def better_segments(segment: int, manifest: Mapping[str, Any]) -> list[int]:
    """The segments whose typical customer spends more within a year than that of `segment`."""
    worth = {entry["id"]: entry.get("profile", {}).get(WORTH) for entry in manifest["segments"]}
    own = worth.get(segment)
    return [other for other, spend in worth.items() if own is not None and spend is not None and spend > own]


def goals(x: Row, now: Decisions, manifest: Mapping[str, Any]) -> list[str]:
    """The goals that the customer `x` [n_features], of whom `now` was decided, has not reached."""
    goals = [BETTER_SEGMENT] if better_segments(int(now.segment[0]), manifest) else []
    threshold = manifest["thresholds"].get("likely_to_churn")
    ordered = not np.isnan(x[FEATURE_NAMES.index("days_since_order")])
    if now.churn_probability is not None and threshold is not None and ordered:
        goals += [BELOW_CHURN_THRESHOLD] if now.churn_probability[0] >= threshold else []
    return goals


def reaches(goal: str, decided: Decisions, now: Decisions, manifest: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether each of the decisions `decided` [n] reaches the goal of the customer of whom `now` was decided."""
    reaches: NDArray[np.bool_]
    if goal == BETTER_SEGMENT:
        reaches = np.isin(decided.segment, better_segments(int(now.segment[0]), manifest))
    else:
        assert decided.churn_probability is not None
        reaches = decided.churn_probability < manifest["thresholds"]["likely_to_churn"]
    return reaches


def _within_reach(x: Row, reasons: Reasons) -> dict[int, NDArray[np.float32]]:
    """New values of each feature that acting can change, the nearest first."""
    found = {}
    for name, direction in ACTING.items():
        if name not in FEATURE_NAMES:
            continue
        j = FEATURE_NAMES.index(name)
        limit = reasons.high[j] if direction > 0 else max(0.0, float(reasons.low[j]))
        if not (limit - x[j]) * direction > 0:  # undefined, or at the end of the range already
            continue
        values = np.linspace(x[j], limit, STEPS + 1)[1:]
        if ABOUT[name].unit in WHOLE and direction > 0:
            values = np.unique(np.ceil(values))
        found[j] = values.astype(np.float32)
    return found


def _singles(reach: Mapping[int, NDArray[np.float32]]) -> list[Option]:
    return [((j, value),) for j, values in reach.items() for value in values.tolist()]


def _pairs(reach: Mapping[int, NDArray[np.float32]]) -> list[Option]:
    some = {j: values[:: -max(1, len(values) // STEPS_OF_PAIRS)].tolist() for j, values in reach.items()}
    return [((i, u), (j, v)) for i, j in combinations(some, 2) for u in some[i] for v in some[j]]


def _size(x: Row, option: Option, reasons: Reasons) -> float:
    return sum(abs(value - float(x[j])) / max(float(reasons.high[j] - reasons.low[j]), 1e-6) for j, value in option)


def _answer(goal: str, x: Row, option: Option, segment: int, decided: Decisions, at: int) -> dict[str, Any]:
    changes: Sequence[dict[str, Any]] = [
        {
            "feature": FEATURE_NAMES[j],
            "from": float(x[j]),
            "to": value,
            "text": instead(FEATURE_NAMES[j], float(x[j]), value),
        }
        for j, value in option
    ]
    churn = {} if decided.churn_probability is None else {"churn_probability": float(decided.churn_probability[at])}
    return {"goal": goal, "changes": changes, "segment": segment, **churn}
