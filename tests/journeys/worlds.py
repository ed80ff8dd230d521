"""Customers on journeys, made up whole, and what a slow and obvious interpreter says of them, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.audiences.rules import Comparison, Count, Literal, Rule
from shared.destinations.steps import Quiet
from shared.durations import MINUTE_MS
from shared.journeys.journey import Cap

BERLIN = "Europe/Berlin"
START_MS = 1_711_670_400_000
"""2024-03-29, two days before clocks change in Berlin."""
RULE = Comparison(">", Count("views", 5), Literal(0.0))
type Written = list[dict[str, Any]]


@dataclass
class World:
    """What a customer does, in minutes from START_MS, and since when they are in the audience and until when."""

    entered: int = 0
    left: int | None = None
    orders: list[int] = field(default_factory=list)
    carts: list[int] = field(default_factory=list)
    views: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    def at(self, now_ms: int) -> Seen:
        return Seen(self, now_ms)


@dataclass
class Seen:
    """The world as it is at an instant."""

    world: World
    now_ms: int

    @property
    def entered_ms(self) -> int:
        return ms(self.world.entered)

    @property
    def belongs(self) -> bool:
        return self.world.left is None or self.now_ms < ms(self.world.left)

    @property
    def sent_ms(self) -> list[int]:
        return [*map(ms, self.world.sent)]

    def latest_ms(self, measure: str) -> int | None:
        times = [ms(minute) for minute in getattr(self.world, measure) if ms(minute) <= self.now_ms]
        return max(times, default=None)

    def holds(self, rule: Rule) -> bool:
        """Of the one rule that there is here."""
        assert rule == RULE
        since = self.now_ms - 5 * 1_440 * MINUTE_MS
        return any(since <= ms(minute) < self.now_ms for minute in self.world.views)


def ms(minute: int) -> int:
    """The instant of a minute of a world."""
    return START_MS + minute * MINUTE_MS


# ---- Slow and obvious ------------------------------------------------------------------------------------------------


def naively(written: Written, world: World, stops: set[str], quiet: Quiet | None, cap: Cap | None) -> list[Any]:
    """What becomes of a customer on a journey: (minute, campaign) of each sending, and (minute, outcome) of the end."""
    clock = Clock(world, stops, quiet, cap)
    try:
        clock.look()
        for _ in clock.walk(written):
            clock.minute += 1
            clock.look()
        clock.log.append((clock.minute, "finished"))
    except Stop as stop:
        clock.log.append((clock.minute, str(stop)))
    return clock.log


class Stop(Exception):
    """The journey ends; why is its text."""


class Clock:
    """Goes on minute by minute."""

    def __init__(self, world: World, stops: set[str], quiet: Quiet | None, cap: Cap | None) -> None:
        self.world, self.stops, self.quiet, self.cap = world, stops, quiet, cap
        self.minute = world.entered
        self.log: list[Any] = []
        self.sent = list(world.sent)

    def look(self) -> None:
        """Stops who is to be stopped."""
        if "orders" in self.stops and any(self.world.entered <= order <= self.minute for order in self.world.orders):
            raise Stop("ordered")
        if "leaves" in self.stops and self.has_left:
            raise Stop("left")

    @property
    def has_left(self) -> bool:
        return self.world.left is not None and self.minute >= self.world.left

    @property
    def is_quiet(self) -> bool:
        if self.quiet is None:
            return False
        wall = datetime.fromtimestamp(ms(self.minute) / 1_000, UTC).astimezone(ZoneInfo(BERLIN))
        of_day = wall.hour * 60 + wall.minute
        begin, end = self.quiet.begin, self.quiet.end
        return begin <= of_day < end if begin <= end else of_day >= begin or of_day < end

    def walk(self, written: Written) -> Iterator[None]:
        """Yields once for each minute that passes."""
        for step in written:
            match step:
                case {"wait": text, "after": measure}:
                    begun = self.minute
                    while self.minute < self.last(measure, begun) + minutes(text):
                        yield
                case {"wait": text}:
                    for _ in range(minutes(text)):
                        yield
                case {"check": _}:
                    if self.has_left:
                        raise Stop("left")
                case {"send": _, "campaign": campaign}:
                    while self.is_quiet:
                        yield
                    self.send(campaign)
                case {"if": _, "then": then, **rest}:
                    yield from self.walk(then if self.viewed else rest.get("else", []))

    def last(self, measure: str, begun: int) -> int:
        return max((one for one in getattr(self.world, measure) if one <= self.minute), default=begun)

    @property
    def viewed(self) -> bool:
        return any(self.minute - 5 * 1_440 <= view < self.minute for view in self.world.views)

    def send(self, campaign: str) -> None:
        if self.cap is not None:
            days = self.cap.days * 1_440
            if len([one for one in self.sent if one > self.minute - days]) >= self.cap.sends:
                return
        self.sent.append(self.minute)
        self.log.append((self.minute, campaign))


def minutes(text: str) -> int:
    """How long a wait is."""
    number, unit = text.split()
    return int(number) * {"minute": 1, "hour": 60, "day": 1_440}[unit.rstrip("s")]
