"""Names and sentences that a marketer can read, and that are true."""

from collections.abc import Mapping

import numpy as np
import pytest

from shared.features import FEATURE_NAMES
from shared.reasons.wording import format_value
from tests.support.simulated import simulated
from tests.training.segmentation.conftest import facts
from training.base.config import Config
from training.data.preparation import Matrix
from training.segmentation.naming import (
    TELLING,
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


def names_of(own: Mapping[str, float], everyone: Mapping[str, float]) -> set[str]:
    return {candidate.name for candidate in candidates(own, everyone)}


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


def test_nobody_is_called_seasonal_after_a_single_season() -> None:
    christmas = {"last_quarter_order_share_365d": 1.0, "orders_lifetime": 2.0, "average_order_value_365d": 50.0}
    everyone = facts(last_quarter_order_share_365d=0.4, average_order_value_365d=50.0)
    assert "Seasonal gift buyers" in names_of(facts(**christmas, tenure=360.0), everyone)
    assert "Seasonal gift buyers" not in names_of(facts(**christmas, tenure=90.0), everyone)


def test_nobody_is_given_a_telling_name_where_everybody_is_alike() -> None:
    assert names_of(facts(), facts()) == {"Regular shoppers", "Customers"}


def test_a_word_and_a_name_of_one_topic_do_not_go_together() -> None:
    weekend = facts(weekend_share_365d=0.9, discount_share_365d=0.4)
    names = names_of(weekend, facts(weekend_share_365d=0.3, discount_share_365d=0.1))
    assert {"Weekend discount seekers", "Discount seekers", "Weekend shoppers"} <= names
    assert "Weekend weekend shoppers" not in names


def test_two_segments_that_are_alike_still_get_different_names() -> None:
    alike = candidates(facts(weekend_share_365d=0.9), facts(weekend_share_365d=0.3))
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


def test_profiles_are_medians_of_what_is_known() -> None:
    shop = simulated()
    (segment, *_) = named(shop.kind)
    own = shop.X[shop.kind == segment.id]
    assert list(segment.profile) == list(FEATURE_NAMES)
    for (name, median), column in zip(segment.profile.items(), own.T, strict=True):
        assert median is None or median == pytest.approx(np.nanmedian(column), abs=1e-4), name
