"""The core that all events go through, whatever brought them: fold, merge with what is stored, decide, store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING

from shared.backoff import Sleep, attempts
from shared.decision import Decision
from shared.features import EventColumns, Profiles, changed, decode, encode, features, fold, merge
from shared.intent import ACTIONS, intents
from shared.profile_table import MAX_STATE_BYTES, ProfileTable, StoredProfile, anonymous

if TYPE_CHECKING:
    from shared.bundle import Bundle, Floats

PROFILES_AT_ONCE = 1_000
"""Bounds the memory that stored histories take, of which a few events may touch many."""

ROWS_AT_ONCE = 500_000
"""Events gathered before they are written, about 60 bytes each."""

RACES_AT_MOST = 10


class TooManyRaces(Exception):
    """Some profiles were changed by others each time they were about to be written; nothing is lost."""


class ProfileTooLarge(Exception):
    """A profile's history does not fit its item. All other profiles of the same input have been written."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When decisions are made, in UTC milliseconds."""

    as_of_ms: int
    """Only events before it count; the clock's time, unless past data is replayed."""
    scored_at_ms: int
    """The clock's time."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of events."""

    events: int = 0
    """Events counted for the first time."""
    customers: int = 0
    """Profiles changed."""
    segments: int = 0
    """Profiles that moved from one segment to another."""

    def __add__(self, other: Ingested) -> Ingested:
        return Ingested(self.events + other.events, self.customers + other.customers, self.segments + other.segments)


def ingest(
    delta: Profiles, table: ProfileTable, bundle: Bundle | None, moment: Moment, sleep: Sleep = time.sleep
) -> Ingested:
    """Merges `delta` into the stored profiles and decides anew for those that it changed.

    Profiles that it adds nothing to are not written. Without a bundle, histories are stored and decisions stay as
    they are. Raises ProfileTooLarge, TooManyRaces, and what the table raises; the same `delta` can always be given
    again, and what was written then counts as known.
    """
    total, too_large = Ingested(), list[str]()
    for positions in batched(range(len(delta)), PROFILES_AT_ONCE, strict=False):
        pending = delta.take(list(positions))
        for _ in attempts(RACES_AT_MOST, sleep):
            changes = _changes(pending, table, bundle, moment)
            fitting = [change for change in changes if change.fits]
            lost = table.save([change.after for change in fitting])
            total += sum((change.outcome for change in fitting if change.key not in lost), Ingested())
            too_large += [change.description for change in changes if not change.fits]
            if not lost:
                break
            pending = pending.take([i for i, key in enumerate(pending.keys) if key in lost])
        else:
            raise TooManyRaces(f"{len(pending)} profiles were changed by others in each of {RACES_AT_MOST} attempts")
    if too_large:
        raise ProfileTooLarge(f"profiles above {MAX_STATE_BYTES:,} bytes, left as they were: {'; '.join(too_large)}")
    return total


@dataclass
class Intake:
    """Gathers events from many files or messages, so that a profile they share is read and written once."""

    table: ProfileTable
    bundle: Bundle | None
    moment: Moment
    total: Ingested = field(default_factory=Ingested)
    accepted: int = 0
    """Valid events seen, repeats included."""
    _folded: list[Profiles] = field(default_factory=list)

    def add(self, events: EventColumns) -> None:
        """Takes events in, and writes what has gathered once it is much."""
        self.accepted += len(events)
        self._folded.append(fold(events))
        if sum(len(profiles.rows) for profiles in self._folded) >= ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Writes what has gathered. If that fails it stays, for the next flush to try again."""
        self.total += ingest(_union(self._folded), self.table, self.bundle, self.moment)
        self._folded.clear()


@dataclass(frozen=True, slots=True)
class _Change:
    before: StoredProfile | None
    after: StoredProfile

    @property
    def key(self) -> str:
        return self.after.key

    @property
    def fits(self) -> bool:
        return len(self.after.state) <= MAX_STATE_BYTES

    @property
    def description(self) -> str:
        return f"{anonymous(self.key)} ({self.after.events:,} events, {len(self.after.state):,} bytes)"

    @property
    def outcome(self) -> Ingested:
        new_events = self.after.events - (self.before.events if self.before else 0)
        old, new = self.before and self.before.decision, self.after.decision
        return Ingested(new_events, 1, int(bool(old and new and old.segment != new.segment)))


def _changes(delta: Profiles, table: ProfileTable, bundle: Bundle | None, moment: Moment) -> list[_Change]:
    stored = table.load(delta.keys)
    keys = sorted(stored)
    before = decode(keys, [stored[key].state for key in keys])
    after = merge(before, delta)
    profiles = after.take(changed(before, after))
    return [
        _Change(
            before=(known := stored.get(key)),
            after=StoredProfile(key, known.version + 1 if known else 1, state, events, decision),
        )
        for key, state, events, decision in zip(
            profiles.keys,
            encode(profiles),
            profiles.event_counts.tolist(),
            _decide(profiles, stored, bundle, moment),
            strict=True,
        )
    ]


def _decide(
    profiles: Profiles, stored: Mapping[str, StoredProfile], bundle: Bundle | None, moment: Moment
) -> list[Decision | None]:
    if bundle is None or not len(profiles):
        return [None] * len(profiles)
    known = features(profiles, moment.as_of_ms)
    decided = bundle.decide(known)
    intent = intents(decided, known, bundle.manifest)
    segments, margins, runners_up = decided.segment.tolist(), _shortest(decided.margin), decided.runner_up.tolist()
    micro_segments = [None] * len(profiles) if decided.micro_segment is None else decided.micro_segment.tolist()
    predictions = {name: _shortest(values) for name, values in decided.predictions.items()}
    return [
        Decision(
            segment=segments[i],
            since_ms=_since(stored.get(key), segments[i], moment),
            margin=margins[i],
            runner_up=runners_up[i],
            predictions={name: values[i] for name, values in predictions.items()},
            intent=intent[i],
            action=ACTIONS[intent[i]],
            as_of_ms=moment.as_of_ms,
            scored_at_ms=moment.scored_at_ms,
            model_version=bundle.bundle_id,
            micro_segment=micro_segments[i],
        )
        for i, key in enumerate(profiles.keys)
    ]


def _since(before: StoredProfile | None, segment: int, moment: Moment) -> int:
    decision = before.decision if before else None
    return decision.since_ms if decision and decision.segment == segment else moment.as_of_ms


def _shortest(values: Floats) -> list[float]:
    # 0.12 rather than 0.11999999731779099: the fewest digits that are still the same float32.
    return [float(str(value)) for value in values]


def _union(parts: list[Profiles]) -> Profiles:
    # Pair by pair, so that every row is sorted a logarithmic number of times.
    while len(parts) > 1:
        parts = [merge(*pair) if len(pair) == 2 else pair[0] for pair in batched(parts, 2, strict=False)]
    return parts[0] if parts else Profiles.empty()
