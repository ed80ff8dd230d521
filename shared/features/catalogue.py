"""The feature catalogue: every feature's name, meaning, unit, window and formula, each in one place.

Shares and ratios are NaN where their base is empty: a customer who never filled a cart has no abandonment rate.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.features.columns import (
    ADD_TO_CART,
    DAY_MS,
    DESKTOP,
    MOBILE,
    MONEY_UNITS,
    TABLET,
    VIEW_ITEM,
)
from shared.features.history import Floats, History, Ints
from shared.features.state import Profiles

type Formula = Callable[[History, int | None], Floats | Ints]

_EVENING_HOUR = 18
_THURSDAY = 3  # 1970-01-01, counted from Monday


@dataclass(frozen=True, slots=True)
class Feature:
    """A number known of every customer at any instant."""

    name: str
    description: str
    unit: str
    window_days: int | None
    """Days before `as_of` that count; None is the whole history."""
    formula: Formula
    """Of a history and `window_days`, the value for each customer [n_profiles]."""


def _ratio(part: Floats | Ints, whole: Floats | Ints) -> Floats:
    whole = np.asarray(whole, np.float64)
    ratio: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return ratio


def _days_since(time_ms: Floats, history: History) -> Floats:
    return (history.as_of_ms - time_ms) / DAY_MS


def _net(history: History, days: int | None) -> Floats:
    return history.events.total(history.purchase_net - history.refund_net, days) / MONEY_UNITS


def _average_order(history: History, days: int | None) -> Floats:
    return _ratio(history.events.total(history.purchase_net, days) / MONEY_UNITS, history.orders.count(days))


def _order_intervals(history: History) -> tuple[Ints, Floats]:
    """Days between consecutive orders: (customer [m], days [m])."""
    owner, time = history.orders.owner, history.orders.time_ms
    same = owner[1:] == owner[:-1]
    return owner[1:][same], np.diff(time)[same] / DAY_MS


def _interval_mean(history: History) -> Floats:
    owner, days = _order_intervals(history)
    return _ratio(np.bincount(owner, days, minlength=history.n), np.bincount(owner, minlength=history.n))


def _interval_deviation(history: History) -> Floats:
    owner, days = _order_intervals(history)
    spread = (days - _interval_mean(history)[owner]) ** 2
    return np.sqrt(_ratio(np.bincount(owner, spread, minlength=history.n), np.bincount(owner, minlength=history.n)))


def _distinct_categories(history: History, days: int | None) -> Ints:
    return np.bincount(history.category_counts(days)[0], minlength=history.n)


def _category_entropy(history: History, days: int | None) -> Floats:
    """Shannon entropy in bits of the customer's events over categories."""
    owner, count = history.category_counts(days)
    share = count / np.bincount(owner, count, minlength=history.n)[owner]
    entropy = np.bincount(owner, -share * np.log2(share), minlength=history.n)
    return np.where(np.bincount(owner, minlength=history.n) > 0, entropy, np.nan)


def _visit_share(
    history: History, of: NDArray[np.bool_], days: int | None, base: NDArray[np.bool_] | None = None
) -> Floats:
    """Share of the visits in `base` (all where None) that are also in `of`."""
    visits = history.visits
    if base is None:
        return _ratio(visits.total(of, days), visits.count(days))
    return _ratio(visits.total(of & base, days), visits.total(base, days))


def _weekend(history: History) -> NDArray[np.bool_]:
    return (history.visits.time_ms // DAY_MS + _THURSDAY) % 7 >= 5


def _evening(history: History) -> NDArray[np.bool_]:
    return history.visits.time_ms % DAY_MS // 3_600_000 >= _EVENING_HOUR


def _windowed(name: str, description: str, unit: str, formula: Formula, *windows: int) -> list[Feature]:
    return [
        Feature(f"{name}_{days}d", f"{description} in the last {days} days", unit, days, formula) for days in windows
    ]


def _device(label: str, code: int) -> list[Feature]:
    return [
        *_windowed(
            f"{label}_share",
            f"Share of visits on a {label}",
            "share",
            lambda h, d: _visit_share(h, h.visits.device == code, d),
            365,
        ),
        *_windowed(
            f"{label}_conversion",
            f"Share of visits on a {label} with an order",
            "share",
            lambda h, d: _visit_share(h, h.visits.ordered, d, base=h.visits.device == code),
            365,
        ),
    ]


FEATURES: tuple[Feature, ...] = (
    # ---- Recency ----
    Feature(
        "days_since_visit",
        "Days since the last visit",
        "days",
        None,
        lambda h, _: _days_since(h.events.last(h.in_visit), h),
    ),
    Feature(
        "days_since_order",
        "Days since the last order",
        "days",
        None,
        lambda h, _: _days_since(h.events.last(h.purchases), h),
    ),
    Feature(
        "tenure", "Days since the customer was first seen", "days", None, lambda h, _: _days_since(h.events.first(), h)
    ),
    # ---- Frequency ----
    *_windowed("visits", "Visits", "visits", lambda h, d: h.visits.count(d), 30, 90, 365),
    *_windowed("active_days", "Days with a visit", "days", lambda h, d: h.active_days.count(d), 30, 90, 365),
    *_windowed("orders", "Orders", "orders", lambda h, d: h.orders.count(d), 30, 90, 365),
    Feature("order_interval_mean", "Average days between orders", "days", None, lambda h, _: _interval_mean(h)),
    Feature(
        "order_interval_deviation",
        "How irregular the days between orders are (standard deviation)",
        "days",
        None,
        lambda h, _: _interval_deviation(h),
    ),
    # ---- Monetary ----
    *_windowed("net_revenue", "Spend less refunds", "currency", _net, 30, 90, 365),
    *_windowed("average_order_value", "Average spend an order", "currency", _average_order, 30, 90, 365),
    *_windowed(
        "basket_size",
        "Average number of lines an order",
        "lines",
        lambda h, d: _ratio(h.events.total(h.purchases, d), h.orders.count(d)),
        365,
    ),
    # ---- Discount and returns ----
    *_windowed(
        "discount_share",
        "Share of the undiscounted price that discounts took off",
        "share",
        lambda h, d: _ratio(
            h.events.total(h.purchase_discount, d), h.events.total(h.purchase_net + h.purchase_discount, d)
        ),
        90,
        365,
    ),
    *_windowed(
        "refund_share",
        "Share of spend that was refunded",
        "share",
        lambda h, d: _ratio(h.events.total(h.refund_net, d), h.events.total(h.purchase_net, d)),
        365,
    ),
    # ---- Affinity ----
    *_windowed(
        "distinct_categories", "Different categories looked at or bought", "categories", _distinct_categories, 365
    ),
    *_windowed("category_entropy", "How evenly interest spreads over categories", "bits", _category_entropy, 365),
    # ---- Time of visit ----
    *_windowed(
        "weekend_share",
        "Share of visits on a Saturday or Sunday",
        "share",
        lambda h, d: _visit_share(h, _weekend(h), d),
        365,
    ),
    *_windowed(
        "evening_share",
        "Share of visits that begin after 18:00 UTC",
        "share",
        lambda h, d: _visit_share(h, _evening(h), d),
        365,
    ),
    # ---- Visit depth ----
    *_windowed(
        "visit_duration",
        "Average length of a visit",
        "seconds",
        lambda h, d: _ratio(h.visits.total(h.visits.duration_ms, d) / 1_000, h.visits.count(d)),
        90,
    ),
    # ---- Funnel ----
    *_windowed("views", "Product views", "views", lambda h, d: h.events.total(h.of_kind(VIEW_ITEM), d), 90),
    *_windowed(
        "carts", "Products put in the cart", "events", lambda h, d: h.events.total(h.of_kind(ADD_TO_CART), d), 90
    ),
    *_windowed(
        "click_to_cart",
        "Share of visits with a product view in which something was put in the cart",
        "share",
        lambda h, d: _visit_share(h, h.visits.carted, d, base=h.visits.viewed),
        90,
    ),
    *_windowed(
        "cart_to_order",
        "Visits with an order for every visit with a cart",
        "ratio",
        lambda h, d: _ratio(h.visits.total(h.visits.ordered, d), h.visits.total(h.visits.carted, d)),
        90,
    ),
    *_windowed(
        "cart_abandonment",
        "Share of visits with a cart that ended without an order",
        "share",
        lambda h, d: _visit_share(h, ~h.visits.ordered, d, base=h.visits.carted),
        90,
    ),
    # ---- Device ----
    *_device("mobile", MOBILE),
    *_device("desktop", DESKTOP),
    *_device("tablet", TABLET),
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

FEATURE_SET_HASH: str = hashlib.sha256(
    repr([(f.name, f.description, f.unit, f.window_days) for f in FEATURES]).encode()
).hexdigest()[:16]
"""Changes whenever the meaning of the feature matrix does; a model bundle carries the hash that it was trained on."""


def features(profiles: Profiles, as_of_ms: int) -> NDArray[np.float32]:
    """The feature matrix at `as_of_ms` (UTC milliseconds), from the events strictly before it.

    Returns float32 [n_profiles, len(FEATURES)] in the order of FEATURES; NaN where a feature is undefined.
    """
    history = History(profiles, as_of_ms)
    return np.column_stack(
        [np.asarray(feature.formula(history, feature.window_days), np.float32) for feature in FEATURES]
    )
