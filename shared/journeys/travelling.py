"""What makes customers travel: who enters an audience begins, and whoever is due goes on from where they stand.

What is decided is kept before it is done, and done again where that broke off: a sending has the same name and instant
each time, by which destinations know it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.decisions.decision import iso
from shared.destinations.messages import ENTERED, LEFT
from shared.destinations.steps import LEAVES, Quiet, belongs
from shared.features.time_zone import TimeZone
from shared.identity.keys import customer_id, customer_key
from shared.journeys.interpreting import LEFT as HAS_LEFT
from shared.journeys.interpreting import WITHDRAWN, Ended, Limits, Sending, Standing, Waiting, turn
from shared.journeys.journey import Journey, Send
from shared.journeys.looking import Look
from shared.journeys.travellers import Overtaken, Traveller
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from shared.journeys.known_journeys import KnownJourneys
    from shared.journeys.travellers import Travellers
    from shared.profiles.table import ProfileTable

TURNS_AT_MOST = 300
"""More than twice as many as a journey has steps."""
RACES_AT_MOST = 10
"""After which the state machine tries again, a while later."""

SPREAD_MS = 300_000
"""Over which those are spread who wait for the end of quiet hours."""

type Step = dict[str, object]


class TooManyTurns(AnonymousError):
    """Others moved the traveller in every attempt."""


@dataclass(frozen=True)
class Moved:
    """That a customer entered an audience or left it."""

    kind: str
    customer_id: str
    audience: str
    transition_id: str
    at_ms: int


@dataclass(frozen=True)
class Travelling:
    """What travelling takes: `tell` lets a destination hear of a step, `start` starts an execution that is new."""

    travellers: Travellers
    known: KnownJourneys
    table: ProfileTable
    zone: TimeZone
    tell: Callable[[Step], None]
    start: Callable[[str, Traveller], None]
    now_ms: Callable[[], int]

    def hear(self, moved: Moved) -> int:
        """Begins journeys of who entered, ends those of who left; returns how many it began.

        Hearing it again changes nothing. Raises what the table raises, and Overtaken.
        """
        key = customer_key(moved.customer_id)
        journeys = [one for one in self.known.live(time.monotonic()).all if one.audience == moved.audience]
        if not journeys:
            return 0
        if moved.kind == LEFT:
            self._end(key, moved)
            return 0
        assert moved.kind == ENTERED
        profile = self.table.heads([key]).get(key)
        membership = profile.decision.audiences.get(moved.audience) if profile and profile.decision else None
        if membership is None or membership.since_ms > moved.at_ms:
            # They left since, or were erased; whoever was put on a journey before that broke off is to stop by it.
            entry = self.travellers.entry(moved.transition_id)
            for traveller in self.travellers.of_customer(key):
                if traveller.entry == entry and not traveller.outcome:
                    self.start(_name(traveller), traveller)
            return 0
        for journey in journeys:
            begun = self.travellers.begin(self._first(key, moved, journey, membership.arm))
            self.start(_name(begun), begun)
        return len(journeys)

    def advance(self, pk: str, sk: str) -> int | None:
        """Takes who stands there as far as they come now: milliseconds until they are to be looked at again, or None
        at the end.

        Raises what table and bus raise; then, and whenever it is taken again, it goes on from what is kept.
        """
        races = 0
        for _ in range(TURNS_AT_MOST):
            traveller = self.travellers.get(pk, sk)
            if traveller is None or traveller.outcome:
                return None
            try:
                wait_ms = self._turn(traveller)
            except Overtaken:
                races += 1
                if races == RACES_AT_MOST:
                    raise TooManyTurns(f"overtaken {races} times") from None
                continue
            if wait_ms is not None and wait_ms > 0:
                return wait_ms
        raise TooManyTurns(f"still not at rest after {TURNS_AT_MOST} turns")

    def _turn(self, traveller: Traveller) -> int | None:
        """One write of where they stand; how long they then wait, None where they go on or are at the end."""
        now_ms = self.now_ms()
        journey = self.known.of_version(traveller.journey, traveller.version, time.monotonic())
        if journey is None:
            self.travellers.put(replace(traveller, outcome=WITHDRAWN), now_ms)
            return None
        live = self.known.live(time.monotonic())
        if traveller.sent_ms is not None:
            self._send(traveller, journey, live.quiet)
            self._stand(traveller, traveller.position + 1, None)
            return None
        profile = self.table.load([traveller.key]).get(traveller.key)
        if profile is None:
            self.travellers.remove(traveller)
            return None
        sends = self.travellers.sends(traveller.pk)
        look = Look(profile, traveller.audience, traveller.entered_ms, sends[0], now_ms, self.zone)
        match turn(
            journey, Standing(traveller.position, traveller.due_ms), look, Limits(self.zone, live.quiet, live.cap)
        ):
            case Waiting(standing, until_ms):
                if standing != Standing(traveller.position, traveller.due_ms):
                    self._stand(traveller, standing.position, standing.due_ms)
                return until_ms - now_ms + _spread_ms(journey, traveller, standing)
            case Sending(position, _):
                self.travellers.decide(replace(traveller, position=position, due_ms=None), sends, now_ms)
            case Ended(outcome):
                self.travellers.put(replace(traveller, outcome=outcome), now_ms)
        return None

    def _stand(self, traveller: Traveller, position: int, due_ms: int | None) -> None:
        self.travellers.put(replace(traveller, position=position, due_ms=due_ms, sent_ms=None), self.now_ms())

    def _send(self, traveller: Traveller, journey: Journey, quiet: Quiet | None) -> None:
        send = journey.steps[traveller.position]
        assert isinstance(send, Send)
        assert traveller.sent_ms is not None
        self.tell(
            {
                "destinations": [send.destination],
                "customer_id": customer_id(traveller.key),
                "transition_id": _hashed(traveller.sk, str(traveller.position)),
                "at": iso(traveller.sent_ms),
                "journey": traveller.journey,
                "campaign": send.campaign,
                "arm": traveller.arm,
                # Under which it is still to be sent by whoever sends it.
                "audience": traveller.audience,
                "entered_at": iso(traveller.entered_ms),
                "stop_when": journey.stops,
                "quiet": (quiet.begin, quiet.end) if quiet else None,
            }
        )

    def _first(self, key: str, moved: Moved, journey: Journey, arm: str) -> Traveller:
        return Traveller(
            pk=self.travellers.partition(key),
            key=key,
            journey=journey.key,
            version=journey.version,
            audience=journey.audience,
            entry=self.travellers.entry(moved.transition_id),
            entered_ms=moved.at_ms,
            arm=arm,
        )

    def _end(self, key: str, moved: Moved) -> None:
        """Ends what began with an entry that they left since, also within its instant; the execution finds it so."""
        profile = self.table.heads([key]).get(key)
        for traveller in self.travellers.of_customer(key):
            if traveller.audience != moved.audience or traveller.outcome:
                continue
            if profile and belongs(profile, traveller.audience, traveller.entered_ms):
                continue
            journey = self.known.of_version(traveller.journey, traveller.version, time.monotonic())
            if journey and LEAVES in journey.stops:
                self.travellers.put(replace(traveller, outcome=HAS_LEFT), self.now_ms())


def _name(traveller: Traveller) -> str:
    """Of the execution: the same for the same customer, version of the journey and entry, and it tells nobody whose."""
    return f"{traveller.journey[:40]}-{_hashed(traveller.pk, traveller.sk, str(traveller.version))}"


def _spread_ms(journey: Journey, traveller: Traveller, standing: Standing) -> int:
    """How much later somebody is looked at who waits for the end of quiet hours, as all others do."""
    if not isinstance(journey.steps[standing.position], Send):
        return 0
    return int(_hashed(traveller.pk), 16) % SPREAD_MS


def _hashed(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
