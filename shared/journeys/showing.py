"""Steps of journeys in words."""

from __future__ import annotations

from shared.journeys.journey import DAY_MINUTES, MINUTE_MS, Branch, Check, Jump, Send, Step, Wait


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


def _duration(ms: int) -> str:
    minutes = ms // MINUTE_MS
    for unit, size in (("day", DAY_MINUTES), ("hour", 60), ("minute", 1)):
        if minutes % size == 0:
            return f"{minutes // size} {unit}{'' if minutes == size else 's'}"
    raise AssertionError("minutes are whole")
