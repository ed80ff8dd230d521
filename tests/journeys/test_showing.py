"""Steps in words."""

import pytest

from shared.durations import MINUTE_MS
from shared.journeys.journey import Branch, Check, Jump, Send, Step, Wait
from shared.journeys.showing import shown
from tests.journeys.worlds import RULE


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Wait(MINUTE_MS), "wait 1 minute"),
        (Wait(90 * MINUTE_MS), "wait 90 minutes"),
        (Wait(2_880 * MINUTE_MS), "wait 2 days"),
        (Wait(30 * MINUTE_MS, "carts"), "wait until 30 minutes after the last of carts"),
        (Check(), "go on with those who are still in the audience"),
        (Send("crm", "reminder"), "send reminder to crm"),
        (Branch("views(5) > 0", RULE, 3), "unless views(5) > 0: go to 4"),
        (Jump(4), "go to 5"),
    ],
)
def test_a_step_says_what_it_does(step: Step, words: str) -> None:
    assert shown(step) == words
