"""What to blend recommendations by: examples of instants past, with what was bought after them, and lines fitted to
them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from shared.durations import DAY_MS
from shared.features import Profiles
from shared.features.columns import PURCHASE
from shared.recommending.again import AGAIN, again_candidates, again_signals
from shared.recommending.blend import Blend
from shared.recommending.customer import Customer
from shared.recommending.discovery import NEW, candidates
from shared.recommending.products import Products
from shared.recommending.trees import ALL, LEAVES, Trees

KNOTS = 8
MOST_CUSTOMERS = 2_500
"""Of one instant that examples are taken of, drawn by lot; half of them those who bought then, where these are few."""
SHARE_OF_OTHERS = 0.25
"""Of what was not bought, that is learned from, drawn by lot: each stands for as many as are left out."""
TREES = 100
LEARNING_RATE = 0.08
LEAST_OF_A_LEAF = 200
LEAST_OF_TREES = 1_000
"""With fewer examples of what was bought, lines take the place of trees."""
LEAST_BOUGHT = 100
"""With fewer examples of what was bought, lists go by what stands in BY_HAND."""
REGULARISATION = 1.0

type Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Past:
    """An instant past, in UTC milliseconds, and until when it is looked at what was bought after it."""

    cutoff_ms: int
    end_ms: int

    @classmethod
    def before(cls, as_of_ms: int, horizon_days: int, back: int) -> Past:
        """The instant so many horizons before another."""
        step = horizon_days * DAY_MS
        return cls(as_of_ms - back * step, as_of_ms - (back - 1) * step)


@dataclass(frozen=True)
class Examples:
    """Customers' products with what spoke for each [n, n_signals], and whether it was bought then [n]."""

    signals: Numbers
    bought: NDArray[np.bool_]
    weight: Numbers
    """How many each stands for [n]."""

    @classmethod
    def together(cls, parts: Sequence[Examples], n_signals: int) -> Examples:
        """All of them."""
        if not parts:
            return cls(np.empty((0, n_signals)), np.empty(0, bool), np.empty(0))
        return cls(
            *(np.concatenate(part) for part in zip(*((p.signals, p.bought, p.weight) for p in parts), strict=True))
        )


def bought_between(profiles: Profiles, products: Products, begin_ms: int, end_ms: int) -> list[NDArray[np.int64]]:
    """Places of the products that each profile bought in a time [n_profiles]."""
    rows = profiles.rows
    some = (rows.kind == PURCHASE) & (rows.time_ms >= begin_ms) & (rows.time_ms < end_ms)
    place = products.places(rows.product[some])
    owner = profiles.owner[some][place >= 0]
    pair = np.unique(owner * max(len(products), 1) + place[place >= 0])
    owner, place = np.divmod(pair, max(len(products), 1))
    return np.split(place, np.searchsorted(owner, np.arange(1, len(profiles))))


def examples(
    profiles: Profiles, products: Products, past: Past, segment: NDArray[np.int64] | None, rng: np.random.Generator
) -> tuple[Examples, Examples]:
    """Of products to buy again and of new ones, at an instant past; `segment` is that of each profile, -1 for none."""
    bought = bought_between(profiles, products, past.cutoff_ms, past.end_ms)
    again: list[Examples] = []
    new: list[Examples] = []
    for i, stands_for in drawn(profiles, past.cutoff_ms, MOST_CUSTOMERS, rng, np.array([*map(len, bought)]) > 0):
        rows = profiles.rows.take(slice(int(profiles.starts[i]), int(profiles.starts[i + 1])))
        customer = Customer.at(rows, past.cutoff_ms, products)
        at = again_candidates(customer, products)
        yes = np.isin(customer.product[at], bought[i])
        kept, weight = _lot(yes, rng)
        again.append(Examples(again_signals(customer, products, at[kept]), yes[kept], stands_for * weight))
        unbought = candidates(customer, products, None if segment is None else int(segment[i]))
        yes = np.isin(unbought.place, bought[i])
        kept, weight = _lot(yes, rng)
        new.append(Examples(unbought.take(kept).signals(customer, products), yes[kept], stands_for * weight))
    return Examples.together(again, len(AGAIN)), Examples.together(new, len(NEW))


def drawn(
    profiles: Profiles, cutoff_ms: int, most: int, rng: np.random.Generator, buyers: NDArray[np.bool_]
) -> list[tuple[int, float]]:
    """Some of those who did anything before an instant, programs left out, in their order, and how many each stands
    for.

    Where there are more than `most`, up to half are `buyers` [n_profiles]: where hardly anybody buys, a lot would hold
    next to none of those of whom there is something to learn.
    """
    known = np.bincount(profiles.owner[profiles.rows.time_ms < cutoff_ms], minlength=len(profiles)) > 0
    who = rng.permutation(np.flatnonzero(known & ~profiles.automated))
    if len(who) <= most:
        return [(i, 1.0) for i in np.sort(who).tolist()]
    first, rest = who[buyers[who]], who[~buyers[who]]
    of_first = min(len(first), max(most // 2, most - len(rest)))
    parts = (first, of_first), (rest, most - of_first)
    return sorted((i, len(part) / count) for part, count in parts for i in part[:count].tolist())


def _lot(yes: NDArray[np.bool_], rng: np.random.Generator) -> tuple[NDArray[np.intp], Numbers]:
    """Positions of all that were bought and of some that were not, and how many each stands for."""
    kept = np.flatnonzero(yes | (rng.random(len(yes)) < SHARE_OF_OTHERS))
    return kept, np.where(yes[kept], 1.0, 1 / SHARE_OF_OTHERS)


def fit(some: Examples, names: Sequence[str]) -> Blend:
    """The lines that fit the examples best, of signals called `names`; those of BY_HAND where these are too few."""
    if some.bought.sum() < LEAST_BOUGHT or some.bought.all():
        return by_hand(names)
    quantiles = np.quantile(some.signals, np.linspace(0, 1, KNOTS), axis=0).T
    basis = [_Hinges(knots) for knots in quantiles]
    design = np.column_stack([one.of(column) for one, column in zip(basis, some.signals.T, strict=True)])
    middle, spread = design.mean(axis=0), design.std(axis=0) + 1e-9
    model = LogisticRegression(C=REGULARISATION, solver="newton-cholesky", max_iter=50)
    model.fit(((design - middle) / spread).astype(np.float32), some.bought, some.weight)
    slopes = model.coef_[0] / spread
    lines = zip(basis, np.split(slopes, len(basis)), strict=True)
    values = np.array([one.of(one.knots) @ own for one, own in lines])
    return Blend(np.array([one.knots for one in basis]), values, float(model.intercept_[0] - slopes @ middle))


BY_HAND: Mapping[tuple[str, ...], Mapping[str, float]] = {
    AGAIN: {"bought": 1.0, "last_bought": -0.5, "share": 0.5, "demand": 0.5, "in_cart": 2.0, "viewed": 0.5},
    NEW: {
        "demand": 1.0,  # as likely as it is in demand
        "interest": 1.0,
        "goes_with_bought": 0.5,
        "goes_with_lately": 0.5,
        "goes_with_viewed": 1.0,
        "segment": 0.5,
        "in_cart": 2.0,
        "viewed": 0.5,
    },
}
"""By signals, log-odds for each unit of one, where there is too little to learn from."""
PLAINLY: Mapping[tuple[str, ...], Mapping[str, float]] = {
    AGAIN: {"bought": 1.0, "demand": 0.01},
    NEW: {"demand": 1.0},
}
"""The same where what was learned foretells no more than how often something was bought."""
_RARE = -4.0
"""Log-odds of a purchase of which nothing is known."""


def by_hand(names: Sequence[str], by: Mapping[tuple[str, ...], Mapping[str, float]] = BY_HAND) -> Blend:
    """Straight lines with the slopes of BY_HAND, or of others."""
    slopes = by.get(tuple(names), {})
    knots = np.tile([-20.0, 20.0], (len(names), 1))
    return Blend(knots, knots * np.array([[slopes.get(name, 0.0)] for name in names]), _RARE)


def fit_trees(some: Examples, names: Sequence[str]) -> Blend | Trees:
    """Trees that fit the examples, where these are enough, and lines otherwise: what is new is liked for several things
    together."""
    if some.bought.sum() < LEAST_OF_TREES:
        return fit(some, names)
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=LEARNING_RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=LEAST_OF_A_LEAF,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=0,
    )
    model.fit(some.signals, some.bought, some.weight)
    trees = [_Tree(predictor.nodes) for (predictor,) in model._predictors]
    parts = zip(*((tree.signal, tree.limit, tree.kept, tree.leaf) for tree in trees), strict=True)
    signal, limit, kept, leaf = (np.array(part) for part in parts)
    return Trees(signal, limit, kept.astype(np.uint8), leaf, float(model._baseline_prediction.item()))


class _Tree:
    """A tree of scikit-learn's as the conditions that strike leaves out, which are counted from the left."""

    def __init__(self, nodes: Any) -> None:
        self.signal = np.zeros(LEAVES - 1, np.int64)
        self.limit = np.full(LEAVES - 1, np.inf)
        self.kept = np.full(LEAVES - 1, ALL)
        self.leaf = np.zeros(LEAVES)
        self._nodes, self._leaves, self._conditions = nodes, 0, 0
        self._walk(0)

    def _walk(self, at: int) -> int:
        """Takes a node with all below it; gives its leaves, a bit each."""
        node = self._nodes[at]
        if node["is_leaf"]:
            self.leaf[self._leaves] = node["value"]
            self._leaves += 1
            return 1 << self._leaves - 1
        own = self._conditions
        self._conditions += 1
        self.signal[own], self.limit[own] = node["feature_idx"], node["num_threshold"]
        left = self._walk(int(node["left"]))
        self.kept[own] = ALL & ~left
        return left | self._walk(int(node["right"]))


class _Hinges:
    """A straight line and one that begins at each inner knot: lines stay straight where nothing speaks against it."""

    def __init__(self, knots: Numbers) -> None:
        self.knots = knots
        self._middle, self._spread = knots.mean(), max(knots.std(), 1e-9)

    def of(self, values: Numbers) -> Numbers:
        """[n, KNOTS - 1]"""
        clipped = np.clip(values, self.knots[0], self.knots[-1])
        straight = (clipped - self._middle) / self._spread
        bent = np.maximum(clipped[:, None] - self.knots[1:-1], 0.0) / self._spread
        return np.column_stack([straight, bent])
