"""Journeys: what is done, step by step, with those who enter an audience; all of a shop's in one published document.

A journey is a short program. Its steps stand in one row, so that where somebody stands is one number, and jumps lead
forward alone, so that every journey ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from shared.audiences.audience import Key, Words
from shared.audiences.rules import MEASURES, NotARule, Rule, from_json, to_json
from shared.destinations.steps import DAY_MINUTES, LEAVES, ORDERS, Quiet

MOST_JOURNEYS = 50
MOST_STEPS = 100
LONGEST_WAIT_DAYS = 300
"""All waits of a journey together: the state machine lives for a year at most."""


class NotJourneys(ValueError):
    """A document is none that this code knows; the message says where it fails and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """For so long, or until so long nothing of a measure has happened."""

    ms: int
    after: str | None = None
    """One of MEASURES: the time counts from the last of them."""


@dataclass(frozen=True, slots=True)
class Check:
    """Goes on with those who are still in the audience."""


@dataclass(frozen=True, slots=True)
class Send:
    """To a destination, under the name of a campaign."""

    destination: str
    campaign: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Goes on with those of whom a rule is true; the others are led to a later step."""

    where: str
    """The rule as it was written."""
    rule: Rule
    otherwise: int


@dataclass(frozen=True, slots=True)
class Jump:
    """Leads to a later step."""

    to: int


type Step = Wait | Check | Send | Branch | Jump


@dataclass(frozen=True, slots=True)
class Journey:
    """What is done with those who enter an audience."""

    key: str
    name: str
    audience: str
    steps: tuple[Step, ...]
    version: int = 0
    """Of the document in which it last became what it is."""
    stops: tuple[str, ...] = (LEAVES, ORDERS)
    reach: int = 0
    """The steps of the longest version there was: somebody may still stand there."""


@dataclass(frozen=True, slots=True)
class Cap:
    """How much is sent to one customer at most, by all journeys together."""

    sends: int
    days: int


@dataclass(frozen=True, slots=True)
class Journeys:
    """All journeys of a shop, as they were published at once."""

    version: int = 0
    all: tuple[Journey, ...] = ()
    quiet: Quiet | None = None
    cap: Cap | None = None

    def get(self, key: str) -> Journey | None:
        """The journey of a key."""
        return next((journey for journey in self.all if journey.key == key), None)


NONE = Journeys()


def renewed(before: Journeys, after: Journeys) -> Journeys:
    """What is published after `before`: a version later, with the journeys that stay as they were keeping theirs."""
    version = before.version + 1
    known = {journey.key: journey for journey in before.all}

    def dated(journey: Journey) -> Journey:
        old = known.get(journey.key)
        if old is None:
            return replace(journey, version=version, reach=len(journey.steps))
        same = replace(old, version=journey.version, reach=journey.reach) == journey
        reach = max(old.reach, len(old.steps), len(journey.steps))
        return replace(journey, version=old.version if same else version, reach=reach)

    return replace(after, version=version, all=tuple(map(dated, after.all)))


# ---- The document ----------------------------------------------------------------------------------------------------


class _Stored(msgspec.Struct, frozen=True):
    key: Key
    name: Words
    audience: Key
    steps: Annotated[list[list[Any]], Meta(min_length=1, max_length=MOST_STEPS)]
    version: int
    stops: tuple[Words, ...]
    reach: Annotated[int, Meta(ge=0, le=MOST_STEPS)] = 0


class _Document(msgspec.Struct, frozen=True, omit_defaults=True):
    version: int
    journeys: Annotated[list[_Stored], Meta(max_length=MOST_JOURNEYS)]
    quiet: tuple[int, int] | None = None
    cap: tuple[int, int] | None = None
    text: str = ""
    at: str = ""
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """A version of a shop's journeys, with the file that it was made of, and who made it, when and why."""

    journeys: Journeys
    text: str
    at: str
    by: str
    why: str


def encode_publication(publication: Publication) -> bytes:
    """The document of a version."""
    journeys = publication.journeys
    stored = [
        _Stored(one.key, one.name, one.audience, [*map(_to_json, one.steps)], one.version, one.stops, one.reach)
        for one in journeys.all
    ]
    quiet = (journeys.quiet.begin, journeys.quiet.end) if journeys.quiet else None
    cap = (journeys.cap.sends, journeys.cap.days) if journeys.cap else None
    said = (publication.text, publication.at, publication.by, publication.why)
    return msgspec.json.encode(_Document(journeys.version, stored, quiet, cap, *said))


def decode_publication(content: bytes) -> Publication:
    """The version in a document. Raises NotJourneys."""
    try:
        document = msgspec.json.decode(content, type=_Document)
        journeys = [
            Journey(one.key, one.name, one.audience, _steps(one.steps), one.version, one.stops, one.reach)
            for one in document.journeys
        ]
    except msgspec.ValidationError as error:
        raise NotJourneys(f"journeys are refused: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJourneys("journeys are refused: they are not JSON") from None
    except NotARule as error:
        raise NotJourneys(f"journeys are refused: {error}") from None
    if len({journey.key for journey in journeys}) < len(journeys):
        raise NotJourneys("journeys are refused: two have one key")
    if document.quiet and not all(0 <= minute < DAY_MINUTES for minute in document.quiet):
        raise NotJourneys("journeys are refused: quiet hours are none")
    quiet = Quiet(*document.quiet) if document.quiet else None
    cap = Cap(*document.cap) if document.cap else None
    known = Journeys(document.version, tuple(journeys), quiet, cap)
    return Publication(known, document.text, document.at, document.by, document.why)


def _to_json(step: Step) -> list[Any]:
    match step:
        case Wait(ms, after):
            return ["wait", ms, after]
        case Check():
            return ["check"]
        case Send(destination, campaign):
            return ["send", destination, campaign]
        case Branch(where, rule, otherwise):
            return ["branch", where, to_json(rule), otherwise]
        case Jump(to):
            return ["jump", to]


def _steps(stored: list[list[Any]]) -> tuple[Step, ...]:
    return tuple(_step(tree, position, len(stored)) for position, tree in enumerate(stored))


def _step(tree: list[Any], position: int, end: int) -> Step:
    match tree:
        case ["wait", int(ms), None] if ms >= 0:
            return Wait(ms)
        case ["wait", int(ms), str(after)] if ms >= 0 and after in MEASURES:
            return Wait(ms, after)
        case ["check"]:
            return Check()
        case ["send", str(destination), str(campaign)]:
            return Send(destination, campaign)
        case ["branch", str(where), rule, int(otherwise)] if position < otherwise <= end:
            return Branch(where, from_json(rule), otherwise)
        case ["jump", int(to)] if position < to <= end:
            return Jump(to)
    raise NotJourneys("journeys are refused: a step is of an unknown kind")
