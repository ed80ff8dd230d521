"""How good recommendations are: on days that training did not see, beside the baselines, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.features import Profiles
from shared.recommending.customer import Customer
from shared.recommending.recommender import Recommender
from shared.recommending.recommending import rank_again, rank_new
from training.recommending.baselines import Baselines
from training.recommending.learning import bought_between

SHOWN = 10
"""Entries of a list that are judged: as many as a page shows."""
RESAMPLED = 2_000
OURS = "Tessera"

type Hits = dict[str, list[int]]
"""By contender, how many of SHOWN products each customer bought."""


@dataclass(frozen=True)
class Figure:
    """A mean over customers with its 95 % interval, from resampling customers."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Figure:
        """The mean of values [n]."""
        if not len(values):
            return cls(float("nan"), float("nan"), float("nan"))
        rng = np.random.default_rng(7)
        # Poisson weights stand for drawing customers with replacement, without holding every draw at once.
        draws = (rng.poisson(1.0, len(values)) for _ in range(RESAMPLED))
        means = [float(weight @ values) / max(float(weight.sum()), 1.0) for weight in draws]
        low, high = np.quantile(means, (0.025, 0.975)).tolist()
        return cls(float(values.mean()), low, high)


@dataclass
class Judged:
    """What came of the lists of one kind."""

    customers: int
    hit: dict[str, Figure] = field(default_factory=dict)
    """By contender, the share of customers who bought at least one of SHOWN products."""
    precision: dict[str, Figure] = field(default_factory=dict)
    """By contender, the share of SHOWN products that were bought."""
    ahead: dict[str, Figure] = field(default_factory=dict)
    """By measure, ours less that of the best baseline, customer by customer."""
    best: dict[str, str] = field(default_factory=dict)
    """By measure, the best baseline."""

    @classmethod
    def of(cls, hits: Mapping[str, Sequence[int]]) -> Judged:
        """The figures of what each contender hit."""
        counts = {name: np.array(each, float) for name, each in hits.items()}
        judged = cls(len(counts[OURS]))
        for measure, figures, of in (("hit", judged.hit, _any), ("precision", judged.precision, _share)):
            values = {name: of(each) for name, each in counts.items()}
            figures |= {name: Figure.of(each) for name, each in values.items()}
            others = {name: each.mean() if len(each) else 0.0 for name, each in values.items() if name != OURS}
            best = judged.best[measure] = max(others, key=others.__getitem__)
            judged.ahead[measure] = Figure.of(values[OURS] - values[best])
        return judged

    @property
    def is_behind(self) -> bool:
        """Whether ours is worse than the best baseline beyond chance, by the share of products that were bought."""
        return self.customers > 0 and self.ahead["precision"].high < 0

    @property
    def is_ahead(self) -> bool:
        """Whether ours is better than the best baseline beyond chance, by the same."""
        return self.customers > 0 and self.ahead["precision"].low > 0


@dataclass(frozen=True)
class Evaluation:
    """All products, those bought before and others together as a page shows them, and products new to the customer."""

    all_products: Judged
    new_products: Judged
    cutoff_ms: int
    end_ms: int

    def as_dict(self) -> dict[str, Any]:
        """For the report."""
        return {
            "cutoff_ms": self.cutoff_ms,
            "end_ms": self.end_ms,
            **{name: _as_dict(one) for name, one in (("all", self.all_products), ("new", self.new_products))},
        }


def evaluate(
    profiles: Profiles,
    recommender: Recommender,
    end_ms: int,
    who: Iterable[int],
    segment: NDArray[np.int64] | None = None,
) -> Evaluation:
    """Holds a recommender to what the customers `who` bought from its instant to an end in UTC milliseconds, of what
    may be shown.

    Who bought nothing then is not judged, nor among new products who bought none that was new to them.
    """
    products, cutoff = recommender.products, recommender.as_of_ms
    everything_bought = bought_between(profiles, products, cutoff, end_ms)
    bought = [places[products.available[places]] for places in everything_bought]
    baselines = Baselines.at(profiles, products, cutoff)
    everything: Hits = {}
    unknown: Hits = {}
    for i in who:
        if not len(bought[i]):
            continue
        rows = profiles.rows.take(slice(int(profiles.starts[i]), int(profiles.starts[i + 1])))
        customer = Customer.at(rows, cutoff, products)
        known = customer.product[customer.bought > 0]
        at, _ = rank_again(recommender, customer)
        new = rank_new(recommender, customer, None if segment is None or segment[i] < 0 else int(segment[i])).place
        lists = baselines.lists(i, known, SHOWN)
        lists[OURS] = np.concatenate([customer.product[at], new])[:SHOWN], new[:SHOWN]
        new_bought = np.setdiff1d(bought[i], known)
        for name, (of_all, of_new) in lists.items():
            everything.setdefault(name, []).append(int(np.isin(of_all, bought[i]).sum()))
            if len(new_bought):
                unknown.setdefault(name, []).append(int(np.isin(of_new, new_bought).sum()))
    unknown.pop("own frequency", None)  # which knows nothing new
    nobody: Hits = {OURS: [], "popularity": []}
    return Evaluation(Judged.of(everything or nobody), Judged.of(unknown or nobody), cutoff, end_ms)


def _any(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return (counts > 0).astype(float)


def _share(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return counts / SHOWN


def _as_dict(judged: Judged) -> dict[str, Any]:
    def shown(figures: Mapping[str, Figure]) -> dict[str, list[float]]:
        some = figures.items() if judged.customers else ()
        return {name: [round(one.value, 4), round(one.low, 4), round(one.high, 4)] for name, one in some}

    return {
        "customers": judged.customers,
        "hit_at_10": shown(judged.hit),
        "precision_at_10": shown(judged.precision),
        "ahead_of_the_best": shown(judged.ahead),
        "best": judged.best,
    }
