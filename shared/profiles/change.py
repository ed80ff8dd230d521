"""What a write changes of a profile, and what became of the events that led to it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.decisions.decision import changes_segment, moves
from shared.decisions.transitions import Cause
from shared.identity.links import LinkState
from shared.profiles.stored_profile import StoredProfile


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


@dataclass(frozen=True, slots=True)
class Change:
    """A profile as it is stored, and as it is to be stored."""

    before: StoredProfile
    after: StoredProfile

    @property
    def is_written(self) -> bool:
        """Whether there is anything to write."""
        return self.after.version > self.before.version

    @property
    def cause(self) -> Cause | None:
        """Why the profile moves; what is not written stays as it is, and with it the cause it was stored with."""
        if not self.is_written:
            return self.before.moved
        old = self.before.decision
        new = self.after.decision
        waits = new is None and self.after.is_someone
        if waits or not moves(old, new):
            return None
        relinked = _linked(self.before) != _linked(self.after)
        begins = old is None and self.before.state != self.after.state
        return Cause.IDENTITY if relinked and not begins else Cause.EVENTS

    @property
    def outcome(self) -> Ingested:
        """What became of the events by it."""
        old = self.before.decision
        new = self.after.decision
        was, now = (profile.link and profile.link.state for profile in (self.before, self.after))
        return Ingested(
            events=self.after.events - self.before.events,
            customers=int(self.after.is_someone),
            segments=int(bool(old and new and changes_segment(old, new))),
            links=int(was is None and now is LinkState.LINKED),
            shared=int(was is not LinkState.SHARED and now is LinkState.SHARED),
        )


def _linked(profile: StoredProfile) -> set[str]:
    return {visitor for visitor, copy in profile.visitors.items() if copy.state is not None}
