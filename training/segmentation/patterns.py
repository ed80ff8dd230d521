"""The patterns of behaviour that segments are named after, each with what must be true of whoever bears its name."""

from dataclasses import dataclass

import numpy as np

from training.segmentation.facts import UNITS, Facts


@dataclass(frozen=True)
class Condition:
    """What one fact must be, in its own unit and beside what is typical of everybody; all bounds given must hold."""

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
        value = own[self.fact]
        usual = everyone[self.fact]
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
    conditions: tuple[Condition, ...]
    weight: float = 0.0
    """Between names that are all true, the one of the larger weight says more."""

    def strength(self, own: Facts, everyone: Facts, ease: float = 0.0) -> float | None:
        """From 0 (barely) to 1; None where it is not true, bounds eased by that share."""
        strengths = [condition.strength(own, everyone, ease) for condition in self.conditions]
        held = [strength for strength in strengths if strength is not None]
        if len(held) < len(strengths):
            return None
        return float(np.mean(held)) if held else 0.0


def _pattern(name: str, topics: str, *conditions: Condition, weight: float = 0.0) -> Pattern:
    return Pattern(name, frozenset(topics.split()), conditions, weight)


NAMES: tuple[Pattern, ...] = (
    _pattern("Newcomers", "recency tenure", Condition("tenure", most=45, times_at_most=0.5), weight=9),
    _pattern(
        "One-time big spenders",
        "frequency money basket",
        Condition("orders_lifetime", least=1, most=1),
        Condition("average_order_value_365d", times=1.7),
        weight=9,
    ),
    # One Christmas must lie far enough back that all other months had their chance.
    _pattern(
        "Seasonal gift buyers",
        "season",
        Condition("last_quarter_order_share_365d", least=0.6, times=1.5),
        Condition("tenure", least=270),
        Condition("orders_lifetime", least=2),
        weight=9,
    ),
    _pattern(
        "Lapsing customers",
        "recency",
        Condition("days_since_visit", least=30, times=2),
        Condition("missed_visits", least=2),
        Condition("orders_lifetime", least=2),
        weight=8,
    ),
    _pattern(
        "Style browsers",
        "depth variety frequency",
        Condition("views_per_visit", least=2, times=1.5),
        Condition("visit_duration_90d", times=1.5),
        Condition("brands_per_category", least=1.5, times=1.4),
        Condition("orders_per_visit", most=0.25, times_at_most=0.7),
        weight=7,
    ),
    _pattern(
        "Frequent browsers who rarely buy",
        "depth frequency money basket",
        Condition("visits_90d", least=3, times=1.2),
        Condition("views_90d", least=3),
        Condition("orders_per_visit", most=0.1, times_at_most=0.4, everyone=0.001),
        weight=7,
    ),
    _pattern(
        "Frequent browsers who have not bought",
        "depth frequency money basket discount",
        Condition("visits_90d", least=3, times=1.2),
        Condition("views_90d", least=3),
        Condition("orders_lifetime", most=0),
        weight=6.5,
    ),
    _pattern(
        "Discount seekers",
        "discount",
        Condition("discount_share_365d", least=0.15, times=1.5),
        Condition("orders_lifetime", least=2),
        weight=6,
    ),
    _pattern(
        "Discount seekers",
        "discount",
        Condition("discounted_line_share_365d", least=0.5, times=1.8),
        Condition("discount_share_365d", least=0.1),
        Condition("orders_lifetime", least=2),
        weight=6,
    ),
    _pattern(
        "Cart abandoners",
        "funnel frequency",
        Condition("cart_abandonment_90d", least=0.7, times=1.3),
        Condition("carts_90d", least=1),
        weight=5.5,
    ),
    _pattern(
        "Frequent returners",
        "returns",
        Condition("refund_share_365d", least=0.2, times=2),
        Condition("refunds_365d", least=2),
        weight=5.5,
    ),
    _pattern("Weekend shoppers", "weekday", Condition("weekend_share_365d", least=0.6, times=1.5), weight=5),
    _pattern(
        "Loyal regulars",
        "frequency",
        Condition("orders_365d", least=6, times=1.4),
        Condition("tenure", least=180),
        Condition("missed_visits", most=4),
        weight=4.5,
    ),
    _pattern(
        "Top spenders", "money", Condition("net_revenue_365d", times=2), Condition("orders_lifetime", least=2), weight=4
    ),
    _pattern("Evening shoppers", "hour", Condition("evening_share_365d", least=0.6, times=1.5), weight=3.5),
    _pattern(
        "Big-basket shoppers",
        "basket money",
        Condition("average_order_value_365d", times=1.6),
        Condition("orders_lifetime", least=2),
        weight=3,
    ),
    _pattern(
        "Little-and-often shoppers",
        "basket frequency money",
        Condition("average_order_value_365d", times_at_most=0.75),
        Condition("orders_365d", least=4, times=1.1),
        weight=3.5,
    ),
    _pattern("One-time buyers", "frequency", Condition("orders_lifetime", least=1, most=1), weight=3),
    _pattern(
        "Passing visitors",
        "frequency depth money basket discount",
        Condition("visits_lifetime", most=1),
        Condition("orders_lifetime", most=0),
        weight=3,
    ),
    _pattern(
        "Occasional shoppers",
        "frequency",
        Condition("orders_365d", least=1, most=12, times_at_most=0.6),
        Condition("orders_lifetime", least=2),
        weight=2.5,
    ),
    _pattern("Less frequent shoppers", "frequency", Condition("orders_365d", least=2, times_at_most=0.6), weight=2),
    _pattern(
        "Lookers who have not bought", "frequency money basket discount", Condition("orders_lifetime", most=0), weight=2
    ),
    _pattern("Regular shoppers", "frequency", Condition("orders_365d", least=2, times=0.6), weight=1.5),
    _pattern("Customers", "", weight=1),
)
"""The last is true of anybody."""

WORDS: tuple[Pattern, ...] = (
    _pattern("Weekend", "weekday", Condition("weekend_share_365d", least=0.6, times=1.5)),
    _pattern("Weekday", "weekday", Condition("weekend_share_365d", most=0.1, everyone=0.2)),
    _pattern("Evening", "hour", Condition("evening_share_365d", least=0.6, times=1.5)),
    _pattern("Morning", "hour", Condition("morning_share_365d", least=0.6, times=1.5)),
    _pattern("Night-time", "hour", Condition("night_share_365d", least=0.4, times=1.5)),
    _pattern("Daytime", "hour", Condition("evening_share_365d", most=0.1, everyone=0.2)),
    _pattern("Mobile", "device", Condition("mobile_share_365d", least=0.75, times=1.25)),
    _pattern("Desktop", "device", Condition("desktop_share_365d", least=0.75, times=1.25)),
    _pattern("Tablet", "device", Condition("tablet_share_365d", least=0.6, times=1.5)),
    _pattern("Direct", "channel", Condition("direct_share_365d", least=0.6, times=1.5)),
    _pattern("Search-led", "channel", Condition("search_share_365d", least=0.6, times=1.5)),
    _pattern("Advert-led", "channel", Condition("advertising_share_365d", least=0.4, times=1.5)),
    _pattern("Social-media", "channel", Condition("social_share_365d", least=0.4, times=1.5)),
    _pattern("E-mail-led", "channel", Condition("message_share_365d", least=0.4, times=1.5)),
    _pattern("Referred", "channel", Condition("referral_share_365d", least=0.4, times=1.5)),
    _pattern("App", "channel", Condition("app_share_365d", least=0.6, times=1.25)),
    _pattern("In-store", "channel", Condition("store_share_365d", least=0.6, times=1.25)),
    _pattern("Discount-seeking", "discount", Condition("discount_share_365d", least=0.1, times=1.4)),
    _pattern("Full-price", "discount", Condition("discount_share_365d", times_at_most=0.4, everyone=0.05)),
    _pattern("High-spending", "money", Condition("net_revenue_365d", times=1.8)),
    _pattern("Low-spending", "money", Condition("net_revenue_365d", times_at_most=0.5)),
    _pattern("Big-basket", "basket", Condition("basket_size_365d", times=1.4)),
    _pattern("Big-basket", "basket", Condition("average_order_value_365d", times=1.4)),
    _pattern(
        "Small-basket", "basket", Condition("basket_size_365d", times_at_most=0.75), Condition("orders_365d", least=1)
    ),
    _pattern(
        "Small-basket",
        "basket",
        Condition("average_order_value_365d", times_at_most=0.75),
        Condition("orders_365d", least=1),
    ),
    _pattern("Very frequent", "frequency", Condition("orders_365d", least=4, times=2.5)),
    _pattern("Returning", "frequency", Condition("visits_lifetime", least=2, times=1.5)),
    _pattern("Seldom seen", "frequency", Condition("visits_365d", times_at_most=0.5)),
    _pattern("Recent", "recency", Condition("days_since_visit", most=14, times_at_most=0.4)),
    _pattern("Long-gone", "recency", Condition("days_since_visit", least=45, times=1.5)),
    _pattern("Long-standing", "tenure", Condition("tenure", least=180, times=1.5)),
    _pattern("Fresh", "tenure", Condition("tenure", most=60, times_at_most=0.5)),
    _pattern("Wide-ranging", "variety", Condition("distinct_categories_365d", least=3, times=1.5)),
    _pattern("Single-category", "variety", Condition("distinct_categories_365d", least=1, most=1, everyone=1.5)),
    _pattern("Thorough", "depth", Condition("visit_duration_90d", times=1.8)),
    _pattern("Hurried", "depth", Condition("visit_duration_90d", times_at_most=0.4, everyone=30)),
    _pattern("E-mail-reading", "content", Condition("email_opens_90d", least=2, times=2)),
)
"""Words that go before a name where they are true; those with a weight also where the name alone would do."""
