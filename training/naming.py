"""Names and sentences for segments, from what sets their customers apart."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from shared.features import FEATURES, Feature
from training.preparation import Matrix
from training.segments import Segmentation

NAMES: dict[str, dict[str, float]] = {
    "Loyal regulars": {"orders_365d": 1, "days_since_order": -1, "order_interval_mean": -1},
    "Top spenders": {"net_revenue_365d": 1, "net_revenue_90d": 1, "average_order_value_365d": 0.5},
    "Big-basket shoppers": {"basket_size_365d": 1, "average_order_value_365d": 1, "orders_365d": -0.3},
    "Little-and-often shoppers": {"basket_size_365d": -1, "average_order_value_365d": -1, "orders_365d": 0.7},
    "Occasional shoppers": {"orders_365d": -1, "order_interval_mean": 1, "tenure": 0.5},
    "Light shoppers": {"orders_365d": -1, "net_revenue_365d": -1, "average_order_value_365d": -0.5},
    "One-time big spenders": {"orders_365d": -0.7, "average_order_value_365d": 1, "days_since_order": 0.3},
    "Lapsing customers": {"days_since_visit": 1, "days_since_order": 1, "visits_30d": -0.7, "orders_30d": -0.7},
    "Slowing down": {"visits_trend": -1, "orders_trend": -1, "net_revenue_trend": -1},
    "Picking up": {"visits_trend": 1, "orders_trend": 1, "net_revenue_trend": 1},
    "Newcomers": {"tenure": -1.5, "days_since_visit": -0.3},
    "Discount seekers": {"discount_share_365d": 1.3, "discount_share_90d": 0.7},
    "Full-price shoppers": {"discount_share_365d": -1.2, "discount_share_90d": -0.6},
    "Weekend shoppers": {"weekend_share_365d": 1.5},
    "Weekday shoppers": {"weekend_share_365d": -1.2},
    "Evening shoppers": {"evening_share_365d": 1.5},
    "Daytime shoppers": {"evening_share_365d": -1.2},
    "Variety seekers": {"distinct_categories_365d": 1, "category_entropy_365d": 1},
    "Single-category shoppers": {"distinct_categories_365d": -1, "category_entropy_365d": -1},
    "Browsers who rarely buy": {"views_90d": 1, "visit_duration_90d": 0.7, "orders_90d": -1, "visits_90d": 0.7},
    "Frequent visitors": {"visits_30d": 1, "visits_90d": 1, "active_days_90d": 1, "orders_90d": -0.7},
    "Cart abandoners": {"cart_abandonment_90d": 1.2, "carts_90d": 0.8, "cart_to_order_90d": -0.5},
    "Decided buyers": {"cart_to_order_90d": 1, "click_to_cart_90d": 1, "cart_abandonment_90d": -1},
    "Mobile visitors": {"mobile_share_365d": 1.2, "desktop_share_365d": -0.6},
    "Desktop visitors": {"desktop_share_365d": 1.0, "mobile_share_365d": -0.5},
    "Tablet visitors": {"tablet_share_365d": 1.5},
    "Frequent returners": {"refund_share_365d": 1.5},
    "Passing visitors": {"visits_365d": -1, "visit_duration_90d": -0.7, "orders_365d": -0.5, "active_days_365d": -0.7},
}
"""How far above (positive) or below the average, in standard deviations, features speak for a name."""

TELLING = 3
"""Features named in a sentence."""


@dataclass(frozen=True)
class Segment:
    """An entry of the segment catalogue."""

    id: int
    name: str
    description: str
    size: int
    profile: dict[str, float | None]
    """Median of every feature, undefined values left out; null where all are."""

    def as_dict(self) -> dict[str, Any]:
        """The entry as the manifest holds it."""
        return {"id": self.id, "name": self.name, "description": self.description, "size": self.size} | {
            "profile": self.profile
        }


def catalogue(segmentation: Segmentation, X: Matrix) -> tuple[list[Segment], NDArray[np.float64]]:
    """The segments of the customers X [n, n_features], and how far each lies from the average customer in each
    feature, in standard deviations [n_segments, n_features]."""
    segment = segmentation.distances(X).argmin(axis=1)
    standardised = segmentation.prepare.transform(X)
    count = segmentation.chosen.segments
    heights = np.stack([standardised[segment == i].mean(axis=0) for i in range(count)]).astype(np.float64)
    heights -= standardised.mean(axis=0)
    typical = _medians(X)
    names = unique_names(heights)
    segments = []
    for i in range(count):
        own = X[segment == i]
        description = describe(heights[i], _medians(own), typical)
        profile = dict(zip((f.name for f in FEATURES), map(_number, _medians(own)), strict=True))
        segments.append(Segment(i, names[i], description, len(own), profile))
    return segments, heights


def describe(heights: NDArray[np.float64], own: NDArray[np.float64], typical: NDArray[np.float64]) -> str:
    """A sentence on what sets a segment apart: its own medians beside everybody's [n_features each]."""
    told: list[str] = []
    topics: set[str] = set()
    for j in np.argsort(-np.abs(heights), kind="stable"):
        feature, topic = FEATURES[j], _topic(FEATURES[j])
        here, usual = format_value(feature, own[j]), format_value(feature, typical[j])
        if topic in topics or here == usual or "none" in (here, usual):
            continue
        topics.add(topic)
        told.append(f"{_lower(feature.description)}: {here} (typical: {usual})")
        if len(told) == TELLING:
            break
    return f"{_upper('; '.join(told))}." if told else "Close to the average customer in every respect."


def format_value(feature: Feature, value: float) -> str:
    """A feature's value as a marketer reads it."""
    if np.isnan(value):
        return "none"
    if feature.unit == "share":
        return f"{value:.0%}"
    digits = 0 if abs(value) >= 10 or value == round(value) else 1
    number = f"{value:,.{digits}f}"
    return number + {"days": " day" if number == "1" else " days", "seconds": " s"}.get(feature.unit, "")


def unique_names(heights: NDArray[np.float64]) -> list[str]:
    """The names that together fit the segments' `heights` [n_segments, n_features] best, each used once.

    Segments beyond the names are numbered.
    """
    position = {feature.name: j for j, feature in enumerate(FEATURES)}
    fit = np.zeros((len(heights), max(len(NAMES), len(heights))))
    for n, wants in enumerate(NAMES.values()):
        known = {position[name]: weight for name, weight in wants.items() if name in position}
        weights = np.array(list(known.values()))
        if known:
            fit[:, n] = heights[:, list(known)] @ weights / np.linalg.norm(weights) ** 1.2
    chosen = linear_sum_assignment(-fit)[1]
    names = list(NAMES)
    return [names[n] if n < len(names) else f"Segment {i}" for i, n in enumerate(chosen)]


def _medians(X: Matrix) -> NDArray[np.float64]:
    return np.array([np.median(known) if len(known := column[~np.isnan(column)]) else np.nan for column in X.T])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


ALIKE = {
    "active_days": "visits",
    "orders": "visits",
    "order_interval_deviation": "order_interval_mean",
    "orders_trend": "visits_trend",
    "net_revenue_trend": "visits_trend",
    "days_since_first_order": "tenure",
    "visit_depth": "basket_size",
}
"""Features that say much the same as another: one word of them is enough."""


def _topic(feature: Feature) -> str:
    stem = re.sub(r"_(\d+d|lifetime)$", "", feature.name)
    return ALIKE.get(stem, stem)


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
