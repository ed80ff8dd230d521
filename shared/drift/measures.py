"""What is watched for drift, measured alike in training and every night: of customers what they are, of days what came.

Features, predictions and segments are those of a sample of the customers who did something within ACTIVE_DAYS, at an
instant. What came is looked at day by day, each the 24 hours before an instant: what kinds of events, what lines and
orders amounted to, and how many of those customers came at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features import EVENT_TYPES, MONEY_UNITS, PURCHASE
from shared.features.columns import CAMPAIGN_EXPOSURE

if TYPE_CHECKING:
    from shared.features import Profiles
    from shared.models.bundle import Bundle

ACTIVE_DAYS = 90
MOST_CUSTOMERS = 20_000
"""Whose histories are looked at: of more, a sample. An index worth an alarm is found among far fewer."""
MOST_ROWS = 2_000
"""Of customers at an instant that lies in the past of training; at a night's, all of the sample."""

FEATURE, PREDICTION, EVENTS, ORDERS, REFUSED = "feature", "prediction", "events", "orders", "refused"
SEGMENT = f"{PREDICTION}/segment"
TYPES = f"{EVENTS}/types"
CAME = f"{EVENTS}/came"
LINE = f"{ORDERS}/line"
BASKET = f"{ORDERS}/basket"
PRICE = f"{ORDERS}/product_price"
"""Lines beside what the same product usually came to: prices change long before the amounts of all lines tell. As the
lines of a day may be few, they are those of the last days that have ENOUGH_LINES together."""
REASONS = f"{REFUSED}/reasons"
"""Why lines were refused, beside those that were not."""

LINES_BEFORE = 20
"""Of a product, on days before, which tell what a line of it usually comes to."""
LEAST_LINES_BEFORE = 3
MEDIANS_AT_ONCE = 100_000
"""Of a product and day each, which bounds the memory."""
ENOUGH_LINES = 30
MOST_DAYS = 7
"""That are taken together, however few lines they have."""

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Values:
    """Of one measure, what was seen: a number each, NaN where undefined, or where there are `labels` which of them."""

    value: Floats
    """[n]"""
    days_ago: Ints
    """The day that each belongs to, 0 being the last one [n]."""
    labels: tuple[str, ...] | None = None

    def of(self, day: int) -> Floats:
        """Those of one day."""
        own: Floats = self.value[self.days_ago == day]
        return own


def sampled(profiles: Profiles, seed: int) -> Profiles:
    """MOST_CUSTOMERS of them at the most."""
    return profiles if len(profiles) <= MOST_CUSTOMERS else profiles.take(drawn(len(profiles), seed))


def drawn(customers: int, seed: int) -> Ints:
    """Which of so many customers are looked at, by their index, ascending."""
    if customers <= MOST_CUSTOMERS:
        return np.arange(customers)
    return np.sort(np.random.default_rng(seed).choice(customers, MOST_CUSTOMERS, replace=False))


def customers(profiles: Profiles, bundle: Bundle, at_ms: int, most: int = MOST_CUSTOMERS) -> dict[str, Values]:
    """What the customers are at an instant who did something in ACTIVE_DAYS before it, `most` of them."""
    active = np.flatnonzero(_active(profiles, at_ms))
    if len(active) > most:
        active = np.sort(np.random.default_rng(at_ms % 2**32).choice(active, most, replace=False))
    known = bundle.features_at(profiles.take(active), at_ms)
    decided = bundle.decide(known)
    own = bundle.own(known)
    seen = {f"{FEATURE}/{name}": own[:, j] for j, name in enumerate(bundle.features)}
    seen |= {f"{PREDICTION}/{name}": values for name, values in decided.predictions.items()}
    ids = np.array([segment["id"] for segment in bundle.manifest["segments"]])
    day = np.zeros(len(active), np.int64)
    segment = (decided.segment[:, None] == ids).argmax(axis=1).astype(np.float64)
    by_name = {name: Values(values.astype(np.float64), day) for name, values in seen.items()}
    return by_name | {SEGMENT: Values(segment, day, tuple(map(str, ids.tolist())))}


def days(profiles: Profiles, as_of_ms: int, number: int) -> dict[str, Values]:
    """What came on each of a number of days, the last of which ends at an instant (UTC milliseconds)."""
    rows = profiles.rows
    ago = (as_of_ms - 1 - rows.time_ms) // DAY_MS
    before = (rows.kind != CAMPAIGN_EXPOSURE) & (rows.kind < len(EVENT_TYPES)) & (ago >= 0)
    own = before & (ago < number)
    bought = own & (rows.kind == PURCHASE)
    owner = profiles.owner
    amount = rows.net[bought] / MONEY_UNITS
    basket, basket_ago = _baskets(owner[bought], rows.order[bought], amount, ago[bought])
    usual = before & (ago < number + ACTIVE_DAYS) & (rows.kind == PURCHASE) & (rows.net > 0) & (rows.product > 0)
    price, price_ago = _prices(rows.product[usual], rows.net[usual], ago[usual])
    price_at, price_ago = together(price_ago, number)
    came, came_ago = _came(owner, ago, len(profiles), number)
    return {
        TYPES: Values(rows.kind[own].astype(np.float64), ago[own], EVENT_TYPES),
        CAME: Values(came, came_ago, ("no", "yes")),
        LINE: Values(amount, ago[bought]),
        BASKET: Values(basket, basket_ago),
        PRICE: Values(price[price_at], price_ago),
    }


def tonight(profiles: Profiles, bundle: Bundle, at_ms: int) -> dict[str, Values]:
    """All of a night: what customers are at an instant, and what came on the day before it."""
    return customers(profiles, bundle, at_ms) | days(profiles, at_ms, 1)


def _active(profiles: Profiles, at_ms: int) -> NDArray[np.bool_]:
    time_ms = profiles.rows.time_ms
    recent = (time_ms < at_ms) & (time_ms >= at_ms - ACTIVE_DAYS * DAY_MS)
    active: NDArray[np.bool_] = np.bincount(profiles.owner[recent], minlength=len(profiles)) > 0
    return active


def _baskets(owner: Ints, order: NDArray[np.uint32], amount: Floats, ago: Ints) -> tuple[Floats, Ints]:
    """What each order amounts to, and its day; a line without an order's id is an order of its own."""
    alone = np.where(order == 0, np.arange(1, len(order) + 1), 0)
    keys = np.stack([owner, order.astype(np.int64), alone, ago])
    in_order = np.lexsort(keys)
    keys = keys[:, in_order]
    begins = np.flatnonzero(np.concatenate(([True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)))[: keys.shape[1]])
    return np.add.reduceat(amount[in_order], begins) if len(begins) else amount, keys[3, begins]


def _prices(product: NDArray[np.uint32], net: Ints, ago: Ints) -> tuple[Floats, Ints]:
    """The logarithm of each line over what lines of the same product came to on the days before, and its day; of those
    products alone that were bought before often enough.

    What they came to is their median: most lines are of one piece, and none of several moves it.
    """
    order = np.lexsort((-ago, product))
    product, ago = product[order], ago[order]
    logs = np.log(net[order])
    at = np.arange(len(product))
    another = np.concatenate(([True], product[1:] != product[:-1]))[: len(product)]
    next_day = another | np.concatenate(([True], ago[1:] != ago[:-1]))[: len(product)]
    today = np.flatnonzero(next_day)
    begin = np.maximum.accumulate(np.where(another, at, 0))[today]
    first = np.maximum(begin, today - LINES_BEFORE)
    number = today - first
    known = number >= LEAST_LINES_BEFORE
    usual = np.full(len(today), np.nan)
    usual[known] = _medians(logs, first[known], number[known])
    beside = logs - usual[np.cumsum(next_day) - 1]
    seen = ~np.isnan(beside)
    # What is the same to the cent is the same.
    return np.round(beside[seen], 3), ago[seen]


def _medians(values: Floats, first: Ints, number: Ints) -> Floats:
    """The lower median of `number` values from each `first` on, LINES_BEFORE at most [n]."""
    place = np.arange(LINES_BEFORE)
    medians = np.empty(len(first))
    for begin in range(0, len(first), MEDIANS_AT_ONCE):
        some = slice(begin, begin + MEDIANS_AT_ONCE)
        own = values[np.minimum(first[some, None] + place, len(values) - 1)]
        in_order = np.sort(np.where(place < number[some, None], own, np.inf), axis=1)
        medians[some] = np.take_along_axis(in_order, (number[some, None] - 1) // 2, axis=1)[:, 0]
    return medians


def together(ago: Ints, number: int) -> tuple[Ints, Ints]:
    """Which lines belong to each of a number of days, by their index and with that day: its own, and those of as many
    days before as it takes for ENOUGH_LINES, MOST_DAYS in all at most. `ago` is the day of each line."""
    until = np.concatenate(([0], np.cumsum(np.bincount(ago, minlength=number + MOST_DAYS))))
    day = np.arange(number)
    # Of each day, how many of the days before belong to it.
    more = np.sum([until[day + k] - until[day] < ENOUGH_LINES for k in range(1, MOST_DAYS)], axis=0)
    at_each = [np.flatnonzero((k <= ago) & (ago < number + k)) for k in range(MOST_DAYS)]
    at_each = [at[more[ago[at] - k] >= k] for k, at in enumerate(at_each)]
    return np.concatenate(at_each), np.concatenate([ago[at] - k for k, at in enumerate(at_each)])


def _came(owner: Ints, ago: Ints, customers: int, number: int) -> tuple[Floats, Ints]:
    """Of each day and customer who did something in ACTIVE_DAYS up to its end, 1 where they came on it, else 0."""
    length = number + ACTIVE_DAYS
    came = np.zeros((customers, length + 1), np.int32)
    own = (ago >= 0) & (ago < length)
    came[owner[own], ago[own]] = 1
    # Counted from the oldest day on, so that the days up to one are those behind it.
    counted = np.cumsum(came[:, ::-1], axis=1)[:, ::-1]
    active = counted[:, :number] - counted[:, ACTIVE_DAYS : ACTIVE_DAYS + number] > 0
    at, day = np.nonzero(active)
    return came[at, day].astype(np.float64), day.astype(np.int64)
