"""Customers' histories as they stood at one instant, with visits and orders marked, for the formulas to count on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared.features.columns import (
    CAMPAIGN_EXPOSURE,
    CHANNELS,
    DEVICES,
    EMAIL_CLICK,
    EMAIL_OPEN,
    EVENT_TYPES,
    IDENTIFY,
    PURCHASE,
    REFUND,
    UNKNOWN_CHANNEL,
    Rows,
)
from shared.features.state import Profiles
from shared.features.time_zone import UTC_TIME, TimeZone
from shared.features.timeline import WINDOWS, Floats, Ints, Lines, Mask, Positions, Timeline, Visits, running_sum

VISIT_GAP_MS = 30 * 60_000
"""Inactivity that ends a visit where events carry no session id."""

_ABOVE_SESSIONS = 1 << 32
"""Numbers from here on are visits without a session id, so never a session id's hash."""

IN_VISIT = ~np.isin(np.arange(len(EVENT_TYPES)), (REFUND, EMAIL_OPEN, EMAIL_CLICK, IDENTIFY))
"""By kind, whether an event is part of a visit: refunds, e-mails and identification happen outside of one."""

_WINDOW_BITS = len(WINDOWS).bit_length()
_CODE_BITS = (max(len(DEVICES), len(CHANNELS)) - 1).bit_length()

type Coded = Literal["category", "brand"]
type Formula = Callable[[History, int | None], Floats | Ints]
"""Of a history and a window in days (None is all of it), the value for each customer [n_profiles]."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each customer's events carry each of their values [m each]."""

    owner: Ints
    code: Ints
    count: Ints


class History:
    """What customers did strictly before `as_of_ms`: one instant for all, or one each [n_profiles].

    Exposures are no part of it: to be approached by a campaign is nothing that a customer does.

    Hours, weekdays, months and days are those of `zone`.
    """

    def __init__(self, profiles: Profiles, as_of_ms: int | Ints, zone: TimeZone = UTC_TIME) -> None:
        until = as_of_ms if isinstance(as_of_ms, int) else np.repeat(as_of_ms, profiles.event_counts)
        known = (profiles.rows.time_ms < until) & (profiles.rows.kind != CAMPAIGN_EXPOSURE)
        self.n, self.as_of_ms, self.zone = len(profiles), as_of_ms, zone
        self.rows: Rows = profiles.rows if known.all() else profiles.rows.take(known)
        owner = profiles.owner
        self.events = Timeline(owner if known.all() else owner[known], self.rows.time_ms, self.n, as_of_ms)
        self._kind_counts: dict[int | None, Ints] = {}
        self._codes: dict[Coded, _Codes] = {}
        self._values: dict[tuple[Formula, int | None], Floats | Ints] = {}

    def value(self, formula: Formula, days: int | None) -> Floats | Ints:
        """What the formula gives of the window [n_profiles], worked out once."""
        if (formula, days) not in self._values:
            self._values[formula, days] = formula(self, days)
        return self._values[formula, days]

    def of_kind(self, kind: int) -> Timeline:
        """The events of one kind."""
        return self.events.where(_at(self.rows.kind == kind))

    def count_of_kind(self, kind: int, days: int | None) -> Ints:
        """Events of one kind in the window, per customer [n_profiles]."""
        if days not in self._kind_counts:
            inside = _at(self.events.inside(days))
            cells = self.events.owner[inside] * len(EVENT_TYPES) + self.rows.kind[inside]
            counts = np.bincount(cells, minlength=self.n * len(EVENT_TYPES))
            self._kind_counts[days] = counts.reshape(self.n, len(EVENT_TYPES))
        return self._kind_counts[days][:, kind]

    @cached_property
    def purchases(self) -> Lines:
        """What was bought."""
        return self._lines(PURCHASE)

    @cached_property
    def refunds(self) -> Lines:
        """What was paid back."""
        return self._lines(REFUND)

    def _lines(self, kind: int) -> Lines:
        at, rows = _at(self.rows.kind == kind), self.rows
        return Lines(
            owner=self.events.owner[at],
            time_ms=rows.time_ms[at],
            n_owners=self.n,
            as_of_ms=self.as_of_ms,
            net=rows.net[at],
            discount=rows.discount[at],
            order=rows.order[at],
        )

    @cached_property
    def orders(self) -> Timeline:
        """One entry an order, dated at its first line; a purchase without an order id is an order of its own."""
        lines = self.purchases
        opens = _changes(lines.owner, lines.order) | (lines.order == 0)
        named = np.flatnonzero(opens & (lines.order != 0))  # once for most orders: their lines follow each other
        _, first = np.unique(_pair(lines.owner[named], lines.order[named]), return_index=True)
        opens[named] = False
        opens[named[first]] = True
        return lines.where(opens)

    @cached_property
    def visiting(self) -> Timeline:
        """The events that are part of a visit."""
        return self.events.where(self._in_visit)

    @cached_property
    def active_days(self) -> Timeline:
        """One entry for every day with a visit's event, dated at the start of the day."""
        owner, day = self.visiting.owner, self.zone.day(self.visiting.time_ms)
        if (day[1:] < day[:-1])[owner[1:] == owner[:-1]].any():  # clocks were put back across midnight
            owner, day = np.divmod(np.sort(_pair(owner, day)), _ABOVE_SESSIONS)
        new = _changes(owner, day)
        return Timeline(owner[new], self.zone.midnight(day[new]), self.n, self.as_of_ms)

    @cached_property
    def _in_visit(self) -> Positions | slice:
        return _at(IN_VISIT[self.rows.kind])

    @cached_property
    def visits(self) -> Visits:
        """Visits by session id; events without one are cut into visits at 30 minutes of inactivity."""
        at, owner, time_ms = self._in_visit, self.visiting.owner, self.visiting.time_ms
        kind, session = self.rows.kind[at], self.rows.session[at].astype(np.int64)
        loose = np.flatnonzero(session == 0)
        cut = np.ones(len(loose), bool)
        cut[1:] = (np.diff(owner[loose]) != 0) | (np.diff(time_ms[loose]) > VISIT_GAP_MS)
        session[loose] = _ABOVE_SESSIONS + np.cumsum(cut)

        # A visit is one run of rows, or several where another visit of the customer goes on at the same time.
        runs = np.flatnonzero(_changes(owner, session))
        ends = np.append(runs, len(owner))[1:]
        visit = owner[runs] * (2 * _ABOVE_SESSIONS) + session[runs]
        rank = np.argsort(visit, kind="stable")
        opens = np.flatnonzero(_changes(visit[rank]))
        begins = np.minimum.reduceat(rank, opens) if len(rank) else rank
        order = np.argsort(begins, kind="stable")  # back to the order of owner and time
        begins = runs[begins[order]]

        def joined(how: np.ufunc, of_runs: NDArray[Any]) -> NDArray[Any]:
            return of_runs if len(opens) == len(runs) else how.reduceat(of_runs[rank], opens)[order]

        def first_known(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
            # Time above code in one number: its minimum is the code of the earliest event that has one, and between
            # equal times the lower code, whatever order they came in.
            latest = np.iinfo(np.int64).max
            named = time_ms << _CODE_BITS | codes
            named[codes == 0] = latest
            first = joined(np.minimum, np.minimum.reduceat(named, runs))
            return np.where(first == latest, 0, first & ((1 << _CODE_BITS) - 1)).astype(np.uint8)

        return Visits(
            owner=owner[begins],
            time_ms=time_ms[begins],
            n_owners=self.n,
            as_of_ms=self.as_of_ms,
            end_ms=joined(np.maximum, time_ms[ends - 1]),
            engagement_ms=joined(np.add, np.add.reduceat(self.rows.engagement_ms[at], runs)),
            events=joined(np.add, ends - runs),
            kinds=joined(np.bitwise_or, np.bitwise_or.reduceat(np.uint16(1) << kind, runs)),
            device=first_known(self.rows.device[at]),
            channel=first_known(self.rows.channel[at]),
        )

    @cached_property
    def known_channel(self) -> Timeline:
        """The visits of which is known how they came about."""
        return self.visits.where(_at(self.visits.channel != UNKNOWN_CHANNEL))

    def counts_of(self, column: Coded, days: int | None) -> Counts:
        """Events in the window for every customer and distinct value of the column, 0 left out."""
        if column not in self._codes:
            self._codes[column] = _Codes(self.events, getattr(self.rows, column))
        return self._codes[column].counts(days)


class _Codes:
    """How often customers' events carry each value, of all windows with one sort."""

    def __init__(self, events: Timeline, codes: NDArray[np.uint32]) -> None:
        named = _at(codes != 0)
        keys = _pair(events.owner[named], codes[named])
        keys <<= _WINDOW_BITS
        keys |= events.window[named]
        keys.sort(kind="stable")
        pairs = keys >> _WINDOW_BITS
        self._begins = np.flatnonzero(_changes(pairs))
        self._ends = np.append(self._begins, len(pairs))[1:]
        self._pairs = pairs[self._begins]
        self._windows = keys.astype(np.uint8) & np.uint8((1 << _WINDOW_BITS) - 1)
        self._counts: dict[int | None, Counts] = {}

    def counts(self, days: int | None) -> Counts:
        if days not in self._counts:
            running = running_sum(self._windows <= WINDOWS.index(days))
            count = running[self._ends] - running[self._begins]
            owner, code = self._pairs >> 32, self._pairs & 0xFFFFFFFF
            some = np.flatnonzero(count)
            self._counts[days] = Counts(owner[some], code[some], count[some])
        return self._counts[days]


def _at(mask: Mask) -> Positions | slice:
    """Where `mask` is set: all of it is quicker to take as a slice."""
    return slice(None) if mask.all() else np.flatnonzero(mask)


def _pair(owner: Ints, code: NDArray[np.uint32] | Ints) -> Ints:
    return owner << 32 | code


def _changes(*columns: NDArray[Any]) -> Mask:
    """Whether a row differs from the one before it in any of the columns; the first does."""
    changes = np.ones(len(columns[0]), bool)
    changes[1:] = columns[0][1:] != columns[0][:-1]
    for column in columns[1:]:
        changes[1:] |= column[1:] != column[:-1]
    return changes
