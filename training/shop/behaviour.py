"""What the made-up shop's customers do, by their kind: when they come, what they look at, put in the cart and order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS, HOUR_MS
from training.shop.shoppers import CATEGORIES, CHANNELS, Shopper

OPENED = np.datetime64("2023-11-01", "ms")
DAYS = 458
"""15 months, to the end of January 2025, with two Christmases."""
STEPS = ("page_view", "search", "select_promotion", "view_item", "add_to_cart", "begin_checkout", "purchase")
"""The kinds of events of a visit, in the order they come."""
REFUND, EMAIL_OPEN, EMAIL_CLICK = range(len(STEPS), len(STEPS) + 3)
EVENT_TYPES = (*STEPS, "refund", "email_open", "email_click")
VIEW, PURCHASE = (STEPS.index(name) for name in ("view_item", "purchase"))
BRANDS = 20
"""Of a category."""
PRODUCTS = 25
"""Of a brand."""
JOINED_WITHIN_DAYS = 120
STEADY = 12.0
"""Shape of the gamma distribution of visit rates between customers of a kind: three tenths more or less are usual."""

type Ints = NDArray[np.int64]
type Floats = NDArray[np.float64]
type Columns = dict[str, NDArray[Any]]


# ---- When they come --------------------------------------------------------------------------------------------------


def _attendance(shopper: Shopper) -> Floats:
    """How many usual days have passed by the beginning of each day [DAYS + 1]: busy ones count for more."""
    day = OPENED.astype("datetime64[D]") + np.arange(DAYS)
    weekend = (day.astype(np.int64) + 3) % 7 >= 5
    month = day.astype("datetime64[M]").astype(np.int64) % 12 + 1
    weight = np.where(weekend, shopper.weekend / 2, (1 - shopper.weekend) / 5) * 7
    weight *= np.array([1.0, *(shopper.months.get(m, 1.0) for m in range(1, 13))])[month]
    return np.concatenate([[0.0], np.cumsum(weight)])


def _visits(shopper: Shopper, n: int, rng: np.random.Generator) -> tuple[Ints, Floats, NDArray[np.bool_]]:
    """Of `n` customers, each visit's customer [m], the day it is on [m], and whether it is the one of their single
    order [m], all in the order of customers and time."""
    opens = rng.uniform(0, JOINED_WITHIN_DAYS, n)
    closes = np.full(n, float(DAYS))
    if shopper.gone_for:
        closes -= rng.uniform(*shopper.gone_for, n)
    if shopper.once:
        opens = rng.uniform(DAYS - 330, DAYS - 45, n)
    passed = _attendance(shopper)
    days = np.arange(DAYS + 1.0)
    begin, end = np.interp(opens, days, passed), np.interp(closes, days, passed)
    rate = shopper.visits / 30 * rng.gamma(STEADY, 1 / STEADY, n)
    count = rng.poisson(rate * (end - begin)) + (0 if shopper.once else 1)
    owner = np.repeat(np.arange(n), count)
    day = np.interp(rng.uniform(begin[owner], end[owner]), passed, days)
    if shopper.once:
        looking = np.repeat(np.arange(n), 2 + rng.poisson(5.0, n))
        owner = np.concatenate([owner, looking])
        day = np.concatenate([day, opens[looking] - rng.exponential(8.0, len(looking)).clip(max=40.0)])
    order = np.lexsort((day, owner))
    owner, day = owner[order], day[order]
    last_before = (day < opens[owner]) & (
        np.append(day[1:] >= opens[owner[1:]], True) | (np.diff(owner, append=n) != 0)
    )
    return owner, np.floor(day), last_before & shopper.once


# ---- What they do ----------------------------------------------------------------------------------------------------


def events_of(shopper: Shopper, customers: Ints, products: Floats, rng: np.random.Generator) -> Columns:
    """All events of the customers, of one kind of shopper."""
    n = len(customers)
    owner, day, single = _visits(shopper, n, rng)
    count = _counts(shopper, len(owner), single, rng)
    shown = _Shown(shopper, owner, count[:, VIEW], n, rng)

    sizes = count.sum(axis=1)
    visit = np.repeat(np.arange(len(owner)), sizes)
    step = np.repeat(np.tile(np.arange(len(STEPS)), len(owner)), count.ravel())
    starts = np.cumsum(count.ravel()) - count.ravel()
    slot = np.arange(len(step)) - starts[visit * len(STEPS) + step]
    evening = rng.random(len(owner)) < shopper.evening
    hour = np.where(evening, rng.uniform(18, 23.3, len(owner)), 7 + 11 * rng.beta(2, 2, len(owner)))
    begins = day * DAY_MS + hour * HOUR_MS
    waits = rng.exponential(shopper.seconds * 1000, len(step)) + 1000
    elapsed = np.cumsum(waits)
    time_ms = begins[visit] + elapsed - elapsed[np.cumsum(sizes)[visit] - sizes[visit]]

    product = np.where(step >= VIEW, shown.product(visit, slot), -1)
    device = rng.choice(3, n, p=_devices(shopper))
    usual = rng.random(len(owner)) < 0.9
    on = np.where(usual, device[owner], rng.integers(0, 3, len(owner)))
    bought = step == PURCHASE
    off = np.where(rng.random(len(step)) < shopper.discounted, rng.beta(6, 6 / shopper.discount - 6, len(step)), 0.0)
    listed = np.where(product >= 0, products[product] * shopper.price, np.nan)
    inside = {
        "customer": owner[visit],
        "time_ms": time_ms,
        "type": step,
        "visit": visit,
        "order": np.where(bought, visit, -1),
        "product": product,
        "price": np.where(bought, listed * (1 - off), listed),
        "discount": np.where(bought, listed * off, np.nan),
        "device": on[visit],
        "channel": rng.choice(len(CHANNELS), len(owner), p=shopper.comes)[visit],
        "seconds": np.where(step == VIEW, waits / 1000, np.nan),
    }
    parts = inside, _refunds(shopper, inside, rng), _emails(shopper, owner, day, n, rng)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in inside}
    return columns | {"customer": customers[columns["customer"]]}


def _counts(shopper: Shopper, n: int, single: NDArray[np.bool_], rng: np.random.Generator) -> Ints:
    """Events of each step in each visit [n, len(STEPS)]."""
    ordered_lines = 1 + rng.poisson(shopper.lines - 1, n)
    carted = (rng.random(n) < shopper.carts) | single
    ordered = carted & ((rng.random(n) < shopper.orders) | single)
    lines = ordered_lines * ordered
    in_cart = ordered_lines * carted
    views = np.maximum(rng.poisson(shopper.views, n), in_cart)
    searches = rng.poisson(shopper.searches, n)
    promoted = rng.random(n) < shopper.promotions
    checkout = carted & (ordered | (rng.random(n) < 0.25))
    return np.stack([np.ones(n, int), searches, promoted, views, in_cart, checkout, lines], axis=1).astype(np.int64)


class _Shown:
    """The products that each visit looks at; what goes into the cart and the order are the first of them."""

    def __init__(self, shopper: Shopper, owner: Ints, views: Ints, n: int, rng: np.random.Generator) -> None:
        names = list(CATEGORIES)
        favourite = rng.choice([names.index(name) for name in shopper.likes], n)
        of = np.repeat(owner, views)
        elsewhere = rng.random(len(of)) >= shopper.focus
        category = np.where(elsewhere, rng.integers(0, len(names), len(of)), favourite[of])
        home = rng.integers(0, BRANDS, n)
        brand = (home[of] + rng.integers(0, shopper.brands, len(of))) % BRANDS
        self._products = (category * BRANDS + brand) * PRODUCTS + rng.integers(0, PRODUCTS, len(of))
        self._first = np.cumsum(views) - views

    def product(self, visit: Ints, slot: Ints) -> Ints:
        """The product in the `slot`-th place of each visit; any where the visit shows none."""
        if not len(self._products):
            return np.full(len(visit), -1)
        shown: Ints = self._products[np.minimum(self._first[visit] + slot, len(self._products) - 1)]
        return shown


def _devices(shopper: Shopper) -> list[float]:
    rest = 1 - shopper.mobile
    return [shopper.mobile, rest * 0.9, rest * 0.1]


def _refunds(shopper: Shopper, events: Columns, rng: np.random.Generator) -> Columns:
    """A line of some orders, given back within three weeks."""
    first_line = (events["type"] == PURCHASE) & (np.diff(events["order"], prepend=-1) != 0)
    at = np.flatnonzero(first_line)
    at = at[rng.random(len(at)) < shopper.refunds]
    later = events["time_ms"][at] + rng.uniform(2, 21, len(at)) * DAY_MS
    refunds = {name: column[at] for name, column in events.items()}
    return refunds | {
        "time_ms": later,
        "type": np.full(len(at), REFUND),
        "visit": np.full(len(at), -1),
        "discount": np.full(len(at), np.nan),
        "device": np.full(len(at), -1),
        "channel": np.full(len(at), -1),
    }


def _emails(shopper: Shopper, owner: Ints, day: Floats, n: int, rng: np.random.Generator) -> Columns:
    """E-mails opened, and some of them clicked a minute later, from the first visit to the last."""
    first, last = np.full(n, float(DAYS)), np.zeros(n)
    np.minimum.at(first, owner, day)
    np.maximum.at(last, owner, day)
    of = np.repeat(np.arange(n), rng.poisson(shopper.emails / 30 * (last - first + 1).clip(min=0)))
    opened = rng.uniform(first[of], last[of] + 1) * DAY_MS
    clicked = rng.random(len(of)) < shopper.clicks
    customer = np.concatenate([of, of[clicked]])
    time_ms = np.concatenate([opened, opened[clicked] + 60_000])
    kind = np.repeat([EMAIL_OPEN, EMAIL_CLICK], [len(of), int(clicked.sum())])
    none = np.full(len(customer), -1)
    unknown = np.full(len(customer), np.nan)
    return {"customer": customer, "time_ms": time_ms, "type": kind} | {
        "visit": none,
        "order": none,
        "product": none,
        "price": unknown,
        "discount": unknown,
        "device": none,
        "channel": none,
        "seconds": unknown,
    }
