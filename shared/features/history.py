"""Customers' histories as they stood at one instant, with visits and orders marked, for the formulas to count on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.features.columns import (
    ADD_TO_CART,
    DAY_MS,
    EMAIL_CLICK,
    EMAIL_OPEN,
    IDENTIFY,
    PURCHASE,
    REFUND,
    SELECT_PROMOTION,
    UNKNOWN_DEVICE,
    VIEW_ITEM,
    Rows,
)
from shared.features.state import Profiles

VISIT_GAP_MS = 30 * 60_000
"""Inactivity that ends a visit where events carry no session id."""

_NO_VISIT = (REFUND, EMAIL_OPEN, EMAIL_CLICK, IDENTIFY)

type Ints = NDArray[np.int64]
type Floats = NDArray[np.float64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Timeline:
    """Things that happened to customers, sorted by customer and time, for sums over trailing windows.

    A window of d days at `as_of` holds what happened at or after as_of - d days (and before as_of); None is all of it.
    """

    owner: Ints
    """Index of the customer [n]."""
    time_ms: Ints
    n_owners: int
    as_of_ms: int

    @cached_property
    def _ends(self) -> Ints:
        return np.cumsum(np.bincount(self.owner, minlength=self.n_owners))

    def begins(self, days: int | None) -> Ints:
        """Position of each customer's first entry in the window [n_owners]."""
        if days is None:
            return np.concatenate(([0], self._ends[:-1]))
        inside = self.time_ms >= self.as_of_ms - days * DAY_MS
        entries: Ints = np.diff(_running(inside)[np.concatenate(([0], self._ends))])
        return self._ends - entries

    def total(self, values: Ints | Mask, days: int | None = None) -> Ints:
        """Sum of `values` [n] in the window, per customer [n_owners]."""
        running = _running(values)
        return running[self._ends] - running[self.begins(days)]

    def count(self, days: int | None = None) -> Ints:
        """Entries in the window, per customer [n_owners]."""
        return self._ends - self.begins(days)

    def within(self, days: int | None) -> Timeline:
        """The entries in the window alone."""
        if days is None:
            return self
        inside = self.time_ms >= self.as_of_ms - days * DAY_MS
        return Timeline(self.owner[inside], self.time_ms[inside], self.n_owners, self.as_of_ms)

    def last(self, mask: Mask | None = None) -> Floats:
        """Time of each customer's last entry where `mask`, NaN where there is none [n_owners]."""
        times = np.full(self.n_owners, np.nan)
        at = slice(None) if mask is None else mask
        times[self.owner[at]] = self.time_ms[at]
        return times

    def first(self, mask: Mask | None = None) -> Floats:
        """Time of each customer's first entry where `mask`, NaN where there is none [n_owners]."""
        times = np.full(self.n_owners, np.nan)
        at = np.arange(len(self.owner)) if mask is None else np.flatnonzero(mask)
        times[self.owner[at[::-1]]] = self.time_ms[at[::-1]]
        return times


def _running(values: Ints | Mask) -> Ints:
    return np.concatenate(([0], np.cumsum(values, dtype=np.int64)))


@dataclass(frozen=True)
class Visits(Timeline):
    """One entry a visit, dated at its first event."""

    end_ms: Ints
    engagement_ms: Ints
    events: Ints
    promoted: Mask
    """A promotion was clicked in it."""
    viewed: Mask
    carted: Mask
    ordered: Mask
    device: NDArray[np.uint8]
    """The first known device of the visit."""

    @property
    def duration_ms(self) -> Ints:
        """The longer of the span between first and last event and the engagement that was reported."""
        longer: Ints = np.maximum(self.end_ms - self.time_ms, self.engagement_ms)
        return longer


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each customer's events carry each of their values [m each]."""

    owner: Ints
    code: Ints
    count: Ints


class History:
    """The events of `profiles` strictly before `as_of_ms`."""

    def __init__(self, profiles: Profiles, as_of_ms: int) -> None:
        known = profiles.rows.time_ms < as_of_ms
        self.n, self.as_of_ms = len(profiles), as_of_ms
        self.rows: Rows = profiles.rows if known.all() else profiles.rows.take(known)
        owner = profiles.owner
        self.events = Timeline(owner if known.all() else owner[known], self.rows.time_ms, self.n, as_of_ms)

    def of_kind(self, *kinds: int) -> Mask:
        """Which rows are of one of the kinds [n_rows]."""
        return np.isin(self.rows.kind, np.array(kinds, np.uint8))

    @cached_property
    def purchases(self) -> Mask:
        """Which rows are lines of an order [n_rows]."""
        return self.of_kind(PURCHASE)

    @cached_property
    def purchase_net(self) -> Ints:
        """What was paid on each row, 0 where nothing was bought [n_rows]."""
        return np.where(self.purchases, self.rows.net, 0)

    @cached_property
    def purchase_discount(self) -> Ints:
        """What was taken off the price of each row [n_rows]."""
        return np.where(self.purchases, self.rows.discount, 0)

    @cached_property
    def refund_net(self) -> Ints:
        """What was paid back on each row [n_rows]."""
        return np.where(self.of_kind(REFUND), self.rows.net, 0)

    @cached_property
    def orders(self) -> Timeline:
        """One entry an order, dated at its first line; a purchase without an order id is an order of its own."""
        lines = np.flatnonzero(self.purchases)
        owner, order = self.events.owner[lines], self.rows.order[lines]
        named = order != 0
        _, first = np.unique(_pair(owner[named], order[named]), return_index=True)
        opens = ~named
        opens[np.flatnonzero(named)[first]] = True
        at = lines[opens]
        return Timeline(self.events.owner[at], self.rows.time_ms[at], self.n, self.as_of_ms)

    @cached_property
    def active_days(self) -> Timeline:
        """One entry for every UTC day with a visit's event, dated at the start of the day."""
        at = np.flatnonzero(self.in_visit)
        owner, day = self.events.owner[at], self.rows.time_ms[at] // DAY_MS
        new = np.ones(len(at), bool)
        new[1:] = (owner[1:] != owner[:-1]) | (day[1:] != day[:-1])
        return Timeline(owner[new], day[new] * DAY_MS, self.n, self.as_of_ms)

    @cached_property
    def in_visit(self) -> Mask:
        """Rows that are part of a visit: refunds, e-mails and identification happen outside of one."""
        return ~self.of_kind(*_NO_VISIT)

    @cached_property
    def visits(self) -> Visits:
        """Visits by session id; events without one are cut into visits at 30 minutes of inactivity."""
        at = np.flatnonzero(self.in_visit)
        owner, session = self.events.owner[at], self.rows.session[at].astype(np.int64)
        time = self.rows.time_ms[at]

        loose = np.flatnonzero(session == 0)
        cut = np.ones(len(loose), bool)
        cut[1:] = (np.diff(owner[loose]) != 0) | (np.diff(time[loose]) > VISIT_GAP_MS)
        session[loose] = -np.cumsum(cut)  # below zero, so never a session id's hash

        # Within an owner and session the sort is stable, so each visit's rows stay in the order of time.
        rank = np.lexsort((session, owner))
        new = np.ones(len(rank), bool)
        new[1:] = (np.diff(owner[rank]) != 0) | (np.diff(session[rank]) != 0)
        begins = np.flatnonzero(new)
        visit = np.cumsum(new) - 1
        rows = self.rows.take(at[rank])
        edges = np.append(begins, len(rank))

        # Time above device in one number: its minimum is the device of the earliest event that names one, and between
        # equal times the lower code, whatever order they came in.
        named = rows.device != UNKNOWN_DEVICE
        earliest = np.full(len(begins), np.iinfo(np.int64).max)
        np.minimum.at(earliest, visit[named], rows.time_ms[named] << 3 | rows.device[named])
        device = np.where(earliest == np.iinfo(np.int64).max, UNKNOWN_DEVICE, earliest & 7).astype(np.uint8)

        def any_of(kind: int) -> Mask:
            return np.bincount(visit, rows.kind == kind, minlength=len(begins)) > 0

        order = np.lexsort((rows.time_ms[begins], owner[rank][begins]))
        return Visits(
            owner=owner[rank][begins][order],
            time_ms=rows.time_ms[begins][order],
            n_owners=self.n,
            as_of_ms=self.as_of_ms,
            end_ms=rows.time_ms[edges[1:] - 1][order],
            engagement_ms=np.diff(_running(rows.engagement_ms)[edges])[order],
            events=np.diff(edges)[order],
            promoted=any_of(SELECT_PROMOTION)[order],
            viewed=any_of(VIEW_ITEM)[order],
            carted=any_of(ADD_TO_CART)[order],
            ordered=any_of(PURCHASE)[order],
            device=device[order],
        )

    def counts_of(self, codes: NDArray[np.uint32], days: int | None) -> Counts:
        """Events in the window for every customer and distinct value of `codes` [n_rows], 0 left out."""
        since = 0 if days is None else self.as_of_ms - days * DAY_MS
        within = (codes != 0) & (self.rows.time_ms >= since)
        pairs, counts = np.unique(_pair(self.events.owner[within], codes[within]), return_counts=True)
        return Counts(pairs >> 32, pairs & 0xFFFFFFFF, counts)


def _pair(owner: Ints, code: NDArray[np.uint32]) -> Ints:
    return owner << 32 | code
