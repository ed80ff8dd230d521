"""Stored profiles made to hold what is new: read, merge, decide, write, and again where another writer came first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched
from typing import TYPE_CHECKING

from shared.aws.backoff import Sleep
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.features import BrokenState, Profiles, UnknownStateVersion, changed, merge, since
from shared.identity.consents import NEVER, Mark
from shared.identity.links import NOBODY, Link, LinkState
from shared.models.manifests import BundleMismatch
from shared.profiles.change import Change, Ingested
from shared.profiles.full_profile import fitting
from shared.profiles.histories import BROKEN, EVENTS_AT_ONCE, gathered, rows_of, those_of, unreadable, with_visitors
from shared.profiles.incoming import Incoming
from shared.profiles.item import MAX_STATE_BYTES, ItemsUnreadable
from shared.profiles.marks import Admission
from shared.profiles.races import TooManyRaces, races
from shared.profiles.remembered import remembered
from shared.profiles.sealing import parted, sealed_events, trimmed
from shared.profiles.stored_profile import VERSIONS_A_MILLISECOND, StoredProfile
from shared.profiles.table import READS_A_CALL, ProfileNotWritten, ProfileTable
from shared.profiles.unwritten import Unwritten

if TYPE_CHECKING:
    from shared.models.bundle import Bundle


RACED = Unwritten("the profile was changed by others in every attempt", TooManyRaces, passes=True)
FULL = Unwritten("the profile is full: what it holds takes as many bytes as its item may have")
REFUSED = Unwritten("the table does not take the profile with the event in it", ProfileNotWritten)


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
        profiles: list[StoredProfile] = []
        for _ in races(self.sleep):
            lost: set[str] = set()
            for some, loaded in self._parts(keys, incoming):
                changes = self._changes(some, loaded, incoming)
                late, never = self._save([change.after for change in changes if change.is_written])
                done = [change for change in changes if change.after.key not in late | never]
                profiles += [change.after for change in done]
                self.total += sum((change.outcome for change in done if change.is_written), Ingested())
                lost |= late
            if not lost:
                return profiles
            keys = [key for key in keys if key in lost]
        self.unwritten |= dict.fromkeys(keys, RACED)
        return profiles

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
                    part = []
                    loaded = {}
                    held = 0
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

    def _changes(self, keys: Sequence[str], loaded: dict[str, StoredProfile], incoming: Incoming) -> list[Change]:
        """What becomes of the profiles at `keys`, of which `loaded` are stored; without those that cannot be read."""
        try:
            return self._merged(keys, loaded, incoming)
        except (BrokenState, UnknownStateVersion):
            problems = unreadable(loaded.values())
            self.unwritten |= problems
            readable = {key: profile for key, profile in loaded.items() if key not in problems}
            return self._merged([key for key in keys if key not in problems], readable, incoming)

    def _merged(self, keys: Sequence[str], loaded: dict[str, StoredProfile], incoming: Incoming) -> list[Change]:
        """The same, where all can be read."""
        admitted = self._admitted(keys, loaded)
        volumes = sealed_events({key: profile.sealed for key, profile in admitted.items()})
        before, after = _histories(admitted, volumes, incoming)
        grown = parted(after.take(changed(before, after)), before, volumes, admitted)
        links = incoming.relink({key: profile.link for key, profile in admitted.items()})
        changes: list[Change] = []
        for key, profile in admitted.items():
            whole = replace(grown.get(key, profile), link=links[key], visitors=incoming.visitors_of(profile))
            changes.append(self._change(loaded.get(key, profile), profile, whole))
        if self.bundle is not None:
            changes = self._decided(changes, self._kept(before, after), self.bundle)
        profiles = [replace(change.after, moved=change.cause) for change in changes]
        after_all = remembered(profiles, self.bundle)
        return [replace(change, after=profile) for change, profile in zip(changes, after_all, strict=True)]

    def _change(self, stored: StoredProfile, admitted: StoredProfile, whole: StoredProfile) -> Change:
        """From the `stored` profile to as much of the `whole` as fits; the rest stays as it was `admitted`."""
        new = fitting(whole, admitted, MAX_STATE_BYTES)
        self.unwritten.pop(whole.key, None)  # it may have been full before it lost a race
        if new.state != whole.state:
            self.unwritten[whole.key] = replace(FULL, detail=f"{whole.events:,} events, {whole.size:,} bytes")
        if new != stored:
            new = replace(new, version=stored.version + 1, decision=None, waits_since_ms=self._waits(new))
        return Change(stored, new)

    def _waits(self, profile: StoredProfile) -> int | None:
        """Since when a changed profile waits for a decision, unless it gets one now: the next tick that can decides."""
        if not self.waits or not profile.is_someone:
            return None
        return self.moment.as_of_ms if profile.waits_since_ms is None else profile.waits_since_ms

    def _kept(self, before: Profiles, after: Profiles) -> Profiles:
        """The histories as they are stored from now on: those of full profiles stay what they were."""
        full = self.unwritten.keys() & {*after.keys}
        if not full:
            return after
        rest = those_of(after, {*after.keys} - full)
        return merge(rest, those_of(before, full))

    def _admitted(self, keys: Sequence[str], stored: dict[str, StoredProfile]) -> dict[str, StoredProfile]:
        """The profiles that may be written, those that are not stored yet included.

        Who is stored need not be looked up: an erasure marks first and deletes after, so whoever still finds a profile
        after the mark loses it, and finds the mark in the next attempt.
        """
        new = [key for key in keys if key not in stored]
        marks = self.admission.marks.load(new) if self.admission and new else {}
        profiles = {key: stored[key] if key in stored else self._unborn(key, marks.get(key, Mark())) for key in keys}
        marks |= {key: self.recorded[key] for key in keys if key in stored and key in self.recorded}
        for key, mark in marks.items():
            if mark.counts_from_ms == NEVER:
                del profiles[key]
                self.refused[key] = stored.get(key)
            elif mark.counts_from_ms != profiles[key].counts_from_ms:
                profiles[key] = trimmed(replace(profiles[key], counts_from_ms=mark.counts_from_ms))
        return profiles

    def _unborn(self, key: str, mark: Mark) -> StoredProfile:
        """The profile of one who is not stored, before its first write.

        Versions begin at the time, apart from those of any other life and above any table before: ids of moves are
        made of them, and a writer who did not read a mark yet may begin a life that an erasure will end.
        """
        epoch, slot = (self.admission.marks.epoch, self.admission.marks.slot) if self.admission else (0, 0)
        first = max(self.moment.scored_at_ms, epoch) * VERSIONS_A_MILLISECOND + slot
        born = max(mark.ended, first)
        link = Link(NOBODY, LinkState.UNLINKED) if mark.unlinked else None
        return StoredProfile(key, born, b"", 0, None, link=link, born=born)

    def _decided(self, changes: list[Change], histories: Profiles, bundle: Bundle) -> list[Change]:
        """The changes with the decisions that `bundle` makes on the histories."""
        someone = [change for change in changes if change.is_written and change.after.is_someone]
        keys = {change.after.key for change in someone}
        known = with_visitors(those_of(histories, keys), [change.after for change in someone])
        before = {change.after.key: change.before.decision for change in someone}
        try:
            decisions = decide(known, before, bundle, self.moment)
        except BundleMismatch:
            return changes  # histories are kept as they are without a model; the bundle says what is wrong with it
        return [
            replace(change, after=replace(change.after, decision=decisions[key], waits_since_ms=None))
            if (key := change.after.key) in decisions
            else change
            for change in changes
        ]


def _histories(
    profiles: Mapping[str, StoredProfile], volumes: Profiles, incoming: Incoming
) -> tuple[Profiles, Profiles]:
    """What counts of the profiles' own events, of which `volumes` have the sealed part, as they are stored and with
    those that come in."""
    before = gathered((key, profile.state) for key, profile in profiles.items() if profile.state)
    if len(volumes):
        before = merge(before, volumes)
    after = merge(before, incoming.events_of(profiles))
    limits = {key: profile.counts_from_ms for key, profile in profiles.items() if profile.counts_from_ms is not None}
    return (since(before, limits), since(after, limits)) if limits else (before, after)
