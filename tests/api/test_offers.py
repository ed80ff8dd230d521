"""Bounds of offers, and who is shown none."""

import json
from dataclasses import replace

from shared.api.offers import exposure, offer
from shared.audiences.audience import Audiences, Offer
from shared.decisions.decision import Membership
from shared.durations import HOUR_MS
from tests.audiences.test_audience import audience
from tests.support.stored_profiles import decision

NOW = 1_700_000_000_123
SOME = Audiences(
    1, (audience("plain"), audience("deal", offer=Offer(0.15, 20.0, 48)), audience("other", offer=Offer()))
)
IN_DEAL = decision(audiences={"plain": Membership(1, "treatment"), "deal": Membership(2, "treatment")})


def test_the_bounds_are_those_of_the_first_audience_with_an_offer() -> None:
    answer, offering = offer(IN_DEAL, SOME, NOW)

    assert offering is SOME.all[1]
    assert (answer["audience"], answer["arm"], answer["intent"]) == ("deal", "treatment", IN_DEAL.intent)
    until = "2023-11-16T22:13:20Z"
    assert answer["bounds"] == {"greatest_discount": 0.15, "least_price": 20.0, "valid_until": until}
    assert "price" not in answer


def test_the_control_group_is_offered_nothing_and_noted() -> None:
    held_back = replace(IN_DEAL, audiences={"deal": Membership(2, "control")})

    answer, offering = offer(held_back, SOME, NOW)

    assert (answer["arm"], answer["bounds"]) == ("control", None)
    assert offering is not None
    assert json.loads(exposure("1", held_back, offering, NOW))["arm"] == "control"


def test_who_is_in_no_such_audience_is_offered_nothing_and_not_noted() -> None:
    answer, offering = offer(decision(audiences={"plain": Membership(1, "treatment")}), SOME, NOW)

    assert (answer["audience"], answer["arm"], answer["bounds"], offering) == (None, None, None, None)


def test_a_page_that_asks_again_on_the_same_day_makes_no_other_exposure() -> None:
    first, again, later = (
        json.loads(exposure("1", IN_DEAL, SOME.all[1], NOW + hours * HOUR_MS))["event_id"] for hours in (0, 1, 24)
    )
    assert first == again != later
