"""A stored customer as a journey sees them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shared.audiences.rules import Rule
from shared.destinations.steps import belongs
from shared.profiles.judged import judged, latest_ms

if TYPE_CHECKING:
    from shared.audiences.evaluating import Customers
    from shared.features import Profiles
    from shared.features.time_zone import TimeZone
    from shared.profiles.stored_profile import StoredProfile


@dataclass(frozen=True)
class Look:
    """A customer with a decision at an instant; their history is read when it is asked for. Times are UTC milliseconds.

    Asking raises BrokenState and UnknownStateVersion where their history cannot be read.
    """

    profile: StoredProfile
    audience: str
    entered_ms: int
    sent_ms: Sequence[int]
    now_ms: int
    zone: TimeZone

    @property
    def belongs(self) -> bool:
        """Whether they have been in the audience since they entered: who came back is there by another entry."""
        return belongs(self.profile, self.audience, self.entered_ms)

    def latest_ms(self, measure: str) -> int | None:
        """When they last viewed, put into the cart, ordered or did anything."""
        return latest_ms(self._judged[0], measure)

    def holds(self, rule: Rule) -> bool:
        """Whether a rule is true of them."""
        return bool(np.any(self._judged[1].holds(rule)))

    @cached_property
    def _judged(self) -> tuple[Profiles, Customers]:
        return judged([self.profile] if self.profile.decision else [], self.now_ms, self.zone)
