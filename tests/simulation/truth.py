"""What should have come of all that was sent: by the rules, offline, without any of the machinery under test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.decision import Decision
from shared.events import Chunk, Rules, read_lines
from shared.features import Profiles, encode, fold, merge, since
from shared.identity.consents import NEVER, Consent, Mark, in_order
from shared.identity.keys import customer_key, visitor_key
from shared.identity.links import Link, LinkState
from shared.models.bundle import Bundle
from shared.profiles.histories import gathered
from tests.simulation.people import BACK, GONE, MOODY, OWNERS, PAIR, PLAIN, TABLET, Sent, as_json, named


@dataclass(frozen=True)
class Truth:
    """What was sent, as it has to be counted."""

    sent: Sent
    erased: Mapping[str, set[int]]
    """From when on who is not to count any more, by profile key, whoever asked for it."""

    ghost: ClassVar[str] = visitor_key(named("ghost"))
    """A visitor who goes with their customer, if they were theirs by then."""

    @cached_property
    def customers(self) -> list[str]:
        """The profile keys of all customers."""
        return [customer_key(named(name)) for name in (*PLAIN, *MOODY, GONE, BACK, *self.sent.newcomers)]

    @cached_property
    def visitors(self) -> list[str]:
        """The profile keys of all visitors."""
        return [visitor_key(named(name)) for name in (*OWNERS, TABLET, PAIR)]

    @cached_property
    def everybody(self) -> list[str]:
        """The profile keys of all."""
        return self.customers + self.visitors

    @cached_property
    def chunk(self) -> Chunk:
        """The valid events."""
        chunk = read_lines((as_json(event) for event in self.sent.events), Rules())
        assert not chunk.rejections, chunk.rejections
        return chunk

    @cached_property
    def delivered(self) -> Profiles:
        """All events, whoever they are of and whether they agreed."""
        return fold(self.chunk.events)

    @cached_property
    def marks(self) -> Mapping[str, Mark]:
        """Who refused, and who agreed."""
        marks: dict[str, Mark] = {}
        erasures = [Consent(key, at, False) for key, times in self.erased.items() for at in times]
        for consent in in_order([*self.chunk.consents, *erasures]):
            marks[consent.key] = marks.get(consent.key, Mark()).after(consent)
        return marks

    @cached_property
    def limits(self) -> dict[str, int]:
        """From when on events count of those who refused at some time."""
        return {key: mark.counts_from_ms for key, mark in self.marks.items() if mark.counts_from_ms is not None}

    @cached_property
    def own(self) -> Profiles:
        """The events that count, each under the id that it came with."""
        return since(self.delivered, self.limits)

    @cached_property
    def states(self) -> dict[str, bytes]:
        """The same as they are stored."""
        return dict(zip(self.own.keys, encode(self.own), strict=True))

    @cached_property
    def claimants(self) -> dict[str, set[str]]:
        """Who says to be each visitor."""
        by_visitor: dict[str, set[str]] = {}
        for claim in self.chunk.claims:
            by_visitor.setdefault(claim.visitor, set()).add(claim.customer)
        return by_visitor

    def allowed(self, visitor: str) -> set[tuple[str | None, LinkState | None]]:
        """The links that a visitor may have in the end, as customer and state."""
        claimants = self.claimants.get(visitor, set())
        gone = customer_key(named(GONE))
        if not claimants or (claimants == {gone} and gone in self.marks):
            return {(None, None)}
        state = LinkState.SHARED if len(claimants) >= 3 else LinkState.LINKED
        return {(claimant, state) for claimant in claimants}

    def history(self, key: str, links: Mapping[str, Link]) -> Profiles:
        """All that decisions on a customer or visitor are made on, given who visitors turned out to be."""
        link = links.get(key)
        if link is not None and link.state is not LinkState.UNLINKED:
            return Profiles.empty()
        mine = [v for v, link in links.items() if link.customer == key and link.state is LinkState.LINKED]
        at = [self.own.keys.index(key)] if key in self.own.keys else []
        parts = [(key, self.states[visitor]) for visitor in mine if visitor in self.states]
        limit = self.marks.get(key, Mark()).counts_from_ms
        both = merge(self.own.take(at), gathered(parts)) if parts else self.own.take(at)
        return since(both, {key: limit}) if limit is not None else both

    def is_settled(self, key: str) -> bool:
        """Whether events count whenever they arrive: not of those who refused, whose events need a known consent."""
        return key not in self.marks

    def is_erased(self, key: str) -> bool:
        """Whether nothing of theirs may be left."""
        return self.marks.get(key, Mark()).counts_from_ms == NEVER


def decision(history: Profiles, key: str, bundle: Bundle, moment: Moment) -> Decision | None:
    """What the bundle decides on a history at a moment."""
    deciding = f"{bundle.bundle_id} {bundle.audiences}"
    known = (key, encode(history)[0] if len(history) else b"", deciding, moment.as_of_ms)
    if known not in _DECIDED:
        if len(_DECIDED) > 10_000:
            _DECIDED.clear()
        _DECIDED[known] = decide(history, {}, bundle, moment).get(key)
    return _DECIDED[known]


_DECIDED: dict[tuple[str, bytes, str, int], Decision | None] = {}
