"""Things that happened to customers over time, and how many there are or what they sum to in trailing windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features.columns import ADD_TO_CART, PURCHASE, SELECT_PROMOTION, VIEW_ITEM

type Ints = NDArray[np.int64]
type Floats = NDArray[np.float64]
type Mask = NDArray[np.bool_]
type Positions = NDArray[np.intp]

_DAYS = (7, 30, 90, 365)
WINDOWS = (*_DAYS, None)
"""Days of the windows that can be asked for, the shortest first; None is all of time."""


@dataclass(frozen=True)
class Timeline:
    """Things that happened to customers, sorted by customer and time, for sums over trailing windows.

    A window of d days at `as_of` holds what happened at or after as_of - d days (and before as_of); None is all of it.
    """

    owner: Ints
    """Index of the customer [n]."""
    time_ms: Ints
    n_owners: int
    as_of_ms: int | Ints
    """One instant for all customers, or one each [n_owners]."""

    @cached_property
    def _lengths(self) -> Ints:
        return np.bincount(self.owner, minlength=self.n_owners)

    @cached_property
    def _ends(self) -> Ints:
        return self._lengths.cumsum()

    @cached_property
    def window(self) -> NDArray[np.uint8]:
        """Position in WINDOWS of the shortest window that each entry is in [n]."""
        until = self.as_of_ms[self.owner] if isinstance(self.as_of_ms, np.ndarray) else self.as_of_ms
        window = np.zeros(len(self.time_ms), np.uint8)
        for days in _DAYS:
            window += self.time_ms < until - days * DAY_MS
        return window

    @cached_property
    def _counts(self) -> Ints:
        cells = self.owner * len(WINDOWS) + self.window
        counts = np.bincount(cells, minlength=self.n_owners * len(WINDOWS)).reshape(-1, len(WINDOWS))
        return counts.cumsum(axis=1).T.copy()

    @cached_property
    def _begins(self) -> Ints:
        return self._ends - self._counts

    def count(self, days: int | None = None) -> Ints:
        """Entries in the window, per customer [n_owners]."""
        count: Ints = self._lengths if days is None else self._counts[WINDOWS.index(days)]
        return count

    def total(self, values: Ints | Mask, days: int | None = None) -> Ints:
        """Sum of `values` [n] in the window, per customer [n_owners]."""
        return self._between(running_sum(values), days)

    def _between(self, running: Ints, days: int | None) -> Ints:
        total: Ints = running[self._ends] - running[self._begins[WINDOWS.index(days)]]
        return total

    def where(self, at: Mask | Positions | slice) -> Timeline:
        """The entries at `at` alone: a mask [n], positions in ascending order or a slice."""
        return Timeline(self.owner[at], self.time_ms[at], self.n_owners, self.as_of_ms)

    def inside(self, days: int | None) -> Mask:
        """Which entries are in the window [n]."""
        return self.window <= WINDOWS.index(days)

    def within(self, days: int | None) -> Timeline:
        """The entries in the window alone."""
        return self if days is None else self.where(self.inside(days))

    @cached_property
    def gaps(self) -> tuple[Ints, Ints]:
        """Milliseconds between consecutive entries of one customer: (customer [m], milliseconds [m])."""
        same = self.owner[1:] == self.owner[:-1]
        return self.owner[1:][same], (self.time_ms[1:] - self.time_ms[:-1])[same]

    def first(self) -> Floats:
        """Time of each customer's first entry, NaN where there is none [n_owners]."""
        return self._at(self._ends - self._lengths)

    def last(self) -> Floats:
        """Time of each customer's last entry, NaN where there is none [n_owners]."""
        return self._at(self._ends - 1)

    def _at(self, positions: Ints) -> Floats:
        times, some = np.full(self.n_owners, np.nan), self._lengths > 0
        times[some] = self.time_ms[positions[some]]
        return times


def running_sum(values: Ints | Mask) -> Ints:
    """0, and then the sum of `values` [n] up to and with each [n + 1]."""
    running = np.zeros(len(values) + 1, np.int64)
    values.cumsum(dtype=np.int64, out=running[1:])
    return running


@dataclass(frozen=True)
class Visits(Timeline):
    """One entry a visit, dated at its first event."""

    end_ms: Ints
    engagement_ms: Ints
    events: Ints
    kinds: NDArray[np.uint16]
    """Bit k is set where the visit has an event of kind k."""
    device: NDArray[np.uint8]
    """The first known device of the visit."""
    channel: NDArray[np.uint8]
    """The first known channel of the visit."""

    @cached_property
    def duration_ms(self) -> Ints:
        """The longer of the span between first and last event and the engagement that was reported."""
        longer: Ints = np.maximum(self.end_ms - self.time_ms, self.engagement_ms)
        return longer

    @cached_property
    def promoted(self) -> Mask:
        """A promotion was clicked in it."""
        return self._has(SELECT_PROMOTION)

    @cached_property
    def viewed(self) -> Mask:
        """A product was looked at in it."""
        return self._has(VIEW_ITEM)

    @cached_property
    def carted(self) -> Mask:
        """Something was put in the cart in it."""
        return self._has(ADD_TO_CART)

    @cached_property
    def ordered(self) -> Mask:
        """Something was bought in it."""
        return self._has(PURCHASE)

    def _has(self, kind: int) -> Mask:
        has: Mask = self.kinds & np.uint16(1 << kind) != 0
        return has


@dataclass(frozen=True)
class Lines(Timeline):
    """One entry a line of an order or a refund; amounts are in 1 / MONEY_UNITS of the currency."""

    net: Ints
    discount: Ints
    order: NDArray[np.uint32]

    @cached_property
    def _running_net(self) -> Ints:
        return running_sum(self.net)

    def amount(self, days: int | None) -> Ints:
        """Sum of `net` in the window, per customer [n_owners]: many features share it."""
        return self._between(self._running_net, days)
