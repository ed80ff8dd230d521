"""Products as they were known at an instant: what sells, how often it is bought again, and what goes with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features import Profiles
from shared.features.columns import ADD_TO_CART, MONEY_UNITS, PURCHASE, VIEW_ITEM
from shared.recommending.customer import LATELY_DAYS, SEASON_DAYS
from shared.recommending.products import FAVOURITES, IN_DEMAND, MOST_PRODUCTS, NOWHERE, Products
from training.recommending.neighbours import neighbours

WEEK_DAYS = 7
SURE_AFTER_DAYS = 7
"""On sale for so long, a product's own sales count as much as what its category sells of one."""
SURE_AFTER = 5
"""Buyers, or gaps, that count as much as what is usual in the shop."""
USUAL_GAP_DAYS = 90.0
"""Where nobody ever bought anything again."""
_KINDS = (PURCHASE, ADD_TO_CART, VIEW_ITEM)
_DEMAND = {PURCHASE: 1.0, ADD_TO_CART: 0.3, VIEW_ITEM: 0.1}
_INTERACTION = {PURCHASE: 1.0, ADD_TO_CART: 0.5, VIEW_ITEM: 0.25}

type Ints = NDArray[np.int64]
type Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Entry:
    """What a shop's catalogue says of a product."""

    product_id: str
    name: str = ""
    category: int = 0
    """As events have it in `Rows.category`; 0 for none."""
    price: float | None = None
    available: bool = True


@dataclass(frozen=True)
class Assortment:
    """The products that there may be, by code."""

    ids: Mapping[int, str]
    """Of those that events name, and those of the catalogue."""
    catalogue: Mapping[int, Entry] = field(default_factory=dict)
    """Where it is not empty, nothing else is recommended."""


@dataclass(frozen=True)
class Interactions:
    """What people did with products before an instant: events of _KINDS, of products that have a name [n]."""

    owner: Ints
    code: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    time_ms: Ints
    category: NDArray[np.uint32]
    net: Ints
    n_owners: int
    as_of_ms: int

    @classmethod
    def before(cls, profiles: Profiles, as_of_ms: int, ids: Mapping[int, str]) -> Interactions:
        """Those of everybody but automated traffic."""
        rows = profiles.rows
        known = np.sort(np.fromiter(ids, np.uint32, len(ids)))
        at = np.searchsorted(known, rows.product)
        named = known[np.minimum(at, len(known) - 1)] == rows.product if len(known) else np.zeros(len(rows), bool)
        some = named & (rows.time_ms < as_of_ms) & np.isin(rows.kind, _KINDS) & ~profiles.automated[profiles.owner]
        rows = rows.take(some)
        owner = profiles.owner[some]
        columns = (rows.product, rows.kind, rows.time_ms, rows.category, rows.net)
        return cls(owner, *columns, len(profiles), as_of_ms)

    @property
    def day(self) -> Ints:
        """Whole days before the instant [n]."""
        return (self.as_of_ms - 1 - self.time_ms) // DAY_MS


def products_at(
    profiles: Profiles, as_of_ms: int, assortment: Assortment, segment: NDArray[np.int64] | None = None
) -> Products:
    """The products as they were known at an instant in UTC milliseconds; `segment` is that of each profile, -1 for
    none [n_profiles]."""
    done = Interactions.before(profiles, as_of_ms, assortment.ids)
    code = _chosen(done, assortment)
    place = np.searchsorted(code, done.code)
    kept = np.flatnonzero(code[np.minimum(place, len(code) - 1)] == done.code) if len(code) else np.empty(0, np.intp)
    sales = _Sales(done, kept, place[kept], len(code))
    category, price = sales.category(), sales.price()
    available = np.full(len(code), not assortment.catalogue)
    for at, one in enumerate(code.tolist()):
        if entry := assortment.catalogue.get(one):
            available[at] = entry.available
            category[at] = entry.category or category[at]
            price[at] = np.log(entry.price * MONEY_UNITS) if entry.price else price[at]
    age, demand = sales.age_days(), sales.demand(category)
    near, alike = neighbours(sales.owner, sales.place, sales.interaction(), done.n_owners, len(code))
    categories = np.unique(category[category > 0])
    newest = np.lexsort((code, age))
    in_demand = np.lexsort((code, -demand))
    shown = in_demand[available[in_demand]]
    segments, of_segment, lift = sales.segments(segment, available)
    return Products(
        code=code,
        category=category,
        available=available,
        demand=demand.astype(np.float32),
        trend=sales.trend().astype(np.float32),
        week=sales.week().astype(np.float32),
        age_days=age.astype(np.float32),
        gap_days=sales.gap_days().astype(np.float32),
        repeats=sales.repeats().astype(np.float32),
        price=price.astype(np.float32),
        near=near,
        alike=alike,
        categories=categories,
        of_category=_favourites(category, categories, shown, newest[available[newest]]),
        of_all=_padded(shown[:FAVOURITES]),
        segments=segments,
        of_segment=of_segment,
        lift=lift,
    )


def _chosen(done: Interactions, assortment: Assortment) -> NDArray[np.uint32]:
    """The codes of the products that are kept, ascending: all, or those that most people dealt with lately."""
    code, index = np.unique(done.code, return_inverse=True)
    heat = np.bincount(index, np.exp2(-done.day / SEASON_DAYS), minlength=len(code))
    wanted = np.array(sorted(assortment.catalogue), np.uint32)
    extra = np.setdiff1d(wanted, code)
    code, heat = np.append(code, extra), np.append(heat, np.zeros(len(extra)))
    if len(code) > MOST_PRODUCTS:
        heat += 1e-9 * np.isin(code, wanted)
        code = code[np.lexsort((code, -heat))[:MOST_PRODUCTS]]
    return np.sort(code).astype(np.uint32)


class _Sales:
    """What was done with the products [n_products] that are kept, by place."""

    def __init__(self, done: Interactions, kept: NDArray[np.intp], place: Ints, n: int) -> None:
        self.n, self.as_of_ms = n, done.as_of_ms
        self.owner, self.place, self.day = done.owner[kept], place, done.day[kept]
        self.kind, self._category, self._net, self._time = (
            column[kept] for column in (done.kind, done.category, done.net, done.time_ms)
        )

    def interaction(self) -> Numbers:
        """How much each event says of its customer's liking [n_events]."""
        return _by_kind(_INTERACTION)[self.kind]

    def category(self) -> NDArray[np.uint32]:
        """What each product was called last."""
        category = np.zeros(self.n, np.uint32)
        order = np.argsort(self._time, kind="stable")
        order = order[self._category[order] > 0]
        category[self.place[order]] = self._category[order]
        return category

    def price(self) -> Numbers:
        """Logarithm of a line's worth, NaN where none was sold."""
        sold = (self.kind == PURCHASE) & (self._net > 0)
        lines = np.bincount(self.place[sold], minlength=self.n)
        total = np.bincount(self.place[sold], np.log(self._net[sold]), minlength=self.n)
        return np.where(lines > 0, total / np.maximum(lines, 1), np.nan)

    def age_days(self) -> Numbers:
        """Since each was first seen; 0 for what never was."""
        age = np.zeros(self.n)
        np.maximum.at(age, self.place, (self.as_of_ms - self._time) / DAY_MS)
        return age

    def people(self, least: int, most: int) -> Numbers:
        """Different people a product, by what they did at most, from `least` days before the instant to `most`."""
        inside = (self.day >= least) & (self.day < most)
        pair = self.owner[inside] * self.n + self.place[inside]
        weight = _by_kind(_DEMAND)[self.kind[inside]]
        order = np.lexsort((-weight, pair))
        first = np.flatnonzero(np.diff(pair[order], prepend=-1))
        chosen = order[first]
        return np.bincount(pair[chosen] % max(self.n, 1), weight[chosen], minlength=self.n)

    def demand(self, category: NDArray[np.uint32]) -> Numbers:
        """Logarithm of the people in LATELY_DAYS, drawn to the mean of the category for what is new."""
        sold, age = self.people(0, LATELY_DAYS), self.age_days()
        share = np.minimum(age, LATELY_DAYS) / LATELY_DAYS
        sure = SURE_AFTER_DAYS / LATELY_DAYS
        _, index = np.unique(category, return_inverse=True)
        seen = np.bincount(index, share)
        usual_here = np.bincount(index, sold) / np.maximum(seen, 1e-9)
        usual = sold.sum() / max(share.sum(), 1e-9)
        usual_here = np.where(seen >= 1, usual_here, usual)[index]
        return np.log((sold + sure * usual_here) / (share + sure) + 1e-3)

    def trend(self) -> Numbers:
        """Logarithm of how much faster each sold lately than before."""
        before = self.people(LATELY_DAYS, LATELY_DAYS + SEASON_DAYS)
        return np.log((self.people(0, LATELY_DAYS) + 1) / (before * LATELY_DAYS / SEASON_DAYS + 1))

    def week(self) -> Numbers:
        """Logarithm of how much faster each sold in the last week than lately."""
        lately = self.people(0, LATELY_DAYS)
        return np.log((self.people(0, WEEK_DAYS) + 1) / (lately * WEEK_DAYS / LATELY_DAYS + 1))

    def _purchase_days(self) -> tuple[Ints, Ints]:
        """Customer and product as one number, and the day, of each day on which somebody bought something, by both."""
        some = self.kind == PURCHASE
        days = int(self.day.max(initial=0)) + 1
        packed = np.unique((self.owner[some] * self.n + self.place[some]) * days + self.day[some])
        return packed // days, packed % days

    def gap_days(self) -> Numbers:
        """Between two purchases, as a rule: the geometric mean, drawn to the shop's."""
        pair, day = self._purchase_days()
        again = np.flatnonzero(pair[1:] == pair[:-1])
        gap = np.log(day[again + 1] - day[again])
        product = pair[again] % max(self.n, 1)
        usual = gap.mean() if len(gap) else np.log(USUAL_GAP_DAYS)
        total = np.bincount(product, gap, minlength=self.n) + SURE_AFTER * usual
        return np.exp(total / (np.bincount(product, minlength=self.n) + SURE_AFTER))

    def repeats(self) -> Numbers:
        """Share of the buyers who bought it again, drawn to the shop's."""
        pair, _ = self._purchase_days()
        both, count = np.unique(pair, return_counts=True)
        product = both % max(self.n, 1)
        buyers = np.bincount(product, minlength=self.n)
        again = np.bincount(product[count > 1], minlength=self.n)
        usual = int(again.sum()) / max(int(buyers.sum()), 1)
        share: Numbers = (again + SURE_AFTER * usual) / (buyers + SURE_AFTER)
        return share

    def segments(
        self, segment: NDArray[np.int64] | None, available: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """The segments' ids, their favourites, and how much these stand out."""
        if segment is None:
            return np.empty(0, np.int32), np.empty((0, FAVOURITES), np.int32), np.empty((0, FAVOURITES), np.float32)
        some = (self.kind == PURCHASE) & (self.day < SEASON_DAYS)
        pair = np.unique(self.owner[some] * self.n + self.place[some])
        owner, place = np.divmod(pair, max(self.n, 1))
        everyone = np.bincount(place, minlength=self.n)
        ids = np.unique(segment[segment >= 0])
        favourites = np.full((len(ids), FAVOURITES), NOWHERE, np.int32)
        lifts = np.zeros((len(ids), FAVOURITES), np.float32)
        for row, one in enumerate(ids.tolist()):
            share = (segment == one).sum() / max((segment >= 0).sum(), 1)
            own = np.bincount(place[segment[owner] == one], minlength=self.n)
            expected = everyone * share
            lift = np.log((own + SURE_AFTER) / (expected + SURE_AFTER))
            best = np.lexsort((np.arange(self.n), -own * np.maximum(lift, 0.0)))
            best = best[available[best] & (own[best] > 0) & (lift[best] > 0)][:FAVOURITES]
            favourites[row, : len(best)] = best
            lifts[row, : len(best)] = lift[best]
        return ids.astype(np.int32), favourites, lifts


def _by_kind(weights: Mapping[int, float]) -> Numbers:
    table = np.zeros(256)
    for kind, weight in weights.items():
        table[kind] = weight
    return table


def _padded(places: NDArray[np.int64]) -> NDArray[np.int32]:
    padded = np.full(FAVOURITES, NOWHERE, np.int32)
    padded[: len(places)] = places
    return padded


def _favourites(
    category: NDArray[np.uint32], categories: NDArray[np.uint32], in_demand: Ints, newest: Ints
) -> NDArray[np.int32]:
    """Of each category those in most demand, and the newest."""
    out = np.full((len(categories), FAVOURITES), NOWHERE, np.int32)
    for order, begin, most in ((in_demand, 0, IN_DEMAND), (newest, IN_DEMAND, FAVOURITES - IN_DEMAND)):
        own = category[order]
        by_category = np.argsort(own, kind="stable")
        bounds = (
            np.searchsorted(own[by_category], categories, "left"),
            np.searchsorted(own[by_category], categories, "right"),
        )
        for row, (first, last) in enumerate(zip(*bounds, strict=True)):
            some = order[by_category[first : min(last, first + most)]]
            out[row, begin : begin + len(some)] = some
    return out
