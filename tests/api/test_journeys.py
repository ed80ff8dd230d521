"""Journeys as the API tells of them; tests/functions/test_browse_segments.py asks for them."""

from collections import Counter

import pytest

from shared.api.answers import Refused
from shared.api.journeys import counted, places_asked_for, told
from shared.journeys.interpreting import OUTCOMES
from shared.journeys.journey import Check, Journey
from shared.journeys.travellers import Traveller
from shared.journeys.whereabouts import Counts, Place

EDITED = Journey("cart", "Cart", "carts", (Check(),), 2, (), reach=3)


def test_who_began_with_an_earlier_version_is_counted_too() -> None:
    body = counted(EDITED, Counts(Counter[Place]({0: 4, 2: 1, "left": 7}), complete=False))
    assert [(step["step"], step["customers"]) for step in body["steps"]] == [(1, 4), (3, 1)]
    assert body["steps"][1]["does"] == "a step of an earlier version"
    assert (body["customers"], body["ended"]["left"], body["complete"]) == (5, 7, False)


def test_a_query_names_steps_by_their_number() -> None:
    assert places_asked_for(EDITED, {}) == [0, 1, 2]
    assert places_asked_for(EDITED, {"step": "3"}) == [2]
    assert [places_asked_for(EDITED, {"ended": outcome}) for outcome in OUTCOMES] == [[one] for one in OUTCOMES]
    for wrong in ({"step": "4"}, {"step": "0"}, {"step": "²"}, {"step": ""}, {"ended": "2"}, {"ended": ""}):
        with pytest.raises(Refused):
            places_asked_for(EDITED, wrong)


def test_of_who_came_to_the_end_nothing_is_due() -> None:
    one = Traveller("pk", "customer#1", "cart", 2, "carts", "t", 0, "control", 1, 5_000, None, "left")
    assert (told(one)["due_at"], told(one)["outcome"], told(one)["step"]) == (None, "left", 2)
