"""Stored profiles made to hold what is new: read, merge, decide, write, and again where another writer came first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import batched
from typing import TYPE_CHECKING

from shared.aws.backoff import Sleep
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.decision import changes_segment
from shared.decisions.transitions import Cause
from shared.features import BrokenState, Profiles, UnknownStateVersion, changed, encode, merge, rows_in, since
from shared.identity.consents import NEVER, Mark
from shared.identity.links import NOBODY, Copy, Link, LinkState, newer
from shared.models.manifests import BundleMismatch
from shared.profiles.full_profile import fitting
from shared.profiles.histories import BROKEN, EVENTS_AT_ONCE, own, rows_of, unreadable, with_visitors
from shared.profiles.item import MAX_STATE_BYTES, ItemsUnreadable
from shared.profiles.marks import Admission
from shared.profiles.races import TooManyRaces, races
from shared.profiles.stored_profile import VERSIONS_A_MILLISECOND, StoredProfile
from shared.profiles.table import READS_A_CALL, ProfileNotWritten, ProfileTable
from shared.profiles.unwritten import Unwritten

if TYPE_CHECKING:
    from shared.models.bundle import Bundle


RACED = Unwritten("the profile was changed by others in every attempt", TooManyRaces, passes=True)
FULL = Unwritten("the profile is full: what it holds takes as many bytes as its item may have")
REFUSED = Unwritten("the table does not take the profile with the event in it", ProfileNotWritten)

type Links = Mapping[str, Link | None]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of events."""

    events: int = 0
    """Events counted for the first time."""
    customers: int = 0
    """Profiles changed, save those of visitors who became customers and of shared devices."""
    segments: int = 0
    """Profiles that moved from one segment to another."""
    links: int = 0
    """Visitors who became customers."""
    shared: int = 0
    """Visitors found to be devices that customers share."""
    forgotten: int = 0
    """Events of those who are not to be profiled: they are kept nowhere."""

    def __add__(self, other: Ingested) -> Ingested:
        return Ingested(
            self.events + other.events,
            self.customers + other.customers,
            self.segments + other.segments,
            self.links + other.links,
            self.shared + other.shared,
            self.forgotten + other.forgotten,
        )


def unchanged(links: Links) -> Links:
    """The links as they are."""
    return links


@dataclass(frozen=True)
class Incoming:
    """What profiles are to hold beside what they hold."""

    events: Profiles
    relink: Callable[[Links], Links] = unchanged
    """From visitors' links as they are stored to what they become; called again for those that lost a race."""
    copies: Mapping[str, Mapping[str, Copy]] = field(default_factory=dict)
    """Of customers, their visitors' histories."""

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {key: i for i, key in enumerate(self.events.keys)}

    def events_of(self, keys: Iterable[str]) -> Profiles:
        """The new events of some profiles."""
        return self.events.take(sorted(self._positions[key] for key in keys if key in self._positions))

    def count(self, key: str) -> int:
        """How many new events, and events in new copies, a profile has."""
        own = int(self.events.event_counts[self._positions[key]]) if key in self._positions else 0
        return own + sum(rows_in(copy.state) for copy in self.copies.get(key, {}).values() if copy.state)

    def visitors_of(self, profile: StoredProfile) -> dict[str, Copy]:
        """The visitors' histories that stand beside a customer's own from now on."""
        copies = self.copies.get(profile.key, {})
        return {**profile.visitors, **{key: newer(profile.visitors.get(key), copy) for key, copy in copies.items()}}


@dataclass
class Updater:
    """Updates profiles of one table as of one moment, and sums up what that changed."""

    table: ProfileTable
    bundle: Bundle | None
    """Without one, histories are stored and decisions stay as they are."""
    moment: Moment
    sleep: Sleep
    total: Ingested = field(default_factory=Ingested)
    admission: Admission | None = None
    """Without one, everybody is stored."""
    recorded: Mapping[str, Mark] = field(default_factory=dict)
    """Marks of those whose consent the events speak of."""
    refused: dict[str, StoredProfile | None] = field(default_factory=dict)
    """Of the keys given, those who are not to be profiled, with what is still stored of them."""
    waits: bool = True
    """Without a bundle, whether the profiles are due to be decided on as soon as there is one."""
    unwritten: dict[str, Unwritten] = field(default_factory=dict)
    """Of the keys given, those that did not take what is new."""

    def update(self, keys: Sequence[str], incoming: Incoming) -> list[StoredProfile]:
        """The profiles at the distinct `keys` once they hold what is new; what gains nothing is not written.

        Those that do not take it are left out, and `unwritten` says why. Raises what the table raises; the same can be
        done again.
        """
        found: list[StoredProfile] = []
        for _ in races(self.sleep):
            lost: set[str] = set()
            for some, loaded in self._parts(keys, incoming):
                changes = self._changes(some, loaded, incoming)
                late, never = self._save([change.after for change in changes if change.is_written])
                done = [change for change in changes if change.after.key not in late | never]
                found += [change.after for change in done]
                self.total += sum((change.outcome for change in done if change.is_written), Ingested())
                lost |= late
            if not lost:
                return found
            keys = [key for key in keys if key in lost]
        self.unwritten |= dict.fromkeys(keys, RACED)
        return found

    def _parts(self, keys: Sequence[str], incoming: Incoming) -> Iterator[tuple[list[str], dict[str, StoredProfile]]]:
        """The keys with what is stored under them, as many at a time as hold EVENTS_AT_ONCE with what is new."""
        part: list[str] = []
        loaded: dict[str, StoredProfile] = {}
        held = 0
        for some in batched(keys, READS_A_CALL, strict=False):
            stored, broken = self._load(some)
            for key in some:
                if key in broken:
                    continue
                events = incoming.count(key) + (rows_of(stored[key]) if key in stored else 0)
                if part and held + events > EVENTS_AT_ONCE:
                    yield part, loaded
                    part, loaded, held = [], {}, 0
                part.append(key)
                held += events
                if key in stored:
                    loaded[key] = stored[key]
        if part:
            yield part, loaded

    def _load(self, keys: Sequence[str]) -> tuple[dict[str, StoredProfile], frozenset[str]]:
        """The profiles that exist, and the keys of those whose items cannot be read."""
        try:
            return self.table.load(keys), frozenset()
        except ItemsUnreadable as error:
            self.unwritten |= dict.fromkeys(error.unreadable, BROKEN)
            return error.profiles, error.unreadable

    def _save(self, profiles: Sequence[StoredProfile]) -> tuple[set[str], frozenset[str]]:
        """Writes them, and gives the keys of those that lost a race, and of those that the table will never take."""
        try:
            return self.table.save(profiles), frozenset()
        except ProfileNotWritten as error:
            if not error.refused:
                raise
            self.unwritten |= dict.fromkeys(error.refused, REFUSED)
            return {*error.lost}, error.refused

    def _changes(self, keys: Sequence[str], loaded: dict[str, StoredProfile], incoming: Incoming) -> list[_Change]:
        try:
            return self._merged(keys, loaded, incoming)
        except (BrokenState, UnknownStateVersion):
            found = unreadable(loaded.values())
            self.unwritten |= found
            readable = {key: profile for key, profile in loaded.items() if key not in found}
            return self._merged([key for key in keys if key not in found], readable, incoming)

    def _merged(self, keys: Sequence[str], loaded: dict[str, StoredProfile], incoming: Incoming) -> list[_Change]:
        stored = self._admitted(keys, loaded)
        before = own(stored)
        after = merge(before, incoming.events_of(stored))
        if limited := {key: p.counts_from_ms for key, p in stored.items() if p.counts_from_ms is not None}:
            before, after = since(before, limited), since(after, limited)
        grown = after.take(changed(before, after))
        states = dict(zip(grown.keys, zip(encode(grown), grown.event_totals.tolist(), strict=True), strict=True))
        links = incoming.relink({key: profile.link for key, profile in stored.items()})
        changes = []
        for key, profile in stored.items():
            old = loaded.get(key, profile)
            if profile.counts_from_ms != old.counts_from_ms:
                profile = trimmed(profile)
            state, events = states.get(key, (profile.state, profile.events))
            whole = replace(
                profile, state=state, events=events, link=links[key], visitors=incoming.visitors_of(profile)
            )
            new = fitting(whole, profile, MAX_STATE_BYTES)
            self.unwritten.pop(key, None)  # it may have been full before it lost a race
            if new.state != whole.state:
                self.unwritten[key] = replace(FULL, detail=f"{whole.events:,} events, {whole.size:,} bytes")
            if new != old:
                new = replace(new, version=profile.version + 1, decision=None, waits_since_ms=self._waits(new))
            changes.append(_Change(old, new))
        full = self.unwritten.keys() & {*after.keys}
        kept = merge(_but(after, full), before.take(_positions(before, full))) if full else after
        decided = changes if self.bundle is None else self._decided(changes, kept, self.bundle)
        return [replace(change, after=replace(change.after, moved=change.cause)) for change in decided]

    def _waits(self, profile: StoredProfile) -> int | None:
        """Since when a changed profile waits for a decision, unless it gets one now: the next tick that can decides."""
        if not self.waits or not profile.is_someone:
            return None
        return self.moment.as_of_ms if profile.waits_since_ms is None else profile.waits_since_ms

    def _admitted(self, keys: Sequence[str], stored: dict[str, StoredProfile]) -> dict[str, StoredProfile]:
        """The profiles that may be written, those that are not stored yet included.

        Who is stored need not be looked up: an erasure marks first and deletes after, so whoever still finds a profile
        after the mark loses it, and finds the mark in the next attempt.
        """
        new = [key for key in keys if key not in stored]
        marks = self.admission.marks.load(new) if self.admission and new else {}
        # Versions begin at the time, above those of any former life and any table before: ids of moves are
        # made of them, and a writer who has not seen a mark yet may begin a life that an erasure will end.
        epoch = self.admission.marks.epoch if self.admission else 0
        first = max(self.moment.scored_at_ms, epoch) * VERSIONS_A_MILLISECOND
        unborn = StoredProfile("", first, b"", 0, None, born=first)
        admitted = {key: stored[key] if key in stored else replace(unborn, key=key) for key in keys}
        for key, mark in marks.items():
            born = max(mark.ended, first)
            link = Link(NOBODY, LinkState.UNLINKED) if mark.unlinked else None
            admitted[key] = replace(admitted[key], version=born, born=born, link=link)
        marks |= {key: self.recorded[key] for key in admitted if key in stored and key in self.recorded}
        for key, mark in marks.items():
            if mark.counts_from_ms == NEVER:
                del admitted[key]
                self.refused[key] = stored.get(key)
            else:
                admitted[key] = replace(admitted[key], counts_from_ms=mark.counts_from_ms)
        return admitted

    def _decided(self, changes: list[_Change], histories: Profiles, bundle: Bundle) -> list[_Change]:
        someone = [change for change in changes if change.is_written and change.after.is_someone]
        keys = {change.after.key for change in someone}
        known = histories.take(_positions(histories, keys))
        known = with_visitors(known, [change.after for change in someone])
        before = {change.after.key: change.before.decision for change in someone}
        try:
            decisions = decide(known, before, bundle, self.moment)
        except BundleMismatch:
            return changes  # histories are kept as they are without a model; the bundle says what is wrong with it
        return [
            _Change(change.before, replace(change.after, decision=decisions[key], waits_since_ms=None))
            if key in decisions
            else change
            for change in changes
            for key in [change.after.key]
        ]


@dataclass(frozen=True, slots=True)
class _Change:
    before: StoredProfile
    after: StoredProfile

    @property
    def is_written(self) -> bool:
        return self.after.version > self.before.version

    @property
    def cause(self) -> Cause | None:
        """Why the profile moves; what is not written stays as it is, and with it the cause it was stored with."""
        old, new = self.before.decision, self.after.decision
        if self.after.version == self.before.version:
            return self.before.moved
        if not changes_segment(old, new) or (new is None and self.after.is_someone):
            return None
        relinked = _linked(self.before) != _linked(self.after)
        begins = old is None and self.before.state != self.after.state
        return Cause.IDENTITY if relinked and not begins else Cause.EVENTS

    @property
    def outcome(self) -> Ingested:
        old, new = self.before.decision, self.after.decision
        was, now = (profile.link and profile.link.state for profile in (self.before, self.after))
        return Ingested(
            events=self.after.events - self.before.events,
            customers=int(self.after.is_someone),
            segments=int(bool(old and new and changes_segment(old, new))),
            links=int(was is None and now is LinkState.LINKED),
            shared=int(was is not LinkState.SHARED and now is LinkState.SHARED),
        )


def trimmed(profile: StoredProfile) -> StoredProfile:
    """The profile without its events from before they count."""
    assert profile.counts_from_ms is not None
    left = since(own({profile.key: profile}), {profile.key: profile.counts_from_ms})
    (state,) = encode(left) if len(left) else (b"",)
    return replace(profile, state=state, events=int(left.event_totals.sum()))


def _positions(profiles: Profiles, keys: Collection[str]) -> list[int]:
    return [i for i, key in enumerate(profiles.keys) if key in keys]


def _but(profiles: Profiles, keys: Collection[str]) -> Profiles:
    return profiles.take([i for i, key in enumerate(profiles.keys) if key not in keys])


def _linked(profile: StoredProfile) -> set[str]:
    return {visitor for visitor, copy in profile.visitors.items() if copy.state is not None}
