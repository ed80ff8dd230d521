"""What a shop would have a customer come to: a better segment, and a risk of leaving below the threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURE_NAMES
from shared.reasons.nearest import Row

if TYPE_CHECKING:
    from shared.models.bundle import Decisions

WORTH = "net_revenue_365d"
"""The better of two segments is the one whose typical customer has more of this."""
BETTER_SEGMENT = "better_segment"
BELOW_CHURN_THRESHOLD = "below_churn_threshold"


def better_segments(segment: int, manifest: Mapping[str, Any]) -> list[int]:
    """The segments whose typical customer spends more within a year than that of `segment`."""
    worth = {entry["id"]: entry.get("profile", {}).get(WORTH) for entry in manifest["segments"]}
    own = worth.get(segment)
    return [other for other, spend in worth.items() if own is not None and spend is not None and spend > own]


def goals(x: Row, now: Decisions, manifest: Mapping[str, Any]) -> list[str]:
    """The goals that the customer `x` [n_features], of whom `now` was decided, has not reached."""
    open_goals = [BETTER_SEGMENT] if better_segments(int(now.segment[0]), manifest) else []
    threshold = manifest["thresholds"].get("likely_to_churn")
    ordered = not np.isnan(x[FEATURE_NAMES.index("days_since_order")])
    if ordered and threshold is not None and now.churn_probability is not None:
        open_goals += [BELOW_CHURN_THRESHOLD] if now.churn_probability[0] >= threshold else []
    return open_goals


def reaches(goal: str, decided: Decisions, now: Decisions, manifest: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether each of the decisions `decided` [n] reaches the goal of the customer of whom `now` was decided."""
    reached: NDArray[np.bool_]
    if goal == BETTER_SEGMENT:
        reached = np.isin(decided.segment, better_segments(int(now.segment[0]), manifest))
    else:
        assert decided.churn_probability is not None
        reached = decided.churn_probability < manifest["thresholds"]["likely_to_churn"]
    return reached
