"""The core that all events go through, whatever brought them: fold, merge with what is stored, decide, store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING

from shared.backoff import Sleep
from shared.clock import Moment
from shared.consents import Consent
from shared.events import Chunk, Claim, Rejection
from shared.features import Profiles, fold, merge
from shared.identity import Claims, copies
from shared.keys import is_visitor
from shared.links import Copy, LinkState
from shared.marks import Admission, keepable
from shared.profile_table import ProfileTable
from shared.update import Ingested, News, Updater

if TYPE_CHECKING:
    from shared.bundle import Bundle

PROFILES_AT_ONCE = 1_000
"""Bounds the memory that stored histories take, of which a few events may touch many."""

ROWS_AT_ONCE = 500_000
"""Events gathered before they are written, about 60 bytes each."""

type Refuse = Callable[[Sequence[Rejection]], None]


def ingest(
    delta: Profiles,
    table: ProfileTable,
    bundle: Bundle | None,
    moment: Moment,
    sleep: Sleep = time.sleep,
    claims: Claims | None = None,
    admission: Admission | None = None,
    consents: Iterable[Consent] = (),
) -> Ingested:
    """Merges `delta` into the stored profiles, follows `claims`, and decides anew for those that it changed.

    Profiles that it adds nothing to are not written, and those whom `admission` refuses are left out. Without a bundle,
    histories are stored and decisions stay as they are. Raises ProfileTooLarge, TooManyRaces, and what the table
    raises; the same `delta` can always be given again, and what was written then counts as known.
    """
    claims = claims or Claims((), table)
    asked: set[str] = set()

    def ask(key: str, refused_ms: int) -> None:
        if admission and key not in asked:
            admission.erase(key, Moment(refused_ms, moment.scored_at_ms))
            asked.add(key)

    # Of whoever refuses, stored or not: lines of theirs may stand in quarantine.
    marks = admission.marks.record(consents, ask) if admission and consents else {}
    updater = Updater(table, bundle, moment, sleep, admission=admission, recorded=marks)
    known: dict[str, dict[str, Copy]] = {}
    # Visitors first: customers take over their histories as they then stand.
    news = News(delta, relink=claims.settle)
    for keys in _slices({*filter(is_visitor, delta.keys)} | claims.visitors):
        for customer, found in copies(updater.update(keys, news)).items():
            known.setdefault(customer, {}).update(found)
    for visitor in updater.refused.values():
        if visitor and visitor.link and visitor.link.state is LinkState.LINKED:
            withdrawn = Copy(visitor.version + 1, None)
            known.setdefault(visitor.link.customer, {})[visitor.key] = withdrawn
    news = News(delta, copies=known)
    for keys in _slices({key for key in delta.keys if not is_visitor(key)} | known.keys()):
        updater.update(keys, news)
    if admission:
        stored = {key for key, profile in updater.refused.items() if profile}
        # Linked by somebody who did not see the customer's mark yet: what they did goes as the customer's own.
        linked = {visitor for customer in updater.refused.keys() & known.keys() for visitor in known[customer]}
        for key in sorted(stored | linked):
            ask(key, marks[key].refused_ms or 0 if key in marks else moment.as_of_ms)
    updater.check()
    forgotten = int(delta.take([i for i, key in enumerate(delta.keys) if key in updater.refused]).event_counts.sum())
    return updater.total + Ingested(forgotten=forgotten)


def _slices(keys: set[str]) -> Iterator[tuple[str, ...]]:
    return batched(sorted(keys), PROFILES_AT_ONCE, strict=False)


@dataclass
class Intake:
    """Gathers events from many files or messages, so that a profile they share is read and written once."""

    table: ProfileTable
    bundle: Bundle | None
    moment: Moment
    total: Ingested = field(default_factory=Ingested)
    accepted: int = 0
    """Valid events seen, repeats included."""
    refused: int = 0
    """Claims that were not followed."""
    admission: Admission | None = None
    """Without one, everybody is stored."""
    unkept: int = 0
    """Refused lines of those who were erased, which are kept nowhere."""
    _folded: list[Profiles] = field(default_factory=list)
    _claims: list[tuple[list[Claim], Refuse]] = field(default_factory=list)
    _consents: set[Consent] = field(default_factory=set)

    def add(self, chunk: Chunk, refuse: Refuse) -> None:
        """Takes events in, and writes what has gathered once it is much.

        By then it is known which of the chunk's claims are not followed: `refuse` is given those, with the reasons.
        """
        self.accepted += len(chunk.events)
        self._folded.append(fold(chunk.events))
        self._claims.append((chunk.claims, refuse))
        self._consents.update(chunk.consents)
        if sum(len(profiles.rows) for profiles in self._folded) >= ROWS_AT_ONCE:
            self.flush()

    def keepable(self, rejections: list[Rejection]) -> list[Rejection]:
        """Refused lines but for those of people who were erased."""
        kept = keepable(rejections, self.admission.marks) if self.admission else rejections
        self.unkept += len(rejections) - len(kept)
        return kept

    @property
    def counts(self) -> dict[str, int]:
        """What came of the events, by the name of the metric that tells it."""
        return {
            "EventsCounted": self.total.events,
            "EventsDuplicate": self.accepted - self.total.events - self.total.forgotten,
            "EventsForgotten": self.total.forgotten + self.unkept,
            "CustomersChanged": self.total.customers,
            "SegmentsChanged": self.total.segments,
            "VisitorsLinked": self.total.links,
            "LinksRefused": self.refused,
            "SharedDevices": self.total.shared,
        }

    def flush(self) -> None:
        """Writes what has gathered. If that fails it stays, for the next flush to try again."""
        claims = Claims((claim for found, _ in self._claims for claim in found), self.table, self.admission)
        self.total += ingest(
            merge(*self._folded),
            self.table,
            self.bundle,
            self.moment,
            claims=claims,
            admission=self.admission,
            consents=self._consents,
        )
        for found, refuse in self._claims:
            reasons = [(claim, reason) for claim in found if (reason := claims.refusal(claim))]
            if reasons:
                refuse([Rejection(c.line, reason, c.original, (c.customer, c.visitor)) for c, reason in reasons])
                self.refused += len(reasons)
        self._folded.clear()
        self._claims.clear()
        self._consents.clear()
