"""The patterns of behaviour that segments are named after, each with what must be true of whoever bears its name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.segmentation.facts import Facts

type Values = NDArray[np.float64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """What one fact of a customer must be, in its own unit and beside what is typical of everybody; all bounds given
    must hold. Undefined is none of that."""

    fact: str
    least: float | None = None
    most: float | None = None
    times: float | None = None
    """At least this many times what is typical of everybody."""
    times_at_most: float | None = None
    everyone: float | None = None
    """What is typical of everybody must be at least this: otherwise the fact tells nobody apart."""
    or_undefined: bool = False
    """Whether the fact may also be undefined."""

    def holds(self, values: Values, usual: float) -> Mask:
        """Of which customers it is true [n]: the fact has these `values` [n], and is `usual` for everybody."""
        nobody = np.zeros(len(values), bool)
        if np.isnan(usual) or (self.everyone is not None and usual < self.everyone):
            return nobody
        # Anything is many times nothing, and nothing no less than nothing.
        if usual <= 0 and (self.times_at_most is not None or (self.times is not None and self.least is None)):
            return nobody
        lows = [bound for bound in (self.least, self.times and self.times * usual) if bound is not None]
        highs = [bound for bound in (self.most, self.times_at_most and self.times_at_most * usual) if bound is not None]
        within: Mask = (values >= max(lows, default=-np.inf)) & (values <= min(highs, default=np.inf))
        return within | np.isnan(values) if self.or_undefined else within


@dataclass(frozen=True)
class Pattern:
    """A name, or a word before one, and what must be true of a customer in a segment that bears it."""

    name: str
    topics: frozenset[str]
    """What it speaks of: a word and a name of one topic do not go together."""
    conditions: tuple[Condition, ...]
    weight: float = 0.0
    """Between names that are all true, the one of the larger weight says more."""

    def holds(self, values: Mapping[str, Values], everyone: Facts) -> Mask:
        """Of which customers it is true [n], whose facts have these `values` [n each]."""
        true = np.ones(len(next(iter(values.values()))), bool)
        for condition in self.conditions:
            true &= condition.holds(values[condition.fact], everyone[condition.fact])
        return true


def _pattern(name: str, topics: str, *conditions: Condition, weight: float = 0.0) -> Pattern:
    return Pattern(name, frozenset(topics.split()), conditions, weight)


HABIT = (Condition("visits_365d", least=3),)
"""Fewer visits make no habit of a day or an hour."""
WEEKEND = Condition("weekend_share_365d", least=0.6, times=1.5)
EVENING = Condition("evening_share_365d", least=0.6, times=1.5)
ONCE_A_YEAR = (Condition("orders_365d", least=1, most=1), Condition("tenure", least=365))
BOUGHT_LATELY = Condition("orders_365d", least=1)
BOUGHT_ONCE = (Condition("orders_lifetime", least=1, most=1),)
BOUGHT_AGAIN = (Condition("orders_lifetime", least=2),)
NEVER_BOUGHT = (Condition("orders_lifetime", most=0),)

NAMES: tuple[Pattern, ...] = (
    _pattern("Newcomers", "recency tenure", Condition("tenure", most=45, times_at_most=0.5), weight=9),
    _pattern(
        "One-time big spenders",
        "frequency money basket",
        *BOUGHT_ONCE,
        Condition("average_order_value_365d", times=1.7),
        weight=9,
    ),
    # One Christmas must lie far enough back that all other months had their chance.
    _pattern(
        "Seasonal gift buyers",
        "season trend",
        Condition("last_quarter_order_share_365d", least=0.5, times=1.5),
        Condition("tenure", least=240),
        *BOUGHT_AGAIN,
        weight=9,
    ),
    _pattern(
        "Lapsing customers",
        "recency trend",
        Condition("days_since_visit", least=30, times=2),
        Condition("missed_visits", least=2),
        *BOUGHT_AGAIN,
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
        Condition("visits_90d", least=3, times=1),
        Condition("views_90d", least=3),
        Condition("orders_per_visit", most=0.1, times_at_most=0.4, everyone=0.001),
        weight=7,
    ),
    _pattern(
        "Frequent browsers who have not bought",
        "depth frequency money basket discount",
        Condition("visits_90d", least=3, times=1),
        Condition("views_90d", least=3),
        Condition("orders_lifetime", most=0),
        weight=6.5,
    ),
    _pattern(
        "Discount seekers", "discount", Condition("discount_share_365d", least=0.15, times=1.5), *BOUGHT_AGAIN, weight=6
    ),
    _pattern(
        "Discount seekers",
        "discount",
        Condition("discounted_line_share_365d", least=0.5, times=1.8),
        Condition("discount_share_365d", least=0.1),
        *BOUGHT_AGAIN,
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
    _pattern("Weekend shoppers", "weekday", *HABIT, *BOUGHT_AGAIN, WEEKEND, weight=5),
    _pattern(
        "Loyal regulars",
        "frequency trend",
        Condition("orders_365d", least=6, times=1.4),
        Condition("tenure", least=180),
        Condition("missed_visits", most=4),
        Condition("order_pace", least=0.6),
        weight=4.5,
    ),
    _pattern(
        "First-time buyers of late", "frequency recency", *BOUGHT_ONCE, Condition("days_since_order", most=60), weight=4
    ),
    _pattern(
        "One-time buyers of long ago",
        "frequency recency",
        *BOUGHT_ONCE,
        Condition("days_since_order", least=180),
        weight=4,
    ),
    _pattern("Top spenders", "money", Condition("net_revenue_365d", times=2), *BOUGHT_AGAIN, weight=4),
    _pattern("Evening shoppers", "hour", *HABIT, *BOUGHT_AGAIN, EVENING, weight=3.5),
    _pattern(
        "Big-basket shoppers", "basket money", Condition("average_order_value_365d", times=1.6), *BOUGHT_AGAIN, weight=3
    ),
    _pattern(
        "Little-and-often shoppers",
        "basket frequency money",
        Condition("average_order_value_365d", times_at_most=0.75),
        Condition("orders_365d", least=4, times=1.1),
        weight=3.5,
    ),
    _pattern("One-time buyers", "frequency", *BOUGHT_ONCE, weight=3),
    _pattern(
        "Passing visitors",
        "frequency depth money basket discount",
        Condition("visits_lifetime", most=1),
        *NEVER_BOUGHT,
        Condition("visit_duration_90d", times_at_most=1.5, or_undefined=True),
        weight=3,
    ),
    _pattern(
        "Visitors who came back and have not bought",
        "frequency money basket discount",
        Condition("visits_lifetime", least=2),
        *NEVER_BOUGHT,
        weight=2.5,
    ),
    _pattern(
        "One-time visitors",
        "frequency money basket discount",
        Condition("visits_lifetime", most=1),
        *NEVER_BOUGHT,
        weight=2.5,
    ),
    _pattern(
        "Occasional shoppers",
        "frequency",
        Condition("orders_365d", least=1, most=12, times_at_most=0.6),
        *BOUGHT_AGAIN,
        weight=2.5,
    ),
    _pattern("Frequent shoppers", "frequency", Condition("orders_365d", least=6, times=1.3), weight=2.5),
    _pattern("Less frequent shoppers", "frequency", Condition("orders_365d", least=2, times_at_most=0.6), weight=2),
    _pattern("Lookers who have not bought", "frequency money basket discount", *NEVER_BOUGHT, weight=2),
    _pattern(
        "Regular shoppers",
        "frequency trend",
        Condition("orders_365d", least=4),
        Condition("order_gap_variation", most=1),
        Condition("order_overdue", most=2),
        weight=2,
    ),
    _pattern("Once-a-year buyers", "frequency", *ONCE_A_YEAR, *BOUGHT_AGAIN, weight=1.9),
    _pattern("Now-and-then buyers", "frequency", Condition("orders_365d", least=1, most=2), *BOUGHT_AGAIN, weight=1.8),
    _pattern(
        "Several-times-a-year buyers",
        "frequency",
        Condition("orders_365d", least=3, most=12),
        *BOUGHT_AGAIN,
        weight=1.8,
    ),
    _pattern(
        "Repeat buyers of late",
        "frequency recency",
        Condition("days_since_order", most=30, times_at_most=0.5),
        *BOUGHT_AGAIN,
        weight=1.7,
    ),
    _pattern("Repeat buyers", "frequency", *BOUGHT_AGAIN, weight=1.5),
    _pattern(
        "Long-silent buyers",
        "frequency recency",
        Condition("days_since_order", least=180, times=1),
        Condition("orders_lifetime", least=1),
        weight=1.3,
    ),
    _pattern("Buyers", "frequency", Condition("orders_lifetime", least=1), weight=1.2),
    _pattern("Customers", "", weight=1),
)
"""The last is true of anybody."""

WORDS: tuple[Pattern, ...] = (
    _pattern("Weekend", "weekday", *HABIT, WEEKEND),
    _pattern("Weekday", "weekday", *HABIT, Condition("weekend_share_365d", most=0.1, everyone=0.2)),
    _pattern("Evening", "hour", *HABIT, EVENING),
    _pattern("Morning", "hour", *HABIT, Condition("morning_share_365d", least=0.6, times=1.5)),
    _pattern("Night-time", "hour", *HABIT, Condition("night_share_365d", least=0.4, times=1.5)),
    _pattern("Daytime", "hour", *HABIT, Condition("evening_share_365d", most=0.1, everyone=0.2)),
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
    _pattern("Small-basket", "basket", Condition("basket_size_365d", times_at_most=0.75), BOUGHT_LATELY),
    _pattern("Small-basket", "basket", Condition("average_order_value_365d", times_at_most=0.75), BOUGHT_LATELY),
    _pattern("Very frequent", "frequency", Condition("orders_365d", least=4, times=2.5)),
    _pattern("Returning", "frequency", Condition("visits_lifetime", least=2, times=1.5)),
    _pattern("Declining", "trend", Condition("orders_365d", least=4), Condition("order_pace", most=0.5), weight=1),
    _pattern(
        "Growing",
        "trend",
        Condition("orders_365d", least=4),
        Condition("tenure", least=180),
        Condition("order_pace", least=1.5),
        weight=1,
    ),
    _pattern("Fading", "trend recency", *HABIT, Condition("tenure", least=180), Condition("visit_pace", most=0.4)),
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
