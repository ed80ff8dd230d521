"""The shop's own time: what hour, weekday and day it is there at an instant, and when a day of its begins."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS

type Ints = NDArray[np.int64]

_LAST_DAY = (datetime(2050, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
"""Clocks are taken to stay as they are from then on."""


class UnknownTimeZone(ValueError):
    """No time zone of that name is in the IANA database."""


@dataclass(frozen=True, eq=False)
class TimeZone:
    """A time zone of the IANA database, for whole arrays of instants at once."""

    name: str
    _changed_ms: Ints
    """When clocks were changed, UTC milliseconds, ascending [n_changes]."""
    _ahead_ms: Ints
    """How far clocks are ahead of UTC before the first change and after each [n_changes + 1]."""

    @classmethod
    def of(cls, name: str) -> "TimeZone":
        """The zone of an IANA name, such as "Europe/Berlin". Raises UnknownTimeZone."""
        return _time_zone(name)

    def local(self, time_ms: Ints) -> Ints:
        """What the clock on the wall shows at instants in UTC milliseconds [n], as if it were UTC [n]."""
        if self.is_utc:
            return time_ms
        return time_ms + self._ahead_ms[self._changed_ms.searchsorted(time_ms, "right")]

    def day(self, time_ms: Ints) -> Ints:
        """The date there, in days since 1970-01-01 [n]."""
        return self.local(time_ms) // DAY_MS

    def midnight(self, day: Ints) -> Ints:
        """When dates begin there, in UTC milliseconds [n]; where the clock skips 00:00, at what it shows instead."""
        wall = day * DAY_MS
        if self.is_utc:
            return wall
        # What the wall shows up to a change it shows by the earlier clock, also where it shows it twice or never.
        until = self._changed_ms + np.maximum(self._ahead_ms[:-1], self._ahead_ms[1:])
        return wall - self._ahead_ms[until.searchsorted(wall, "right")]

    @cached_property
    def is_utc(self) -> bool:
        """Whether its clocks always show UTC."""
        return not self._ahead_ms.any()


@cache
def _time_zone(name: str) -> TimeZone:
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder's name is an OSError
        raise UnknownTimeZone(
            f"there is no time zone {name!r:.80}; one is called Europe/Berlin, for example"
        ) from error
    ahead = [_ahead(zone, 0)]
    changed = list[int]()
    for day in range(_LAST_DAY):
        begin, end = day * DAY_MS // 1_000, (day + 1) * DAY_MS // 1_000
        while (now := ahead[-1]) != _ahead(zone, end):
            at = _first_change(zone, begin, end, now)
            changed.append(at)
            ahead.append(_ahead(zone, at))
            begin = at
    return TimeZone(name, np.array(changed, np.int64) * 1_000, np.array(ahead, np.int64) * 1_000)


def _first_change(zone: ZoneInfo, before: int, after: int, ahead: int) -> int:
    """The second between `before`, when clocks are `ahead`, and `after`, when they are not, at which they change."""
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _ahead(zone, middle) == ahead else (before, middle)
    return after


def _ahead(zone: ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())


UTC_TIME = TimeZone("UTC", np.empty(0, np.int64), np.zeros(1, np.int64))
