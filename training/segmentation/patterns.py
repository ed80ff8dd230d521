"""The patterns of behaviour that segments are named after, each with what must be true of whoever bears its name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURE_NAMES, FEATURES

type Facts = Mapping[str, float]
"""What is typical of some customers, of each feature and of DERIVED, over those where it is defined: the mean of shares
and ratios, since one customer's is often 0 or 1, and the median of all else, since a few customers' is often huge."""

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


@dataclass(frozen=True)
class Is:
    """A test of one fact, in its own unit and beside what is typical of everybody; all bounds given must hold."""

    fact: str
    least: float | None = None
    most: float | None = None
    times: float | None = None
    """At least this many times what is typical of everybody."""
    times_at_most: float | None = None
    everyone: float | None = None
    """What is typical of everybody must be at least this: otherwise the fact tells nobody apart."""

    def strength(self, own: Facts, everyone: Facts, ease: float = 0.0) -> float | None:
        """How far beyond its bounds the fact lies, from 0 to 1; None where it does not pass or is unknown.

        With `ease`, bounds are met that much short of them, as a share.
        """
        value, usual = own[self.fact], everyone[self.fact]
        if np.isnan(value) or np.isnan(usual) or (self.everyone is not None and usual < self.everyone):
            return None
        # Anything is many times nothing, and nothing no less than nothing.
        if usual <= 0 and (self.times_at_most is not None or (self.times is not None and self.least is None)):
            return None
        lows = [bound for bound in (self.least, self.times and self.times * usual) if bound is not None]
        highs = [bound for bound in (self.most, self.times_at_most and self.times_at_most * usual) if bound is not None]
        if any(value < low * (1 - ease) for low in lows) or any(value > high * (1 + ease) for high in highs):
            return None
        room = 1.0 if UNITS[self.fact] == "share" else np.inf
        beyond = [(value - low) / max(min(low, room - low), 1e-9) for low in lows]
        beyond += [(high - value) / max(high, 1e-9) for high in highs]
        return float(np.clip(min(beyond, default=0.0), 0, 1))


@dataclass(frozen=True)
class Pattern:
    """A name, or a word before one, and what must be true of a segment that bears it."""

    name: str
    topics: frozenset[str]
    """What it speaks of: a word and a name of one topic do not go together."""
    tests: tuple[Is, ...]
    weight: float = 0.0
    """Between names that are all true, the one of the larger weight says more."""

    def strength(self, own: Facts, everyone: Facts, ease: float = 0.0) -> float | None:
        """From 0 (barely) to 1; None where it is not true, bounds eased by that share."""
        found = [test.strength(own, everyone, ease) for test in self.tests]
        known = [strength for strength in found if strength is not None]
        if len(known) < len(found):
            return None
        return float(np.mean(known)) if known else 0.0


def _pattern(name: str, topics: str, *tests: Is, weight: float = 0.0) -> Pattern:
    return Pattern(name, frozenset(topics.split()), tests, weight)


NAMES: tuple[Pattern, ...] = (
    _pattern("Newcomers", "recency tenure", Is("tenure", most=45, times_at_most=0.5), weight=9),
    _pattern(
        "One-time big spenders",
        "frequency money basket",
        Is("orders_lifetime", least=1, most=1),
        Is("average_order_value_365d", times=1.7),
        weight=9,
    ),
    # One Christmas must lie far enough back that all other months had their chance.
    _pattern(
        "Seasonal gift buyers",
        "season",
        Is("last_quarter_order_share_365d", least=0.6, times=1.5),
        Is("tenure", least=270),
        Is("orders_lifetime", least=2),
        weight=9,
    ),
    _pattern(
        "Lapsing customers",
        "recency",
        Is("days_since_visit", least=30, times=2),
        Is("missed_visits", least=2),
        Is("orders_lifetime", least=2),
        weight=8,
    ),
    _pattern(
        "Style browsers",
        "depth variety frequency",
        Is("views_per_visit", least=2, times=1.5),
        Is("visit_duration_90d", times=1.5),
        Is("brands_per_category", least=1.5, times=1.4),
        Is("orders_per_visit", most=0.25, times_at_most=0.7),
        weight=7,
    ),
    _pattern(
        "Frequent browsers who rarely buy",
        "depth frequency money basket",
        Is("visits_90d", least=3, times=1.2),
        Is("views_90d", least=3),
        Is("orders_per_visit", most=0.1, times_at_most=0.4, everyone=0.001),
        weight=7,
    ),
    _pattern(
        "Frequent browsers who have not bought",
        "depth frequency money basket discount",
        Is("visits_90d", least=3, times=1.2),
        Is("views_90d", least=3),
        Is("orders_lifetime", most=0),
        weight=6.5,
    ),
    _pattern(
        "Discount seekers",
        "discount",
        Is("discount_share_365d", least=0.15, times=1.5),
        Is("orders_lifetime", least=2),
        weight=6,
    ),
    _pattern(
        "Discount seekers",
        "discount",
        Is("discounted_line_share_365d", least=0.5, times=1.8),
        Is("discount_share_365d", least=0.1),
        Is("orders_lifetime", least=2),
        weight=6,
    ),
    _pattern(
        "Cart abandoners",
        "funnel frequency",
        Is("cart_abandonment_90d", least=0.7, times=1.3),
        Is("carts_90d", least=1),
        weight=5.5,
    ),
    _pattern(
        "Frequent returners",
        "returns",
        Is("refund_share_365d", least=0.2, times=2),
        Is("refunds_365d", least=2),
        weight=5.5,
    ),
    _pattern("Weekend shoppers", "weekday", Is("weekend_share_365d", least=0.6, times=1.5), weight=5),
    _pattern(
        "Loyal regulars",
        "frequency",
        Is("orders_365d", least=6, times=1.4),
        Is("tenure", least=180),
        Is("missed_visits", most=4),
        weight=4.5,
    ),
    _pattern("Top spenders", "money", Is("net_revenue_365d", times=2), Is("orders_lifetime", least=2), weight=4),
    _pattern("Evening shoppers", "hour", Is("evening_share_365d", least=0.6, times=1.5), weight=3.5),
    _pattern(
        "Big-basket shoppers",
        "basket money",
        Is("average_order_value_365d", times=1.6),
        Is("orders_lifetime", least=2),
        weight=3,
    ),
    _pattern(
        "Little-and-often shoppers",
        "basket frequency money",
        Is("average_order_value_365d", times_at_most=0.75),
        Is("orders_365d", least=4, times=1.1),
        weight=3.5,
    ),
    _pattern("One-time buyers", "frequency", Is("orders_lifetime", least=1, most=1), weight=3),
    _pattern(
        "Passing visitors",
        "frequency depth money basket discount",
        Is("visits_lifetime", most=1),
        Is("orders_lifetime", most=0),
        weight=3,
    ),
    _pattern(
        "Occasional shoppers",
        "frequency",
        Is("orders_365d", least=1, most=12, times_at_most=0.6),
        Is("orders_lifetime", least=2),
        weight=2.5,
    ),
    _pattern("Less frequent shoppers", "frequency", Is("orders_365d", least=2, times_at_most=0.6), weight=2),
    _pattern("Lookers who have not bought", "frequency money basket discount", Is("orders_lifetime", most=0), weight=2),
    _pattern("Regular shoppers", "frequency", Is("orders_365d", least=2, times=0.6), weight=1.5),
    _pattern("Customers", "", weight=1),
)
"""The last is true of anybody."""

WORDS: tuple[Pattern, ...] = (
    _pattern("Weekend", "weekday", Is("weekend_share_365d", least=0.6, times=1.5)),
    _pattern("Weekday", "weekday", Is("weekend_share_365d", most=0.1, everyone=0.2)),
    _pattern("Evening", "hour", Is("evening_share_365d", least=0.6, times=1.5)),
    _pattern("Morning", "hour", Is("morning_share_365d", least=0.6, times=1.5)),
    _pattern("Night-time", "hour", Is("night_share_365d", least=0.4, times=1.5)),
    _pattern("Daytime", "hour", Is("evening_share_365d", most=0.1, everyone=0.2)),
    _pattern("Mobile", "device", Is("mobile_share_365d", least=0.75, times=1.25)),
    _pattern("Desktop", "device", Is("desktop_share_365d", least=0.75, times=1.25)),
    _pattern("Tablet", "device", Is("tablet_share_365d", least=0.6, times=1.5)),
    _pattern("Direct", "channel", Is("direct_share_365d", least=0.6, times=1.5)),
    _pattern("Search-led", "channel", Is("search_share_365d", least=0.6, times=1.5)),
    _pattern("Advert-led", "channel", Is("advertising_share_365d", least=0.4, times=1.5)),
    _pattern("Social-media", "channel", Is("social_share_365d", least=0.4, times=1.5)),
    _pattern("E-mail-led", "channel", Is("message_share_365d", least=0.4, times=1.5)),
    _pattern("Referred", "channel", Is("referral_share_365d", least=0.4, times=1.5)),
    _pattern("App", "channel", Is("app_share_365d", least=0.6, times=1.25)),
    _pattern("In-store", "channel", Is("store_share_365d", least=0.6, times=1.25)),
    _pattern("Discount-seeking", "discount", Is("discount_share_365d", least=0.1, times=1.4)),
    _pattern("Full-price", "discount", Is("discount_share_365d", times_at_most=0.4, everyone=0.05)),
    _pattern("High-spending", "money", Is("net_revenue_365d", times=1.8)),
    _pattern("Low-spending", "money", Is("net_revenue_365d", times_at_most=0.5)),
    _pattern("Big-basket", "basket", Is("basket_size_365d", times=1.4)),
    _pattern("Big-basket", "basket", Is("average_order_value_365d", times=1.4)),
    _pattern("Small-basket", "basket", Is("basket_size_365d", times_at_most=0.75), Is("orders_365d", least=1)),
    _pattern("Small-basket", "basket", Is("average_order_value_365d", times_at_most=0.75), Is("orders_365d", least=1)),
    _pattern("Very frequent", "frequency", Is("orders_365d", least=4, times=2.5)),
    _pattern("Returning", "frequency", Is("visits_lifetime", least=2, times=1.5)),
    _pattern("Seldom seen", "frequency", Is("visits_365d", times_at_most=0.5)),
    _pattern("Recent", "recency", Is("days_since_visit", most=14, times_at_most=0.4)),
    _pattern("Long-gone", "recency", Is("days_since_visit", least=45, times=1.5)),
    _pattern("Long-standing", "tenure", Is("tenure", least=180, times=1.5)),
    _pattern("Fresh", "tenure", Is("tenure", most=60, times_at_most=0.5)),
    _pattern("Wide-ranging", "variety", Is("distinct_categories_365d", least=3, times=1.5)),
    _pattern("Single-category", "variety", Is("distinct_categories_365d", least=1, most=1, everyone=1.5)),
    _pattern("Thorough", "depth", Is("visit_duration_90d", times=1.8)),
    _pattern("Hurried", "depth", Is("visit_duration_90d", times_at_most=0.4, everyone=30)),
    _pattern("E-mail-reading", "content", Is("email_opens_90d", least=2, times=2)),
)
"""Words that go before a name where they are true; those with a weight also where the name alone would do."""


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
