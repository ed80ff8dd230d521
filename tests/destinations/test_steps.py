"""What journeys send is looked at once more before it leaves."""

from typing import Any

import pytest

from shared.decisions.decision import Membership
from shared.destinations.steps import LEAVES, ORDERS, Conditions, Quiet, stopped
from shared.features import encode
from shared.features.time_zone import TimeZone
from tests.features.histories import folded
from tests.journeys.worlds import BERLIN, ms
from tests.support.event_files import purchase
from tests.support.stored_profiles import decision, profile

ENTERED_MS = 1_506_859_200_000
"""When the purchase of the tests is: 1 October 2017, noon."""
BOTH = Conditions("cart", ENTERED_MS, (LEAVES, ORDERS))


def person(since_ms: int | None = ENTERED_MS, bought_ms: int = 0) -> Any:
    audiences = {} if since_ms is None else {"cart": Membership(since_ms, "treatment")}
    state = encode(folded([purchase("1")]))[0] if bought_ms else b""
    return profile(state=state, decision=decision(audiences=audiences))


@pytest.mark.parametrize(
    ("who", "conditions", "why"),
    [
        (person(), BOTH, None),
        (person(ENTERED_MS - 1), BOTH, None),
        (person(None), BOTH, "left"),
        (person(ENTERED_MS + 1), BOTH, "left"),  # and came back
        (person(None), Conditions("cart", ENTERED_MS, (ORDERS,)), None),
        (person(bought_ms=1), BOTH, "ordered"),
        (person(ENTERED_MS + 1, 1), Conditions("cart", ENTERED_MS + 1, (LEAVES, ORDERS)), None),
        (person(bought_ms=1), Conditions("cart", ENTERED_MS, (LEAVES,)), None),
    ],
)
def test_who_left_or_ordered_is_not_sent_any_more(who: Any, conditions: Conditions, why: str | None) -> None:
    reason = stopped(who, conditions)
    assert (reason is None) == (why is None)
    assert why is None or why in str(reason)


def test_quiet_hours_are_over_also_where_clocks_are_changed() -> None:
    night = Quiet(0, 150)  # until half past two, which the clock skips on the 31st
    zone = TimeZone.of(BERLIN)
    assert night.over_ms(ms(2 * 1_440), zone) == ms(2 * 1_440 + 60)
    assert night.over_ms(ms(2 * 1_440 + 60), zone) == ms(2 * 1_440 + 60)
    assert night.over_ms(ms(60) + 1, zone) == ms(90)
