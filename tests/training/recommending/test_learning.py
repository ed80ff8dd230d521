"""Examples of instants past, and the lines fitted to them."""

import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.recommending.again import AGAIN
from shared.recommending.blend import probability
from shared.recommending.discovery import NEW
from tests.support.recommenders import AS_OF_MS, shop_of, small_shop
from training.recommending import learning
from training.recommending.building import products_at
from training.recommending.learning import BY_HAND, Examples, Past, bought_between, by_hand, drawn, examples, fit


def test_examples_know_nothing_of_what_they_are_to_foretell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "SHARE_OF_OTHERS", 1.0)
    past = Past.before(AS_OF_MS, 30, back=2)
    assert (past.cutoff_ms, past.end_ms) == (AS_OF_MS - 60 * DAY_MS, AS_OF_MS - 30 * DAY_MS)
    whole = shop_of(small_shop())
    products = products_at(whole.profiles, past.cutoff_ms, whole.assortment)

    def signals(shop: object) -> list[Examples]:
        rng = np.random.default_rng(1)
        return [*examples(shop.profiles, products, past, None, rng)]  # type: ignore[attr-defined]

    until = shop_of([one for one in small_shop() if one["timestamp"] < "2017-08-02"])
    for once, again in zip(signals(whole), signals(until), strict=True):
        assert np.array_equal(once.signals, again.signals)
        assert not again.bought.any()
    assert signals(whole)[0].bought.any()


def test_what_was_bought_in_a_time_is_told_by_customer() -> None:
    shop = shop_of(small_shop())
    products = products_at(shop.profiles, AS_OF_MS, shop.assortment)
    bought = bought_between(shop.profiles, products, AS_OF_MS - 30 * DAY_MS, AS_OF_MS)
    assert len(bought) == len(shop.profiles)
    names = [{shop.assortment.ids[code] for code in products.code[places].tolist()} for places in bought]
    assert all("a1" in one for one in names)
    assert bought_between(shop.profiles, products, AS_OF_MS, AS_OF_MS + DAY_MS)[0].tolist() == []


def test_only_those_who_did_something_are_drawn() -> None:
    shop = shop_of(small_shop())
    rng = np.random.default_rng(1)
    nobody = np.zeros(12, bool)
    assert drawn(shop.profiles, AS_OF_MS, 100, rng, nobody) == [(i, 1.0) for i in range(12)]
    assert len(drawn(shop.profiles, AS_OF_MS, 5, rng, nobody)) == 5
    assert drawn(shop.profiles, 1, 5, rng, nobody) == []


def test_of_those_who_bought_half_are_drawn_and_each_stands_for_as_many_as_there_are() -> None:
    shop = shop_of(small_shop())
    rng = np.random.default_rng(1)
    buyers = np.isin(np.arange(12), (2, 7))
    some = dict(drawn(shop.profiles, AS_OF_MS, 6, rng, buyers))
    assert {2, 7} <= some.keys()
    assert (some[2], some[7], sum(some.values())) == (1.0, 1.0, 12.0)
    for bought in (np.ones(12, bool), np.arange(12) < 9, np.arange(12) < 11):
        several = drawn(shop.profiles, AS_OF_MS, 6, rng, bought)
        assert len(several) == 6
        assert sum(weight for _, weight in several) == pytest.approx(12)
        assert sum(weight for i, weight in several if bought[i]) == pytest.approx(bought.sum())


def test_lines_find_what_there_is_to_find_and_are_calibrated() -> None:
    rng = np.random.default_rng(2)
    signals = rng.normal(size=(20_000, 2))
    truth = probability(np.abs(signals[:, 0]) * 2 - 3)
    bought = rng.random(20_000) < truth
    blend = fit(Examples(signals, bought, np.ones(20_000)), ("a", "b"))
    predicted = probability(blend.log_odds(signals))
    assert np.corrcoef(predicted, truth)[0, 1] > 0.98
    assert abs(predicted.mean() - truth.mean()) < 0.005
    assert np.ptp(blend.values[1]) < np.ptp(blend.values[0]) / 5


def test_those_drawn_by_lot_stand_for_the_others() -> None:
    rng = np.random.default_rng(3)
    signals = rng.normal(size=(40_000, 1))
    bought = rng.random(40_000) < 0.05
    kept = bought | (rng.random(40_000) < 0.25)
    blend = fit(Examples(signals[kept], bought[kept], np.where(bought[kept], 1.0, 4.0)), ("a",))
    assert abs(probability(blend.log_odds(signals)).mean() - 0.05) < 0.01


def test_where_there_is_too_little_to_learn_from_lists_go_by_hand() -> None:
    assert all({*slopes} <= {*names} for names, slopes in BY_HAND.items())
    few = Examples(np.zeros((10, len(NEW))), np.ones(10, bool), np.ones(10))
    assert np.array_equal(fit(few, NEW).values, by_hand(NEW).values)
    none = Examples.together([], len(AGAIN))
    assert np.array_equal(fit(none, AGAIN).values, by_hand(AGAIN).values)
    signals = np.zeros((2, len(NEW)))
    signals[1, NEW.index("in_cart")] = 1
    unlike, like = by_hand(NEW).log_odds(signals)
    assert like > unlike
