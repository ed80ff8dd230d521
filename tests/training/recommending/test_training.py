"""A recommender from events, and what is said of it."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.recommending.blend import Blend
from shared.recommending.customer import Customer
from shared.recommending.recommender import Recommender
from shared.recommending.recommending import rank_again, rank_new
from tests.support.recommenders import AS_OF_MS, event, shop_of, small_shop
from training.base.errors import InputError
from training.recommending import training
from training.recommending.learning import Examples, by_hand
from training.recommending.training import encoded, table, train


def test_the_same_events_make_the_same_recommender() -> None:
    once, again = (train(shop_of(events), AS_OF_MS) for events in (small_shop(), small_shop()[::-1]))
    assert once.recommender.to_bytes() == again.recommender.to_bytes()
    assert once.recommender.recommender_id.startswith("20171001-")
    assert Recommender.from_bytes(once.recommender.to_bytes()).recommender_id == once.recommender.recommender_id


def test_it_is_judged_on_the_last_days_or_on_those_that_are_named() -> None:
    shop = shop_of(small_shop())
    evaluation = train(shop, AS_OF_MS).evaluation
    assert evaluation is not None
    assert evaluation.cutoff_ms == AS_OF_MS - 30 * DAY_MS
    lines = [*table(evaluation)]
    assert lines[0] == "Judged on the 30 days that training did not see:"
    assert any(line.startswith("| Tessera |") for line in lines)
    evaluation = train(shop, AS_OF_MS, AS_OF_MS - 45 * DAY_MS).evaluation
    assert evaluation is not None
    assert evaluation.end_ms - evaluation.cutoff_ms == 45 * DAY_MS
    assert json.loads(encoded(train(shop, AS_OF_MS).report()))["evaluation"]["all"]["customers"] == 12


def test_of_a_young_shop_fewer_days_are_looked_ahead() -> None:
    young = [one for one in small_shop() if one["timestamp"] >= "2017-09-01"]
    trained = train(shop_of(young), AS_OF_MS)
    assert 1 <= trained.recommender.horizon_days <= 8
    one = train(shop_of([event("x", "purchase", "a1", "2017-09-30")]), AS_OF_MS)
    assert one.recommender.ids == ["a1"]


def test_a_shop_whose_events_name_no_product_is_told_so() -> None:
    with pytest.raises(InputError, match="product_id"):
        train(shop_of([event("x", "page_view", "", "2017-09-01", product_id=None)]), AS_OF_MS)


def backwards(_: Examples, names: Sequence[str]) -> Blend:
    """What is learnt of nothing: the less somebody bought something, the likelier it is."""
    lines = by_hand(names)
    return replace(lines, values=-lines.values)


def test_where_what_was_learned_hits_no_more_lists_go_by_how_often_things_are_bought(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = shop_of(small_shop() + [event("c1", "purchase", f"z{n}", f"2017-04-{n + 1:02}") for n in range(12)])
    learned = train(shop, AS_OF_MS)
    assert not learned.is_plain
    monkeypatch.setattr(training, "fit", backwards)
    monkeypatch.setattr(training, "fit_trees", backwards)
    plain = train(shop, AS_OF_MS)
    assert plain.is_plain
    assert plain.report()["plain"]
    assert plain.evaluation and not plain.evaluation.all_products.is_behind
    assert plain.recommender.recommender_id not in (learned.recommender.recommender_id, "unnamed")
    assert Recommender.from_bytes(plain.recommender.to_bytes()).recommender_id == plain.recommender.recommender_id
    products = plain.recommender.products
    rows = shop.profiles.rows.take(shop.profiles.owner == shop.profiles.keys.index("customer#c1"))
    customer = Customer.at(rows, AS_OF_MS, products)
    at, _ = rank_again(plain.recommender, customer)
    assert np.all(np.diff(customer.bought[at]) <= 0)
    new = rank_new(plain.recommender, customer, None).place
    assert np.all(np.diff(products.demand[new]) <= 0)
