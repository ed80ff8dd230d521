"""The two lists of one customer: what they may buy again, and what is new for them, each with its reason.

What is sent and exported are the products alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.features.columns import Rows
from shared.recommending.again import again_candidates, again_signals, own_gap
from shared.recommending.blend import probability
from shared.recommending.customer import Customer
from shared.recommending.discovery import NEW, candidates
from shared.recommending.lists import AGAIN_LIST, NEW_LIST, SENT
from shared.recommending.products import NOWHERE
from shared.recommending.recommender import Recommender
from shared.recommending.wording import (
    bought_again,
    carted,
    category,
    companion,
    everyone,
    looked_at,
    segment_favourite,
)

DIGITS = 6
_GROUPS = {
    "companion": ("goes_with_bought", "goes_with_often", "goes_with_lately", "goes_with_viewed", "closest"),
    "category": ("interest", "in_category"),
    "segment": ("segment",),
    "everyone": ("demand", "trend", "week", "age"),
}
"""What speaks for a product that is new, by what is said of it."""


def recommendations(
    recommender: Recommender, rows: Rows, as_of_ms: int, segment: int | None, limit: int
) -> dict[str, list[dict[str, Any]]]:
    """Both lists for the customer whose events are `rows`, as of an instant in UTC milliseconds, at most `limit` each.

    `segment` is an id of the recommender's segments; None where the customer is in none that it knows.
    """
    customer = Customer.at(rows, as_of_ms, recommender.products)
    return {
        AGAIN_LIST: _again(recommender, customer, limit),
        NEW_LIST: _new(recommender, customer, segment, limit),
    }


def recommended_products(
    recommender: Recommender, rows: Rows, as_of_ms: int, segment: int | None
) -> dict[str, list[int]]:
    """The places of the first SENT products of both lists, which are those of `recommendations`."""
    customer = Customer.at(rows, as_of_ms, recommender.products)
    at, _ = rank_again(recommender, customer)
    new = rank_new(recommender, customer, segment)
    return {AGAIN_LIST: customer.product[at[:SENT]].tolist(), NEW_LIST: new.place[:SENT].tolist()}


def recommended_ids(
    recommender: Recommender, rows: Rows, as_of_ms: int, segment: int | None
) -> dict[str, tuple[str, ...]]:
    """The ids of `recommended_products`."""
    lists = recommended_products(recommender, rows, as_of_ms, segment)
    return {name: tuple(recommender.ids[place] for place in places) for name, places in lists.items()}


def rank_again(recommender: Recommender, customer: Customer) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Positions among the customer's products, the likeliest to be bought again first, and their log-odds."""
    at = again_candidates(customer, recommender.products)
    log_odds = recommender.again.log_odds(again_signals(customer, recommender.products, at))
    order = np.lexsort((customer.product[at], -log_odds))
    return at[order], log_odds[order]


@dataclass(frozen=True)
class NewProducts:
    """Products that are new to a customer, the likeliest to be bought first [m], and what is said of each."""

    place: NDArray[np.int64]
    log_odds: NDArray[np.float64]
    signals: NDArray[np.float64]
    """What speaks for each [m, NEW]."""
    lift: NDArray[np.float64]
    """How much each stands out in the customer's segment, as a logarithm [m]."""


def rank_new(recommender: Recommender, customer: Customer, segment: int | None) -> NewProducts:
    """The products that are new to the customer."""
    new = candidates(customer, recommender.products, segment)
    signals = new.signals(customer, recommender.products)
    log_odds = recommender.new.log_odds(signals)
    order = np.lexsort((new.place, -log_odds))
    return NewProducts(new.place[order], log_odds[order], signals[order], new.lift[order])


def _again(recommender: Recommender, customer: Customer, limit: int) -> list[dict[str, Any]]:
    at, log_odds = rank_again(recommender, customer)
    at, scores = at[:limit], _scores(log_odds[:limit])
    gaps = own_gap(customer, recommender.products)
    return [
        _entry(recommender, int(customer.product[i]), score, bought_again(customer, int(i), float(gaps[i])))
        for i, score in zip(at.tolist(), scores, strict=True)
    ]


def _new(recommender: Recommender, customer: Customer, segment: int | None, limit: int) -> list[dict[str, Any]]:
    new = rank_new(recommender, customer, segment)
    scores = _scores(new.log_odds[:limit])
    speaking = _speaking(recommender, new, len(scores))
    shown = []
    for i, (place, score) in enumerate(zip(new.place[:limit].tolist(), scores, strict=True)):
        own = _own(customer, place)
        known = segment if new.lift[i] > 0 else None
        said = (_said_of(group, recommender, customer, place, known) for group in speaking[i])
        shown.append(_entry(recommender, place, score, own or next(filter(None, said))))
    return shown


def _entry(recommender: Recommender, place: int, score: float, reason: str) -> dict[str, Any]:
    name = recommender.names[place] or None
    return {"product_id": recommender.ids[place], "name": name, "score": score, "reason": reason}


def _scores(log_odds: NDArray[np.float64]) -> list[float]:
    scores: list[float] = np.round(probability(log_odds), DIGITS).tolist()
    return scores


def _own(customer: Customer, place: int) -> str | None:
    """What the customer did with a product themselves, if anything."""
    own = np.searchsorted(customer.product, place)
    if own == len(customer) or customer.product[own] != place:
        return None
    if np.isfinite(customer.in_cart[own]):
        return carted(float(customer.in_cart[own]))
    if np.isfinite(customer.last_viewed[own]):
        return looked_at(float(customer.last_viewed[own]), int(customer.viewed[own]))
    return None


def _said_of(group: str, recommender: Recommender, customer: Customer, place: int, segment: int | None) -> str | None:
    """What can be said of a product, where it is a group of _GROUPS that speaks for it; None where that is nothing."""
    products = recommender.products
    match group:
        case "companion":
            source = _source(recommender, customer, place)
            return None if source == NOWHERE else companion(_title(recommender, customer, source), customer, source)
        case "category":
            at = int(products.category_place[place])
            interest = float(customer.interest[at]) if at != NOWHERE else 0.0
            return category(recommender.category_names[at], interest) if interest else None
        case "segment":
            if segment is None:
                return None
            row = int(np.flatnonzero(products.segments == segment)[0])
            return segment_favourite(recommender.segment_names[row])
        case _:
            return everyone(float(products.age_days[place]), _category(recommender, place))


def _title(recommender: Recommender, customer: Customer, at: int) -> str:
    return recommender.title(int(customer.product[at]))


def _speaking(recommender: Recommender, new: NewProducts, count: int) -> list[list[str]]:
    """Of each of the first `count` products the groups, first the one without which, were it as usual in that, it would
    be least likely."""
    if not count:
        return []
    rows = np.repeat(new.signals[:count, None], len(_GROUPS) + 1, axis=1)
    usual = np.median(new.signals, axis=0)
    for row, names in enumerate(_GROUPS.values(), 1):
        at = [NEW.index(name) for name in names]
        rows[:, row, at] = usual[at]
    log_odds = recommender.new.log_odds(rows.reshape(-1, len(NEW))).reshape(count, -1)
    groups = [*_GROUPS]
    return [[groups[at] for at in row] for row in np.argsort(log_odds[:, 1:], axis=1, kind="stable").tolist()]


def _source(recommender: Recommender, customer: Customer, place: int) -> int:
    """Which of the customer's products pulls a product the most; NOWHERE where none does."""
    products = recommender.products
    if not len(customer):
        return NOWHERE
    likeness = np.where(products.near[customer.product] == place, products.alike[customer.product], 0.0).max(axis=1)
    times = np.minimum(customer.last_bought, np.minimum(customer.last_viewed, customer.in_cart))
    strength = likeness * np.exp2(-np.minimum(times, 3_650) / 60)
    best = int(np.argmax(strength))
    return best if strength[best] > 0 else NOWHERE


def _category(recommender: Recommender, place: int) -> str:
    at = int(recommender.products.category_place[place])
    return recommender.category_names[at] if at != NOWHERE else ""


class _Decided(Protocol):
    """What recommendations ask of a decision."""

    @property
    def segment(self) -> int: ...
    @property
    def model_version(self) -> str: ...


def segment_in(recommender: Recommender, decision: _Decided | None) -> int | None:
    """The segment decided on, if anything was, where the recommender knows it."""
    return known_segment(recommender, decision.segment, decision.model_version) if decision else None


def known_segment(recommender: Recommender, segment: int, model_version: str) -> int | None:
    """A segment that a bundle decided on, where the recommender was made with that bundle: ids of others may mean
    others."""
    known: Sequence[int] = recommender.products.segments.tolist()
    return segment if model_version == recommender.model_version and segment in known else None
