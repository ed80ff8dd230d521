"""One campaign as it was counted: who was exposed when in which arm, and what became of those whose window is over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.experiments.assignment import Planned
from shared.experiments.estimates import COLUMNS
from shared.experiments.moments import Moments

TREATMENT, CONTROL = "treatment", "control"
ARMS = (TREATMENT, CONTROL)
RECENT_DAYS = 28
"""From which the number of customers a day is reckoned."""
STILL_DAYS = 7
"""Without anybody new, after which nobody is expected any more."""

type Segment = str | None
type Group = tuple[str, Segment]
"""An arm, and the segment at the time of the exposure; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a campaign costs and earns."""

    per_contact: float
    margin: float
    """The share of revenue that is left of it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is known of one campaign. The first exposure of a customer counts, in whichever arm it was."""

    campaign: str
    window_days: float
    """After the first exposure, in which counts what happens."""
    groups: Mapping[Group, Moments]
    """Of COLUMNS, of those whose window is over."""
    exposed_ms: NDArray[np.int64]
    """First exposures of all customers, in order [n]."""
    assigned: Mapping[str, int]
    """Customers by arm, those whose window is not over included."""
    contacts: int = 0
    """Exposures of the treatment arm of those whose window is over, repeated ones included."""
    switched: int = 0
    """Customers with exposures in both arms."""
    elsewhere: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By other campaigns, the shares of treatment and control arm that those approached within the window."""
    planned: Planned | None = None
    cost: Cost | None = None
    columns: frozenset[str] = frozenset(COLUMNS)
    """Those that are known at all."""

    def arm(self, arm: str, segment: Segment = None) -> Moments:
        """All of an arm, or those of one of its segments."""
        total = Moments.none(len(COLUMNS))
        for (its_arm, its_segment), moments in self.groups.items():
            if its_arm == arm and segment in (None, its_segment):
                total = total + moments
        return total

    @property
    def segments(self) -> list[str]:
        """Segments with anybody in either arm."""
        return sorted({segment for _, segment in self.groups if segment is not None})

    @property
    def observed(self) -> int:
        """Customers whose window is over."""
        return sum(moments.n for moments in self.groups.values())

    def days_until(self, customers: int, as_of_ms: int) -> int | None:
        """In how many days the windows of so many customers will be over; None where nobody comes any more."""
        if customers <= self.observed:
            return 0
        if customers <= len(self.exposed_ms):
            over = int(self.exposed_ms[customers - 1]) + self.window_days * DAY_MS - as_of_ms
            return max(1, math.ceil(over / DAY_MS))
        last = as_of_ms - STILL_DAYS * DAY_MS
        if not len(self.exposed_ms) or self.exposed_ms[-1] <= last:
            return None
        begun = max(int(self.exposed_ms[0]), as_of_ms - RECENT_DAYS * DAY_MS)
        a_day = int((self.exposed_ms >= begun).sum()) / max(1.0, (as_of_ms - begun) / DAY_MS)
        return math.ceil((customers - len(self.exposed_ms)) / a_day + self.window_days)
