"""How many stand where, and who, page by page."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.journeys.journey import Check, Journey
from shared.journeys.travellers import Traveller, Travellers
from shared.journeys.whereabouts import After, Whereabouts, places_of
from tests.conftest import TABLE
from tests.journeys.people import ENTERED_MS, secret

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

JOURNEY = Journey("cart", "Cart", "carts", (Check(), Check()), 2, (), reach=3)
PEOPLE = [f"customer#{number}" for number in range(30)]


@pytest.fixture
def whereabouts(dynamodb: "DynamoDBClient") -> Whereabouts:
    """Ten at the first step, ten at one that only an earlier version had, and ten who finished."""
    travellers = Travellers(dynamodb, TABLE, secret)
    for number, key in enumerate(PEOPLE):
        one = Traveller(travellers.partition(key), key, "cart", 2, "carts", "t", ENTERED_MS, "treatment")
        begun = travellers.begin(one)
        if number % 3:
            at_last = replace(begun, position=2, outcome="finished" if number % 3 == 2 else None)
            travellers.put(at_last, ENTERED_MS)
    travellers.begin(Traveller("journeys#x", "customer#x", "other", 1, "carts", "t", ENTERED_MS, "control"))
    return Whereabouts(dynamodb, TABLE)


def test_everybody_is_counted_where_they_stand(whereabouts: Whereabouts) -> None:
    counts = whereabouts.counts(JOURNEY, 60)
    assert {place: number for place, number in counts.by_place.items() if number} == {0: 10, 2: 10, "finished": 10}
    assert counts.complete


def test_who_has_no_time_says_that_not_all_are_counted(whereabouts: Whereabouts) -> None:
    assert not whereabouts.counts(JOURNEY, 0).complete


@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize(("places", "first"), [((0,), 0), ((2,), 1), (("finished",), 2)])
def test_pages_hold_everybody_at_a_place_once(
    whereabouts: Whereabouts, limit: int, places: tuple[int | str, ...], first: int
) -> None:
    listed: list[str] = []
    after: After | None = None
    while True:
        page, after = whereabouts.page("cart", places, limit, after)
        assert len(page) <= limit
        listed += [one.key for one in page]
        if after is None:
            break
    assert sorted(listed) == sorted(PEOPLE[first::3])


def test_all_who_are_on_it_are_a_page_too(whereabouts: Whereabouts) -> None:
    steps = [place for place in places_of(JOURNEY) if isinstance(place, int)]
    page, after = whereabouts.page("cart", steps, 100)
    assert (len(page), after) == (20, None)
