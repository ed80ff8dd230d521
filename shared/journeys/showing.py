"""Steps of journeys in words."""

from __future__ import annotations

from shared.destinations.steps import DAY_MINUTES, Quiet
from shared.durations import MINUTE_MS
from shared.journeys.journey import Branch, Check, Journey, Jump, Send, Step, Wait


def shown(step: Step) -> str:
    """What a step does; steps that it leads to are counted from 1."""
    match step:
        case Wait(ms, None):
            return f"wait {_duration(ms)}"
        case Wait(ms, after):
            return f"wait until {_duration(ms)} after the last of {after}"
        case Check():
            return "go on with those who are still in the audience"
        case Send(destination, campaign):
            return f"send {campaign} to {destination}"
        case Branch(where, _, otherwise):
            return f"unless {where}: go to {otherwise + 1}"
        case Jump(to):
            return f"go to {to + 1}"


def shown_at(journey: Journey, position: int) -> str:
    """What is done at a position; beyond the end stands who began with an earlier version."""
    return shown(journey.steps[position]) if position < len(journey.steps) else "a step of an earlier version"


def hours(quiet: Quiet) -> dict[str, str]:
    """Quiet hours as they are written."""
    begin, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (quiet.begin, quiet.end))
    return {"from": begin, "until": end}


def _duration(ms: int) -> str:
    minutes = ms // MINUTE_MS
    for unit, size in (("day", DAY_MINUTES), ("hour", 60), ("minute", 1)):
        if minutes % size == 0:
            return f"{minutes // size} {unit}{'' if minutes == size else 's'}"
    raise AssertionError("minutes are whole")
