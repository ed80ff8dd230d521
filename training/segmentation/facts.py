"""What is typical of some customers, in facts that segments are named after."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURE_NAMES, FEATURES

type Facts = Mapping[str, float]
"""What is typical of some customers, by the name of a feature or of one of DERIVED.

Of shares and ratios that is the mean, since one customer's is often 0 or 1; of all else the median, since a few
customers' is often huge. Customers of whom it is undefined do not count."""

DERIVED: Mapping[str, tuple[str, str]] = {
    "orders_per_visit": ("Orders for every visit in the last 365 days", "ratio"),
    "views_per_visit": ("Product views a visit in the last 90 days", "views"),
    "brands_per_category": ("Different brands in each category looked at or bought in the last 365 days", "brands"),
    "missed_visits": ("Time since the last visit, in usual gaps between visits", "gaps"),
}
"""Description and unit of further facts, made from features."""

AVERAGED = ("share", "ratio")
"""Units of which the mean is typical."""

DESCRIPTIONS: Mapping[str, tuple[str, str]] = {f.name: (f.description, f.unit) for f in FEATURES} | dict(DERIVED)
UNITS: Mapping[str, str] = {name: unit for name, (_, unit) in DESCRIPTIONS.items()}


def facts(X: NDArray[np.float32]) -> dict[str, float]:
    """What is typical of the customers X [n, len(FEATURE_NAMES)]; NaN where it is defined for none of them."""
    value = dict(zip(FEATURE_NAMES, X.T.astype(np.float64), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = (value["tenure"] - value["days_since_visit"]) / (value["visits_lifetime"] - 1)
        value |= {
            "orders_per_visit": value["orders_365d"] / value["visits_365d"],
            "views_per_visit": value["views_90d"] / value["visits_90d"],
            "brands_per_category": value["distinct_brands_365d"] / value["distinct_categories_365d"],
            "missed_visits": value["days_since_visit"] / np.where(gap > 0, gap, np.nan),
        }
    known = {name: column[np.isfinite(column)] for name, column in value.items()}
    typical = {name: np.mean if UNITS[name] in AVERAGED else np.median for name in known}
    return {name: float(typical[name](values)) if len(values) else np.nan for name, values in known.items()}
