"""Journeys as people write them in a file."""

from pathlib import Path

import pytest

from operations.audiences import NAMES as SHIPPED_NAMES
from shared.audiences.defining import read_audiences
from shared.audiences.rules import Count, operands
from shared.destinations.steps import Quiet
from shared.durations import DAY_MS, MINUTE_MS
from shared.journeys.defining import MOST_BYTES, Mistakes, read_journeys
from shared.journeys.journey import MOST_JOURNEYS, Branch, Cap, Check, Jump, Send, Wait
from tests.audiences.random_rules import NAMES
from tests.journeys.worlds import RULE

SHIPPED = Path(__file__).parents[2] / "journeys.toml"


def test_the_shipped_journeys_are_read_step_by_step() -> None:
    journeys = read_journeys(SHIPPED.read_text(), SHIPPED_NAMES)

    assert journeys.quiet == Quiet(21 * 60, 8 * 60)
    assert journeys.cap == Cap(3, 7)
    cart, win_back = journeys.all
    assert cart.steps == (Wait(30 * MINUTE_MS, "carts"), Send("crm", "cart_reminder"))
    assert win_back.stops == ("leaves", "orders")
    assert win_back.steps == (
        Wait(DAY_MS),
        Check(),
        Send("crm", "we_miss_you"),
        Wait(5 * DAY_MS),
        Branch("views(5) > 0", RULE, 7),
        Send("crm", "what_you_looked_at"),
        Jump(9),
        Wait(2 * DAY_MS),
        Send("crm", "win_back_offer"),
    )


def test_the_audiences_that_the_shipped_journeys_are_for_are_shipped() -> None:
    audiences = read_audiences(SHIPPED.with_name("audiences.toml").read_text(), SHIPPED_NAMES)
    wanted = {journey.audience for journey in read_journeys(SHIPPED.read_text(), SHIPPED_NAMES).all}
    assert {audience.key for audience in audiences.all} == wanted
    assert Count("carts", 1) in {operand for one in audiences.all for operand in operands(one.rule)}


WRONG = """
quiet = {from = "9 pm", until = "08:00"}
cap = {sends = 0, days = 7}
[[journey]]
key = "Bad Key"
audience = "a"
steps = []
[[journey]]
key = "nothing"
audience = "a"
steps = [{wait = "1 day"}]
[[journey]]
key = "wrong"
audience = "a"
stop_when = ["sneezes"]
steps = [
  {wait = "a while"},
  {wait = "1 day", after = "sneezes"},
  {send = "Bad Name", campaign = ""},
  {if = "tenur > 1", then = []},
  {if = "tenure > 1", then = 5},
  {if = "tenure > 1", then = [{fly = "home"}]},
  {wait = "301 days"},
]
[[journey]]
key = "twice"
audience = "a"
steps = [{send = "crm", campaign = "x"}]
[[journey]]
key = "twice"
audience = "a"
colour = "red"
steps = [{send = "crm", campaign = "x"}]
[[journey]]
key = "twice"
audience = "a"
steps = [{send = "crm", campaign = "x"}]
"""


@pytest.mark.parametrize(
    "mistake",
    [
        "quiet: it is written",
        "cap: sends go from 1 to 1,000",
        "Bad Key: Expected `str` matching regex",
        "nothing: it sends nothing",
        "wrong: stop_when has 'sneezes'",
        "wrong: step 1: 'a while' is no time",
        "wrong: step 2: a step is",
        "wrong: step 3: 'Bad Name' is no name of a destination",
        "wrong: step 3: a campaign's name",
        "wrong: step 4: ",
        "wrong: step 5.then.is no list",
        "wrong: step 6.then.1: a step is",
        "wrong: it waits for more than 300 days",
        "twice: Object contains unknown field `colour`",
        "twice: two journeys have this key",
    ],
)
def test_all_mistakes_are_told_at_once_with_their_places(mistake: str) -> None:
    with pytest.raises(Mistakes) as error:
        read_journeys(WRONG, NAMES)
    assert mistake in str(error.value)


@pytest.mark.parametrize("text", ["[", "x = 1", "a = " + "[" * 5_000, "#" * (MOST_BYTES + 1), "journey = 1"])
def test_what_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(Mistakes):
        read_journeys(text, NAMES)


def test_bounds_are_kept() -> None:
    one = '[[journey]]\nkey = "j{}"\naudience = "a"\nsteps = [{}]\n'
    send = '{send = "crm", campaign = "x"}'
    with pytest.raises(Mistakes, match="more than 50"):
        read_journeys("".join(one.format(i, send) for i in range(MOST_JOURNEYS + 1)), NAMES)
    with pytest.raises(Mistakes, match="more than 100"):
        read_journeys(one.format(0, ", ".join([send] * 101)), NAMES)
    nested = send
    for _ in range(11):
        nested = f'{{if = "tenure > 1", then = [{nested}]}}'
    with pytest.raises(Mistakes, match="deeper than 10"):
        read_journeys(one.format(0, nested), NAMES)
