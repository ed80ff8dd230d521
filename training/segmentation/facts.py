"""What is typical of some customers, in facts that segments are named after."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURE_NAMES, FEATURES

type Facts = Mapping[str, float]
"""What is typical of some customers, by the name of a feature or of one of DERIVED.

Of shares that is the mean, since one customer's is often 0 or 1; of all else the median, since a few customers' is
often huge. Customers of whom it is undefined do not count."""

DERIVED: Mapping[str, tuple[str, str]] = {
    "orders_per_visit": ("Orders for every visit in the last 365 days", "ratio"),
    "views_per_visit": ("Product views a visit in the last 90 days", "views"),
    "brands_per_category": ("Different brands in each category looked at or bought in the last 365 days", "brands"),
    "missed_visits": ("Time since the last visit, in usual gaps between visits", "gaps"),
    "order_gap_variation": ("Deviation of the times between orders from their mean, over that mean", "index"),
    "order_pace": ("Orders a day of the last 90 days, for each of the last 365 days", "ratio"),
    "visit_pace": ("Visits a day of the last 90 days, for each of the last 365 days", "ratio"),
}
"""Description and unit of further facts, made from features."""

AVERAGED = ("share",)
"""Units of which the mean is typical; all lie between 0 and 1."""

DESCRIPTIONS: Mapping[str, tuple[str, str]] = {f.name: (f.shown, f.unit) for f in FEATURES} | dict(DERIVED)
UNITS: Mapping[str, str] = {name: unit for name, (_, unit) in DESCRIPTIONS.items()}


def facts_of(X: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Every fact of each of the customers X [n, len(FEATURE_NAMES)], by name [n each]; NaN where it is undefined."""
    value = dict(zip(FEATURE_NAMES, X.T.astype(np.float64), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = (value["tenure"] - value["days_since_visit"]) / (value["visits_lifetime"] - 1)
        return value | {
            "orders_per_visit": value["orders_365d"] / value["visits_365d"],
            "views_per_visit": value["views_90d"] / value["visits_90d"],
            "brands_per_category": value["distinct_brands_365d"] / value["distinct_categories_365d"],
            "missed_visits": value["days_since_visit"] / np.where(gap > 0, gap, np.nan),
            "order_gap_variation": value["order_interval_deviation"] / value["order_interval_mean"],
            "order_pace": value["orders_90d"] / 90 / (value["orders_365d"] / np.minimum(365, value["tenure"])),
            "visit_pace": value["visits_90d"] / 90 / (value["visits_365d"] / np.minimum(365, value["tenure"])),
        }


def facts(X: NDArray[np.float32]) -> dict[str, float]:
    """What is typical of the customers X [n, len(FEATURE_NAMES)]; NaN where it is defined for none of them."""
    return {name: typical(name, column) for name, column in facts_of(X).items()}


def typical(fact: str, values: NDArray[Any]) -> float:
    """What is typical of customers of whom the fact has these values [n]; NaN where it is defined for none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.nan
    return float(known.mean() if UNITS[fact] in AVERAGED else np.median(known))
