"""A recommender from events: judged on days that it did not see, and then trained up to the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features import Profiles
from shared.recommending.again import AGAIN
from shared.recommending.discovery import NEW
from shared.recommending.recommender import LONGEST_TEXT, Recommender
from training.base.errors import InputError
from training.base.progress import progress
from training.recommending.building import Assortment, products_at
from training.recommending.evaluation import OURS, Evaluation, Judged, evaluate
from training.recommending.learning import (
    PLAINLY,
    Examples,
    Past,
    bought_between,
    by_hand,
    drawn,
    examples,
    fit,
    fit_trees,
)

HORIZON_DAYS = 30
LEAST_HORIZONS = 4
"""Of the events' span; where it is shorter, fewer days are looked ahead."""
INSTANTS = 2
"""Past ones that are learned from."""
MOST_JUDGED = 5_000
"""Customers, drawn by lot; who buys nothing then is not judged."""
SEED = 7

type Places = NDArray[np.int64]


@dataclass(frozen=True)
class Shop:
    """What recommendations are learned from."""

    profiles: Profiles
    assortment: Assortment
    category_names: dict[int, str]
    segments: Callable[[int], Places] | None = None
    """The segment of each profile at an instant in UTC milliseconds, -1 for none; None without a bundle."""
    segment_names: dict[int, str] | None = None
    model_version: str | None = None


@dataclass(frozen=True)
class Trained:
    """A recommender and how good one was that did not know the last days."""

    recommender: Recommender
    evaluation: Evaluation | None
    """None where the events are too few to judge by."""
    is_plain: bool = False
    """Whether lists go by how often things are bought alone, since what was learned foretold no more."""

    def report(self) -> dict[str, Any]:
        """For `report.json`."""
        known = self.recommender
        return {
            "recommender_id": known.recommender_id,
            "as_of_ms": known.as_of_ms,
            "horizon_days": known.horizon_days,
            "products": len(known.products),
            "available": int(known.products.available.sum()),
            "model_version": known.model_version,
            "plain": self.is_plain,
            "evaluation": self.evaluation and self.evaluation.as_dict(),
        }


def train(shop: Shop, as_of_ms: int, test_from_ms: int | None = None) -> Trained:
    """Trains as of an instant in UTC milliseconds, and judges on the days from `test_from_ms` to it: by default the
    last horizon.

    Raises InputError where no event is about a product that has a name.
    """
    first_ms = int(shop.profiles.rows.time_ms.min(initial=as_of_ms))
    span_days = (as_of_ms - first_ms) // DAY_MS
    horizon = int(min(HORIZON_DAYS, max(span_days // LEAST_HORIZONS, 1)))
    test_ms = as_of_ms - horizon * DAY_MS if test_from_ms is None else test_from_ms
    if not first_ms < test_ms < as_of_ms:
        test_ms = as_of_ms
    evaluation = None
    is_plain = False
    with progress("learning", 2 * (INSTANTS + 2)) as advance:
        if test_ms < as_of_ms:
            before = _learned(shop, test_ms, horizon, advance)
            evaluation = _judged(shop, before, as_of_ms)
            advance(1, "judged")
            is_plain = not evaluation.all_products.is_ahead and _is_better_plain(shop, test_ms, horizon)
            evaluation = _judged(shop, plainly(before), as_of_ms) if is_plain else evaluation
        recommender = _learned(shop, as_of_ms, horizon, advance)
        recommender = plainly(recommender) if is_plain else recommender
    if not len(recommender.products):
        raise InputError("no event is about a product: recommendations need product_id, on purchases above all")
    return Trained(recommender, evaluation, is_plain)


def plainly(recommender: Recommender) -> Recommender:
    """The same with lists by how often things are bought: by the customer, and by all."""
    return _named(replace(recommender, again=by_hand(AGAIN, PLAINLY), new=by_hand(NEW, PLAINLY)))


def _is_better_plain(shop: Shop, until_ms: int, horizon: int) -> bool:
    """Whether plain lists hit more than what was learned, on the days before those that are judged on."""
    earlier = _learned(shop, until_ms - horizon * DAY_MS, horizon, lambda *_: None)
    if not len(earlier.products):
        return False
    learned, plain = (_judged(shop, one, until_ms).all_products for one in (earlier, plainly(earlier)))
    return plain.customers > 0 and plain.precision[OURS].value > learned.precision[OURS].value


def _learned(shop: Shop, as_of_ms: int, horizon: int, advance: Callable[[float, str], None]) -> Recommender:
    rng = np.random.default_rng(SEED)
    again: list[Examples] = []
    new: list[Examples] = []
    for past in _past(shop.profiles, as_of_ms, horizon):
        segment = shop.segments(past.cutoff_ms) if shop.segments else None
        products = products_at(shop.profiles, past.cutoff_ms, shop.assortment, segment)
        some = examples(shop.profiles, products, past, segment, rng)
        again.append(some[0])
        new.append(some[1])
        advance(1, f"{sum(len(part.bought) for part in (*again, *new)):,} examples")
    blends = fit(Examples.together(again, len(AGAIN)), AGAIN), fit_trees(Examples.together(new, len(NEW)), NEW)
    segment = shop.segments(as_of_ms) if shop.segments else None
    products = products_at(shop.profiles, as_of_ms, shop.assortment, segment)
    names = shop.segment_names or {}
    catalogue = shop.assortment.catalogue
    recommender = Recommender(
        recommender_id="unnamed",
        as_of_ms=as_of_ms,
        horizon_days=horizon,
        products=products,
        ids=[shop.assortment.ids[code] for code in products.code.tolist()],
        names=[catalogue[code].name if code in catalogue else "" for code in products.code.tolist()],
        category_names=[_short(shop.category_names.get(code, "")) for code in products.categories.tolist()],
        segment_names=[_short(names.get(one, f"segment {one}")) for one in products.segments.tolist()],
        again=blends[0],
        new=blends[1],
        model_version=shop.model_version,
    )
    return _named(recommender)


def _named(recommender: Recommender) -> Recommender:
    day = datetime.fromtimestamp(recommender.as_of_ms / 1_000, UTC).strftime("%Y%m%d")
    digest = hashlib.sha256(replace(recommender, recommender_id="unnamed").to_bytes()).hexdigest()[:8]
    return replace(recommender, recommender_id=f"{day}-{digest}")


def _past(profiles: Profiles, as_of_ms: int, horizon: int) -> Iterator[Past]:
    """The instants that are learned from: each with as much history before it as is looked ahead."""
    first_ms = int(profiles.rows.time_ms.min(initial=as_of_ms))
    for back in range(1, INSTANTS + 1):
        past = Past.before(as_of_ms, horizon, back)
        if past.cutoff_ms >= first_ms + horizon * DAY_MS:
            yield past


def _judged(shop: Shop, recommender: Recommender, end_ms: int) -> Evaluation:
    segment = shop.segments(recommender.as_of_ms) if shop.segments else None
    bought = bought_between(shop.profiles, recommender.products, recommender.as_of_ms, end_ms)
    buyers = np.array([*map(len, bought)]) > 0
    rng = np.random.default_rng(SEED)
    who = [i for i, _ in drawn(shop.profiles, recommender.as_of_ms, MOST_JUDGED, rng, buyers)]
    return evaluate(shop.profiles, recommender, end_ms, who, segment)


def table(evaluation: Evaluation) -> Iterator[str]:
    """The figures as lines of a table in Markdown, which reads well in a terminal too."""
    days = (evaluation.end_ms - evaluation.cutoff_ms) / DAY_MS
    yield f"Judged on the {days:.0f} days that training did not see:"
    for title, judged in (
        ("all products", evaluation.all_products),
        ("new to the customer", evaluation.new_products),
    ):
        yield ""
        if not judged.customers:
            yield (
                f"Nobody bought anything {title} then." if judged is evaluation.new_products else "Nobody bought then."
            )
            continue
        yield f"| {title} ({judged.customers:,} customers) | hit@10 | precision@10 |"
        yield "|---|---|---|"
        for name in judged.hit:
            hit, precision = judged.hit[name], judged.precision[name]
            yield (
                f"| {name} | {hit.value:.3f} ({hit.low:.3f} to {hit.high:.3f})"
                f" | {precision.value:.4f} ({precision.low:.4f} to {precision.high:.4f}) |"
            )
        yield _verdict(judged)


def _verdict(judged: Judged) -> str:
    hit, precision = judged.ahead["hit"], judged.ahead["precision"]
    return (
        f"| ours less the best of the others | {hit.value:+.3f} ({hit.low:+.3f} to {hit.high:+.3f})"
        f" | {precision.value:+.4f} ({precision.low:+.4f} to {precision.high:+.4f}) |"
    )


def encoded(report: dict[str, Any]) -> bytes:
    """The report as JSON."""
    return json.dumps(report, indent=2, allow_nan=False).encode()


def _short(text: str) -> str:
    return text.encode()[:LONGEST_TEXT].decode(errors="ignore")
