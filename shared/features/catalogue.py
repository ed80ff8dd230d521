"""The feature catalogue: every feature's name, meaning, unit, window and formula, each in one place."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.features import formulas as f
from shared.features.columns import (
    ADD_TO_CART,
    ADVERTISING,
    APP,
    BEGIN_CHECKOUT,
    DESKTOP,
    DIRECT,
    EMAIL_CLICK,
    EMAIL_OPEN,
    MESSAGE,
    MOBILE,
    PAGE_VIEW,
    REFERRAL,
    REFUND,
    SEARCH,
    SEARCH_ENGINE,
    SOCIAL,
    STORE,
    TABLET,
    VIEW_ITEM,
)
from shared.features.definitions import Definition, set_hash
from shared.features.history import Formula, History
from shared.features.state import Profiles
from shared.features.time_zone import UTC_TIME, TimeZone
from shared.features.timeline import Floats, Ints

type Value = Callable[[History], Floats]

EVER = None
"""The window that holds the whole history."""
OR_BEFORE = ", or ever where these hold "
"""Between what a feature says of its window, and of what there is to be in it for that to count."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A number known of every customer at any instant."""

    name: str
    description: str
    unit: str
    group: str
    window_days: int | None
    """Days before the instant that count; None is the whole history."""
    formula: Formula
    """Of a history and `window_days`, the value for each customer [n_profiles]; NaN where it is undefined."""
    revision: int = 1
    """One more whenever the formula gives other values than before: bundles trained on those are refused then."""
    grows_daily: bool = False
    """Whether it grows by one a day as long as nothing happens: a time since something, in days."""
    superseded: "Feature | None" = None
    """What it was before, for bundles that were trained on that."""

    @property
    def shown(self) -> str:
        """The description in short, for people: what it says of UTC holds for the shop's own time, whichever that is, and
        where a window holds too little, what came before it is meant as well."""
        return self.description.replace(" UTC", "").partition(OR_BEFORE)[0]

    @property
    def definition(self) -> Definition:
        """What makes it the same feature in two releases."""
        return Definition(self.name, self.description, self.unit, self.window_days, self.revision)


@dataclass(frozen=True, slots=True)
class _Group:
    name: str

    def one(self, name: str, description: str, unit: str, formula: Value, revision: int = 1) -> Feature:
        """A feature that looks at the whole history by its nature."""
        return Feature(name, description, unit, self.name, EVER, lambda history, _: formula(history), revision)

    def days_since(self, name: str, description: str, happened_ms: Value) -> Feature:
        """The days from the instant that `happened_ms` gives of each customer, which go on growing by themselves."""
        return replace(self.one(name, description, "days", lambda h: f.days_since(h, happened_ms(h))), grows_daily=True)

    def over(
        self,
        windows: tuple[int | None, ...],
        name: str,
        description: str,
        unit: str,
        formula: Formula,
        revision: int = 1,
    ) -> Iterator[Feature]:
        """The same feature over several windows."""
        for days in windows:
            suffix, when = ("lifetime", "ever") if days is EVER else (f"{days}d", f"in the last {days} days")
            yield Feature(f"{name}_{suffix}", f"{description} {when}", unit, self.name, days, formula, revision)

    def known(self, *given: Any) -> Iterator[Feature]:
        """The same as `over`, but of the whole history for those of whom it is undefined in the window: they have been
        away for long, and are known nevertheless. Who never did anything to tell it by is not."""
        for feature in self.over(*given):
            yield _instead(feature, f.or_ever(feature.formula), "none")

    def habit(self, seen: Formula, *given: Any) -> Iterator[Feature]:
        """The same, but of something that is a habit only after a few times: of the whole history where the window holds
        too few, by the count of `seen`, and undefined where that does as well."""
        for feature in self.over(*given):
            yield _instead(feature, f.habit(feature.formula, seen), "fewer than three")


def _instead(feature: Feature, formula: Formula, least: str) -> Feature:
    """The feature by another formula, in place of what it was."""
    description = f"{feature.description}{OR_BEFORE}{least}"
    return replace(feature, description=description, formula=formula, revision=2, superseded=feature)


_recency, _frequency, _monetary = _Group("Recency"), _Group("Frequency"), _Group("Monetary")
_visit, _funnel = _Group("Visit depth and duration"), _Group("Funnel")
_device, _channel = _Group("Device"), _Group("Channel")
_time, _hour = _Group("Time"), _Group("Hour")
_discount, _affinity = _Group("Discount and promotion"), _Group("Affinity")
_content, _returns, _trend = _Group("Content and e-mail"), _Group("Returns"), _Group("Trend")


def _of_device(label: str, code: int) -> Iterator[Feature]:
    yield from _device.known(
        (365,),
        f"{label}_share",
        f"Share of visits on a {label}",
        "share",
        lambda h, d: f.visit_share(h, h.visits.device == code, d),
    )
    yield from _device.known(
        (365,),
        f"{label}_conversion",
        f"Share of visits on a {label} with an order",
        "share",
        lambda h, d: f.visit_share(h, h.visits.ordered, d, base=h.visits.device == code),
    )


def _through(label: str, how: str, code: int) -> Iterator[Feature]:
    return _channel.known(
        (365,),
        f"{label}_share",
        f"Share of visits {how}",
        "share",
        lambda h, d: f.ratio(h.visits.total(h.visits.channel == code, d), h.known_channel.count(d)),
    )


def _in_quarter(label: str, when: str, quarter: int, group: _Group) -> Iterator[Feature]:
    return group.habit(
        f.visits,
        (365,),
        f"{label}_share",
        f"Share of visits begun {when}",
        "share",
        lambda h, d: f.visit_share(h, f.in_quarter(h, quarter), d),
    )


# fmt: off
FEATURES: tuple[Feature, ...] = (
    _recency.days_since("days_since_visit", "Days since the last visit", lambda h: h.visiting.last()),
    _recency.days_since("days_since_order", "Days since the last order", lambda h: h.purchases.last()),
    _recency.days_since("days_since_first_order", "Days since the first order", lambda h: h.orders.first()),
    _recency.days_since("days_since_cart", "Days since something was last put in the cart", lambda h: h.of_kind(ADD_TO_CART).last()),
    _recency.days_since("tenure", "Days since the customer was first seen", lambda h: h.events.first()),

    *_frequency.over((7, 30, 90, 365, EVER), "visits", "Visits", "visits", lambda h, d: h.visits.count(d)),
    *_frequency.over((30, 90, 365), "active_days", "Days with a visit", "days", lambda h, d: h.active_days.count(d)),
    *_frequency.over((7, 30, 90, 365, EVER), "orders", "Orders", "orders", lambda h, d: h.orders.count(d)),
    _frequency.one("order_interval_mean", "Average days between orders", "days", f.order_interval_mean),
    replace(
        _frequency.one("order_interval_deviation", "How irregular the days between orders are (standard deviation), from four orders on", "days", f.steady_interval_deviation, 2),
        superseded=_frequency.one("order_interval_deviation", "How irregular the days between orders are (standard deviation)", "days", f.order_interval_deviation),
    ),
    _frequency.one("order_overdue", "Time since the last order, in usual gaps between orders", "gaps", f.order_overdue),

    *_monetary.over((7, 30, 90, 365, EVER), "net_revenue", "Spend less refunds", "currency", f.net_revenue),
    *_monetary.known((30, 90, 365), "average_order_value", "Average spend an order", "currency", f.average_order_value),
    *_monetary.known((365,), "basket_size", "Average number of lines an order", "lines", f.basket_size),

    *_visit.known((30, 90), "visit_duration", "Average length of a visit", "seconds", lambda h, d: f.per_visit(h, h.visits.duration_ms, d) / 1_000),
    *_visit.known((90,), "visit_depth", "Average number of events a visit", "events", lambda h, d: f.per_visit(h, h.visits.events, d)),
    *_visit.known((90,), "bounce_share", "Share of visits with a single event", "share", lambda h, d: f.visit_share(h, h.visits.events == 1, d)),

    *_funnel.over((30, 90), "views", "Product views", "views", lambda h, d: f.events_of(h, VIEW_ITEM, d)),
    *_funnel.over((30, 90), "carts", "Products put in the cart", "events", lambda h, d: f.events_of(h, ADD_TO_CART, d)),
    *_funnel.over((90,), "checkouts", "Checkouts begun", "events", lambda h, d: f.events_of(h, BEGIN_CHECKOUT, d)),
    *_funnel.known((90,), "click_to_cart", "Share of visits with a product view in which something was put in the cart", "share", lambda h, d: f.visit_share(h, h.visits.carted, d, base=h.visits.viewed)),
    *_funnel.known((90,), "cart_to_order", "Visits with an order for every visit with a cart", "ratio", lambda h, d: f.ratio(h.visits.total(h.visits.ordered, d), h.visits.total(h.visits.carted, d))),
    *_funnel.known((30, 90), "cart_abandonment", "Share of visits with a cart that ended without an order", "share", lambda h, d: f.visit_share(h, ~h.visits.ordered, d, base=h.visits.carted)),
    *_funnel.known((90,), "browse_to_buy", "Share of visits with a product view that led to an order", "share", lambda h, d: f.visit_share(h, h.visits.ordered, d, base=h.visits.viewed)),

    *_of_device("mobile", MOBILE),
    *_of_device("desktop", DESKTOP),
    *_of_device("tablet", TABLET),

    *_through("direct", "straight to the shop", DIRECT),
    *_through("search", "from search engines", SEARCH_ENGINE),
    *_through("advertising", "from advertising", ADVERTISING),
    *_through("social", "from social media", SOCIAL),
    *_through("message", "from e-mails, texts and push messages", MESSAGE),
    *_through("referral", "from other sites and partners", REFERRAL),
    *_through("app", "in the app", APP),
    *_through("store", "in a store", STORE),

    *_time.habit(f.visits, (365,), "weekend_share", "Share of visits on a Saturday or Sunday", "share", lambda h, d: f.visit_share(h, f.on_weekend(h), d)),
    *_in_quarter("evening", "after 18:00 UTC", 3, _time),
    *_time.habit(f.visits, (365,), "weekday_concentration", "How much visits keep to the same days of the week (1 is a single day)", "index", f.weekday_concentration),
    *_time.habit(f.orders, (365,), "last_quarter_order_share", "Share of orders placed in October to December", "share", f.last_quarter_share),
    *_time.habit(f.gaps_of_visits, (365,), "burstiness", "How much visits come in bursts (-1 like clockwork, 0 at random, 1 in bursts)", "index", f.burstiness),

    # Beside the evening, for predictions: in segments the four would say one thing four times.
    *_in_quarter("night", "before 06:00 UTC", 0, _hour),
    *_in_quarter("morning", "from 06:00 to 12:00 UTC", 1, _hour),
    *_in_quarter("afternoon", "from 12:00 to 18:00 UTC", 2, _hour),

    *_discount.known((90, 365), "discount_share", "Share of the undiscounted price that discounts took off", "share", f.discount_share),
    *_discount.known((365,), "discounted_line_share", "Share of purchased lines with a discount", "share", f.discounted_line_share),
    *_discount.known((90,), "promotion_click_share", "Share of visits with a click on a promotion", "share", lambda h, d: f.visit_share(h, h.visits.promoted, d)),

    *_affinity.known((365,), "top_category_share", "Share of interest in the favourite category", "share", f.top_category_share),
    *_affinity.over((90, 365), "distinct_categories", "Different categories looked at or bought", "categories", lambda h, d: f.distinct(h, "category", d)),
    *_affinity.known((365,), "category_entropy", "How evenly interest spreads over categories", "bits", f.category_entropy),
    *_affinity.over((365,), "distinct_brands", "Different brands looked at or bought", "brands", lambda h, d: f.distinct(h, "brand", d)),

    *_content.over((90,), "page_views", "Pages viewed", "views", lambda h, d: f.events_of(h, PAGE_VIEW, d)),
    *_content.over((90,), "searches", "Searches", "events", lambda h, d: f.events_of(h, SEARCH, d)),
    *_content.over((90,), "email_opens", "E-mails opened", "e-mails", lambda h, d: f.events_of(h, EMAIL_OPEN, d)),
    *_content.over((90,), "email_clicks", "Clicks in e-mails", "clicks", lambda h, d: f.events_of(h, EMAIL_CLICK, d)),
    *_content.known((90,), "email_click_rate", "Clicks for every e-mail opened", "ratio", lambda h, d: f.per_event(h, EMAIL_CLICK, EMAIL_OPEN, d)),

    *_returns.over((365,), "refunds", "Refunds", "refunds", lambda h, d: f.events_of(h, REFUND, d)),
    *_returns.known((365,), "refund_share", "Share of spend that was refunded", "share", f.refund_share),

    _trend.one("visits_trend", "Visits of the last 30 days less the average of the two months before", "visits", lambda h: f.trend(h.visits.count(30), h.visits.count(90))),
    _trend.one("orders_trend", "Orders of the last 30 days less the average of the two months before", "orders", lambda h: f.trend(h.orders.count(30), h.orders.count(90))),
    _trend.one("net_revenue_trend", "Spend of the last 30 days less the average of the two months before", "currency", lambda h: f.trend(f.net_revenue(h, 30), f.net_revenue(h, 90))),
)
# fmt: on

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

COMPUTED: tuple[Feature, ...] = (*FEATURES, *(f.superseded for f in FEATURES if f.superseded))
"""The features, and after them those that some were before, by the same names: for bundles that need them."""

DEFINITIONS: tuple[Definition, ...] = tuple(feature.definition for feature in FEATURES)
"""What each feature is, in the order of FEATURES: a bundle carries those it was trained on."""

KNOWN_DEFINITIONS: tuple[Definition, ...] = tuple(feature.definition for feature in COMPUTED)
"""What can be computed, in the order of COMPUTED: a bundle may need nothing else."""

FEATURE_SET_HASH: str = set_hash(DEFINITIONS)
"""Changes whenever the meaning of the feature matrix does: by this the release before knows the bundles it can run."""


def features(
    profiles: Profiles, as_of_ms: int | Ints, zone: TimeZone = UTC_TIME, of: Sequence[Feature] = FEATURES
) -> NDArray[np.float32]:
    """The feature matrix at `as_of_ms` (UTC milliseconds), from the events strictly before it; the instant is one for
    all profiles, or one each [n_profiles]. Hours, weekdays, months and days are those of the shop's `zone`.

    Returns float32 [n_profiles, len(of)] in the order of `of`; NaN where a feature is undefined.
    """
    history = History(profiles, as_of_ms, zone)
    matrix = np.empty((len(profiles), len(of)), np.float32)
    for j, feature in enumerate(of):
        matrix[:, j] = history.value(feature.formula, feature.window_days)
    return matrix


def computed_for(columns: Sequence[int]) -> Sequence[Feature]:
    """What has to be computed for features at these places among COMPUTED: FEATURES, and all only where one of them was
    superseded."""
    return COMPUTED if max(columns, default=0) >= len(FEATURES) else FEATURES


def top_categories(profiles: Profiles, as_of_ms: int, most: int = 3, days: int | None = 365) -> list[list[str]]:
    """Each customer's favourite categories by name, the most frequent first, names in order between equals."""
    history = History(profiles, as_of_ms)
    counts = history.counts_of("category", days)
    names = [profiles.category_names[code] for code in counts.code.tolist()]
    favourites: list[list[str]] = [[] for _ in range(len(profiles))]
    for owner, _, name in sorted(zip(counts.owner.tolist(), (-counts.count).tolist(), names, strict=True)):
        if len(favourites[owner]) < most:
            favourites[owner].append(name)
    return favourites
