"""The core that all events go through, whatever brought them: fold, merge with what is stored, decide, store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched
from typing import TYPE_CHECKING

from shared.aws.backoff import Sleep
from shared.clock import Moment
from shared.events import Chunk, Claim, Rejection
from shared.features import BrokenState, Profiles, UnknownStateVersion, fold, merge
from shared.identity.consents import Consent
from shared.identity.keys import is_visitor
from shared.identity.links import Copy, LinkState
from shared.intake.claims import Claims, copies
from shared.profiles.histories import own
from shared.profiles.marks import Admission, keepable
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import ProfilesUnreadable, Unwritten, check
from shared.profiles.update import Incoming, Ingested, Updater

if TYPE_CHECKING:
    from shared.models.bundle import Bundle

COPIES_AT_ONCE = 64 << 20
"""Bytes of visitors' histories that wait to be handed on to their customers."""
PROFILES_AT_ONCE = 1_000
"""Bounds the memory that stored histories take, of which a few events may touch many."""
LINES_AT_ONCE = 10_000
"""Of quarantined lines in one object."""

ROWS_AT_ONCE = 500_000
"""Events gathered before they are written."""
BYTES_AT_ONCE = 32 << 20
"""Of events gathered before they are written, and of the lines that their claims are kept with."""
EVENT_BYTES = 60
"""Of an event in columns."""
KEY_BYTES = 200
"""Of a profile's key and its place among others."""

type Refuse = Callable[[Sequence[Rejection]], None]


@dataclass(frozen=True, eq=False)
class Source:
    """A file or a message that events come from, so that it can be asked for them again."""

    id: str
    lines_of: Callable[[Mapping[str, Unwritten]], Iterable[Rejection]]
    """Reads it again, for the lines of those who did not take their events."""
    keep: Callable[[Sequence[Rejection]], None]
    """Keeps such lines in quarantine."""


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
    histories are stored and decisions stay as they are. Raises, once all others are written, what `check` raises of
    those that are not, and what the table raises; the same `delta` can always be given again, and what was written then
    counts as known.
    """
    updater = Updater(table, bundle, moment, sleep, admission=admission)
    total = fold_in(delta, updater, claims or Claims((), table), consents)
    check(updater.unwritten)
    return total


def fold_in(delta: Profiles, updater: Updater, claims: Claims, consents: Iterable[Consent] = ()) -> Ingested:
    """What became of `delta`, see `ingest`; the updater knows which profiles did not take it, and why.

    Where a customer did not take what a visitor did, and may later, neither did the visitor.
    """
    admission, moment = updater.admission, updater.moment
    asked: set[str] = set()

    def ask(key: str, refused_ms: int) -> None:
        if admission and key not in asked:
            admission.erase(key, Moment(refused_ms, moment.scored_at_ms))
            asked.add(key)

    # Of whoever refuses, stored or not: lines of theirs may stand in quarantine.
    marks = admission.marks.record(consents, ask) if admission and consents else {}
    updater.recorded = marks
    known: dict[str, dict[str, Copy]] = {}
    visitors: dict[str, set[str]] = {}
    # Visitors first: customers take over their histories as they then stand.
    incoming = Incoming(delta, relink=claims.settle)
    for keys in _slices({*filter(is_visitor, delta.keys)} | claims.visitors):
        for customer, found in copies(updater.update(keys, incoming)).items():
            known.setdefault(customer, {}).update(found)
            visitors.setdefault(customer, set()).update(found)
        if sum(len(copy.state or b"") for found in known.values() for copy in found.values()) >= COPIES_AT_ONCE:
            _hand_over(updater, Profiles.empty(), known)
            known.clear()
    for visitor in updater.refused.values():
        if visitor and visitor.link and visitor.link.state is LinkState.LINKED:
            withdrawn = Copy(visitor.version + 1, None)
            known.setdefault(visitor.link.customer, {})[visitor.key] = withdrawn
            visitors.setdefault(visitor.link.customer, set()).add(visitor.key)
    _hand_over(updater, delta, known)
    if admission:
        stored = {key for key, profile in updater.refused.items() if profile}
        # Linked by somebody who did not see the customer's mark yet: what they did goes as the customer's own.
        linked = {visitor for customer in updater.refused.keys() & visitors.keys() for visitor in visitors[customer]}
        for key in sorted(stored | linked):
            ask(key, marks[key].refused_ms or 0 if key in marks else moment.as_of_ms)
    for customer in updater.unwritten.keys() & visitors.keys():
        if updater.unwritten[customer].passes:
            updater.unwritten |= dict.fromkeys(visitors[customer], updater.unwritten[customer])
    forgotten = int(delta.take([i for i, key in enumerate(delta.keys) if key in updater.refused]).event_counts.sum())
    return updater.total + Ingested(forgotten=forgotten)


def _hand_over(updater: Updater, delta: Profiles, known: Mapping[str, Mapping[str, Copy]]) -> None:
    """Gives customers their own events in `delta`, and copies of their visitors' histories."""
    incoming = Incoming(delta, copies=known)
    for keys in _slices({key for key in delta.keys if not is_visitor(key)} | known.keys()):
        updater.update(keys, incoming)


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
    waits: bool = True
    """Without a bundle, whether those who change are due to be decided on as soon as there is one."""
    sleep: Sleep = time.sleep
    unwritten: int = 0
    """Lines that are in quarantine because their profile does not take them."""
    again: dict[str, str] = field(default_factory=dict)
    """The sources that are to be given again, and why: some of their profiles may take what is in them later."""
    not_taken: dict[str, Unwritten] = field(default_factory=dict)
    """The profiles that did not take their events, and why."""
    _full: dict[str, Unwritten] = field(default_factory=dict)
    _to_keep: dict[Source, None] = field(default_factory=dict)
    _folded: list[tuple[Source | None, Profiles]] = field(default_factory=list)
    _bytes: int = 0
    _claims: list[tuple[list[Claim], Refuse]] = field(default_factory=list)
    _consents: set[Consent] = field(default_factory=set)

    def add(self, chunk: Chunk, refuse: Refuse, source: Source | None = None) -> None:
        """Takes events in, and writes what has gathered once it is much.

        By then it is known which of the chunk's claims are not followed: `refuse` is given those, with the reasons.
        Without a `source`, profiles that do not take their events are an error.
        """
        self.accepted += len(chunk.events)
        self._folded.append((source, fold(chunk.events)))
        self._claims.append((chunk.claims, refuse))
        self._consents.update(chunk.consents)
        self._bytes += EVENT_BYTES * len(chunk.events) + KEY_BYTES * len(chunk.events.keys)
        self._bytes += sum(len(claim.original) + KEY_BYTES for claim in chunk.claims)
        self._bytes += sum(map(len, chunk.events.category_names.values()))
        rows = sum(len(profiles.rows) for _, profiles in self._folded)
        if rows >= ROWS_AT_ONCE or self._bytes >= BYTES_AT_ONCE:
            self._write()

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
            "EventsDuplicate": max(self.accepted - self.total.events - self.total.forgotten - self.unwritten, 0),
            "EventsForgotten": self.total.forgotten + self.unkept,
            "CustomersChanged": self.total.customers,
            "SegmentsChanged": self.total.segments,
            "VisitorsLinked": self.total.links,
            "LinksRefused": self.refused,
            "SharedDevices": self.total.shared,
        }

    def flush(self) -> None:
        """Writes what has gathered. If that fails it stays, for the next flush to try again.

        Lines of profiles that will not take them are in quarantine then, and `again` has the sources of those that may.
        """
        self._write()
        if self._full:
            full = {key: self._held(key, why) for key, why in self._full.items()}
            for source in self._to_keep:
                for lines in batched(source.lines_of(full), LINES_AT_ONCE, strict=False):
                    if kept := self.keepable(list(lines)):
                        source.keep(kept)
                        self.unwritten += len(kept)
        self._full.clear()
        self._to_keep.clear()

    def _held(self, key: str, why: Unwritten) -> Unwritten:
        """Why the profile did not take its events, with those that it holds all the same."""
        try:
            profile = own(self.table.load([key]))
        except (ProfilesUnreadable, BrokenState, UnknownStateVersion):
            return why
        if not len(profile):
            return why
        full_since_ms = int(profile.first_event_ms[0]) if profile.sketches else None
        return replace(why, held=frozenset(profile.rows.fingerprint.tolist()), full_since_ms=full_since_ms)

    def _write(self) -> None:
        claims = Claims((claim for found, _ in self._claims for claim in found), self.table, self.admission)
        updater = Updater(self.table, self.bundle, self.moment, self.sleep, admission=self.admission, waits=self.waits)
        self.total += fold_in(merge(*(profiles for _, profiles in self._folded)), updater, claims, self._consents)
        self._sort_out(updater.unwritten)
        for found, refuse in self._claims:
            reasons = [(claim, reason) for claim in found if (reason := claims.refusal(claim))]
            if reasons:
                refuse([Rejection(c.line, reason, c.original, (c.customer, c.visitor)) for c, reason in reasons])
                self.refused += len(reasons)
        self._folded.clear()
        self._claims.clear()
        self._consents.clear()
        self._bytes = 0

    def _sort_out(self, unwritten: Mapping[str, Unwritten]) -> None:
        """Finds the sources of events that were not written."""
        if not unwritten:
            return
        self.not_taken |= unwritten
        for (source, profiles), (claims, _) in zip(self._folded, self._claims, strict=True):
            people = unwritten.keys() & {*profiles.keys, *(claim.visitor for claim in claims)}
            if not people:
                continue
            if source is None:
                check(unwritten)
                return
            if passing := [unwritten[key] for key in sorted(people) if unwritten[key].passes]:
                self.again.setdefault(source.id, passing[0].reason)
            if len(passing) < len(people):
                self._to_keep[source] = None
        self._full |= {key: why for key, why in unwritten.items() if not why.passes}
