"""Journeys are held to an interpreter that goes on minute by minute over the steps as they are written."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.destinations.steps import Quiet
from shared.durations import DAY_MS, MINUTE_MS
from shared.features.time_zone import TimeZone
from shared.journeys.defining import read_journeys
from shared.journeys.interpreting import (
    LONGEST_DAYS,
    TOO_LONG,
    Ended,
    Limits,
    Sending,
    Standing,
    Waiting,
    turn,
)
from shared.journeys.journey import Cap, Journey
from tests.audiences.random_rules import NAMES
from tests.journeys.worlds import BERLIN, START_MS, World, Written, ms, naively
from tests.support.examples import at_most

ZONE = TimeZone.of(BERLIN)
DURATIONS = st.sampled_from(["1 minute", "30 minutes", "2 hours", "9 hours", "1 day", "3 days"])
LAST = 8 * 1_440


def steps(depth: int) -> st.SearchStrategy[Written]:
    plain: list[st.SearchStrategy[dict[str, Any]]] = [
        st.builds(lambda text: {"wait": text}, DURATIONS),
        st.builds(lambda text, after: {"wait": text, "after": after}, DURATIONS, st.sampled_from(["carts", "views"])),
        st.just({"check": "audience"}),
        st.builds(lambda n: {"send": "crm", "campaign": f"c{n}"}, st.integers(0, 9)),
    ]
    if depth:
        branch = st.builds(
            lambda then, other: {"if": "views(5) > 0", "then": then, "else": other}, steps(depth - 1), steps(depth - 1)
        )
        plain.append(branch)
    return st.lists(st.one_of(plain), min_size=0 if depth < 2 else 1, max_size=4)


MINUTES = st.integers(0, LAST)
SOME = st.lists(MINUTES, max_size=5)
WORLDS = st.builds(
    World, MINUTES, st.none() | MINUTES, st.lists(MINUTES, max_size=1), SOME, SOME, st.lists(st.just(0), max_size=2)
)
STOPS = st.sets(st.sampled_from(["leaves", "orders"]))
OF_DAY = st.integers(0, 1_439)
QUIET = st.none() | st.builds(Quiet, OF_DAY, OF_DAY).filter(lambda quiet: quiet.begin != quiet.end)
CAPS = st.none() | st.builds(Cap, st.integers(1, 3), st.integers(1, 3))


def as_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {as_text(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_text, value)) + "]"
    return f'"{value}"'


def journey_of(written: Written, stops: set[str]) -> Journey:
    text = f'[[journey]]\nkey = "a"\naudience = "b"\nstop_when = {as_text(sorted(stops))}\nsteps = {as_text(written)}\n'
    return read_journeys(text, NAMES).all[0]


def walk(journey: Journey, world: World, limits: Limits) -> list[Any]:
    """What becomes of somebody who is looked at when they are due, and at every change that stops them."""
    world = replace(world, sent=[*world.sent])
    log: list[Any] = []
    standing = Standing()
    minute = world.entered
    changes = [*world.orders, *([] if world.left is None else [world.left])]
    while True:
        match turn(journey, standing, world.at(ms(minute)), limits):
            case Waiting(standing, until_ms):
                due = (until_ms - START_MS) // MINUTE_MS
                assert due > minute
                minute = min([due, *(change for change in changes if minute < change)])
            case Sending(position, send):
                log.append((minute, send.campaign))
                world.sent.append(minute)
                standing = Standing(position + 1)
            case Ended(outcome):
                return [*log, (minute, outcome)]


@given(steps(2), WORLDS, STOPS, QUIET, CAPS)
@settings(deadline=None, max_examples=at_most(300))
def test_a_journey_is_what_going_on_minute_by_minute_makes_of_it(
    written: Written, world: World, stops: set[str], quiet: Quiet | None, cap: Cap | None
) -> None:
    written = [*written, {"send": "crm", "campaign": "last"}]
    got = walk(journey_of(written, stops), world, Limits(ZONE, quiet, cap))
    assert got == naively(written, world, stops, quiet, cap)


CART = journey_of(
    [{"wait": "30 minutes", "after": "carts"}, {"send": "crm", "campaign": "reminder"}], {"leaves", "orders"}
)


@pytest.mark.parametrize(
    ("world", "log"),
    [
        (World(carts=[0]), [(30, "reminder"), (30, "finished")]),
        (World(carts=[0, 20, 45]), [(75, "reminder"), (75, "finished")]),
        (World(carts=[0], orders=[29]), [(29, "ordered")]),
        (World(carts=[0], orders=[30]), [(30, "ordered")]),
        (World(carts=[0], left=10), [(10, "left")]),
        (World(entered=5, carts=[5], orders=[4]), [(35, "reminder"), (35, "finished")]),
    ],
)
def test_a_cart_is_reminded_of_half_an_hour_after_the_last_cart_event_unless_ordered(world: World, log: Any) -> None:
    assert walk(CART, world, Limits(ZONE)) == log


def test_a_journey_that_takes_too_long_ends() -> None:
    late = START_MS + LONGEST_DAYS * DAY_MS
    assert turn(CART, Standing(), World(carts=[0]).at(late), Limits(ZONE)) == Ended(TOO_LONG)
