"""Products that are new to a customer: which they may be, and what speaks for each."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from shared.recommending.customer import LATELY_DAYS, Customer
from shared.recommending.products import IN_DEMAND, Products

NEW = (
    "goes_with_bought", "goes_with_often", "goes_with_lately", "goes_with_viewed", "closest", "demand", "trend", "week",
    "age", "interest", "in_category", "segment", "viewed", "last_viewed", "in_cart", "price", "repeats",
    "orders_lately",
)  # fmt: skip
"""What speaks for a product that was never bought, in the order of the columns."""
HALF_LIFE_DAYS = 60.0
LOOK_HALF_LIFE_DAYS = 7.0
TOP_CATEGORIES = 5
MOST_CANDIDATES = 150
"""Of what goes with the customer's own."""
OF_A_CATEGORY = 10
NEWEST = 2
"""Of each of their TOP_CATEGORIES, those in most demand and the newest."""


@dataclass(frozen=True)
class Candidates:
    """Products that may be recommended as new to a customer, ascending by place [m]."""

    place: NDArray[np.int64]
    bought: NDArray[np.float64]
    """What is pulled by all that was bought [m]."""
    often: NDArray[np.float64]
    """The same, by how often it was bought [m]."""
    lately: NDArray[np.float64]
    """The same, by what was bought lately [m]."""
    viewed: NDArray[np.float64]
    """What is pulled by what was looked at [m]."""
    closest: NDArray[np.float64]
    """How alike the nearest of the customer's products is [m]."""
    lift: NDArray[np.float64]
    """How much the customer's segment buys more of it than others do, as a logarithm [m]."""

    def take(self, at: NDArray[np.intp]) -> Candidates:
        """Those at the positions `at`."""
        return Candidates(*(getattr(self, field.name)[at] for field in fields(Candidates)))

    def signals(self, customer: Customer, products: Products) -> NDArray[np.float64]:
        """What speaks for each [m, NEW]."""
        own = _Own(customer, self.place)
        category = products.category_place[self.place]
        interest = np.where(category >= 0, np.append(customer.interest, 0.0)[category], 0.0)
        demand = products.demand[self.place]
        price = np.abs(products.price[self.place] - customer.price)
        columns = {
            "goes_with_bought": np.log1p(self.bought),
            "goes_with_often": np.log1p(self.often),
            "goes_with_lately": np.log1p(self.lately),
            "goes_with_viewed": np.log1p(self.viewed),
            "closest": self.closest,
            "demand": demand,
            "week": products.week[self.place],
            "trend": products.trend[self.place],
            "age": np.log1p(products.age_days[self.place]),
            "interest": np.sqrt(interest),
            "in_category": np.log(interest + 1e-3) + demand,
            "segment": self.lift,
            "viewed": np.log1p(own.of(customer.viewed, 0.0)),
            "last_viewed": np.log1p(np.minimum(own.of(customer.last_viewed, np.inf), 365.0)),
            "in_cart": 1 / (1 + own.of(customer.in_cart, np.inf)),
            "price": np.where(np.isnan(price), 1.0, price),
            "repeats": products.repeats[self.place],
            "orders_lately": np.log1p(customer.order_days_lately),
        }
        signals = np.empty((len(self.place), len(NEW)))
        for at, name in enumerate(NEW):
            signals[:, at] = columns[name]
        return signals


class _Own:
    """What a customer did with products at some places, of which they know few."""

    def __init__(self, customer: Customer, place: NDArray[np.int64]) -> None:
        at = np.searchsorted(customer.product, place)
        self._at = np.minimum(at, max(len(customer) - 1, 0))
        self._has = customer.product[self._at] == place if len(customer) else np.zeros(len(place), bool)

    def of(self, values: NDArray[np.float64], without: float) -> NDArray[np.float64]:
        """The values of those that they know, and `without` for the others [m]."""
        return np.where(self._has, values[self._at], without) if len(values) else np.full(len(self._at), without)


def candidates(customer: Customer, products: Products, segment: int | None) -> Candidates:
    """The products that may be recommended as new to a customer of a segment; None where that is not known."""
    near = products.near[customer.product].ravel() + 1  # NOWHERE counts for a place before all products
    alike = products.alike[customer.product].astype(np.float64)

    def summed(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(near, (weight[:, None] * alike).ravel(), minlength=len(products) + 1)[1:]

    often = summed(customer.bought)
    bought, lately, viewed = (
        summed(np.minimum(customer.bought, 1.0)),
        summed(_fading(customer)),
        summed(_looked(customer)),
    )
    row = np.flatnonzero(products.segments == segment) if segment is not None else np.empty(0, np.intp)
    favourites = products.of_segment[row[0]] if len(row) else np.empty(0, np.int32)
    lift = np.zeros(len(products) + 1)
    lift[favourites] = products.lift[row[0]] if len(row) else 0.0  # NOWHERE is the place behind all products
    wanted = np.zeros(len(products) + 1, bool)
    wanted[_strongest(often + lately + 10 * viewed)] = True
    wanted[favourites] = True
    wanted[products.of_all] = True
    top = np.argsort(-customer.interest, kind="stable")[:TOP_CATEGORIES]
    theirs = products.of_category[top[customer.interest[top] > 0]]
    wanted[theirs[:, :OF_A_CATEGORY]] = wanted[theirs[:, IN_DEMAND : IN_DEMAND + NEWEST]] = True
    wanted[customer.product] = customer.bought == 0  # what was looked at
    place = np.flatnonzero(wanted[:-1] & products.available)
    closest = np.zeros(len(products) + 1)
    np.maximum.at(closest, near, alike.ravel())
    return Candidates(place, bought[place], often[place], lately[place], viewed[place], closest[place + 1], lift[place])


def _fading(customer: Customer) -> NDArray[np.float64]:
    """How much each of the customer's products says of others, its purchases fading by half each HALF_LIFE_DAYS [n]."""
    return np.log2(1 + customer.bought) * np.exp2(-np.minimum(customer.last_bought, 3_650) / HALF_LIFE_DAYS)


def _looked(customer: Customer) -> NDArray[np.float64]:
    """How much each product that was looked at, and not bought, says of others: it fades fast [n]."""
    days = np.minimum(customer.last_viewed, customer.in_cart)
    lately = (customer.bought == 0) & (days <= LATELY_DAYS)
    return np.where(lately, np.exp2(-np.minimum(days, LATELY_DAYS) / LOOK_HALF_LIFE_DAYS), 0.0)


def _strongest(strength: NDArray[np.float64]) -> NDArray[np.intp]:
    at = np.flatnonzero(strength > 0)
    return at[np.argpartition(-strength[at], MOST_CANDIDATES)[:MOST_CANDIDATES]] if len(at) > MOST_CANDIDATES else at
