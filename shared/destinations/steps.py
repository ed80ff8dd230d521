"""What a journey sends, looked at once more when it is about to leave: a vendor may have been down for days since.

Whoever left the audience or ordered meanwhile is not sent any more, and nobody is in the shop's quiet hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.durations import DAY_MS, MINUTE_MS
from shared.features.time_zone import TimeZone
from shared.profiles.histories import histories
from shared.profiles.judged import latest_ms
from shared.profiles.stored_profile import StoredProfile

LEAVES, ORDERS = "leaves", "orders"
"""What may stop a journey at once."""
DAY_MINUTES = DAY_MS // MINUTE_MS
_SHADOW_MINUTES = 2 * DAY_MINUTES
"""Quiet hours are over by then, whatever clocks are changed."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which nothing is sent, in minutes of the shop's day; over midnight where `begin` is after `end`."""

    begin: int
    end: int

    def over_ms(self, now_ms: int, zone: TimeZone) -> int:
        """The first instant from `now_ms` on that is not in quiet hours: now, or a whole minute."""
        minutes = -(-now_ms // MINUTE_MS) + np.arange(_SHADOW_MINUTES)
        instants = np.append(now_ms, minutes * MINUTE_MS)
        of_day = zone.local(instants) // MINUTE_MS % DAY_MINUTES
        after, before = of_day >= self.begin, of_day < self.end
        return int(instants[np.argmin(after & before if self.begin <= self.end else after | before)])


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which a step is sent. Times are UTC milliseconds."""

    audience: str
    entered_ms: int
    stops: tuple[str, ...]
    quiet: Quiet | None = None


def belongs(profile: StoredProfile, audience: str, entered_ms: int) -> bool:
    """Whether somebody has been in an audience since they entered it: who came back is there by another entry."""
    membership = profile.decision.audiences.get(audience) if profile.decision else None
    return membership is not None and membership.since_ms <= entered_ms


def ordered(profile: StoredProfile, entered_ms: int) -> bool:
    """Whether somebody has ordered from then on. Raises BrokenState and UnknownStateVersion."""
    last_ms = latest_ms(histories([profile]), "orders")
    return last_ms is not None and last_ms >= entered_ms


def stopped(profile: StoredProfile, conditions: Conditions) -> str | None:
    """Why a step is not to be sent to somebody any more; None where it is. Raises as `ordered` does."""
    if LEAVES in conditions.stops and not belongs(profile, conditions.audience, conditions.entered_ms):
        return "the customer left the audience before it could be sent"
    if ORDERS in conditions.stops and ordered(profile, conditions.entered_ms):
        return "the customer ordered before it could be sent"
    return None
