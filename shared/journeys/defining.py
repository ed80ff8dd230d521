"""Journeys as people write them, in `journeys.toml`, made into what is published."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from shared.audiences.audience import KEY, Key, Words
from shared.audiences.reading import Names, read_rule
from shared.audiences.rules import MEASURES
from shared.audiences.terms import Mistake
from shared.destinations.steps import DAY_MINUTES, LEAVES, ORDERS, Quiet
from shared.durations import MINUTE_MS
from shared.journeys.journey import (
    LONGEST_WAIT_DAYS,
    MOST_JOURNEYS,
    MOST_STEPS,
    Branch,
    Cap,
    Check,
    Journey,
    Journeys,
    Jump,
    Send,
    Step,
    Wait,
)

MOST_BYTES = 1_000_000
DEEPEST = 10
"""Branches within branches, at most."""
LONGEST_CAMPAIGN = 128
MOST_SENDS, MOST_DAYS = 1_000, 365
_UNITS = {"minute": MINUTE_MS, "hour": 60 * MINUTE_MS, "day": DAY_MINUTES * MINUTE_MS}
_DURATION = re.compile(r"([1-9]\d{0,5}) (minute|hour|day)s?", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Key
    audience: Key
    steps: list[dict[str, Any]]
    name: Words | None = None
    stop_when: tuple[Words, ...] = (LEAVES, ORDERS)


class _Quiet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"begin": "from", "end": "until"}):
    begin: str
    end: str


class _Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sends: int
    days: int


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    journey: list[dict[str, Any]] = []
    quiet: _Quiet | None = None
    cap: _Cap | None = None


class Mistakes(ValueError):
    """Journeys cannot be published as they are written; a line for each mistake. They quote what was written."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def read_journeys(text: str, names: Names) -> Journeys:
    """All journeys of a file, of no version yet. Raises Mistakes with all that is wrong in it."""
    if len(text.encode()) > MOST_BYTES:
        raise Mistakes([f"the file has more than {MOST_BYTES:,} bytes"])
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except tomllib.TOMLDecodeError as error:
        raise Mistakes([f"this is not TOML: {error}"]) from None
    except msgspec.ValidationError as error:
        raise Mistakes([str(error)]) from None
    except RecursionError:
        raise Mistakes(["the file is nested too deep"]) from None
    reader = _Reader(names)
    journeys = [journey for number, entry in enumerate(file.journey, 1) if (journey := reader.journey(entry, number))]
    quiet = reader.quiet(file.quiet) if file.quiet else None
    cap = reader.cap(file.cap) if file.cap else None
    if len(file.journey) > MOST_JOURNEYS:
        reader.mistakes.append(f"there are {len(file.journey)} journeys, more than {MOST_JOURNEYS}")
    keys = [journey.key for journey in journeys]
    reader.mistakes += [f"{key}: two journeys have this key" for key in sorted({*keys}) if keys.count(key) > 1]
    if reader.mistakes:
        raise Mistakes(reader.mistakes)
    return Journeys(0, tuple(journeys), quiet, cap)


class _Reader:
    """Reads journeys and gathers what is wrong with them."""

    def __init__(self, names: Names) -> None:
        self._names = replace(names, lists=())  # a step looks at one customer and has no recommender
        self.mistakes: list[str] = []

    def quiet(self, written: _Quiet) -> Quiet | None:
        """Quiet hours."""
        times = [_TIME.fullmatch(text) for text in (written.begin, written.end)]
        minutes = [int(time[1]) * 60 + int(time[2]) for time in times if time]
        if len(minutes) < len(times) or minutes[0] == minutes[1]:
            self.mistakes.append('quiet: it is written {from = "21:00", until = "08:00"}, with two times of day')
            return None
        return Quiet(*minutes)

    def cap(self, written: _Cap) -> Cap:
        """How much is sent at most."""
        if not (0 < written.sends <= MOST_SENDS and 0 < written.days <= MOST_DAYS):
            self.mistakes.append(f"cap: sends go from 1 to {MOST_SENDS:,}, days from 1 to {MOST_DAYS}")
        return Cap(written.sends, written.days)

    def journey(self, written: dict[str, Any], number: int) -> Journey | None:
        """One journey; None where it is wrong."""
        key = str(written.get("key", f"the {number}. journey"))
        try:
            entry = msgspec.convert(written, _Entry)
        except msgspec.ValidationError as error:
            self.mistakes.append(f"{key}: {error}")
            return None
        if wrong := {*entry.stop_when} - {LEAVES, ORDERS}:
            self.mistakes.append(
                f"{key}: stop_when has {', '.join(map(repr, sorted(wrong)))}, not {LEAVES} or {ORDERS}"
            )
        steps = [*self._steps(entry.steps, 0, f"{key}: step ", 1)]
        if not any(isinstance(step, Send) for step in steps):
            self.mistakes.append(f"{key}: it sends nothing")
        if len(steps) > MOST_STEPS:
            self.mistakes.append(f"{key}: it has {len(steps)} steps, more than {MOST_STEPS}")
        if sum(step.ms for step in steps if isinstance(step, Wait)) > LONGEST_WAIT_DAYS * _UNITS["day"]:
            self.mistakes.append(f"{key}: it waits for more than {LONGEST_WAIT_DAYS} days in all")
        return Journey(key, entry.name or key, entry.audience, tuple(steps), 0, tuple(sorted({*entry.stop_when})))

    def _steps(self, written: Any, first: int, place: str, depth: int) -> list[Step]:
        """Steps that stand from the position `first` on."""
        if not isinstance(written, list) or depth > DEEPEST:
            self.mistakes.append(f"{place}is no list of steps, or deeper than {DEEPEST}")
            return []
        steps: list[Step] = []
        for number, step in enumerate(written, 1):
            steps += self._step(step, first + len(steps), f"{place}{number}", depth)
        return steps

    def _step(self, written: Any, position: int, place: str, depth: int) -> list[Step]:
        match written:
            case {"wait": str(text), "after": str(after), **rest} if not rest and after in MEASURES:
                return self._wait(text, after, place)
            case {"wait": str(text), **rest} if not rest:
                return self._wait(text, None, place)
            case {"check": "audience", **rest} if not rest:
                return [Check()]
            case {"send": str(destination), "campaign": str(campaign), **rest} if not rest:
                self.mistakes += _wrong_names(destination, campaign, place)
                return [Send(destination, campaign)]
            case {"if": str(where), "then": then, **rest} if rest.keys() <= {"else"}:
                return self._branch(where, then, rest.get("else", []), (position, place, depth))
            case _:
                self.mistakes.append(
                    f'{place}: a step is {{wait = "2 days"}}, {{wait = "30 minutes", after = "carts"}}, '
                    '{check = "audience"}, {send = "DESTINATION", campaign = "NAME"}, '
                    'or {if = "RULE", then = [STEPS], else = [STEPS]}'
                )
        return []

    def _wait(self, text: str, after: str | None, place: str) -> list[Step]:
        if duration := _DURATION.fullmatch(text):
            return [Wait(int(duration[1]) * _UNITS[duration[2]], after)]
        self.mistakes.append(f'{place}: {text!r:.80} is no time such as "30 minutes", "4 hours" or "2 days"')
        return []

    def _branch(self, where: str, then: Any, other: Any, at: tuple[int, str, int]) -> list[Step]:
        position, place, depth = at
        try:
            rule = read_rule(where, self._names)
        except Mistake as error:
            self.mistakes.append(f"{place}: {error}")
            return []
        inside = self._steps(then, position + 1, f"{place}.then.", depth + 1)
        after = position + 1 + len(inside)
        if not other:
            return [Branch(where, rule, after), *inside]
        outside = self._steps(other, after + 1, f"{place}.else.", depth + 1)
        return [Branch(where, rule, after + 1), *inside, Jump(after + 1 + len(outside)), *outside]


def _wrong_names(destination: str, campaign: str, place: str) -> Iterator[str]:
    if not re.fullmatch(KEY, destination):
        yield f"{place}: {destination!r:.80} is no name of a destination: small letters, digits and _"
    if not 0 < len(campaign) <= LONGEST_CAMPAIGN:
        yield f"{place}: a campaign's name has from 1 to {LONGEST_CAMPAIGN} characters"
