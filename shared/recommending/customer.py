"""What one customer did with products before an instant: what recommendations to them are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features.columns import ADD_TO_CART, PURCHASE, REFUND, REMOVE_FROM_CART, VIEW_ITEM, Rows
from shared.recommending.products import Products

type Numbers = NDArray[np.float64]
type Positions = NDArray[np.int64]

LATELY_DAYS = 30
SEASON_DAYS = 90
NEVER = np.inf
"""Days since what never was."""


@dataclass(frozen=True)
class Customer:
    """One customer and the products that they had to do with [n], ascending by place; times are days before the
    instant."""

    product: Positions
    """Places among the products [n]."""
    bought: Numbers
    """Days on which it was bought [n]."""
    bought_lately: Numbers
    bought_this_season: Numbers
    first_bought: Numbers
    """NEVER where it was not, as all times [n]."""
    last_bought: Numbers
    viewed: Numbers
    """Views within LATELY_DAYS [n]."""
    last_viewed: Numbers
    in_cart: Numbers
    """Since it was put into the cart, and neither removed nor bought since [n]."""
    returned: Numbers
    order_days: float
    """Days with an order, of whatever."""
    order_days_lately: float
    order_days_this_season: float
    last_order: float
    price: float
    """Logarithm of what a line they buy is worth, at the median; NaN where nothing was bought."""
    interest: Numbers
    """Share of each of the products' categories in what they bought and looked at [n_categories]."""

    def __len__(self) -> int:
        return len(self.product)

    @classmethod
    def at(cls, rows: Rows, as_of_ms: int, products: Products) -> Customer:
        """The customer whose events are `rows`, as of an instant in UTC milliseconds."""
        wanted = (rows.time_ms < as_of_ms) & _OF_PRODUCTS[rows.kind]
        rows = rows.take(np.flatnonzero(wanted))
        day = (as_of_ms - 1 - rows.time_ms) // DAY_MS
        ago = (as_of_ms - rows.time_ms) / DAY_MS
        kind, place = rows.kind, products.places(rows.product)
        order_days = np.unique(day[kind == PURCHASE])
        net = rows.net[(kind == PURCHASE) & (rows.net > 0)]
        known = np.flatnonzero(place >= 0)
        own, index = np.unique(place[known], return_inverse=True)
        happened = _Happened(len(own), index, kind[known], ago[known])
        days = _distinct_days(index, kind[known], day[known], len(own))
        last_bought, carted = happened.last(PURCHASE), happened.last(ADD_TO_CART)
        gone = np.minimum(last_bought, happened.last(REMOVE_FROM_CART))
        return cls(
            own,
            *days,
            first_bought=happened.first(PURCHASE),
            last_bought=last_bought,
            viewed=happened.count(VIEW_ITEM, LATELY_DAYS),
            last_viewed=happened.last(VIEW_ITEM),
            in_cart=np.where(carted < gone, carted, NEVER),
            returned=happened.last(REFUND),
            order_days=float(len(order_days)),
            order_days_lately=float((order_days < LATELY_DAYS).sum()),
            order_days_this_season=float((order_days < SEASON_DAYS).sum()),
            last_order=float(ago[kind == PURCHASE].min(initial=NEVER)),
            price=float(np.median(np.log(net))) if len(net) else np.nan,
            interest=_interest(rows, products),
        )


_OF_PRODUCTS = np.isin(np.arange(256), (PURCHASE, VIEW_ITEM, ADD_TO_CART, REMOVE_FROM_CART, REFUND))
"""Of kinds of events, those that are about a product."""
_WEIGHT = np.zeros(256)
_WEIGHT[[PURCHASE, ADD_TO_CART, VIEW_ITEM]] = 1.0, 0.5, 0.25


@dataclass(frozen=True)
class _Happened:
    """What happened to products, in any order: to which [m], how and how many days ago."""

    products: int
    index: Positions
    kind: NDArray[np.uint8]
    ago: Numbers

    def last(self, kind: int) -> Numbers:
        times = np.full(self.products, NEVER)
        np.minimum.at(times, self.index[self.kind == kind], self.ago[self.kind == kind])
        return times

    def first(self, kind: int) -> Numbers:
        times = np.full(self.products, -NEVER)
        np.maximum.at(times, self.index[self.kind == kind], self.ago[self.kind == kind])
        return np.abs(times)

    def count(self, kind: int, days: int) -> Numbers:
        some = (self.kind == kind) & (self.ago <= days)
        return np.bincount(self.index[some], minlength=self.products).astype(np.float64)


def _distinct_days(
    index: Positions, kind: NDArray[np.uint8], day: Positions, products: int
) -> tuple[Numbers, Numbers, Numbers]:
    """Days with a purchase of each product: ever, lately and this season [n each]."""
    some = kind == PURCHASE
    pair = np.unique(index[some] * (int(day.max(initial=0)) + 1) + day[some])
    product, day = np.divmod(pair, int(day.max(initial=0)) + 1)
    counts = (np.bincount(product[day < most], minlength=products) for most in (np.inf, LATELY_DAYS, SEASON_DAYS))
    ever, lately, season = (count.astype(np.float64) for count in counts)
    return ever, lately, season


def _interest(rows: Rows, products: Products) -> Numbers:
    at = np.searchsorted(products.categories, rows.category)
    at = np.minimum(at, max(len(products.categories) - 1, 0))
    known = (rows.category > 0) & (products.categories[at] == rows.category) if len(products.categories) else at < 0
    weights = np.bincount(at[known], _WEIGHT[rows.kind[known]], minlength=len(products.categories))
    total = weights.sum()
    return weights / total if total else weights
