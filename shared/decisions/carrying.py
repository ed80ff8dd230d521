"""Features on days to come, computed anew only where something leaves a window or begins to count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features import FEATURES, Feature, Profiles, features

if TYPE_CHECKING:
    from shared.features.time_zone import TimeZone

WINDOWS = sorted({feature.window_days for feature in FEATURES if feature.window_days})
OVERDUE = "order_overdue"
OVERDUE_RESTS_ON = ("days_since_order", "order_interval_mean")
"""It grows with the first, over the second."""
FEW_ROWS = 10_000
"""Events of all instants at which something leaves a window, up to which features are computed at once for all of them:
so few take less time than to ask again and again."""
ROWS_AT_ONCE = 500_000
"""Events of all instants tried at once, which bounds the memory."""

type Days = NDArray[np.int64]


class Midnights:
    """The midnights of the shop that follow an instant."""

    def __init__(self, as_of_ms: int, zone: TimeZone) -> None:
        self.zone = zone
        self._today = zone.day(np.array(as_of_ms))

    def __call__(self, days: Days) -> Days:
        """UTC milliseconds of the midnights at which the days begin that are some `days` after that of the instant."""
        return self.zone.midnight(self._today + days)


class Carried:
    """Some features of customers on days to come. Until something leaves a window, only the times since something grow,
    by a day a day, and how overdue the next order is."""

    def __init__(
        self, profiles: Profiles, midnights: Midnights, leaving: NDArray[np.bool_], of: Sequence[Feature]
    ) -> None:
        self._profiles = profiles
        self._midnights = midnights
        self._of = of
        names = [feature.name for feature in of]
        self._growing = [j for j, feature in enumerate(of) if feature.grows_daily]
        self._overdue = [names.index(name) for name in (OVERDUE, *OVERDUE_RESTS_ON)] if OVERDUE in names else []
        self._since = np.maximum.accumulate(np.where(leaving, np.arange(leaving.shape[1]), 1), axis=1)
        self._row = np.full(leaving.shape, -1)
        self._known = np.empty((0, len(of)), np.float32)
        begins = leaving.copy()
        begins[:, 1] = True
        if begins.sum(axis=1) @ profiles.event_counts <= FEW_ROWS:
            self._learn(*np.nonzero(begins))

    def on(self, who: Days, days: Days) -> NDArray[np.float32]:
        """The features on `days` from now, at midnight [n, n_features]."""
        since = self._since[who, days]
        new = np.unique((who * self._row.shape[1] + since)[self._row[who, since] < 0])
        for part in np.split(new, self._cuts(new // self._row.shape[1])) if len(new) else ():
            self._learn(*np.divmod(part, self._row.shape[1]))
        known: NDArray[np.float32] = self._known[self._row[who, since]]
        grown = (self._midnights(days) - self._midnights(since)) / DAY_MS
        known[:, self._growing] += grown[:, None].astype(np.float32)
        if self._overdue:
            overdue, since_order, interval = self._overdue
            often = known[:, interval] > 0
            known[often, overdue] = known[often, since_order] / known[often, interval]
        return known

    def _learn(self, who: Days, days: Days) -> None:
        self._row[who, days] = len(self._known) + np.arange(len(who))
        at_ms = self._midnights(days)
        known = features(self._profiles.take(who), at_ms, self._midnights.zone, self._of)
        self._known = np.concatenate((self._known, known))

    def _cuts(self, who: Days) -> Days:
        return np.flatnonzero(np.diff(np.cumsum(self._profiles.event_counts[who]) // ROWS_AT_ONCE)) + 1
