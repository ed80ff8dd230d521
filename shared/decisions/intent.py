"""Intent segments and next-best actions: plain rules over a decision, with thresholds that training chose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.decisions.outside import behaves_outside
from shared.features import FEATURE_NAMES
from shared.models.labels import ACTIONS as ACTIONS
from shared.models.labels import own_intents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.models.bundle import Decisions

type Thresholds = Mapping[str, float]


def intents(decisions: Decisions, features: NDArray[np.float32], manifest: Mapping[str, Any]) -> list[str]:
    """The intent of each row of `features` [n, n_known], decided with the thresholds of `manifest`.

    Rules that rest on a target which the bundle was trained without fit nobody; an offer for what is only predicted is
    not made to who behaves like nobody whom it was trained on.
    """
    thresholds: Thresholds = manifest["thresholds"]
    value = dict(zip(FEATURE_NAMES, features.T[: len(FEATURE_NAMES)], strict=True))
    nobody = np.zeros(len(decisions), bool)

    def above(predicted: NDArray[np.float32] | None, threshold: str) -> NDArray[np.bool_]:
        # A threshold that bundles of earlier releases lack marks nobody either.
        return nobody if predicted is None or threshold not in thresholds else predicted >= thresholds[threshold]

    # Comparisons with NaN are false: who never visited is not dormant, who never ordered cannot churn.
    known = ~behaves_outside(features, manifest)
    churning = above(decisions.churn_probability, "likely_to_churn") & (value["days_since_order"] >= 0)
    rules = {
        "dormant": value["days_since_visit"] >= thresholds["dormant_days"],
        # Who buys in any case needs no offer.
        "likely_to_convert": above(decisions.conversion_probability, "likely_to_convert")
        & ~above(decisions.conversion_probability, "sure_to_convert")
        & known,
        "high_value_newcomer": (value["tenure"] <= thresholds["newcomer_days"])
        & above(decisions.expected_ltv, "high_value")
        & known,
        "likely_to_churn": churning,
        **{
            name: above(decisions.predictions.get(output), name) & known
            for name, output in own_intents(manifest).items()
        },
        "loyal": (value["orders_365d"] >= thresholds["loyal_orders"])
        & ~above(decisions.churn_probability, "expected_to_leave"),
    }
    return np.select(list(rules.values()), list(rules), default="steady").tolist()  # type: ignore[no-any-return]
