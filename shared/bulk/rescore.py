"""Stored profiles decided on anew: those whose decision does not stand, whatever the reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from shared.aws.backoff import Sleep
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.decision import Decision, changes_segment, moves
from shared.decisions.transitions import Cause
from shared.features import BrokenState, UnknownStateVersion
from shared.profiles.histories import BROKEN, histories, parts, unreadable
from shared.profiles.item import ItemsUnreadable
from shared.profiles.races import RACES_AT_MOST, TooManyRaces, races
from shared.profiles.remembered import remembered
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import READS_A_CALL, ProfileTable
from shared.profiles.unwritten import Unwritten

if TYPE_CHECKING:
    from shared.models.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Rescored:
    """What came of deciding anew."""

    decided: int = 0
    """Profiles decided anew and written."""
    moved: int = 0
    """Of these, those that came into another segment, or into their first."""

    def __add__(self, other: Rescored) -> Rescored:
        return Rescored(self.decided + other.decided, self.moved + other.moved)


@dataclass(frozen=True)
class Rescorer:
    """Decides anew on profiles of one table, with one bundle as of one moment."""

    table: ProfileTable
    bundle: Bundle
    moment: Moment
    sleep: Sleep = time.sleep
    unreadable: dict[str, Unwritten] = field(default_factory=dict)
    """Profiles that this code cannot read, and why: they are left as they are."""

    def rescore(self, profiles: Iterable[StoredProfile], stands: Callable[[StoredProfile], bool]) -> Rescored:
        """Decides anew on those of `profiles` whose decision does not stand, and stores it.

        Each is written only as it was read; where another writer came first, the profile is read again. Who moves does
        so because of the model if the decision before was another one's, else because of the events that came when no
        model was known, or because of time. Raises TooManyRaces and what the table raises, once it has been tried with
        all.
        """
        total = Rescored()
        for _ in races(self.sleep):
            lost = set[str]()
            waiting = [profile for profile in profiles if profile.is_someone and not stands(profile)]
            for some in parts(self._complete(waiting)):
                before = {profile.key: profile for profile in some}
                after = self._decided(before)
                late = self.table.save(after)
                done = [profile for profile in after if profile.key not in late]
                moved = [p for p in done if changes_segment(before[p.key].decision, p.decision)]
                total += Rescored(len(done), len(moved))
                lost |= late
            if not lost:
                return total
            profiles = self.heads(sorted(lost))
        raise TooManyRaces(f"{len(lost)} profiles were changed by others in each of {RACES_AT_MOST} attempts")

    def heads(self, keys: Sequence[str]) -> list[StoredProfile]:
        """The profiles that exist among `keys` and that this code can read, without their sealed events."""
        return self._readable(partial(self.table.heads, keys))

    def _complete(self, profiles: Sequence[StoredProfile]) -> Iterator[StoredProfile]:
        for some in batched(profiles, READS_A_CALL, strict=False):
            yield from self._readable(partial(self.table.complete, some))

    def _readable(self, read: Callable[[], dict[str, StoredProfile]]) -> list[StoredProfile]:
        try:
            return [*read().values()]
        except ItemsUnreadable as error:
            self.unreadable.update(dict.fromkeys(error.unreadable, BROKEN))
            return [*error.profiles.values()]

    def _decided(self, stored: Mapping[str, StoredProfile]) -> list[StoredProfile]:
        before = {key: profile.decision for key, profile in stored.items()}
        try:
            known = histories(stored.values())
        except (BrokenState, UnknownStateVersion):
            self.unreadable.update(unreadable(stored.values()))
            known = histories(profile for key, profile in stored.items() if key not in self.unreadable)
        decisions = decide(known, before, self.bundle, self.moment)
        return remembered([_with_decision(stored[key], one) for key, one in decisions.items()], self.bundle)


def _with_decision(profile: StoredProfile, decision: Decision) -> StoredProfile:
    before = profile.decision
    by_itself = Cause.TIME if profile.waits_since_ms is None else Cause.EVENTS
    cause = by_itself if before and before.model_version == decision.model_version else Cause.MODEL
    moved = cause if moves(before, decision) else None
    return replace(profile, version=profile.version + 1, decision=decision, waits_since_ms=None, moved=moved)
