"""Whether someone is profiled: what they refused and agreed to, and from when on their events count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

NEVER = 2**63 - 1
"""Later than every event, UTC milliseconds."""
MOST_GIVEN = 100
"""Consents remembered after a refusal. Who gives more of them refused none in between, but for very late news."""


@dataclass(frozen=True, slots=True)
class Consent:
    """An event that says whether someone agrees to be profiled."""

    key: str
    """The profile that it concerns."""
    time_ms: int
    """When it happened, UTC milliseconds."""
    given: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of one who refused, or agreed, to be profiled. Times are UTC milliseconds."""

    refused_ms: int | None = None
    """The latest refusal: an erasure, or an event that says so."""
    given_ms: frozenset[int] = frozenset()
    """When consent was given."""
    ended: int = 0
    """The version that the last profile of theirs ended with; the next one begins above it."""
    announced: int = 0
    """The version up to which the ledger knows, and has forgotten again, what there was to tell."""
    unlinked: bool = False
    """Of a visitor: their link was undone by hand, and is not to be made again."""

    @property
    def counts_from_ms(self) -> int | None:
        """Events from then on count: from the first consent after the last refusal. None for all, NEVER for none."""
        if self.refused_ms is None:
            return None
        return min((at for at in self.given_ms if at > self.refused_ms), default=NEVER)

    def after(self, consent: Consent) -> Mark:
        """The mark once the event is known: the same in whatever order events come."""
        refused = -1 if self.refused_ms is None else self.refused_ms
        if not consent.given:
            return replace(self, refused_ms=max(refused, consent.time_ms))
        if consent.time_ms <= refused or sum(at > refused for at in self.given_ms) >= MOST_GIVEN:
            return self
        return replace(self, given_ms=self.given_ms | {consent.time_ms})


def in_order(consents: Iterable[Consent]) -> list[Consent]:
    """Each once, the earliest first."""
    return sorted({*consents}, key=lambda consent: (consent.time_ms, consent.given, consent.key))


def limits(consents: Iterable[Consent]) -> dict[str, int]:
    """From when on the events of those count who refused at some time, by profile key."""
    marks: dict[str, Mark] = {}
    for consent in in_order(consents):
        marks[consent.key] = marks.get(consent.key, Mark()).after(consent)
    return {key: at for key, mark in marks.items() if (at := mark.counts_from_ms) is not None}
