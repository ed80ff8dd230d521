"""How many views, carts, orders or events customers had in the last days, at any instants, for the rules that ask."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.audiences.rules import Count
from shared.durations import DAY_MS
from shared.events.columns import product_code
from shared.features import EVENT_TYPES, Profiles, category_hash
from shared.features.columns import ADD_TO_CART, CAMPAIGN_EXPOSURE, PURCHASE, VIEW_ITEM, Rows

type Ints = NDArray[np.int64]
type Mask = NDArray[np.bool_]

_KINDS = {"views": VIEW_ITEM, "carts": ADD_TO_CART, "orders": PURCHASE}
_TIME_BITS = 44
"""Of a time in milliseconds beside its customer's index: enough until the year 2527."""
_ANY = ("category", "brand", "product")
"""What a subject may be that nobody said more about."""


class Happened:
    """When the things that a `Count` counts happened to each of some customers."""

    def __init__(self, count: Count, profiles: Profiles) -> None:
        rows = profiles.rows
        counted = _counted(count, rows)
        self.owner = profiles.owner[counted]
        self.time_ms = rows.time_ms[counted]
        if count.measure == "orders":
            first = _first_lines(self.owner, rows.order[counted])
            self.owner = self.owner[first]
            self.time_ms = self.time_ms[first]
        self._days = count.days
        self._instants = _instants(self.owner, self.time_ms)

    def counts(self, who: Ints, at_ms: Ints | int) -> Ints:
        """How many in the days before each instant, for the customers at the positions `who` [m].

        As windows of features are: from so many days before the instant on, up to it and without it.
        """
        if not len(self._instants):
            return np.zeros(len(who), np.int64)
        until = np.searchsorted(self._instants, _instants(who, at_ms))
        begin = np.searchsorted(self._instants, _instants(who, at_ms - self._days * DAY_MS))
        counts: Ints = until - begin
        return counts


def _instants(owner: Ints, time_ms: Ints | int) -> Ints:
    instants: Ints = (owner << _TIME_BITS) + np.clip(time_ms, 0, (1 << _TIME_BITS) - 1)
    return instants


def _counted(count: Count, rows: Rows) -> Mask:
    kind = _KINDS.get(count.measure)
    counted: Mask
    if count.of == "type":
        counted = rows.kind == EVENT_TYPES.index(str(count.subject))
        return counted
    # To be approached by a campaign is nothing that a customer does; who asks for it by name gets it.
    counted = rows.kind == kind if kind is not None else rows.kind != CAMPAIGN_EXPOSURE
    if count.of == "campaign":
        counted = rows.kind == CAMPAIGN_EXPOSURE if kind is None else counted
    if count.subject is not None:
        columns = _ANY if count.of is None else (count.of,)
        named = [getattr(rows, column) == _code(column, count.subject) for column in columns]
        counted = counted & np.logical_or.reduce(named)
    return counted


@lru_cache(maxsize=4_096)
def _code(column: str, name: str) -> int:
    return category_hash(name) if column in ("category", "campaign") else product_code(name)


def _first_lines(owner: Ints, order: NDArray[np.uint32]) -> NDArray[np.intp]:
    """The first line of each order, in order; a line without an order's id is an order of its own."""
    named = np.flatnonzero(order)
    _, first = np.unique((owner[named] << 32) + order[named], return_index=True)
    return np.sort(np.concatenate((named[first], np.flatnonzero(order == 0))))
