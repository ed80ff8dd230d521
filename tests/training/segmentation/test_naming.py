"""Names and sentences that a marketer can read, and that are true."""

import numpy as np
import pytest

from shared.features import FEATURE_NAMES
from shared.reasons.wording import format_value
from tests.support.simulated import simulated
from tests.training.segmentation.conftest import facts, rows, truth
from training.base.config import Config
from training.data.preparation import Matrix
from training.segmentation.facts import facts as typical_of
from training.segmentation.naming import (
    TELLING,
    TRUE,
    UNUSUAL,
    Candidate,
    Segment,
    candidates,
    catalogue,
    describe,
    sentence,
    unique_names,
)
from training.segmentation.segments import fit_segments
from training.shop.shoppers import SHOPPERS

PLANTED = {
    "frequent_browsers": "frequent browsers who rarely buy",
    "one_time_big_spenders": "one-time big spenders",
    "seasonal_gift_buyers": "seasonal gift buyers",
    "discount_seekers": "discount seekers",
    "weekend_shoppers": "weekend shoppers",
    "style_browsers": "style browsers",
    "loyal_regulars": "loyal regulars",
    "lapsing": "lapsing customers",
}
FLAT = np.zeros(len(FEATURE_NAMES))


def standardised(X: Matrix) -> Matrix:
    filled = np.log1p(np.nan_to_num(X).clip(0))
    return ((filled - filled.mean(axis=0)) / (filled.std(axis=0) + 1e-9)).astype(np.float32)


def names_of(own: Matrix, others: Matrix) -> set[str]:
    return {candidate.name for candidate in candidates(truth(own, others), 0, neighbour=1)}


def named(segment: np.ndarray, seed: int = 7) -> list[Segment]:
    X = simulated(seed=seed).X
    return describe(segment, X, standardised(X))[0]


@pytest.mark.parametrize("seed", [7, 8])
def test_planted_segments_are_called_what_they_are(seed: int) -> None:
    names = {SHOPPERS[segment.id].name: segment.name.lower() for segment in named(simulated(seed=seed).kind, seed)}
    assert {kind: PLANTED[kind] for kind in names if PLANTED[kind] in names[kind]} == PLANTED


def test_found_segments_are_called_what_most_of_their_customers_are() -> None:
    shop = simulated()
    kinds = len(SHOPPERS)
    segmentation = fit_segments(shop.X, Config(fewest_segments=kinds, most_segments=kinds, bootstraps=1))
    nearest = segmentation.distances(shop.X).argmin(axis=1)
    for segment in catalogue(segmentation, shop.X)[0]:
        most = np.bincount(shop.kind[nearest == segment.id]).argmax()
        assert PLANTED[SHOPPERS[most].name] in segment.name.lower()


def test_names_stay_when_the_data_change_a_little() -> None:
    shop = simulated()
    random = np.random.default_rng(1)
    prepared = standardised(shop.X)
    names = [segment.name for segment in named(shop.kind)]
    for _ in range(5):
        some = random.integers(len(shop.X), size=len(shop.X))
        again, _ = describe(shop.kind[some], shop.X[some], prepared[some])
        assert [segment.name for segment in again] == names


def test_a_name_is_given_only_where_two_in_three_bear_it_out_whatever_their_median_is() -> None:
    once = [1.0, 1.0, 1.0, 2.0]
    others = rows(orders_lifetime=[4.0] * 8)
    assert "One-time buyers" in names_of(rows(orders_lifetime=once), others)
    assert "One-time buyers" not in names_of(rows(orders_lifetime=[*once, 2.0]), others)


def test_a_name_says_of_how_many_it_is_true() -> None:
    groups = truth(rows(orders_lifetime=[1.0, 1.0, 1.0, 2.0]), rows(orders_lifetime=[1.0] + [4.0] * 9))
    [one_time] = [name for name in candidates(groups, 0, neighbour=1) if name.name == "One-time buyers"]
    assert one_time.true_of == {"members": 0.75, "others": 0.1}


def test_a_name_is_not_given_that_is_truer_of_the_segment_most_like_it() -> None:
    groups = truth(rows(orders_lifetime=[1.0, 1.0, 1.0, 2.0]), rows(orders_lifetime=[1.0] * 9))
    assert "One-time buyers" not in {name.name for name in candidates(groups, 0, neighbour=1)}
    assert "One-time buyers" in {name.name for name in candidates(groups, 1, neighbour=0)}


@pytest.mark.parametrize(
    ("name", "own", "other"),
    [
        ("Once-a-year buyers", {"orders_365d": 1.0}, {"orders_365d": 0.0}),
        ("Once-a-year buyers", {"orders_365d": 1.0, "tenure": 400.0}, {"orders_365d": 2.0}),
        ("Now-and-then buyers", {"orders_365d": 2.0}, {"orders_365d": 3.0}),
        ("Several-times-a-year buyers", {"orders_365d": 3.0}, {"orders_365d": 2.0}),
        ("Several-times-a-year buyers", {"orders_365d": 12.0}, {"orders_365d": 13.0}),
        ("Repeat buyers of late", {"days_since_order": 20.0}, {"days_since_order": 200.0}),
    ],
)
def test_where_most_bought_nothing_for_a_year_segments_are_told_apart_by_their_few_orders(
    name: str, own: dict[str, float], other: dict[str, float]
) -> None:
    usual = {"orders_lifetime": 3.0, "tenure": 500.0, "days_since_order": 100.0, "orders_365d": 0.0}

    def customers(count: int, **known: float) -> Matrix:
        return rows(**{fact: [value] * count for fact, value in (usual | known).items()})

    assert name in names_of(customers(3, **own), customers(9))
    assert name not in names_of(customers(3, **own, orders_lifetime=1.0), customers(9))
    assert name not in names_of(customers(3, **other), customers(9))


def test_who_bought_long_ago_is_called_so_where_they_are_silent_for_longer_than_most() -> None:
    def names(days: float, orders: float = 2.0) -> set[str]:
        others = rows(days_since_order=[100.0] * 3 + [400.0] * 6, orders_lifetime=[2.0] * 9)
        return names_of(rows(days_since_order=[days] * 3, orders_lifetime=[orders] * 3), others)

    assert "Long-silent buyers" in names(500.0)
    assert "Long-silent buyers" not in names(390.0)
    assert "Long-silent buyers" not in names(150.0)
    assert "Long-silent buyers" not in names(500.0, orders=0.0)


def test_few_visits_make_no_habit() -> None:
    others = rows(weekend_share_365d=[0.2] * 9)
    weekend = {"weekend_share_365d": [0.9] * 3, "orders_lifetime": [3.0] * 3}
    assert "Weekend shoppers" in names_of(rows(**weekend, visits_365d=[5.0] * 3), others)
    assert "Weekend shoppers" not in names_of(rows(**weekend, visits_365d=[2.0] * 3), others)
    once = rows(weekend_share_365d=[0.9] * 3, visits_365d=[5.0] * 3, orders_lifetime=[1.0] * 3)
    assert "Weekend shoppers" not in names_of(once, others)


def test_nobody_is_loyal_who_comes_half_as_often_as_before() -> None:
    others = rows(orders_365d=[3.0] * 9)
    loyal = {"orders_365d": [20.0] * 3, "tenure": [400.0] * 3, "visits_lifetime": [30.0] * 3}
    assert "Loyal regulars" in names_of(rows(**loyal, orders_90d=[5.0] * 3), others)
    declining = names_of(rows(**loyal, orders_90d=[2.0] * 3), others)
    assert "Loyal regulars" not in declining
    assert "Declining frequent shoppers" in declining


def test_nobody_is_called_seasonal_after_a_single_season() -> None:
    christmas = {"last_quarter_order_share_365d": [1.0] * 3, "orders_lifetime": [2.0] * 3}
    others = rows(last_quarter_order_share_365d=[0.3] * 9)
    assert "Seasonal gift buyers" in names_of(rows(**christmas, tenure=[360.0] * 3), others)
    assert "Seasonal gift buyers" not in names_of(rows(**christmas, tenure=[90.0] * 3), others)


def test_nobody_is_given_a_telling_name_where_everybody_is_alike() -> None:
    alike = rows(orders_lifetime=[3.0] * 3)
    assert names_of(alike, alike) == {"Customers"}


def test_a_word_and_a_name_of_one_topic_do_not_go_together() -> None:
    weekend = rows(weekend_share_365d=[0.9] * 3, discount_share_365d=[0.4] * 3, visits_365d=[9.0] * 3)
    names = names_of(weekend, rows(weekend_share_365d=[0.2] * 9, discount_share_365d=[0.1] * 9))
    assert {"Weekend discount seekers", "Discount seekers", "Weekend shoppers"} <= names
    assert "Weekend weekend shoppers" not in names


def test_two_segments_that_are_alike_still_get_different_names() -> None:
    weekend = rows(weekend_share_365d=[0.9] * 3, visits_365d=[9.0] * 3)
    alike = candidates(truth(weekend, rows(weekend_share_365d=[0.2] * 9)), 0, neighbour=1)
    chosen = [candidate.name for candidate in unique_names([alike] * (len(alike) + 9), range(len(alike) + 9))]
    assert len(set(chosen)) == len(alike) + 9
    assert sum(name.startswith("Segment ") for name in chosen) > 0


def test_each_name_goes_where_the_names_together_say_the_most() -> None:
    first = [Candidate("Lapsing customers", 9, ()), Candidate("Customers", 1, ())]
    second = [Candidate("Lapsing customers", 8, ()), Candidate("Weekend shoppers", 5, ())]
    assert [candidate.name for candidate in unique_names([first, second], [0, 1])] == [
        "Lapsing customers",
        "Weekend shoppers",
    ]


def test_those_like_no_others_are_called_that() -> None:
    shop = simulated()
    segments, _ = describe(shop.kind, shop.X, standardised(shop.X), unusual=7)
    assert [segment.name == UNUSUAL for segment in segments] == [i == 7 for i in range(len(SHOPPERS))]


def test_the_sentence_gives_the_value_beside_what_is_typical() -> None:
    heights = FLAT.copy()
    for i, name in enumerate(("weekend_share_365d", "orders_30d", "orders_90d", "net_revenue_365d")):
        heights[FEATURE_NAMES.index(name)] = 2.0 - 0.1 * i
    own = facts(weekend_share_365d=0.68, orders_30d=3, orders_90d=9, net_revenue_365d=1_240)
    text = sentence(own, facts(weekend_share_365d=0.3, net_revenue_365d=400), (), heights)
    assert text == (
        "68% of visits on a Saturday or Sunday in the last 365 days (typical: 30%);"
        " orders in the last 30 days: 3 (typical: 0);"
        " spend less refunds in the last 365 days: 1,240, 3.1\N{MULTIPLICATION SIGN} the typical 400."
    )
    assert text.count(";") < TELLING


def test_the_sentence_begins_with_what_makes_the_name_true() -> None:
    for segment in named(simulated().kind):
        if "lapsing" in segment.name.lower():
            assert segment.description.startswith("Days since the last visit: ")


def test_a_segment_like_all_others_is_called_that() -> None:
    assert sentence(facts(), facts(), (), FLAT) == "Close to the average customer in every respect."


def test_what_is_nearly_typical_is_not_told() -> None:
    heights = FLAT + 1
    own = {name: 1.1 * value for name, value in facts().items()}
    assert sentence(own, facts(), (), heights) == "Close to the average customer in every respect."


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("days", 1.0, "1 day"),
        ("days", 6.84, "6.8 days"),
        ("currency", 2491.7, "2,492"),
        ("share", 0.153, "15%"),
        ("seconds", 0.4, "0.4 s"),
        ("ratio", 0.19, "0.19"),
        ("days", float("nan"), "none"),
    ],
)
def test_values_are_written_with_their_units(unit: str, value: float, text: str) -> None:
    assert format_value(unit, value) == text


def test_profiles_are_what_is_typical_as_the_sentence_says_it() -> None:
    shop = simulated()
    (segment, *_) = named(shop.kind)
    own = typical_of(shop.X[shop.kind == segment.id])
    assert list(segment.profile) == list(FEATURE_NAMES)
    for name, value in segment.profile.items():
        assert value is None or value == pytest.approx(own[name], abs=1e-4), name


@pytest.mark.parametrize("seed", [7, 8])
def test_every_name_is_true_of_two_in_three_members(seed: int) -> None:
    for segment in named(simulated(seed=seed).kind, seed):
        assert segment.true_of is not None
        assert segment.true_of["members"] >= TRUE
        assert segment.true_of["members"] > segment.true_of["others"]
