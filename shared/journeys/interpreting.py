"""What is next for somebody on a journey, by what is known of them now: wait until then, send, or the end.

Pure: who calls it waits, sends, and keeps where they stand. Taken again from where somebody stands it says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.audiences.rules import Rule
from shared.destinations.steps import LEAVES, ORDERS, Quiet
from shared.durations import DAY_MS
from shared.features.time_zone import TimeZone
from shared.journeys.journey import (
    Branch,
    Cap,
    Check,
    Journey,
    Jump,
    Send,
    Wait,
)

FINISHED, LEFT, ORDERED, TOO_LONG = "finished", "left", "ordered", "too_long"
"""How a journey ends: at its end, because they left the audience or ordered, or after LONGEST_DAYS."""
WITHDRAWN = "withdrawn"
"""How it ends where it is not live any more."""
OUTCOMES = (FINISHED, LEFT, ORDERED, WITHDRAWN, TOO_LONG)
LONGEST_DAYS = 330


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands."""

    position: int = 0
    """Of the step that is next."""
    due_ms: int | None = None
    """When that step is over, where it is a wait that has begun."""


class Seen(Protocol):
    """A customer as they are now. Times are UTC milliseconds."""

    @property
    def now_ms(self) -> int:
        """The instant."""

    @property
    def entered_ms(self) -> int:
        """When they entered the audience."""

    @property
    def belongs(self) -> bool:
        """Whether they have been in it ever since."""

    @property
    def sent_ms(self) -> Sequence[int]:
        """When journeys sent something to them."""

    def latest_ms(self, measure: str) -> int | None:
        """When they last viewed, put into the cart, ordered, or did anything: one of MEASURES."""

    def holds(self, rule: Rule) -> bool:
        """Whether a rule is true of them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the shop set for all its journeys."""

    zone: TimeZone
    quiet: Quiet | None = None
    cap: Cap | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """They stand where they are until then, or until they stop."""

    standing: Standing
    until_ms: int


@dataclass(frozen=True, slots=True)
class Sending:
    """They are to be sent; then they stand at the step after it."""

    position: int
    send: Send


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing is done any more."""

    outcome: str


type Turn = Waiting | Sending | Ended


def turn(journey: Journey, standing: Standing, seen: Seen, limits: Limits) -> Turn:
    """What is next for somebody who stands there."""
    if outcome := _stopped(journey, seen):
        return Ended(outcome)
    position = standing.position
    due_ms = standing.due_ms
    while position < len(journey.steps):
        following = position + 1
        match journey.steps[position]:
            case Wait() as wait:
                until_ms = _over_ms(wait, due_ms, seen)
                if until_ms > seen.now_ms:
                    return Waiting(Standing(position, until_ms), until_ms)
            case Check():
                if not seen.belongs:
                    return Ended(LEFT)
            case Branch(_, rule, otherwise):
                following = following if seen.holds(rule) else otherwise
            case Jump(to):
                following = to
            case Send() as send:
                awake_ms = limits.quiet.over_ms(seen.now_ms, limits.zone) if limits.quiet else seen.now_ms
                if awake_ms > seen.now_ms:
                    return Waiting(Standing(position), awake_ms)
                if not _is_capped(limits.cap, seen):
                    return Sending(position, send)
        position = following
        due_ms = None
    return Ended(FINISHED)


def _stopped(journey: Journey, seen: Seen) -> str | None:
    ordered_ms = seen.latest_ms("orders") if ORDERS in journey.stops else None
    if ordered_ms is not None and ordered_ms >= seen.entered_ms:
        return ORDERED
    if LEAVES in journey.stops and not seen.belongs:
        return LEFT
    return TOO_LONG if seen.now_ms >= seen.entered_ms + LONGEST_DAYS * DAY_MS else None


def _over_ms(wait: Wait, due_ms: int | None, seen: Seen) -> int:
    """When a wait is over that began now, or before where it was due; after something, when that is long enough ago."""
    last_ms = seen.latest_ms(wait.after) if wait.after else None
    if last_ms is not None:
        return last_ms + wait.ms
    return seen.now_ms + wait.ms if due_ms is None else due_ms


def _is_capped(cap: Cap | None, seen: Seen) -> bool:
    if cap is None:
        return False
    since_ms = seen.now_ms - cap.days * DAY_MS
    return sum(sent_ms > since_ms for sent_ms in seen.sent_ms) >= cap.sends
