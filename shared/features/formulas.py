"""The formulas behind the catalogue: each takes a history and a window in days (None is all of it) and gives a value
for every customer [n_profiles], NaN where it is undefined."""

import numpy as np

from shared.durations import DAY_MS, HOUR_MS
from shared.features.codec import category_hash
from shared.features.columns import EVENT_TYPES, MONEY_UNITS, PURCHASE
from shared.features.history import IN_VISIT, Coded, Formula, History
from shared.features.timeline import Floats, Ints, Mask, Timeline

Window = int | None

FEW = 3
"""Fewer times than this make no habit."""
_MONDAY_OFFSET = 3  # 1970-01-01 was a Thursday


def ratio(part: Floats | Ints, whole: Floats | Ints) -> Floats:
    """`part` [..., n] / `whole` [n], NaN where `whole` is not above zero."""
    quotient = np.empty(part.shape)
    quotient.fill(np.nan)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def days_since(history: History, time_ms: Floats) -> Floats:
    """Days from `time_ms` to the instant of the features."""
    return (history.as_of_ms - time_ms) / DAY_MS


# ---- Where a window holds too little ------------------------------------------------------------------------------


def or_ever(formula: Formula) -> Formula:
    """The formula, and of the whole history where it is undefined in the window."""

    def value(history: History, days: Window) -> Floats | Ints:
        recent = history.value(formula, days)
        return np.where(np.isnan(recent), history.value(formula, None), recent)

    return value


def habit(formula: Formula, seen: Formula) -> Formula:
    """The formula, of the whole history where `seen` counts too few in the window, and undefined where also in that."""

    def value(history: History, days: Window) -> Floats | Ints:
        recent = np.where(seen(history, days) >= FEW, history.value(formula, days), history.value(formula, None))
        return np.where(seen(history, None) >= FEW, recent, np.nan)

    return value


def visits(history: History, days: Window) -> Ints:
    """Visits, whatever they were."""
    return history.visits.count(days)


def gaps_of_visits(history: History, days: Window) -> Ints:
    """Times between visits."""
    return history.visits.count(days) - 1


def orders(history: History, days: Window) -> Ints:
    """Orders, whatever was in them."""
    return history.orders.count(days)


# ---- Events ----------------------------------------------------------------------------------------------------------


def events_of(history: History, kind: int, days: Window) -> Ints:
    """Events of one kind."""
    return history.count_of_kind(kind, days)


def net_revenue(history: History, days: Window) -> Floats:
    """Spend less refunds, in the currency."""
    return (history.purchases.amount(days) - history.refunds.amount(days)) / MONEY_UNITS


def average_order_value(history: History, days: Window) -> Floats:
    """Spend an order, refunds not subtracted."""
    return ratio(history.purchases.amount(days) / MONEY_UNITS, history.orders.count(days))


def basket_size(history: History, days: Window) -> Floats:
    """Purchase lines an order."""
    return ratio(history.purchases.count(days), history.orders.count(days))


def discount_share(history: History, days: Window) -> Floats:
    """Discounts over what the goods would have cost without them."""
    discount = history.purchases.total(history.purchases.discount, days)
    return ratio(discount, history.purchases.amount(days) + discount)


def discounted_line_share(history: History, days: Window) -> Floats:
    """Purchase lines with a discount over all purchase lines."""
    lines = history.purchases
    return ratio(lines.total(lines.discount > 0, days), lines.count(days))


def refund_share(history: History, days: Window) -> Floats:
    """Money paid back over money spent."""
    return ratio(history.refunds.amount(days), history.purchases.amount(days))


def per_event(history: History, part: int, whole: int, days: Window) -> Floats:
    """Events of kind `part` for each of kind `whole`."""
    return ratio(events_of(history, part, days), events_of(history, whole, days))


# ---- Orders ----------------------------------------------------------------------------------------------------------


def order_interval_mean(history: History) -> Floats:
    """Average days between consecutive orders."""
    owner, gaps = history.orders.gaps
    return _mean(owner, gaps / DAY_MS, history.n)


def order_interval_deviation(history: History) -> Floats:
    """Standard deviation of the days between consecutive orders, of all of them as a population."""
    owner, gaps = history.orders.gaps
    return _deviation(owner, gaps / DAY_MS, history.n)


def steady_interval_deviation(history: History) -> Floats:
    """The same, undefined where fewer than three times between orders tell nothing of a pace."""
    return np.where(history.orders.count() > FEW, order_interval_deviation(history), np.nan)


def order_overdue(history: History) -> Floats:
    """Time since the last order over the average time between orders."""
    return ratio(days_since(history, history.purchases.last()), order_interval_mean(history))


def last_quarter_share(history: History, days: Window) -> Floats:
    """Orders of October to December over all orders."""
    month = (
        history.zone.local(history.orders.time_ms).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
        % 12
    )
    return ratio(history.orders.total(month >= 9, days), history.orders.count(days))


# ---- Visits ----------------------------------------------------------------------------------------------------------


def visit_share(history: History, of: Mask, days: Window, base: Mask | None = None) -> Floats:
    """Share of the visits in `base` (all where None) that are in `of` too."""
    visits = history.visits
    if base is None:
        return ratio(visits.total(of, days), visits.count(days))
    return ratio(visits.total(of & base, days), visits.total(base, days))


def per_visit(history: History, values: Ints, days: Window) -> Floats:
    """Average of `values` over visits."""
    return ratio(history.visits.total(values, days), history.visits.count(days))


def on_weekend(history: History) -> Mask:
    """Visits that begin on a Saturday or Sunday."""
    return _weekday(history, history.visits) >= 5


def in_quarter(history: History, quarter: int) -> Mask:
    """Visits that begin in a quarter of the day: 0 from midnight to 06:00, 3 from 18:00."""
    inside: Mask = history.zone.local(history.visits.time_ms) % DAY_MS // (6 * HOUR_MS) == quarter
    return inside


def weekday_concentration(history: History, days: Window) -> Floats:
    """Sum of the squared shares of visits on each weekday (Herfindahl index): 1/7 evenly spread, 1 all on one day."""
    visits = history.visits.within(days)
    each = np.bincount(_weekday(history, visits) * history.n + visits.owner, minlength=7 * history.n).reshape(
        7, history.n
    )
    return np.sum(np.square(ratio(each, visits.count())), axis=0)


def burstiness(history: History, days: Window) -> Floats:
    """(s - m) / (s + m) of the times between visits, m their mean and s their standard deviation: -1 like clockwork,
    0 at random, towards 1 in bursts. K.-I. Goh and A.-L. Barabási, EPL 81 (2008) 48002."""
    visits = history.visits.within(days)
    owner, gaps = visits.gaps
    mean, deviation = _mean(owner, gaps.astype(np.float64), history.n), _deviation(owner, gaps, history.n)
    total = mean + deviation
    return np.where(total > 0, ratio(deviation - mean, total), np.nan)


# ---- Affinity --------------------------------------------------------------------------------------------------------


def distinct(history: History, column: Coded, days: Window) -> Ints:
    """Different values of the column, none left out."""
    return np.bincount(history.counts_of(column, days).owner, minlength=history.n)


def category_entropy(history: History, days: Window) -> Floats:
    """Shannon entropy in bits of the customer's events over categories."""
    counts = history.counts_of("category", days)
    share = counts.count / np.bincount(counts.owner, counts.count, minlength=history.n)[counts.owner]
    entropy = np.bincount(counts.owner, -share * np.log2(share), minlength=history.n)
    return np.where(np.bincount(counts.owner, minlength=history.n) > 0, entropy, np.nan)


def top_category_share(history: History, days: Window) -> Floats:
    """Events in the customer's most frequent category over all that name one."""
    counts = history.counts_of("category", days)
    largest = np.zeros(history.n)
    owners, begins = np.unique(counts.owner, return_index=True)
    largest[owners] = np.maximum.reduceat(counts.count, begins) if len(begins) else 0
    return ratio(largest, np.bincount(counts.owner, counts.count, minlength=history.n))


# ---- Any events ------------------------------------------------------------------------------------------------------


def matching(history: History, **values: int | str) -> Mask:
    """Which events carry all of these values of columns of `Rows`: kinds and categories by name, all else by code
    [n_events]."""
    events = np.ones(len(history.rows), bool)
    for column, value in values.items():
        if isinstance(value, str):
            value = EVENT_TYPES.index(value) if column == "kind" else category_hash(value)
        events &= getattr(history.rows, column) == value
    return events


def counted(history: History, events: Mask, days: Window) -> Ints:
    """How many of these events."""
    return history.events.where(events).count(days)


def counted_a_visit(history: History, events: Mask, days: Window) -> Floats:
    """How many of these events a visit, which some kinds are no part of."""
    return ratio(counted(history, events & IN_VISIT[history.rows.kind], days), history.visits.count(days))


def spent(history: History, events: Mask, days: Window) -> Floats:
    """Spend on what was bought in these events, refunds not subtracted."""
    bought = events & (history.rows.kind == PURCHASE)
    return history.events.where(bought).total(history.rows.net[bought], days) / MONEY_UNITS


def spent_a_line(history: History, events: Mask, days: Window) -> Floats:
    """The same, a purchase line."""
    bought = events & (history.rows.kind == PURCHASE)
    return ratio(spent(history, bought, days), counted(history, bought, days))


def different(history: History, column: str, events: Mask, days: Window) -> Ints:
    """Different values of a column in these events, none left out."""
    codes = getattr(history.rows, column)
    named = events & (codes != 0) & history.events.inside(days)
    pairs = np.unique(history.events.owner[named] << 32 | codes[named])
    return np.bincount(pairs >> 32, minlength=history.n)


def last(history: History, events: Mask) -> Floats:
    """Time of the last of these events."""
    return history.events.where(events).last()


# ---- Trend -----------------------------------------------------------------------------------------------------------


def trend(last_30: Floats | Ints, last_90: Floats | Ints) -> Floats:
    """What the last 30 days hold less what 30 of the 60 days before held on average."""
    return last_30 - (last_90 - last_30) / 2


def _mean(owner: Ints, values: Floats, n: int) -> Floats:
    return ratio(np.bincount(owner, values, minlength=n), np.bincount(owner, minlength=n))


def _deviation(owner: Ints, values: Floats | Ints, n: int) -> Floats:
    spread = (values - _mean(owner, np.asarray(values, np.float64), n)[owner]) ** 2
    return np.sqrt(_mean(owner, spread, n))


def _weekday(history: History, visits: Timeline) -> Ints:
    """0 for Monday to 6 for Sunday."""
    return (history.zone.day(visits.time_ms) + _MONDAY_OFFSET) % 7
