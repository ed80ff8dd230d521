"""Bugs planted in what lets customers travel."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.simulation.planting import Bug, Planting


def _module(code: Planting, name: str) -> Any:
    code.module("shared.features")
    code.module("shared.events")  # whose rooms import each other in this order
    return code.module(name)


def _leavers_go_on(code: Planting) -> None:
    code.set(_module(code, "shared.journeys.interpreting"), "_stopped", lambda journey, seen: None)
    code.set(_module(code, "shared.journeys.travelling").Travelling, "_end", lambda self, key, moved: None)


def _control_group_is_sent(code: Planting) -> None:
    message = _module(code, "shared.destinations.messages").Message
    held_back = message.is_held_back
    never = property(lambda self: self.kind != "Customer Journey Step" and held_back.fget(self))
    code.set(message, "is_held_back", never)


def _cap_not_kept(code: Planting) -> None:
    code.set(_module(code, "shared.journeys.interpreting"), "_is_capped", lambda cap, seen: False)


def _night_not_kept(code: Planting) -> None:
    code.set(_module(code, "shared.destinations.steps").Quiet, "over_ms", lambda self, now_ms, zone: now_ms)


def _journeys_of_the_erased(code: Planting) -> None:
    code.set(_module(code, "shared.journeys.travellers").Travellers, "forget", lambda self, key, now: None)


def _begun_by_each_telling(code: Planting) -> None:
    numbers = count()
    code.set(_module(code, "shared.journeys.travellers").Travellers, "entry", lambda self, step: f"{next(numbers)}")


def _other_step_each_time(code: Planting) -> None:
    numbers = count()
    code.set(_module(code, "shared.journeys.travelling"), "_hashed", lambda *parts: f"{next(numbers)}")


JOURNEY_BUGS = (
    Bug("who left an audience goes on on its journey", _leavers_go_on, 19),
    Bug("a journey sends the control group too", _control_group_is_sent, 89),
    Bug("journeys send more than the cap allows", _cap_not_kept, 9),
    Bug("journeys send at night", _night_not_kept, 89),
    Bug("who was erased is still on a journey", _journeys_of_the_erased, 9),
    Bug("a journey begins as often as an entry is told", _begun_by_each_telling, 9),
    Bug("a step has another id each time that it is told", _other_step_each_time, 9),
)
