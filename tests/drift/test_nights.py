from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np

from shared.drift.nights import ACCEPTED, EACH_DAYS, LEAST_NIGHTS, MOST_REASONS, QUIET_DAYS, Night, Nights, frequent
from shared.drift.reference import OTHERS

FIRST = date(2026, 1, 1)
NONE: Mapping[str, int] = {}


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def night(number: int, drifted: tuple[str, ...] = (), refused: Mapping[str, int] = NONE) -> Night:
    return Night(number * 86_400_000, {"m": [number]}, {**refused}, [*drifted], bool(drifted))


def nights(*numbers: int, drifted: tuple[str, ...] = (), refused: Mapping[str, int] = NONE) -> Nights:
    kept = Nights("b")
    for number in numbers:
        kept = kept.and_also(day(number), night(number, drifted, refused))
    return kept


def test_the_last_nights_are_kept_and_of_those_before_some_for_a_year_and_a_season() -> None:
    kept = nights(*range(600)).nights
    assert [*kept] == sorted(kept)
    assert {day(599 - age) for age in range(EACH_DAYS + 1)} <= kept.keys()
    assert 110 < len(kept) < 130
    assert min(kept) >= day(599 - 450)


def test_a_night_again_takes_its_own_place_and_later_ones_stay() -> None:
    kept = nights(1, 2).and_also(day(1), night(7))
    assert {name: one.counts["m"] for name, one in kept.nights.items()} == {day(1): [7], day(2): [2]}


def test_nights_of_the_season_of_a_year_ago_are_those_around_it_and_none_where_there_were_none() -> None:
    kept = nights(0, 30, 34, 38)
    season = kept.a_year_before(day(364 + 43), (364 + 43) * 86_400_000)
    assert [night["m"].tolist() for night in season] == [[34], [38]]
    assert kept.a_year_before(day(364 + 60), (364 + 60) * 86_400_000) == []


def test_what_was_told_is_new_again_after_a_while_and_another_measure_is_at_once() -> None:
    kept = nights(1, drifted=("a",))
    assert not kept.is_new(day(2), ["a"])
    assert kept.is_new(day(2), ["a", "b"])
    assert kept.is_new(day(2 + QUIET_DAYS), ["a"])
    assert kept.is_new(day(1), ["a"])


def test_reasons_of_refusals_are_held_against_nights_once_there_are_enough() -> None:
    refused = {ACCEPTED: 90, "no price": 10}
    assert nights(*range(LEAST_NIGHTS - 1), refused=refused).refusals(day(40), refused) is None
    assert nights(*range(LEAST_NIGHTS), refused=refused).refusals(day(40), {}) is None
    refusals = nights(*range(LEAST_NIGHTS), refused=refused).refusals(
        day(LEAST_NIGHTS), {ACCEPTED: 80, "no price": 10, "new": 7}
    )
    assert refusals is not None
    measure, tonight = refusals
    assert measure.labels == [ACCEPTED, "no price", "new", OTHERS]
    assert measure.counts == [[90, 10, 0, 0]] * LEAST_NIGHTS
    assert sorted(measure.days_ago) == [*range(LEAST_NIGHTS)]
    assert np.array_equal(tonight, [80, 10, 7, 0])


def test_of_many_reasons_the_most_frequent_are_kept_and_the_rest_together() -> None:
    refused = {f"reason {i}": 100 - i for i in range(MOST_REASONS + 5)}
    kept = frequent(refused)
    assert len(kept) == MOST_REASONS + 1
    assert (kept["reason 0"], kept[OTHERS]) == (100, 5 * 100 - sum(range(MOST_REASONS, MOST_REASONS + 5)))
    assert frequent({"one": 2}) == {"one": 2}


def test_reasons_that_were_counted_together_are_no_reason_of_their_own() -> None:
    refused = {ACCEPTED: 90, "no price": 7, OTHERS: 3}
    refusals = nights(*range(LEAST_NIGHTS), refused=refused).refusals(day(40), refused)
    assert refusals
    measure, tonight = refusals
    assert measure.labels == [ACCEPTED, "no price", OTHERS]
    assert tonight.tolist() == [90, 7, 3]
