"""Why profiles did not take what is new, and what is to become of it: it comes again, or goes to quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.identity.keys import anonymous
from shared.telemetry.errors import AnonymousError

MOST_NAMED = 20
"""Profiles that a message names, by the names that may stand in a log."""


class ProfileTooLarge(AnonymousError):
    """A profile's history does not fit its item. All other profiles of the same input have been written."""


class ProfilesUnreadable(AnonymousError):
    """Stored profiles that this code cannot read. They are left as they are."""


class ProfileNewer(ProfilesUnreadable):
    """Stored profiles that a later release wrote, which has to read them."""


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Why a profile did not take what is new."""

    reason: str
    """Without a word of whose it is."""
    error: type[Exception] = ProfileTooLarge
    passes: bool = False
    """Whether it may be taken later, so that the same is to be given again. Else it is kept in quarantine."""
    held: frozenset[int] = frozenset()
    """Fingerprints of the events that the profile holds all the same."""
    detail: str = ""
    """What may stand in a log beside the profile's anonymous name."""
    full_since_ms: int | None = None
    """Where it holds as many events as are kept of anybody, the time of the earliest: older ones are kept nowhere."""

    def keeps(self, fingerprint: int, time_ms: int) -> bool:
        """Whether an event is in the profile, or is one that a full profile goes without."""
        return fingerprint in self.held or (self.full_since_ms is not None and time_ms < self.full_since_ms)


def check(unwritten: Mapping[str, Unwritten]) -> None:
    """Raises the error of the first, if any profile was not written."""
    for first in unwritten.values():
        raise first.error(summary(unwritten))


def summary(unwritten: Mapping[str, Unwritten]) -> str:
    """How many profiles were not written and why, and some of them by the names that may stand in a log."""
    reasons = dict.fromkeys(each.reason for each in unwritten.values())
    names = [f"{anonymous(key)} ({each.detail})" if each.detail else anonymous(key) for key, each in unwritten.items()]
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return f"{len(unwritten)} profiles: {'; '.join(reasons)}: {', '.join([*names[:MOST_NAMED], *more])}"
