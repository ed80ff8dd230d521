"""Figures with intervals, and who is better than whom."""

import numpy as np
import pytest

from shared.durations import DAY_MS
from tests.support.recommenders import AS_OF_MS, shop_of, small_shop
from training.recommending.evaluation import OURS, Figure, Judged, evaluate
from training.recommending.training import train


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(60):
        figure = Figure.of((rng.random(200) < 0.3).astype(float))
        held += figure.low <= 0.3 <= figure.high
    assert held >= 50
    assert np.isnan(Figure.of(np.empty(0)).value)


def test_ours_is_held_against_the_best_of_the_others_customer_by_customer() -> None:
    judged = Judged.of({OURS: [2, 3, 1, 2] * 50, "a": [1, 2, 0, 1] * 50, "b": [0, 0, 0, 9] * 50})
    assert judged.best == {"hit": "a", "precision": "b"}
    assert judged.hit[OURS].value == 1
    assert judged.precision["a"].value == pytest.approx(0.1)
    assert judged.ahead["hit"].value == pytest.approx(0.25)
    assert not judged.is_behind
    assert Judged.of({OURS: [0] * 50, "a": [1] * 50}).is_behind
    assert not Judged.of({OURS: [], "a": []}).is_behind


def test_lists_are_judged_by_what_was_bought_afterwards() -> None:
    shop = shop_of(small_shop())
    known = train(shop, AS_OF_MS - 30 * DAY_MS).recommender
    evaluation = evaluate(shop.profiles, known, AS_OF_MS, range(len(shop.profiles)))
    everything = evaluation.all_products
    assert everything.customers == 12
    assert {one.value for one in everything.hit.values()} == {1.0}
    assert "own frequency" not in evaluation.new_products.hit
    shown = evaluation.as_dict()
    assert shown["all"]["customers"] == 12
    assert len(shown["all"]["precision_at_10"][OURS]) == 3
