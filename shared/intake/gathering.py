"""Events gathered from many files or messages, so that a profile that they share is read and written once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched
from typing import TYPE_CHECKING

import numpy as np

from shared.aws.backoff import Sleep
from shared.clock import Moment
from shared.durations import DAY_MS
from shared.events import Chunk, Claim, Rejection
from shared.features import BrokenState, Profiles, UnknownStateVersion, fold, merge
from shared.identity.consents import Consent
from shared.intake.claims import Claims
from shared.intake.deadlines import RESERVE_SECONDS, OutOfTime, TimedUpdater
from shared.intake.ingest import fold_in
from shared.profiles.change import Ingested
from shared.profiles.histories import own
from shared.profiles.marks import Admission, keepable
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import ProfilesUnreadable, Unwritten, check

if TYPE_CHECKING:
    from shared.models.bundle import Bundle

LATE_MS = 2 * DAY_MS
"""An event that comes so long after it happened is late: the file of a day comes on the day after."""
LINES_AT_ONCE = 10_000
"""Of quarantined lines in one object."""
ROWS_AT_ONCE = 500_000
"""Events gathered before they are written."""
BYTES_AT_ONCE = 32 << 20
"""Of events gathered before they are written, and of the lines that their claims are kept with."""
EVENT_BYTES = 70
"""Of an event in columns."""
SECONDS_A_PROFILE = 1 / 200
"""That writing takes, as long as that was not measured."""
ATTRIBUTE_BYTES = 100
"""Of one attribute of a profile, beside its value."""
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


@dataclass
class Intake:
    """Gathers events from many files or messages, so that a profile they share is read and written once."""

    table: ProfileTable
    bundle: Bundle | None
    moment: Moment
    total: Ingested = field(default_factory=Ingested)
    accepted: int = 0
    """Valid events seen, repeats included."""
    late: int = 0
    """Of the accepted, those that came LATE_MS after they happened, or later."""
    refused: int = 0
    """Claims that were not followed."""
    admission: Admission | None = None
    """Without one, everybody is stored."""
    unkept: int = 0
    """Refused lines of those who were erased, which are kept nowhere."""
    waits: bool = True
    """Without a bundle, whether those who change are due to be decided on as soon as there is one."""
    sleep: Sleep = time.sleep
    rows_at_once: int = ROWS_AT_ONCE
    seconds_left: Callable[[], float] = lambda: math.inf
    """Until the invocation is ended."""
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
    _asked_s: float = 0.0
    """Seconds that were left when it was asked last."""
    _longest_s: float = 0.0
    """Between two times that it was asked."""
    _seconds_a_profile: float = SECONDS_A_PROFILE
    """That writing takes."""

    def has_time(self) -> bool:
        """Whether as much as ever came between two calls of this can come once more, and all that has gathered be
        written after it, before the invocation is ended."""
        left = self.seconds_left()
        if left == math.inf:
            return True
        self._longest_s = max(self._longest_s, self._asked_s - left)
        self._asked_s = left
        return left > RESERVE_SECONDS + 2 * (self._longest_s + self._waiting() * self._seconds_a_profile)

    def _waiting(self) -> int:
        """How many profiles are concerned by what has gathered."""
        return len({key for _, profiles in self._folded for key in profiles.keys})

    def add(self, chunk: Chunk, refuse: Refuse, source: Source | None = None) -> None:
        """Takes events in, and writes what has gathered once it is much.

        By then it is known which of the chunk's claims are not followed: `refuse` is given those, with the reasons.
        Without a `source`, profiles that do not take their events are an error.
        """
        self.accepted += len(chunk.events)
        self.late += int(np.count_nonzero(chunk.events.rows.time_ms <= self.moment.as_of_ms - LATE_MS))
        self._folded.append((source, fold(chunk.events)))
        self._claims.append((chunk.claims, refuse))
        self._consents.update(chunk.consents)
        self._bytes += _bytes_of(chunk)
        rows = sum(len(profiles.rows) for _, profiles in self._folded)
        if rows >= self.rows_at_once or self._bytes >= BYTES_AT_ONCE:
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
            "EventsLate": self.late,
            "EventsForgotten": self.total.forgotten + self.unkept,
            "CustomersChanged": self.total.customers,
            "SegmentsChanged": self.total.segments,
            "VisitorsLinked": self.total.links,
            "LinksRefused": self.refused,
            "SharedDevices": self.total.shared,
        }

    def flush(self) -> None:
        """Writes what has gathered. If that fails it stays, for the next flush to try again. Raises OutOfTime.

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
        began_s = self.seconds_left()
        waiting = self._waiting() if began_s < math.inf else 0
        claims = Claims((claim for made, _ in self._claims for claim in made), self.table, self.admission)
        updater = TimedUpdater(
            self.table,
            self.bundle,
            self.moment,
            self.sleep,
            admission=self.admission,
            waits=self.waits,
            seconds_left=self.seconds_left,
        )
        try:
            self.total += fold_in(merge(*(profiles for _, profiles in self._folded)), updater, claims, self._consents)
        except OutOfTime:
            self.total += updater.total
            raise
        self._sort_out(updater.unwritten)
        for made, refuse in self._claims:
            rejections = [
                Rejection(claim.line, reason, claim.original, (claim.customer, claim.visitor))
                for claim in made
                if (reason := claims.refusal(claim))
            ]
            if rejections:
                refuse(rejections)
                self.refused += len(rejections)
        self._folded.clear()
        self._claims.clear()
        self._consents.clear()
        self._bytes = 0
        if waiting:
            self._seconds_a_profile = (began_s - self.seconds_left()) / waiting

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


def _bytes_of(chunk: Chunk) -> int:
    events = EVENT_BYTES * len(chunk.events) + KEY_BYTES * len(chunk.events.keys)
    claims = sum(len(claim.original) + KEY_BYTES for claim in chunk.claims)
    known = chunk.events.attributes
    attributes = ATTRIBUTE_BYTES * len(known) + sum(map(len, known.values))
    return events + attributes + claims + sum(map(len, chunk.events.category_names.values()))
