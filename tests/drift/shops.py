"""Made-up shops that go up and down by themselves, and what may be planted in them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features import EventColumns, Profiles, Rows, fold
from shared.features.columns import ADD_TO_CART, COLUMN_TYPES, MONEY_UNITS, PAGE_VIEW, PURCHASE, VIEW_ITEM

OPENED_MS = 1_700_000_000_000 // DAY_MS * DAY_MS
HISTORY = 450
"""Days before the bundle's instant."""
NIGHTS = 30
PRODUCTS = 300

type Floats = NDArray[np.float64]


def _ones(days: int) -> Floats:
    return np.ones(days)


@dataclass(frozen=True)
class Planted:
    """What is changed, as a factor a day, by the number of days there are."""

    price: Callable[[int], Floats] = _ones
    visits: Callable[[int], Floats] = _ones
    buys: Callable[[int], Floats] = _ones
    tracked: Callable[[int], Floats] = _ones
    """The share of pages viewed that is recorded."""


@dataclass(frozen=True)
class Shop:
    """A shop of so many customers, all of whose habits are drawn from a seed."""

    customers: int
    seed: int
    days: int = HISTORY + NIGHTS
    planted: Planted = field(default_factory=Planted)

    def events(self) -> Profiles:
        """Everything that its customers did."""
        random = np.random.default_rng(self.seed)
        levels = _Levels(random, self.days, self.planted)
        customer, day = self._visits(random, levels)
        hour = random.normal(15, 4, len(day)).clip(0, 23.5)
        at = OPENED_MS + day * DAY_MS + (hour * 3_600_000).astype(np.int64)
        pages = 1 + random.poisson(2.0, len(day))
        pages = random.binomial(pages, np.clip(levels.tracked[day], 0, 1))
        looks = random.poisson(1.2, len(day))
        carts = random.random(len(day)) < np.clip(0.3 * levels.buys[day], 0, 1)
        ordered = carts & (random.random(len(day)) < 0.5)
        lines = np.where(ordered, 1 + random.poisson(0.8, len(day)), 0)
        visit = np.arange(len(day))
        kinds = ((PAGE_VIEW, pages), (VIEW_ITEM, looks), (ADD_TO_CART, carts.astype(int)), (PURCHASE, lines))
        of = np.concatenate([np.repeat(visit, count) for _, count in kinds])
        kind = np.concatenate([np.full(count.sum(), code, np.uint8) for code, count in kinds])
        n = len(of)
        product = (PRODUCTS * random.random(n) ** 2).astype(np.int64)
        pieces = 1 + random.poisson(0.15, n)
        dear = levels.prices(random)[product, day[of]]
        price = np.where(kind == PURCHASE, dear * pieces, 0.0)
        columns: dict[str, Any] = {name: np.zeros(n, kind_) for name, kind_ in COLUMN_TYPES.items()}
        columns |= {
            "time_ms": at[of] + random.integers(0, 600_000, n),
            "kind": kind,
            "fingerprint": random.choice(1 << 40, n, replace=False).astype(np.uint64)
            if n < 1000
            else (np.arange(n, dtype=np.uint64) * np.uint64(1_099_511_627_689 // max(n, 1))) % np.uint64(1 << 40),
            "session": (of + 1).astype(np.uint32),
            "order": np.where(kind == PURCHASE, of + 1, 0).astype(np.uint32),
            "product": np.where(kind == PURCHASE, product + 1, 0).astype(np.uint32),
            "net": (price * MONEY_UNITS).astype(np.int64),
        }
        keys = [f"customer#{i:07d}" for i in range(self.customers)]
        return fold(EventColumns(keys, customer[of], Rows(**columns), {}))

    def _visits(self, random: np.random.Generator, levels: "_Levels") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        growth = random.uniform(0, 0.6)
        begins = np.where(random.random(self.customers) < growth, random.uniform(0, self.days, self.customers), 0)
        stays = random.exponential(random.uniform(300, 900), self.customers)
        rate = random.gamma(0.7, random.uniform(0.08, 0.25) / 0.7, self.customers)
        customers, days = [], []
        for day in range(self.days):
            here = (begins <= day) & (day < begins + stays)
            count = random.poisson(rate * here * levels.visits[day])
            who = np.repeat(np.arange(self.customers), count)
            customers.append(who)
            days.append(np.full(len(who), day))
        return np.concatenate(customers), np.concatenate(days)


class _Levels:
    """How high visits, purchases and prices are on each day, beside the rest of the shop's days."""

    def __init__(self, random: np.random.Generator, days: int, planted: Planted) -> None:
        day = np.arange(days)
        weekday = np.exp(random.normal(0, 0.2, 7))[day % 7]
        sales = np.zeros(days)
        at = random.uniform(5, 25)
        while at < days:
            sales[int(at) : int(at) + random.integers(1, 4)] = 1
            at += random.uniform(12, 35)
        season = 1 + random.uniform(0, 0.25) * np.sin(2 * np.pi * (day + random.uniform(0, 365)) / 364)
        self.visits = weekday * season * np.exp(_wander(random, days, 0.12)) * (1 + 0.4 * sales) * planted.visits(days)
        self.buys = np.exp(_wander(random, days, 0.08)) * (1 + 0.25 * sales) * planted.buys(days)
        self.tracked = planted.tracked(days)
        self._sales = sales
        self._price = planted.price(days)

    def prices(self, random: np.random.Generator) -> Floats:
        """Of each product on each day: it changes about three times a year, and on sales some are a fifth cheaper."""
        begin = 20 * np.exp(random.normal(0, 0.7, PRODUCTS))
        days = len(self._sales)
        changes = (random.random((PRODUCTS, days)) < 1 / 120) * random.normal(0.01, 0.06, (PRODUCTS, days))
        on_sale = random.random((PRODUCTS, 1)) < random.uniform(0.05, 0.25)
        prices = begin[:, None] * np.exp(np.cumsum(changes, axis=1)) * (1 - 0.2 * self._sales * on_sale)
        return np.round(prices * self._price, 2)


def _wander(random: np.random.Generator, days: int, deviation: float) -> Floats:
    """An autoregressive series whose days remember six tenths of the day before."""
    noise = random.normal(0, deviation * 0.8, days)
    for i in range(1, days):
        noise[i] += 0.6 * noise[i - 1]
    return noise
